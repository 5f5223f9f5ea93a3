/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "address.h"

/* Hexadecimal digits from *s on, at least min and at most max of them. */
static int parse_hex(const char **s, size_t min, size_t max, uint64_t *ret) {
        uint64_t v = 0;
        size_t n = 0;

        for (; n < max; n++) {
                char c = (*s)[n];
                if (c >= '0' && c <= '9')
                        v = v << 4 | (uint64_t)(c - '0');
                else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
                        v = v << 4 | (uint64_t)((c | 0x20) - 'a' + 10);
                else
                        break;
        }
        if (n < min)
                return -EINVAL;
        *s += n;
        *ret = v;
        return 0;
}

/* Domain, bus, slot and function in one number that sorts as they do. */
static int parse(const char *s, uint64_t *ret) {
        uint64_t domain = 0, bus, slot, function;
        const char *colon = strchr(s, ':');

        /* With a domain there are two colons. Kernels write it with 4 digits or more. */
        if (colon && strchr(colon + 1, ':') && (parse_hex(&s, 1, 8, &domain) < 0 || *s++ != ':'))
                return -EINVAL;
        if (parse_hex(&s, 1, 2, &bus) < 0 || *s++ != ':' || parse_hex(&s, 1, 2, &slot) < 0 || *s++ != '.' ||
            parse_hex(&s, 1, 1, &function) < 0 || *s || slot > 0x1f || function > 7)
                return -EINVAL;
        *ret = domain << 16 | bus << 8 | slot << 3 | function;
        return 0;
}

int address_clean(const char *s, char ret[static ADDRESS_SIZE]) {
        uint64_t v;

        int r = parse(s, &v);
        if (r < 0)
                return r;
        (void)snprintf(ret, ADDRESS_SIZE, "%04x:%02x:%02x.%x", (unsigned)(v >> 16), (unsigned)(v >> 8 & 0xff),
                       (unsigned)(v >> 3 & 0x1f), (unsigned)(v & 7));
        return 0;
}

int address_compare(const char *a, const char *b) {
        uint64_t x = UINT64_MAX, y = UINT64_MAX;

        (void)parse(a, &x);
        (void)parse(b, &y);
        return x != y ? (x > y) - (x < y) : strcmp(a, b);
}

size_t address_bus_size(const char *s) {
        uint64_t v;

        return parse(s, &v) < 0 ? 0 : (size_t)(strrchr(s, ':') - s);
}
