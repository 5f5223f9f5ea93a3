/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One tokenizer, word_next(), that finds the same words, names and values as the
 * kernel's next_arg(), and does not change the line; everything else copies raw words.
 */
#include "cmdline.h"

typedef struct Word {
        const char *start; /* raw, with quotes */
        size_t size;
        const char *key; /* as the kernel sees it: leading quote taken off */
        size_t key_size;
        const char *value; /* NULL: no '='; quotes around it taken off */
        size_t value_size;
        bool open_quote; /* the line ends within quotes */
} Word;

/* lib/ctype.c counts 0xa0, the no-break space of Latin-1, as white space. */
static bool is_space(char c) {
        return c == ' ' || (c >= '\t' && c <= '\r') || (unsigned char)c == 0xa0;
}

/* Finds the first word at or after s; returns where to go on, NULL when there is none. */
static const char *word_next(const char *s, Word *ret) {
        const char *p, *equals = NULL, *end;
        bool in_quote = false, quoted;

        while (is_space(*s))
                s++;
        if (!*s)
                return NULL;
        quoted = in_quote = *s == '"';
        p = s + quoted;
        *ret = (Word){ .start = s, .key = p };
        for (; *p && (in_quote || !is_space(*p)); p++) {
                /* next_arg() uses the index of '=' as its flag: one at index 0 is none. */
                if (!equals && *p == '=' && p > ret->key)
                        equals = p;
                if (*p == '"')
                        in_quote = !in_quote;
        }
        ret->size = (size_t)(p - s);
        ret->open_quote = in_quote;
        end = p;
        if (quoted && end > ret->key && end[-1] == '"')
                end--;
        if (equals) {
                ret->key_size = (size_t)(equals - ret->key);
                ret->value = equals + 1;
                if (*ret->value == '"' && ret->value < p) {
                        ret->value++;
                        if (end == p && p[-1] == '"')
                                end--;
                }
                ret->value_size = end > ret->value ? (size_t)(end - ret->value) : 0;
        } else
                ret->key_size = (size_t)(end - ret->key);
        return p;
}

static bool word_is(const Word *w, const char *key) {
        return w->key_size == strlen(key) && memcmp(w->key, key, w->key_size) == 0;
}

static bool word_same(const Word *a, const Word *b) {
        return a->size == b->size && memcmp(a->start, b->start, a->size) == 0;
}

/* parse_args() stops at a word "--" without a value. */
static bool word_is_dashes(const Word *w) {
        return !w->value && word_is(w, "--");
}

/* The next word of the kernel's part. */
static const char *kernel_word_next(const char *s, Word *ret) {
        const char *p = word_next(s, ret);

        return p && !word_is_dashes(ret) ? p : NULL;
}

/* kstrtobool(), lib/kstrtox.c: the first letter decides, after 'o' the second. */
static int word_bool(const Word *w) {
        if (!w->value || w->value_size == 0)
                return -EINVAL;
        if (strchr("eEyYtT1", *w->value))
                return 1;
        if (strchr("dDnNfF0", *w->value))
                return 0;
        if (w->value_size < 2 || (*w->value != 'o' && *w->value != 'O'))
                return -EINVAL;
        if (strchr("nN", w->value[1]))
                return 1;
        return strchr("fF", w->value[1]) ? 0 : -EINVAL;
}

int cmdline_switch(const char *cmdline, const char *key) {
        int state = -ENOENT;
        Word w;

        while ((cmdline = kernel_word_next(cmdline, &w)))
                if (word_is(&w, key)) {
                        int b = word_bool(&w);

                        if (b >= 0)
                                state = b;
                }
        return state;
}

/* Length of the kernel's part without the white space at its end. */
static size_t kernel_part(const char *cmdline) {
        const char *p = cmdline;
        size_t size = 0;
        Word w;

        while ((p = kernel_word_next(p, &w)))
                size = (size_t)(p - cmdline);
        return size;
}

/* base with n_words raw words at the end of its kernel part. */
static int insert_words(const char *base, const Word *words, size_t n_words, char **ret) {
        size_t part = kernel_part(base), size = strlen(base) + 1, at;
        char *line;

        for (size_t i = 0; i < n_words; i++)
                size += words[i].size + 1;
        line = malloc(size + 1);
        if (!line)
                return -ENOMEM;
        memcpy(line, base, part);
        at = part;
        for (size_t i = 0; i < n_words; i++) {
                if (at > 0)
                        line[at++] = ' ';
                memcpy(line + at, words[i].start, words[i].size);
                at += words[i].size;
        }
        /* Words at the very start need a space towards what follows them. */
        if (at > 0 && base[part] && !is_space(base[part]))
                line[at++] = ' ';
        memcpy(line + at, base + part, strlen(base + part) + 1);
        *ret = line;
        return 0;
}

