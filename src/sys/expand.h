/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Decompresses what begins at some place, in each of the ways that the kernel knows for an
 * initrd and a module, but for LZO.
 */
#pragma once

#include "core/image.h"
#include "zstd-stream.h"

struct archive;

/* For libarchive's reading. ARCHIVE_OK, or another value if it could not without running a
 * program. */
int archive_enable_compression(struct archive *a, Compression c);

/* What data begins with, up to the end of that; *ret_used: how long it is. -EBADMSG: torn or
 * damaged, which may be seen only after a part of it went to the sink; -EOPNOTSUPP: a
 * compression that is not known here. */
int expand(Compression c, const void *data, size_t size, bytes_sink_t sink, void *userdata, size_t *ret_used);
