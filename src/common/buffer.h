/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes that come in pieces: where they go, and a place in memory that grows with them, up
 * to a bound.
 */
#pragma once

#include "macro.h"

/* Where bytes go. A negative result ends it, and is what the caller gets. */
typedef int (*bytes_sink_t)(void *userdata, const void *data, size_t size);

typedef struct Buffer {
        char *data;
        size_t size, room;
        size_t max;
} Buffer;

/* A bytes_sink_t, whose userdata is a Buffer. -EFBIG: it would be more than max. */
int buffer_append(void *userdata, const void *data, size_t size);
void buffer_done(Buffer *b);
#define _cleanup_buffer_ _cleanup_(buffer_done)
