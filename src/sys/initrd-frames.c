/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "initrd-frames.h"

#include <endian.h>

#include "unpack.h"

int window_at(Window *w, uint64_t at, const char **ret, size_t *ret_n) {
        if (at < w->at || at - w->at >= w->n) {
                ssize_t n = unpack_read_at(w->fd, w->data, sizeof(w->data), at);
                w->n = n < 0 ? 0 : (size_t)n;
                w->at = at;
                if (n < 0)
                        return (int)n;
        }
        *ret = w->data + (at - w->at);
        *ret_n = w->n - (size_t)(at - w->at);
        return 0;
}

ssize_t window_read(Window *w, uint64_t at, void *buf, size_t size) {
        size_t done = 0, n;
        const char *data;

        while (done < size) {
                int r = window_at(w, at + done, &data, &n);
                if (r < 0)
                        return r;
                if (n == 0)
                        break;
                n = MIN_OF(n, size - done);
                memcpy((char *)buf + done, data, n);
                done += n;
        }
        return (ssize_t)done;
}

static uint32_t le32_at(const unsigned char *p) {
        return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* 1 and the frame's end in *at, 0 if no frame begins at *at, or it goes on to the file's
 * end in a way that is not understood: *at is there then. */
typedef int (*frame_t)(Window *w, uint64_t *at, uint64_t size);

/* ---- lz4 ---- */

#define LZ4_MAGIC 0x184c2102u
#define LZ4_BLOCK_MAX (8u << 20)

/* Ends at a block of no size, or where the sum of all blocks does. */
static int lz4_frame(Window *w, uint64_t *at, uint64_t size) {
        unsigned char b[4];
        uint64_t p = *at + 4;

        ssize_t n = window_read(w, *at, b, 4);
        if (n < 4 || le32_at(b) != LZ4_MAGIC)
                return n < 0 ? (int)n : 0;
        while ((n = window_read(w, p, b, 4)) == 4) {
                uint32_t block = le32_at(b);
                /* A block that did not get smaller is a little larger. */
                if (block == 0 || block > LZ4_BLOCK_MAX + LZ4_BLOCK_MAX / 255 + 16)
                        break;
                p = MIN_OF(p + 4 + block, size);
        }
        *at = p;
        return n < 0 ? (int)n : 1;
}

/* ---- zstd ---- */

static int zstd_frame(Window *w, uint64_t *at, uint64_t size) {
        static const unsigned char id_size[] = { 0, 1, 2, 4 }, content_size[] = { 0, 2, 4, 8 };
        unsigned char b[8];
        uint64_t p = *at;
        bool last = false;

        ssize_t n = window_read(w, p, b, 8);
        if (n >= 8 && (le32_at(b) & ~0xfu) == 0x184d2a50u) { /* to be passed over */
                *at = MIN_OF(p + 8 + le32_at(b + 4), size);
                return 1;
        }
        if (n < 5 || le32_at(b) != 0xfd2fb528u)
                return n < 0 ? (int)n : 0;
        unsigned flags = b[4], single = flags >> 5 & 1, content = content_size[flags >> 6];
        if (single && content == 0)
                content = 1;
        p += 5 + !single + id_size[flags & 3] + content;
        while (!last && (n = window_read(w, p, b, 3)) == 3) {
                uint32_t header = le32_at((unsigned char[]){ b[0], b[1], b[2], 0 });
                unsigned type = header >> 1 & 3;
                if (type == 3)
                        break;
                last = header & 1;
                p += 3 + (type == 1 ? 1 : header >> 3);
        }
        if (n < 0)
                return (int)n;
        p += flags & 4 ? 4 : 0;
        *at = last ? MIN_OF(p, size) : size;
        return 1;
}

/* ---- xz ---- */

static uint32_t crc32_of(const unsigned char *p, size_t n) {
        uint32_t crc = ~0u;

        for (size_t i = 0; i < n; i++) {
                crc ^= p[i];
                for (int bit = 0; bit < 8; bit++)
                        crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
        }
        return ~crc;
}

/* The footer says how long the index before it is, the blocks before that say nothing: it
 * has to be looked for. It has a checksum, repeats the header's flags, and is at a
 * multiple of four. */
static int xz_frame(Window *w, uint64_t *at, uint64_t size) {
        static const unsigned char magic[] = { 0xfd, '7', 'z', 'X', 'Z', 0 };
        unsigned char header[12], b[12];
        ssize_t n = window_read(w, *at, header, sizeof(header));

        if (n < (ssize_t)sizeof(header) || memcmp(header, magic, sizeof(magic)) != 0)
                return n < 0 ? (int)n : 0;
        for (uint64_t p = *at + sizeof(header); p + sizeof(b) <= size; p += 4) {
                const char *data;
                size_t left;
                int r = window_at(w, p, &data, &left);
                if (r < 0)
                        return r;
                if (left >= sizeof(b) && (data[10] != 'Y' || data[11] != 'Z'))
                        continue;
                n = window_read(w, p, b, sizeof(b));
                if (n < (ssize_t)sizeof(b))
                        return n < 0 ? (int)n : 0;
                if (b[10] == 'Y' && b[11] == 'Z' && memcmp(b + 8, header + 6, 2) == 0 &&
                    crc32_of(b + 4, 6) == le32_at(b)) {
                        *at = p + sizeof(b);
                        return 1;
                }
        }
        *at = size;
        return 1;
}

int frames_end(Window *w, uint64_t at, uint64_t size, Compression c, uint64_t *ret) {
        frame_t frame = c == COMPRESSION_XZ     ? xz_frame
                        : c == COMPRESSION_LZ4  ? lz4_frame
                        : c == COMPRESSION_ZSTD ? zstd_frame
                                                : NULL;
        int r = 1;

        while (frame && r > 0 && at < size)
                r = frame(w, &at, size);
        if (frame && r >= 0)
                *ret = at;
        return MIN_OF(r, 0);
}
