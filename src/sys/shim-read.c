/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The module's lists alone, apart from the port: a program of an initrd that reads only these
 * needs no libkmod.
 */
#include "common/fd.h"
#include "shim.h"

#include <fcntl.h>
#include <limits.h>

/* 65536 lines of 96 bytes, which is more than the module can be made to have. */
enum { TEXT_MAX = SHIM_FUNCTIONS_MAX * 96 };

int shim_read_text(const char *root, const char *name, char **ret, size_t *ret_size) {
        char path[PATH_MAX];

        if ((size_t)snprintf(path, sizeof(path), "%s/sys/kernel/" SHIM_MODULE "/%s", root, name) >= sizeof(path))
                return -ENAMETOOLONG;
        int r = file_read_at(AT_FDCWD, path, TEXT_MAX, ret, ret_size);
        return r == -ENOENT || r == -ENOTDIR ? -ENODEV : r;
}

int shim_read_list(const char *root, ShimDirection direction, ShimList *ret) {
        _cleanup_free_ char *text = NULL;
        size_t size;

        int r = shim_read_text(root, direction == SHIM_OUTGOING ? "outgoing" : "incoming", &text, &size);
        return r < 0 ? r : shim_parse_list(direction, text, size, ret);
}
