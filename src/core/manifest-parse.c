/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the bytes of the previous kernel's daemon to a tree. The header is checked before the
 * body is looked at, and the body's number of elements and its nesting before json-c builds
 * a tree of it: a tree takes up to two hundred times the room of its text.
 */
#include "manifest-internal.h"

#include "common/crc32.h"
#include "common/utf8.h"

#include <endian.h>
#include <stdarg.h>

#define DEPTH_MAX 8

#define bad(...) manifest_bad(refusal, "", __VA_ARGS__)

static inline void json_tokener_freep(json_tokener **t) {
        if (*t)
                json_tokener_free(*t);
}

int manifest_bad(Refusal *refusal, const char *where, const char *key, const char *format, ...) {
        char text[160];
        va_list ap;

        va_start(ap, format);
        (void)vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        return refuse(refusal, REASON_MANIFEST_INVALID, NULL, "%s%s: %s", where, key, text);
}

static size_t count_digits(const char *s, size_t n) {
        size_t i = 0;

        while (i < n && s[i] >= '0' && s[i] <= '9')
                i++;
        return i;
}

/* json-c 0.16 reads an integer beyond 64 bits as the largest one. */
static bool integer_fits(const char *digits, size_t n) {
        static const char max[] = "18446744073709551615";

        return n < strlen(max) || (n == strlen(max) && memcmp(digits, max, n) <= 0);
}

/* Whether json-c may make a tree of so many: twice the bounds leave room for the fields of
 * later versions. No more files have an address than there are devices. Of VFs there are
 * so many that they get less: five more values each than the eleven there are. */
static bool too_many(size_t objects, size_t arrays, size_t commas) {
        return objects > 2 * (MANIFEST_SESSIONS_MAX + 64) + 2 * MANIFEST_LINKS_MAX + MANIFEST_VFS_MAX ||
               arrays > 2 * (MANIFEST_SESSIONS_MAX + MANIFEST_FILES_MAX + MANIFEST_DEVICES_MAX) +
                                2 * (MANIFEST_LINKS_MAX + MANIFEST_VFS_MAX) ||
               commas > 2 * (8 * MANIFEST_SESSIONS_MAX + 2 * MANIFEST_FILES_MAX + 9 * MANIFEST_DEVICES_MAX) +
                                4 * MANIFEST_LINKS_MAX + 16 * MANIFEST_VFS_MAX;
}

/* Looks for what json-c would swallow: counts what it would make objects of (a list or an
 * object has one more value than it has commas), and checks the size of integers. */
static int prescan(Refusal *refusal, const char *body, size_t size) {
        size_t objects = 0, arrays = 0, commas = 0;
        bool quoted = false;

        for (size_t i = 0; i < size; i++) {
                char c = body[i];

                if (c == '\0')
                        return bad("body", "NUL at byte %zu", i);
                if (c == '"')
                        quoted = !quoted;
                else if (quoted) {
                        i += c == '\\';
                } else if (c >= '0' && c <= '9') {
                        size_t n = count_digits(body + i, size - i);
                        bool fraction = i > 0 && body[i - 1] == '.';

                        if (!fraction && !integer_fits(body + i, n))
                                return bad("body", "the number at byte %zu is too large", i);
                        i += n - 1;
                } else if (!strchr(" \t\r\n{}[],:.+-eEtrufalsn", c)) {
                        /* Some json-c take 'x' for a string and comments for space even
                         * when told to be strict; what they hide would not be counted. */
                        return bad("body", "unexpected character at byte %zu", i);
                } else {
                        objects += c == '{';
                        arrays += c == '[';
                        commas += c == ',';
                }
        }
        if (too_many(objects, arrays, commas))
                return bad("body", "too many elements");
        return 0;
}

/* The code point of the valid character at s, which has n bytes, two at least. */
static uint32_t code_point(const char *s, size_t n) {
        uint32_t v = (uint8_t)s[0] & (0x7fu >> n);

        for (size_t i = 1; i < n; i++)
                v = v << 6 | ((uint8_t)s[i] & 0x3f);
        return v;
}

