/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * inih splits lines into section, key and value. It cuts lines that do not fit its
 * buffer (200 bytes, decided when the library was built), takes indented lines as more
 * of the value above, and what follows " ;" as a comment. None of that shall happen
 * unseen, so the reader below hands it one line at a time, without indentation, and
 * turns a line that inih would misread into a warning and an empty line.
 */
#include "config.h"

#include "common/parse.h"
#include "common/utf8.h"

#include <ini.h>
#include <stdarg.h>

#define WORDS_MAX 4096u /* bytes; more than any architecture's command line */

static const ConfigKey keys[] = {
        { "Update", "PrepareTimeoutSec", CONFIG_TIMEOUT, offsetof(Config, prepare_timeout_usec), "5min" },
        { "Update", "FreezeTimeoutSec", CONFIG_TIMEOUT, offsetof(Config, freeze_timeout_usec), "30s" },
        { "Update", "SyncTimeoutSec", CONFIG_TIMEOUT, offsetof(Config, sync_timeout_usec), "30s" },
        { "Update", "FinishTimeoutSec", CONFIG_TIMEOUT, offsetof(Config, finish_timeout_usec), "0" },
        { "Kexec", "Kernel", CONFIG_PATH, offsetof(Config, kexec_kernel), "" },
        { "Kexec", "Initrd", CONFIG_PATH, offsetof(Config, kexec_initrd), "" },
        { "Kexec", "CommandLine", CONFIG_WORDS, offsetof(Config, kexec_command_line), "" },
        { "Kexec", "AppendCommandLine", CONFIG_WORDS, offsetof(Config, kexec_append), "" },
        { "Luo", "Device", CONFIG_PATH, offsetof(Config, luo_device), "/dev/liveupdate" },
        { "Luo", "BusyTimeoutSec", CONFIG_SPAN, offsetof(Config, luo_busy_usec), "10s" },
        /* The upper bounds are those of the manifest (MANIFEST_SESSIONS_MAX and so on). */
        { "Limits", "Sessions", CONFIG_NUMBER, offsetof(Config, limit_sessions), "4096", 1, 65536 },
        { "Limits", "FilesPerSession", CONFIG_NUMBER, offsetof(Config, limit_files), "65536", 1, 524288 },
        { "Limits", "Participants", CONFIG_NUMBER, offsetof(Config, limit_participants), "1024", 1, 65536 },
        { "Limits", "Jobs", CONFIG_NUMBER, offsetof(Config, limit_jobs), "64", 1, 65536 },
};

const ConfigKey *config_keys(size_t *ret_n) {
        *ret_n = ELEMENTSOF(keys);
        return keys;
}

typedef struct Parser {
        Config *config;
        const char *filename;
        const char *next, *end; /* what is still to be read */
        size_t line;
        config_warn_t warn;
        void *userdata;
        bool seen[ELEMENTSOF(keys)]; /* CONFIG_WORDS: has a value from this buffer */
        int error;
} Parser;

static _printf_(2, 3) void complain(const Parser *p, const char *format, ...) {
        char text[512], message[1024], printable[1024];
        va_list ap;

        if (!p->warn)
                return;
        va_start(ap, format);
        (void)vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        (void)snprintf(message, sizeof(message), "%.256s:%zu: %s", p->filename, p->line, text);
        utf8_copy(printable, sizeof(printable), message);
        p->warn(p->userdata, printable);
}

/* ---- values ---- */

static void *field(Config *c, const ConfigKey *k) {
        return (char *)c + k->offset;
}

/* *to becomes a copy of s, or NULL if s is empty. */
static int set_text(char **to, const char *s) {
        char *copy = NULL;

        if (*s) {
                copy = strdup(s);
                if (!copy)
                        return -ENOMEM;
        }
        free(*to);
        *to = copy;
        return 0;
}

static int add_words(char **to, const char *s, bool append) {
        _cleanup_free_ char *joined = NULL;

        if (!utf8_printable(s, strlen(s)))
                return -EINVAL;
        if (!append || !*to)
                return strlen(s) > WORDS_MAX ? -ERANGE : set_text(to, s);
        if (strlen(*to) + 1 + strlen(s) > WORDS_MAX)
                return -ERANGE;
        if (asprintf(&joined, "%s %s", *to, s) < 0) {
                joined = NULL; /* asprintf leaves it undefined */
                return -ENOMEM;
        }
        free(*to);
        *to = TAKE_PTR(joined);
        return 0;
}

static int set_value(Config *c, const ConfigKey *k, const char *value, bool append) {
        uint64_t v;
        int r;

        switch (k->type) {
        case CONFIG_TIMEOUT:
        case CONFIG_SPAN:
                r = parse_timespan(value, &v);
                if (r < 0)
                        return r;
                *(uint64_t *)field(c, k) =
                        k->type == CONFIG_TIMEOUT && v == 0 ? CONFIG_FOREVER : MIN_OF(v, CONFIG_FOREVER);
                return 0;
        case CONFIG_NUMBER:
                r = parse_u64(value, &v);
                if (r < 0)
                        return r;
                if (v < k->min || v > k->max)
                        return -ERANGE;
                *(uint64_t *)field(c, k) = v;
                return 0;
        case CONFIG_PATH:
                if (*value && (*value != '/' || !utf8_printable(value, strlen(value))))
                        return -EINVAL;
                return set_text(field(c, k), value);
        case CONFIG_WORDS:
                return add_words(field(c, k), value, append);
        }
        return -EINVAL;
}

