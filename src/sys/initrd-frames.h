/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where compressed data ends that is followed by something else: xz, lz4 (legacy frames)
 * and zstd, whose libraries take what follows for more of the same and call it damaged.
 * Only lengths are followed here; what is in the frames is for who decompresses them.
 *
 * xz-file-format.txt 2, 3 and 4 with lzma2_decoder.c of liblzma (the chunks), RFC 8878
 * 3.1.1 (zstd frames), lz4_Frame_format.md (legacy frame).
 */
#pragma once

#include "core/image.h"

enum { WINDOW_SIZE = 128 * 1024 };

/* A part of a file in memory, which moves along. */
typedef struct Window {
        int fd;
        uint64_t at;
        size_t n;
        char data[WINDOW_SIZE];
} Window;

/* What is at `at`: some bytes, none at the end of the file. */
int window_at(Window *w, uint64_t at, const char **ret, size_t *ret_n);
/* Up to size (<= 64) bytes from there; fewer at the end of the file. */
ssize_t window_read(Window *w, uint64_t at, void *buf, size_t size);

/* For the formats above, where what begins at `at` and everything of its kind right behind
 * it ends, `size` at most; of others, *ret stays as it is. */
int frames_end(Window *w, uint64_t at, uint64_t size, Compression c, uint64_t *ret);