/* A copy in which every character beyond ASCII is escaped: json-c 0.18 takes them for
 * control characters and refuses them (a signed char in its strict mode). They are in
 * strings, or the body is no JSON with them or without. Valid UTF-8 only. */
static char *escape_body(const char *body, size_t size, size_t *ret_size) {
        char *copy = malloc(size * 3 + 1), *to = copy; /* two bytes become six at most */

        for (size_t i = 0; copy && i < size;) {
                size_t n = utf8_char_size(body + i, size - i);
                if (n < 2)
                        *to++ = body[i];
                else {
                        uint32_t c = code_point(body + i, n);
                        if (c >= 0x10000)
                                to += sprintf(to, "\\u%04x\\u%04x", 0xd800 + ((c - 0x10000) >> 10),
                                              0xdc00 + ((c - 0x10000) & 0x3ff));
                        else
                                to += sprintf(to, "\\u%04x", c);
                }
                i += MAX_OF(n, (size_t)1);
        }
        if (copy) {
                *to = '\0';
                *ret_size = (size_t)(to - copy);
        }
        return copy;
}

static int parse_body(Refusal *refusal, const char *raw, size_t raw_size, json_object **ret) {
        _cleanup_(json_tokener_freep) json_tokener *t = json_tokener_new_ex(DEPTH_MAX);
        _cleanup_free_ char *body = NULL;
        size_t size = 0;
        _cleanup_(json_freep) json_object *root = NULL;

        if (!utf8_valid(raw, raw_size))
                return bad("body", "it is not UTF-8");
        body = escape_body(raw, raw_size, &size);
        if (!t || !body)
                return refuse_errno(refusal, -ENOMEM, NULL, "reading the manifest");
        json_tokener_set_flags(t, JSON_TOKENER_STRICT);
        root = json_tokener_parse_ex(t, body, (int)size);
        enum json_tokener_error e = json_tokener_get_error(t);
        if (e == json_tokener_continue)
                return bad("body", "it ends too early");
        if (e != json_tokener_success)
                return bad("body", "%s at byte %zu", json_tokener_error_desc(e), json_tokener_get_parse_end(t));
        if (json_tokener_get_parse_end(t) != size)
                return bad("body", "more after its end");
        if (!json_object_is_type(root, json_type_object))
                return bad("body", "is %s, not object", json_type_to_name(json_object_get_type(root)));
        *ret = TAKE_PTR(root);
        return 0;
}

static int check_header(Refusal *refusal, const void *data, size_t size) {
        ManifestHeader h;

        if (size < sizeof(h))
                return bad("header", "it has %zu bytes of %zu", size, sizeof(h));
        if (size > MANIFEST_SIZE_MAX)
                return bad("header", "more than %u bytes", MANIFEST_SIZE_MAX);
        memcpy(&h, data, sizeof(h));
        if (memcmp(h.magic, MANIFEST_MAGIC, sizeof(h.magic)) != 0)
                return bad("header", "this is not a manifest");
        if (le32toh(h.version) != HEADER_VERSION)
                return bad("header", "version %u is unknown, only %u is known", le32toh(h.version), HEADER_VERSION);
        if (h.zero != 0)
                return bad("header", "the reserved field is not zero");
        if (le64toh(h.length) != size - sizeof(h))
                return bad("header", "the body has %zu bytes, not %llu", size - sizeof(h),
                           (unsigned long long)le64toh(h.length));
        if (le32toh(h.crc) != crc32_ieee((const char *)data + sizeof(h), size - sizeof(h)))
                return bad("header", "the checksum does not match");
        return 0;
}

int manifest_parse(const void *data, size_t size, json_object **ret, Refusal *refusal) {
        int r = check_header(refusal, data, size);
        if (r < 0)
                return r;
        const char *body = (const char *)data + sizeof(ManifestHeader);
        size -= sizeof(ManifestHeader);
        r = prescan(refusal, body, size);
        return r < 0 ? r : parse_body(refusal, body, size, ret);
}
