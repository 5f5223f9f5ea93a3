/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * inih splits lines into section, key and value. It cuts lines that do not fit its
 * buffer (200 bytes, decided when the library was built), takes indented lines as more
 * of the value above, and what follows " ;" as a comment. None of that shall happen
 * unseen, so the reader below hands it one line at a time, without indentation, and
 * turns a line that inih would misread into a warning and an empty line.
 */
#include "ini-file.h"

#include "common/utf8.h"

#include <ini.h>
#include <stdarg.h>

void ini_file_complain(const IniFile *f, const char *format, ...) {
        char text[512], message[1024], printable[1024];
        va_list ap;

        if (!f->warn)
                return;
        va_start(ap, format);
        (void)vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        (void)snprintf(message, sizeof(message), "%.256s:%zu: %s", f->filename, f->line, text);
        utf8_copy(printable, sizeof(printable), message);
        f->warn(f->warn_userdata, printable);
}

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

static void complain_line(IniFile *f, const char *fault, size_t n, int num) {
        ini_file_complain(f,
                          n + 2 > (size_t)num ? "%s (%zu bytes, at most %d fit); the line is ignored"
                                              : "%s; the line is ignored",
                          fault, n, num - 2);
        if (f->on_fault)
                f->error = f->on_fault(f->userdata, f, f->section);
}

/* As fgets(): the next line, of which inih gets at most num - 1 bytes. */
static char *read_line(char *buf, int num, void *userdata) {
        IniFile *f = userdata;

        if (f->next == f->end || f->error < 0 || num < 2)
                return NULL;
        const char *s = f->next;
        const char *newline = memchr(s, '\n', (size_t)(f->end - s));
        size_t n = (size_t)((newline ?: f->end) - s);

        f->next = newline ? newline + 1 : f->end;
        f->line++;
        for (; n > 0 && is_space(*s); s++)
                n--;
        while (n > 0 && is_space(s[n - 1]))
                n--;
        const char *fault = n > 0 ? line_fault(s, n, (size_t)num) : NULL;
        f->section += n > 0 && *s == '[';
        if (fault)
                complain_line(f, fault, n, num);
        /* Comments may be of any length; inih need not see them. */
        if (fault || n == 0 || *s == '#' || *s == ';')
                n = 0;
        memcpy(buf, s, n);
        buf[n] = '\n';
        buf[n + 1] = '\0';
        return buf;
}

static int on_value(void *userdata, const char *section, const char *name, const char *value) {
        IniFile *f = userdata;

        int r = f->on_value(f->userdata, f, section, f->section, name, value ?: "");
        if (r < 0)
                f->error = r;
        return 1;
}

int ini_file_parse(IniFile *f, const char *buf, size_t size) {
        f->next = buf;
        f->end = buf + size;
        if (size >= 3 && memcmp(buf, "\xEF\xBB\xBF", 3) == 0)
                f->next += 3;
        int r = ini_parse_stream(read_line, f, on_value, f);
        if (f->error < 0)
                return f->error;
        if (r == -2)
                return -ENOMEM;
        /* read_line() lets nothing pass that inih calls an error. */
        if (r != 0)
                ini_file_complain(f, "line %d could not be read", r);
        return 0;
}
