/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmdline.h"

char *cmdline_compose(const char *running, const char *append) {
        size_t n = strlen(running), k = append ? strlen(append) : 0;
        char *result;

        while (n > 0 && (running[n - 1] == '\n' || running[n - 1] == ' '))
                n--;
        bool there = k <= n && memcmp(running + n - k, append ?: "", k) == 0 && (k == n || running[n - k - 1] == ' ');
        if (k == 0 || there)
                return strndup(running, n);
        if (asprintf(&result, "%.*s%s%s", (int)n, running, n > 0 ? " " : "", append) < 0)
                return NULL;
        return result;
}
