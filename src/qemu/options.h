/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU's command line, word by word. Every option takes one value but those in a table
 * (qemu-options.def, HAS_ARG; 7.2 to 11), so that a line can be walked without knowing
 * what each option means.
 */
#pragma once

#include "common/macro.h"

typedef struct QemuOption {
        const char *name;  /* without its dashes; NULL: a bare word, which is a disk image */
        const char *value; /* NULL: it takes none */
} QemuOption;

/* The option at args[*at], which moves on; 1, 0 at the end, -EINVAL when its value is
 * missing (ret->name is set then). Points into args. */
int qemu_option_next(char *const *args, size_t *at, QemuOption *ret);
