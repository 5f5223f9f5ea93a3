/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "record.h"

#include "common/crc32.h"

#define SEAL "end "

enum { SEAL_SIZE = sizeof(SEAL) - 1 + 8 + 1 }; /* "end XXXXXXXX\n" */

void record_done(Record *r) {
        free(r->text);
        *r = (Record){};
}

static bool key_ok(const char *key) {
        return *key && strspn(key, "abcdefghijklmnopqrstuvwxyz-") == strlen(key);
}

static bool must_escape(unsigned char c) {
        return c < 0x20 || c == 0x7f || c == '%';
}

static int reserve(Record *r, size_t more) {
        if (r->room - r->size > more)
                return 0;
        size_t room = MAX_OF(r->room * 2, r->size + more + 1);
        char *bigger = realloc(r->text, room);
        if (!bigger)
                return r->error = -ENOMEM;
        r->text = bigger;
        r->room = room;
        return 0;
}

static char hex_digit(unsigned v) {
        return "0123456789abcdef"[v & 15];
}

void record_add(Record *r, const char *key, const char *value) {
        if (r->error < 0)
                return;
        if (!key_ok(key)) {
                r->error = -EINVAL;
                return;
        }
        if (reserve(r, strlen(key) + 2 + 3 * strlen(value)) < 0)
                return;
        char *p = stpcpy(r->text + r->size, key);
        *p++ = ' ';
        for (const char *v = value; *v; v++) {
                unsigned char c = (unsigned char)*v;
                if (must_escape(c)) {
                        *p++ = '%';
                        *p++ = hex_digit(c >> 4);
                        *p++ = hex_digit(c);
                } else
                        *p++ = *v;
        }
        *p++ = '\n';
        *p = '\0';
        r->size = (size_t)(p - r->text);
}

void record_add_number(Record *r, const char *key, uint64_t value) {
        char text[24];

        (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
        record_add(r, key, text);
}

int record_seal(Record *r) {
        char seal[16];

        (void)snprintf(seal, sizeof(seal), "%08x", r->error < 0 ? 0 : crc32_ieee(r->text, r->size));
        record_add(r, "end", seal);
        return r->error;
}

int record_unseal(char *text, size_t size) {
        char seal[SEAL_SIZE + 1];

        if (size < SEAL_SIZE || strlen(text) != size)
                return -EBADMSG;
        char *end = text + size - SEAL_SIZE;
        if (end > text && end[-1] != '\n')
                return -EBADMSG;
        (void)snprintf(seal, sizeof(seal), SEAL "%08x\n", crc32_ieee(text, (size_t)(end - text)));
        if (!streq(end, seal))
                return -EBADMSG;
        *end = '\0';
        return 0;
}

int record_next_sealed(char **rest, char **ret_text) {
        char *text = *rest, *end = text;

        if (!*text)
                return 0;
        while (strncmp(end, SEAL, sizeof(SEAL) - 1) != 0) {
                end = strchr(end, '\n');
                if (!end++)
                        return -EBADMSG;
        }
        if (strnlen(end, SEAL_SIZE) < SEAL_SIZE)
                return -EBADMSG;
        char *next = end + SEAL_SIZE, first = *next;
        *next = '\0';
        int r = record_unseal(text, (size_t)(next - text));
        *next = first;
        if (r < 0)
                return r;
        *rest = next;
        *ret_text = text;
        return 1;
}

static int hex_value(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In place; only what record_add() writes. */
static int unescape(char *value) {
        char *to = value;

        for (const char *from = value; *from; from++) {
                if (*from != '%') {
                        if (must_escape((unsigned char)*from))
                                return -EBADMSG;
                        *to++ = *from;
                        continue;
                }
                int high = hex_value(from[1]), low = high < 0 ? -1 : hex_value(from[2]);
                if (low < 0 || (high | low) == 0 || !must_escape((unsigned char)(high << 4 | low)))
                        return -EBADMSG;
                *to++ = (char)(high << 4 | low);
                from += 2;
        }
        *to = '\0';
        return 0;
}

int record_next(char **rest, char **ret_key, char **ret_value) {
        char *line = *rest, *end = strchr(line, '\n');

        if (!end)
                return 0;
        *end = '\0';
        char *value = strchr(line, ' ');
        if (!value)
                return -EBADMSG;
        *value++ = '\0';
        if (!key_ok(line) || unescape(value) < 0)
                return -EBADMSG;
        *rest = end + 1;
        *ret_key = line;
        *ret_value = value;
        return 1;
}