static int check(const char *line, Refusal *refusal) {
        const char *p = line;
        Word w;

        for (const char *c = line; *c; c++)
                if (((unsigned char)*c < 0x20 && *c != '\t') || *c == 0x7f)
                        return refuse(refusal, REASON_CMDLINE_INVALID, "command line",
                                      "there is a control character (byte 0x%02x) at position %zu", (unsigned char)*c,
                                      (size_t)(c - line));
        while ((p = kernel_word_next(p, &w)))
                if (w.open_quote)
                        return refuse(refusal, REASON_CMDLINE_INVALID, "command line",
                                      "the quote in the word at position %zu is never closed",
                                      (size_t)(w.start - line));
        return 0;
}

int cmdline_finalize(const char *requested, uint32_t cmdline_size, char **ret, Refusal *refusal) {
        _cleanup_free_ char *line = NULL;
        Word added[2];
        size_t n_added = 0, limit = CMDLINE_MAX;
        int r;

        r = check(requested, refusal);
        if (r < 0)
                return r;
        if (cmdline_switch(requested, "kho") != 1)
                (void)word_next("kho=on", &added[n_added++]);
        if (cmdline_switch(requested, "liveupdate") != 1)
                (void)word_next("liveupdate=on", &added[n_added++]);
        r = insert_words(requested, added, n_added, &line);
        if (r < 0)
                return refuse_errno(refusal, r, "command line", "making the command line");
        if (cmdline_size > 0 && cmdline_size < CMDLINE_SIZE_X86)
                limit = cmdline_size > CMDLINE_KEXEC_RESERVE + 1 ? cmdline_size - CMDLINE_KEXEC_RESERVE - 1 : 0;
        if (strlen(line) > limit)
                return refuse(refusal, REASON_CMDLINE_TOO_LONG, "command line",
                              "it has %zu bytes with kho=on and liveupdate=on, the next kernel takes %zu",
                              strlen(line), limit);
        *ret = TAKE_PTR(line);
        return 0;
}

int cmdline_strip_boot(const char *running, char **ret) {
        char *line = malloc(strlen(running) + 1), *out = line;
        const char *p = running, *copied = running;
        Word w;

        if (!line)
                return -ENOMEM;
        while ((p = kernel_word_next(p, &w)))
                if (w.value && (word_is(&w, "BOOT_IMAGE") || word_is(&w, "initrd"))) {
                        memcpy(out, copied, (size_t)(w.start - copied));
                        out += w.start - copied;
                        while (is_space(*p)) /* one gap goes with the word */
                                p++;
                        copied = p;
                }
        memcpy(out, copied, strlen(copied) + 1);
        out += strlen(copied);
        while (out > line && is_space(out[-1]))
                *--out = '\0';
        *ret = line;
        return 0;
}

/* How many words of the kernel's part set the same parameter as `like`; the n-th of
 * them (from 0) goes to *ret if there is one. */
static size_t same_key(const char *line, const Word *like, size_t n, Word *ret) {
        size_t count = 0;
        Word w;

        while ((line = kernel_word_next(line, &w)))
                if (w.key_size == like->key_size && memcmp(w.key, like->key, w.key_size) == 0)
                        if (count++ == n)
                                *ret = w;
        return count;
}

/* Whether the last words of base about this parameter are all those of extra about it,
 * in their order: then base says it already. */
static bool said(const char *base, const char *extra, const Word *word) {
        size_t in_base, in_extra;
        Word b, e;

        in_base = same_key(base, word, SIZE_MAX, &b);
        in_extra = same_key(extra, word, SIZE_MAX, &e);
        if (in_base < in_extra)
                return false;
        for (size_t i = 0; i < in_extra; i++) {
                (void)same_key(base, word, in_base - in_extra + i, &b);
                (void)same_key(extra, word, i, &e);
                if (!word_same(&b, &e))
                        return false;
        }
        return true;
}

int cmdline_append(const char *base, const char *extra, char **ret) {
        _cleanup_free_ Word *words = NULL;
        size_t n = 0;
        Word w;

        /* Their cost is quadratic in the number of words, and a line has few. */
        if (strlen(base) > CMDLINE_SIZE_X86 || strlen(extra) > CMDLINE_SIZE_X86)
                return -E2BIG;
        words = calloc(strlen(extra) / 2 + 1, sizeof(Word));
        if (!words)
                return -ENOMEM;
        for (const char *p = extra; (p = kernel_word_next(p, &w));)
                if (!said(base, extra, &w))
                        words[n++] = w;
        return insert_words(base, words, n, ret);
}
