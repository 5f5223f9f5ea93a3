/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Decompresses a part of a file, in each of the ways that the kernel knows for itself, an
 * initrd and a module, but for LZO; a block at a time, so that neither the size of what is in
 * it nor that of what comes out of it matters. Works with pread(2): the descriptor's position
 * does not matter, and a file that shrinks meanwhile is one that ends early.
 *
 * The only user of libarchive. It can run external programs for compressions it was built
 * without; what would need one (lzo) is not supported instead. Two things are not done with
 * it: frames that we have written ourselves (zstd-stream.h), which the first process of a
 * kernel reads without it; and to know beforehand where data ends (initrd-frames.h).
 */
#pragma once

#include "common/buffer.h"
#include "core/image.h"

typedef struct Expanded {
        uint64_t used; /* how long what was decompressed is in the file; after a fault, where that is */
        char why[64];  /* it is -EBADMSG */
} Expanded;

/* What begins at offset, up to its end: size at most. -EBADMSG: torn or damaged, which may be
 * seen only after a part of it went to the sink; -EOPNOTSUPP: not this compression, or not
 * with that head; else what reading or the sink failed with. *ret is filled in in any case. */
int expand(int fd, uint64_t offset, uint64_t size, Compression c, bytes_sink_t sink, void *userdata, Expanded *ret);
/* All of a file, decompressed if it is compressed; *ret is empty before. After a failure it may
 * hold the first part. */
int expand_file(int fd, Buffer *ret);
