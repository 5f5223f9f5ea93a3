/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Zstandard, in pieces: frames are written with a checksum, so that one that is torn or has
 * a wrong bit is found when it is read.
 *
 * The only user of libzstd.
 */
#pragma once

#include "common/buffer.h"

typedef struct ZstdWriter ZstdWriter;

/* level: 1, the fastest, to 19. */
int zstd_writer_new(int level, bytes_sink_t sink, void *userdata, ZstdWriter **ret);
int zstd_writer_write(ZstdWriter *w, const void *data, size_t size);
/* All is with the sink; nothing can be written after it. */
int zstd_writer_finish(ZstdWriter *w);
ZstdWriter *zstd_writer_free(ZstdWriter *w);
DEFINE_CLEANUP(ZstdWriter, zstd_writer_free);

/* The frame that data begins with. *ret_used: how long it is. -EBADMSG: there is none, or it
 * is damaged or torn, which may be seen only after a part of it went to the sink. */
int zstd_expand(const void *data, size_t size, bytes_sink_t sink, void *userdata, size_t *ret_used);
