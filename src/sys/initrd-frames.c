/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "initrd-frames.h"

#include "common/fd.h"

int window_at(Window *w, uint64_t at, const char **ret, size_t *ret_n) {
        if (at < w->at || at - w->at >= w->n) {
                ssize_t n = fd_read_at(w->fd, w->data, sizeof(w->data), at);
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
                p += 4 + block;
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
                *at = p + 8 + le32_at(b + 4);
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
        *at = last ? p : size;
        return 1;
}

/* ---- xz ---- */

static uint64_t xz_padding(uint64_t n) {
        return -n & 3;
}

/* How many bytes the checksum of a block has, by the kind in the stream's flags. */
static const unsigned char xz_check_size[] = { 0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64 };

/* Goes along the chunks of LZMA2, which comes last whatever filters there are. As for all
 * parts of a stream: 1; 0 if they are not understood or the file ends. */
static int lzma2_chunks(Window *w, uint64_t *p) {
        unsigned char b[5];

        for (;;) {
                ssize_t n = window_read(w, *p, b, sizeof(b));
                if (n < (ssize_t)sizeof(b))
                        return n < 0 ? (int)n : 0;
                if (b[0] == 0) {
                        *p += 1;
                        return 1;
                }
                if (b[0] > 2 && b[0] < 0x80) /* 1 and 2: as it is; from 0x80 on: LZMA */
                        return 0;
                const unsigned char *size = b[0] < 0x80 ? b + 1 : b + 3;
                *p += (b[0] < 0x80 ? 3 : b[0] < 0xc0 ? 5 : 6) + ((uint64_t)size[0] << 8 | size[1]) + 1;
        }
}

/* Numbers of seven bits a byte, the last without the eighth. */
static int xz_numbers(Window *w, uint64_t *p, uint64_t count) {
        unsigned char b;

        while (count > 0) {
                ssize_t n = window_read(w, (*p)++, &b, 1);
                if (n < 1)
                        return (int)n;
                count -= b < 0x80;
        }
        return 1;
}

/* Blocks, an index with two numbers of each, a footer; each is at a multiple of four. Where
 * it ends cannot be searched for: a module in the archive may be an xz file, stored as it is. */
static int xz_frame(Window *w, uint64_t *at, uint64_t size) {
        static const unsigned char magic[] = { 0xfd, '7', 'z', 'X', 'Z', 0 };
        unsigned char header[12], b;
        uint64_t p = *at + sizeof(header), n_blocks = 0;
        int r = 1;

        ssize_t n = window_read(w, *at, header, sizeof(header));
        if (n < (ssize_t)sizeof(header) || memcmp(header, magic, sizeof(magic)) != 0)
                return n < 0 ? (int)n : 0;
        while ((n = window_read(w, p, &b, 1)) == 1 && b != 0 && r > 0) {
                p += 4 * ((uint64_t)b + 1);
                r = lzma2_chunks(w, &p);
                p += xz_padding(p - *at) + xz_check_size[header[7] & 0xf];
                n_blocks++;
        }
        p++;
        if (n == 1 && r > 0)
                r = xz_numbers(w, &p, 1 + 2 * n_blocks);
        if (n < 0 || r < 0)
                return n < 0 ? (int)n : r;
        *at = n == 1 && r > 0 ? p + xz_padding(p - *at) + 4 + 12 : size;
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
                *ret = MIN_OF(at, size);
        return MIN_OF(r, 0);
}
