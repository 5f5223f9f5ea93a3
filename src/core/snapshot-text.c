/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Snapshots as text; snapshot.h has the form. */
#include "snapshot.h"

enum {
        RUN_HEADER = 4,
        GAP_MIN = RUN_HEADER + 1, /* zeros; fewer cost less inside a run */
        BINARY_MAX = 2 + RUN_HEADER + SNAPSHOT_SIZE_MAX,
};

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void put16(uint8_t *to, size_t v) {
        to[0] = (uint8_t)v;
        to[1] = (uint8_t)(v >> 8);
}

static size_t get16(const uint8_t *from) {
        return (size_t)from[0] | (size_t)from[1] << 8;
}

/* ---- base64 (RFC 4648) ---- */

static void to_base64(const uint8_t *data, size_t n, char *text) {
        for (size_t i = 0; i < n; i += 3) {
                size_t left = MIN_OF(n - i, (size_t)3);
                uint32_t v = (uint32_t)data[i] << 16 | (left > 1 ? (uint32_t)data[i + 1] << 8 : 0) |
                             (left > 2 ? data[i + 2] : 0u);

                *text++ = digits[v >> 18];
                *text++ = digits[v >> 12 & 63];
                *text++ = left > 1 ? digits[v >> 6 & 63] : '=';
                *text++ = left > 2 ? digits[v & 63] : '=';
        }
        *text = '\0';
}

static int digit_value(char c) {
        const char *p = c ? strchr(digits, c) : NULL;

        return p ? (int)(p - digits) : -1;
}

/* n: characters, a multiple of 4 and not more than fit. */
static int from_base64(const char *text, size_t n, uint8_t *data, size_t *ret_n) {
        size_t padding = n > 0 && text[n - 1] == '=' ? 1 + (text[n - 2] == '=') : 0, done = 0;

        for (size_t i = 0; i < n; i += 4) {
                bool last = i + 4 == n;
                uint32_t v = 0;

                for (size_t j = 0; j < 4; j++) {
                        int d = last && j >= 4 - padding ? 0 : digit_value(text[i + j]);
                        if (d < 0)
                                return -EINVAL;
                        v = v << 6 | (uint32_t)d;
                }
                size_t bytes = last ? 3 - padding : 3;
                /* Bits that no byte takes are zero, so that there is one text for each value. */
                if (v & ((UINT32_C(1) << 8 * (3 - bytes)) - 1))
                        return -EINVAL;
                for (size_t j = 0; j < bytes; j++)
                        data[done++] = (uint8_t)(v >> (16 - 8 * j));
        }
        *ret_n = done;
        return 0;
}

/* ---- runs ---- */

/* Where the run ends that begins at i: before GAP_MIN zeros, or at the last byte that is
 * not zero. */
static size_t run_end(const uint8_t *data, size_t n, size_t i) {
        size_t end = i;

        for (; i < n && i - end < GAP_MIN; i++)
                if (data[i] != 0)
                        end = i + 1;
        return end;
}

int snapshot_encode(const uint8_t *data, size_t n, char **ret) {
        uint8_t binary[BINARY_MAX];
        size_t done = 2;

        if (n > SNAPSHOT_SIZE_MAX)
                return -EINVAL;
        put16(binary, n);
        for (size_t i = 0; i < n;) {
                if (data[i] == 0) {
                        i++;
                        continue;
                }
                size_t length = run_end(data, n, i) - i;
                put16(binary + done, i);
                put16(binary + done + 2, length);
                memcpy(binary + done + RUN_HEADER, data + i, length);
                done += RUN_HEADER + length;
                i += length;
        }
        char *text = malloc(4 * ((done + 2) / 3) + 1);
        if (!text)
                return -ENOMEM;
        to_base64(binary, done, text);
        *ret = text;
        return 0;
}

static int decode_runs(const uint8_t *binary, size_t n, uint8_t *data, size_t size) {
        size_t free_from = 0;

        for (size_t i = 2; i < n;) {
                if (n - i < RUN_HEADER)
                        return -EINVAL;
                size_t offset = get16(binary + i), length = get16(binary + i + 2);
                i += RUN_HEADER;
                if (length == 0 || length > n - i || offset < free_from || offset + length > size)
                        return -EINVAL;
                memcpy(data + offset, binary + i, length);
                i += length;
                free_from = offset + length;
        }
        return 0;
}

int snapshot_decode(const char *text, uint8_t ret[static SNAPSHOT_SIZE_MAX], size_t *ret_n) {
        uint8_t binary[SNAPSHOT_TEXT_SIZE / 4 * 3], data[SNAPSHOT_SIZE_MAX] = {};
        size_t n = strnlen(text, SNAPSHOT_TEXT_SIZE), done;

        if (n >= SNAPSHOT_TEXT_SIZE || n == 0 || n % 4 != 0)
                return -EINVAL;
        int r = from_base64(text, n, binary, &done);
        if (r < 0)
                return r;
        if (done < 2 || get16(binary) > SNAPSHOT_SIZE_MAX)
                return -EINVAL;
        r = decode_runs(binary, done, data, get16(binary));
        if (r < 0)
                return r;
        memcpy(ret, data, sizeof(data));
        *ret_n = get16(binary);
        return 0;
}
