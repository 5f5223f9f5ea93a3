/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "log.h"

#include <stdarg.h>

static int max_priority = LOG_PRI_INFO;
static const char *name;

void log_set_max_priority(int priority) {
        max_priority = priority;
}

void log_set_name(const char *n) {
        name = n;
}

static void log_line(int priority, const char *format, va_list ap, int error) {
        char line[2048];

        if (priority > max_priority)
                return;
        int n = name ? snprintf(line, sizeof(line), "%.64s: ", name) : 0;
        if (n < 0 || vsnprintf(line + n, sizeof(line) - (size_t)n, format, ap) < 0)
                return;
        for (char *c = line; *c; c++)
                if (*c == '\n')
                        *c = ' ';
        /* One fprintf per line: stderr is unbuffered, so this is one write(2). */
        if (isatty(STDERR_FILENO))
                fprintf(stderr, "%s%s%s\n", line, error ? ": " : "", error ? strerror(error) : "");
        else
                fprintf(stderr, "<%d>%s%s%s\n", priority, line, error ? ": " : "", error ? strerror(error) : "");
}

void log_full(int priority, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        log_line(priority, format, ap, 0);
        va_end(ap);
}

int log_errno(int r, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        log_line(LOG_PRI_ERR, format, ap, r < 0 ? -r : r);
        va_end(ap);
        return r;
}