static void complain_value(const Parser *p, const ConfigKey *k, const char *value, int r) {
        static const char *const wanted[] = {
                [CONFIG_TIMEOUT] = "a time span such as 500ms, 30s, 2min or infinity",
                [CONFIG_SPAN] = "a time span such as 500ms, 30s, 2min or infinity",
                [CONFIG_NUMBER] = "a decimal number",
                [CONFIG_PATH] = "an absolute path",
                [CONFIG_WORDS] = "printable UTF-8 text",
        };

        if (r == -ERANGE && k->type == CONFIG_NUMBER)
                complain(p, "%s=%.64s is not between %llu and %llu; the line is ignored", k->name, value,
                         (unsigned long long)k->min, (unsigned long long)k->max);
        else if (r == -ERANGE)
                complain(p, "%s=%.64s is too large; the line is ignored", k->name, value);
        else
                complain(p, "%s=%.64s is not %s; the line is ignored", k->name, value, wanted[k->type]);
}

/* Called by inih for every line that has a value. */
static int on_value(void *userdata, const char *section, const char *name, const char *value) {
        Parser *p = userdata;
        bool section_known = false;

        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                const ConfigKey *k = &keys[i];

                if (!streq(k->section, section))
                        continue;
                section_known = true;
                if (!streq(k->name, name))
                        continue;
                bool reset = str_empty(value);
                int r = set_value(p->config, k, reset ? k->fallback : value, p->seen[i] && !reset);
                if (r == -ENOMEM)
                        p->error = r;
                else if (r < 0)
                        complain_value(p, k, value, r);
                else
                        p->seen[i] = !reset;
                return 1;
        }
        if (!*section)
                complain(p, "%s= stands before the first section; the line is ignored", name);
        else if (section_known)
                complain(p, "unknown key %s= in section [%s]; the line is ignored", name, section);
        else
                complain(p, "unknown section [%s]; %s= is ignored", section, name);
        return 1;
}

/* ---- lines ---- */

/* Why inih cannot be given this line; NULL if it can. room: bytes of its buffer. */
static const char *line_fault(const char *s, size_t n, size_t room) {
        if (memchr(s, '\0', n))
                return "the line contains a NUL byte";
        if (*s == '#' || *s == ';')
                return NULL;
        if (n + 2 > room)
                return "the line is too long";
        if (*s == '[')
                return s[n - 1] == ']' && memchr(s, ']', n) == s + n - 1 ? NULL : "a section is written as [Name]";
        if (*s == '=' || *s == ':' || (!memchr(s, '=', n) && !memchr(s, ':', n)))
                return "a setting is written as Key=value";
        for (size_t i = 1; i < n; i++)
                if (s[i] == ';' && (s[i - 1] == ' ' || s[i - 1] == '\t'))
                        return "a ';' after a space is not possible; write comments in lines of their own";
        return NULL;
}

static bool is_space(char c) {
        return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\v' || c == '\f';
}

/* As fgets(): the next line, of which inih gets at most num - 1 bytes. */
static char *read_line(char *buf, int num, void *userdata) {
        Parser *p = userdata;

        if (p->next == p->end || p->error < 0 || num < 2)
                return NULL;
        const char *s = p->next;
        const char *newline = memchr(s, '\n', (size_t)(p->end - s));
        size_t n = (size_t)((newline ?: p->end) - s);

        p->next = newline ? newline + 1 : p->end;
        p->line++;
        for (; n > 0 && is_space(*s); s++)
                n--;
        while (n > 0 && is_space(s[n - 1]))
                n--;
        const char *fault = n > 0 ? line_fault(s, n, (size_t)num) : NULL;
        if (fault)
                complain(p,
                         n + 2 > (size_t)num ? "%s (%zu bytes, at most %d fit); the line is ignored"
                                             : "%s; the line is ignored",
                         fault, n, num - 2);
        /* Comments may be of any length; inih need not see them. */
        if (fault || n == 0 || *s == '#' || *s == ';')
                n = 0;
        memcpy(buf, s, n);
        buf[n] = '\n';
        buf[n + 1] = '\0';
        return buf;
}

int config_parse(Config *c, const char *filename, const char *buf, size_t size, config_warn_t warn, void *userdata) {
        Parser p = {
                .config = c,
                .filename = filename,
                .next = buf,
                .end = buf + size,
                .warn = warn,
                .userdata = userdata,
        };

        if (size >= 3 && memcmp(buf, "\xEF\xBB\xBF", 3) == 0)
                p.next += 3;
        int r = ini_parse_stream(read_line, &p, on_value, &p);
        if (p.error < 0)
                return p.error;
        if (r == -2)
                return -ENOMEM;
        /* read_line() lets nothing pass that inih calls an error. */
        if (r != 0)
                complain(&p, "line %d could not be read", r);
        return 0;
}

int config_init(Config *c) {
        *c = (Config){};
        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                int r = set_value(c, &keys[i], keys[i].fallback, false);
                if (r < 0) {
                        config_done(c);
                        return r;
                }
        }
        return 0;
}

void config_done(Config *c) {
        for (size_t i = 0; i < ELEMENTSOF(keys); i++)
                if (keys[i].type == CONFIG_PATH || keys[i].type == CONFIG_WORDS)
                        free(*(char **)field(c, &keys[i]));
        *c = (Config){};
}
