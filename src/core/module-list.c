/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "module-list.h"

static char normal(char c) {
        return c == '-' ? '_' : c;
}

static bool equal_n(const char *a, size_t n, const char *b) {
        if (strlen(b) != n)
                return false;
        for (size_t i = 0; i < n; i++)
                if (normal(a[i]) != normal(b[i]))
                        return false;
        return true;
}

bool module_name_equal(const char *a, const char *b) {
        return equal_n(a, strlen(a), b);
}

bool module_name_normalize(const char *name, char ret[static MODULE_NAME_SIZE]) {
        size_t n = strlen(name);

        if (n == 0 || n >= MODULE_NAME_SIZE || *name == '.' || strcspn(name, "/ \t\n") < n)
                return false;
        for (size_t i = 0; i <= n; i++)
                ret[i] = normal(name[i]);
        return true;
}

bool module_list_next(char **cursor, ModuleLine *ret) {
        char *line;

        while ((line = strsep(cursor, "\n"))) {
                char *wanted = strsep(&line, " "), *module = strsep(&line, " ");

                if (str_empty(wanted) || str_empty(module))
                        continue;
                *ret = (ModuleLine){ wanted, module, line ?: wanted + strlen(wanted) };
                return true;
        }
        return false;
}

/* The next word of a command line, as next_arg() of the kernel's lib/cmdline.c cuts it; its
 * length, 0 at the end of what is the kernel's. */
static size_t next_word(const char **cursor) {
        const char *p = *cursor + strspn(*cursor, " \t\n");
        bool quoted = false;
        size_t n = 0;

        for (; p[n] && (quoted || !strchr(" \t\n", p[n])); n++)
                if (p[n] == '"')
                        quoted = !quoted;
        *cursor = p;
        return n == 2 && strncmp(p, "--", 2) == 0 ? 0 : n;
}

int module_cmdline_options(const char *cmdline, const char *module, char **ret) {
        _cleanup_free_ char *text = malloc(strlen(cmdline) + 2);
        size_t at = 0, n;

        if (!text)
                return -ENOMEM;
        for (const char *p = cmdline; (n = next_word(&p)) > 0; p += n) {
                size_t name = strcspn(p, ".=");

                if (name >= n || p[name] != '.' || !equal_n(p, name, module))
                        continue;
                text[at++] = ' ';
                memcpy(text + at, p + name + 1, n - name - 1);
                at += n - name - 1;
        }
        text[at] = '\0';
        *ret = TAKE_PTR(text);
        return 0;
}

bool module_cmdline_forbids(const char *cmdline, const char *module) {
        static const char key[] = "modprobe.blacklist=";
        size_t n;

        for (const char *p = cmdline; (n = next_word(&p)) > 0; p += n) {
                if (n < sizeof(key) || strncmp(p, key, sizeof(key) - 1) != 0)
                        continue;
                for (size_t at = sizeof(key) - 1, k; at < n; at += k + 1) {
                        k = MIN_OF(strcspn(p + at, ","), n - at);
                        if (equal_n(p + at, k, module))
                                return true;
                }
        }
        return false;
}
