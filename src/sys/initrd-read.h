/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads an initrd from its first byte to its last: cpio archives one after the other, each
 * plain or compressed, with zeros between them, as the kernel takes them (unpack_to_rootfs(),
 * init/initramfs.c). The one place that knows where one of them ends and the next begins,
 * for who looks for something in an initrd and for who takes it along.
 *
 * One pass, with a window of the file, a block of what comes out of decompression and one
 * head and name in memory at a time.
 */
#pragma once

#include "core/newc.h"

enum { INITRD_WHY_SIZE = 96 };

typedef struct InitrdSink {
        NewcSink files;
        /* Gets all bytes of the archives in their order, decompressed, after what is in them
         * went to `files`; may be NULL. last: an archive ends with them, or (with no bytes) a
         * compressed one is next. A negative result ends it, and so does a positive one:
         * enough was seen. */
        int (*bytes)(void *userdata, const void *data, size_t size, bool last);
        void *userdata;
        uint64_t output_max; /* of what comes out of decompression: a bomb has its end there */
} InitrdSink;

/* -EBADMSG: torn or damaged; -EOPNOTSUPP: cannot be read here, but may be good. With both
 * ret_why says what and where. Else what reading or the sink failed with. */
int initrd_read(int fd, uint64_t size, const InitrdSink *sink, char ret_why[static INITRD_WHY_SIZE]);
