/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdarg.h>

#include "common/utf8.h"
#include "problem.h"

static void fill(Problem *ret, const char *code, const char *text) {
        if (!ret)
                return;
        utf8_copy(ret->code, sizeof(ret->code), code);
        utf8_copy(ret->text, sizeof(ret->text), text);
}

int problem(Problem *ret, const char *code, const char *format, ...) {
        char text[sizeof(ret->text)];
        va_list ap;

        va_start(ap, format);
        vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        fill(ret, code, text);
        return -EINVAL;
}

int problem_errno(Problem *ret, int r, const char *code, const char *format, ...) {
        char what[sizeof(ret->text) - 64], text[sizeof(ret->text)];
        va_list ap;

        va_start(ap, format);
        vsnprintf(what, sizeof(what), format, ap);
        va_end(ap);
        snprintf(text, sizeof(text), "%s: %s", what, strerror(-r));
        fill(ret, code, text);
        return r;
}
