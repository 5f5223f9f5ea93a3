/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "utf8.h"

size_t utf8_char_size(const char *s, size_t n) {
        const unsigned char *u = (const unsigned char *)s;
        uint32_t c, min;
        size_t len;

        if (n == 0)
                return 0;
        if (u[0] < 0x80)
                return 1;
        if ((u[0] & 0xE0) == 0xC0)
                len = 2, c = u[0] & 0x1F, min = 0x80;
        else if ((u[0] & 0xF0) == 0xE0)
                len = 3, c = u[0] & 0x0F, min = 0x800;
        else if ((u[0] & 0xF8) == 0xF0)
                len = 4, c = u[0] & 0x07, min = 0x10000;
        else
                return 0;
        if (n < len)
                return 0;
        for (size_t i = 1; i < len; i++) {
                if ((u[i] & 0xC0) != 0x80)
                        return 0;
                c = c << 6 | (u[i] & 0x3F);
        }
        return c < min || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF) ? 0 : len;
}

bool utf8_valid(const char *s, size_t n) {
        for (size_t i = 0, len; i < n; i += len) {
                len = utf8_char_size(s + i, n - i);
                if (len == 0)
                        return false;
        }
        return true;
}

static bool is_control(const char *s, size_t len) {
        const unsigned char *u = (const unsigned char *)s;

        return len == 1 ? u[0] < 0x20 || u[0] == 0x7F : len == 2 && u[0] == 0xC2 && u[1] < 0xA0;
}

bool utf8_printable(const char *s, size_t n) {
        for (size_t i = 0, len; i < n; i += len) {
                len = utf8_char_size(s + i, n - i);
                if (len == 0 || is_control(s + i, len))
                        return false;
        }
        return true;
}

void utf8_copy(char *dst, size_t size, const char *src) {
        size_t n = strlen(src), used = 0;

        for (size_t i = 0, len; i < n; i += len) {
                bool good;

                len = utf8_char_size(src + i, n - i);
                good = len > 0 && !is_control(src + i, len);
                len = MAX_OF(len, (size_t)1);
                size_t out = good ? len : 1;
                if (used + out >= size)
                        break;
                if (good)
                        memcpy(dst + used, src + i, len);
                else
                        dst[used] = '?';
                used += out;
        }
        dst[used] = '\0';
}
