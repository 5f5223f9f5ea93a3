/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <ctype.h>

#include "common/parse.h"
#include "keyval.h"

typedef struct Element {
        const char *text;
        size_t n;     /* of text, escaped */
        size_t key_n; /* of the key at its start; 0: a value alone */
} Element;

/* The next element; *p is left at the one after. False at the end. */
static bool next_element(const char **p, Element *ret) {
        const char *s = *p;
        size_t n = 0, key_n = 0;

        if (!*s)
                return false;
        for (; s[n]; n++) {
                if (s[n] == '=' && key_n == 0)
                        key_n = n;
                if (s[n] != ',')
                        continue;
                if (s[n + 1] != ',')
                        break;
                n++;
        }
        *ret = (Element){ .text = s, .n = n, .key_n = key_n };
        *p = s + n + (s[n] == ',');
        return true;
}

static bool is_key(const char *s, size_t n, const char *key) {
        return strlen(key) == n && memcmp(s, key, n) == 0;
}

/* 1 with what e says about key ("" is a value, too), or 0. */
static int element_value(const Element *e, bool first, const char *implied, const char *key, char **ret) {
        const char *value = e->text;
        size_t n = e->n, out = 0;

        if (e->key_n > 0) {
                if (!is_key(e->text, e->key_n, key))
                        return 0;
                value += e->key_n + 1;
                n -= e->key_n + 1;
        } else if (first && implied) {
                if (!streq(implied, key))
                        return 0;
        } else {
                bool off = n > 2 && memcmp(e->text, "no", 2) == 0 && is_key(e->text + 2, n - 2, key);
                if (!off && !is_key(e->text, n, key))
                        return 0;
                *ret = strdup(off ? "off" : "on");
                return *ret ? 1 : -ENOMEM;
        }
        char *s = malloc(n + 1);
        if (!s)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                s[out++] = value[i];
                i += value[i] == ',';
        }
        s[out] = '\0';
        *ret = s;
        return 1;
}

int keyval_get(const char *text, const char *implied, const char *key, char **ret) {
        _cleanup_free_ char *found = NULL;
        bool first = true;
        Element e;

        while (next_element(&text, &e)) {
                char *value;
                int r = element_value(&e, first, implied, key, &value);
                if (r < 0)
                        return r;
                if (r > 0) {
                        free(found);
                        found = value;
                }
                first = false;
        }
        *ret = TAKE_PTR(found);
        return 0;
}

int keyval_without(const char *text, const char *implied, const char *key, char **ret) {
        _cleanup_free_ char *out = calloc(1, strlen(text) + 1);
        bool first = true;
        size_t n = 0;
        Element e;

        if (!out)
                return -ENOMEM;
        while (next_element(&text, &e)) {
                char *value;
                int r = element_value(&e, first, implied, key, &value);
                if (r < 0)
                        return r;
                first = false;
                if (r > 0) {
                        free(value);
                        continue;
                }
                if (n > 0)
                        out[n++] = ',';
                memcpy(out + n, e.text, e.n);
                n += e.n;
        }
        *ret = TAKE_PTR(out);
        return 0;
}

char *keyval_escape(const char *s) {
        char *out = malloc(2 * strlen(s) + 1), *p = out;

        if (!out)
                return NULL;
        for (; *s; s++) {
                *p++ = *s;
                if (*s == ',')
                        *p++ = ',';
        }
        *p = '\0';
        return out;
}

int keyval_bool(const char *s) {
        if (streq(s, "on") || streq(s, "yes") || streq(s, "true"))
                return 1;
        if (streq(s, "off") || streq(s, "no") || streq(s, "false"))
                return 0;
        return -EINVAL;
}

int keyval_size(const char *s, uint64_t unit, uint64_t *ret) {
        static const char suffixes[] = "bkmgt";
        _cleanup_free_ char *digits = strdup(s);
        uint64_t value, bytes;

        if (!digits)
                return -ENOMEM;
        size_t n = strlen(digits);
        const char *suffix = n > 1 ? strchr(suffixes, tolower((unsigned char)digits[n - 1])) : NULL;
        if (suffix) {
                unit = UINT64_C(1) << (10 * (suffix - suffixes));
                digits[n - 1] = '\0';
        }
        int r = parse_u64(digits, &value);
        if (r < 0)
                return r;
        if (__builtin_mul_overflow(value, unit, &bytes))
                return -ERANGE;
        *ret = bytes;
        return 0;
}
