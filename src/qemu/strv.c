/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdarg.h>

#include "strv.h"

void strv_done(Strv *l) {
        for (size_t i = 0; i < l->n; i++)
                free(l->v[i]);
        free(l->v);
        *l = (Strv){ 0 };
}

int strv_take(Strv *l, char *s) {
        /* Powers of two and the NULL at the end. */
        if (s && (l->n & (l->n + 1)) == 0) {
                char **v = realloc(l->v, (2 * l->n + 2) * sizeof(*v));
                if (!v) {
                        free(s);
                        return -ENOMEM;
                }
                l->v = v;
        }
        if (!s)
                return -ENOMEM;
        l->v[l->n++] = s;
        l->v[l->n] = NULL;
        return 0;
}

int strv_add(Strv *l, const char *s) {
        return strv_take(l, strdup(s));
}

int strv_addf(Strv *l, const char *format, ...) {
        va_list ap;
        char *s;

        va_start(ap, format);
        int n = vasprintf(&s, format, ap);
        va_end(ap);
        return n < 0 ? -ENOMEM : strv_take(l, s);
}

bool strv_contains(const Strv *l, const char *s) {
        for (size_t i = 0; i < l->n; i++)
                if (streq(l->v[i], s))
                        return true;
        return false;
}

bool strv_equal(const Strv *a, const Strv *b) {
        if (a->n != b->n)
                return false;
        for (size_t i = 0; i < a->n; i++)
                if (!streq(a->v[i], b->v[i]))
                        return false;
        return true;
}
