/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Archives of cpio as the kernel takes them for an initramfs ("newc", Documentation/
 * driver-api/early-userspace/buffer-format.rst), from bytes that arrive in pieces of any
 * size: several one after the other, with zeros between them. Nothing is kept but the
 * header and name that are being read, so the size of an archive does not matter.
 */
#pragma once

#include "common/macro.h"

enum {
        CPIO_HEADER_SIZE = 110,
        CPIO_NAME_MAX = 4096, /* with the NUL; the kernel passes over longer ones */
};

/* A file begins. Return > 0 to have its contents, 0 to have them passed over, a negative
 * errno to stop. */
typedef int (*cpio_entry_t)(void *userdata, const char *name, uint32_t mode, uint64_t size);
/* A piece of the contents; the last one if it comes to all of them. */
typedef int (*cpio_data_t)(void *userdata, const void *data, size_t size);

typedef enum CpioState { CPIO_BETWEEN, CPIO_HEADER, CPIO_NAME, CPIO_PAD_NAME, CPIO_CONTENTS, CPIO_PAD } CpioState;

typedef struct CpioParser { /* all zero but for the functions at first */
        cpio_entry_t entry;
        cpio_data_t data;
        void *userdata;
        CpioState state;
        uint64_t position;        /* since the first header of this archive */
        uint64_t left;            /* of the contents */
        char text[CPIO_NAME_MAX]; /* header or name */
        size_t n_text, n_name;    /* how much of it is there; how long the name will be */
        uint32_t mode;
        bool wanted;
} CpioParser;

/* Takes what belongs to archives and stops at the first byte between two of them that
 * is neither zero nor the start of a header: *ret_used < size. -EBADMSG: not a header
 * where one must be; else what a function returned. */
int cpio_feed(CpioParser *p, const void *data, size_t size, size_t *ret_used);
/* Whether the bytes may end here: not within a file. */
bool cpio_complete(const CpioParser *p);
