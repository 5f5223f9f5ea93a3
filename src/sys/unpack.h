/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Decompresses a part of a file, a block at a time, so that neither the size of what is
 * in it nor that of what comes out of it matters. Works with pread(2): the descriptor's
 * position does not matter, and a file that shrinks meanwhile is one that ends early.
 *
 * The only user of libarchive. It can run external programs for compressions it was
 * built without; what would need one (lzo) is not supported instead.
 */
#pragma once

#include "core/image.h"

typedef struct Unpack Unpack;

/* -EOPNOTSUPP: not this compression. */
int unpack_open(int fd, uint64_t offset, uint64_t size, Compression compression, Unpack **ret);
Unpack *unpack_close(Unpack *u);
DEFINE_CLEANUP(Unpack, unpack_close);

/* The next block, which is good until the next call: its size, 0 at the end; -EBADMSG:
 * damaged, unpack_error() says how; else what reading failed with. */
ssize_t unpack_read(Unpack *u, const void **ret);
const char *unpack_error(const Unpack *u);
/* How much of the file the blocks so far were made of; at the end, where the compressed
 * data ended. */
uint64_t unpack_consumed(const Unpack *u);

/* Reads up to size bytes; fewer only at the end of the file. */
ssize_t unpack_read_at(int fd, void *buf, size_t size, uint64_t offset);
