/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "parse.h"

static const struct {
        const char *name;
        uint64_t usec;
} time_units[] = {
        /* The first name of a size is the one that format_timespan() writes. */
        { "d", 86400 * USEC_PER_SEC }, { "h", 3600 * USEC_PER_SEC }, { "hr", 3600 * USEC_PER_SEC },
        { "min", 60 * USEC_PER_SEC },  { "m", 60 * USEC_PER_SEC },   { "s", USEC_PER_SEC },
        { "sec", USEC_PER_SEC },       { "ms", USEC_PER_MSEC },      { "us", 1 },
};

/* Reads digits; *s then points behind them. */
static int take_digits(const char **s, uint64_t *ret) {
        const char *p = *s;
        uint64_t v = 0;

        if (*p < '0' || *p > '9')
                return -EINVAL;
        if (*p == '0' && p[1] >= '0' && p[1] <= '9')
                return -EINVAL;
        for (; *p >= '0' && *p <= '9'; p++)
                if (__builtin_mul_overflow(v, UINT64_C(10), &v) || __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
                        return -ERANGE;
        *s = p;
        *ret = v;
        return 0;
}

int parse_u64(const char *s, uint64_t *ret) {
        uint64_t v;

        int r = take_digits(&s, &v);
        if (r < 0)
                return r;
        if (*s)
                return -EINVAL;
        *ret = v;
        return 0;
}

int parse_u32(const char *s, uint32_t *ret) {
        uint64_t v;

        int r = parse_u64(s, &v);
        if (r < 0)
                return r;
        if (v > UINT32_MAX)
                return -ERANGE;
        *ret = (uint32_t)v;
        return 0;
}

static const char *skip_spaces(const char *s) {
        while (*s == ' ')
                s++;
        return s;
}

static int take_unit(const char **s, uint64_t *ret_usec) {
        size_t n = 0;

        while ((*s)[n] >= 'a' && (*s)[n] <= 'z')
                n++;
        for (size_t i = 0; i < ELEMENTSOF(time_units); i++)
                if (strlen(time_units[i].name) == n && memcmp(time_units[i].name, *s, n) == 0) {
                        *s += n;
                        *ret_usec = time_units[i].usec;
                        return 0;
                }
        return -EINVAL;
}

int parse_timespan(const char *s, uint64_t *ret_usec) {
        uint64_t sum = 0;

        if (streq(s, "infinity")) {
                *ret_usec = UINT64_MAX;
                return 0;
        }
        for (bool first = true;; first = false) {
                uint64_t v, unit = USEC_PER_SEC;

                int r = take_digits(&s, &v);
                if (r < 0)
                        return r;
                /* A bare number is seconds, but only when it is all there is: "1min 30"
                 * may be meant in either way. */
                if (!first || *s) {
                        s = skip_spaces(s);
                        r = take_unit(&s, &unit);
                        if (r < 0)
                                return r;
                }
                if (__builtin_mul_overflow(v, unit, &v) || __builtin_add_overflow(sum, v, &sum) || sum == UINT64_MAX)
                        return -ERANGE;
                if (!*s)
                        break;
                s = skip_spaces(s);
        }
        *ret_usec = sum;
        return 0;
}

void format_timespan(uint64_t usec, char *buf, size_t size) {
        if (usec == UINT64_MAX) {
                (void)snprintf(buf, size, "infinity");
                return;
        }
        if (usec == 0) {
                (void)snprintf(buf, size, "0");
                return;
        }
        for (size_t i = 0; i < ELEMENTSOF(time_units); i++)
                if (usec % time_units[i].usec == 0) {
                        (void)snprintf(buf, size, "%llu%s", (unsigned long long)(usec / time_units[i].usec),
                                       time_units[i].name);
                        return;
                }
}
