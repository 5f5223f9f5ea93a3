/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Spec <-> JSON. Keys are never renamed; a later version that adds keys another kernel's
 * adapter must not ignore raises VERSION. Decoding trusts nothing: every key has its type
 * and bounds, unknown ones are refused, and so is a name that does not belong in a path.
 */
#include <json-c/json.h>

#include "common/crc32.h"
#include "common/utf8.h"
#include "spec.h"

enum { VERSION = 1, DEPTH_MAX = 6 };

DEFINE_CLEANUP(json_object, json_object_put);
DEFINE_CLEANUP(json_tokener, json_tokener_free);

/* Takes value over; NULL is no memory. */
static int put(json_object *o, const char *key, json_object *value) {
        if (!value || json_object_object_add(o, key, value) < 0) {
                json_object_put(value);
                return -ENOMEM;
        }
        return 0;
}

static int put_string(json_object *o, const char *key, const char *s) {
        return s ? put(o, key, json_object_new_string(s)) : 0;
}

static int put_strv(json_object *o, const char *key, const Strv *l) {
        json_object *a = json_object_new_array();

        for (size_t i = 0; a && i < l->n; i++)
                if (json_object_array_add(a, json_object_new_string(l->v[i])) < 0) {
                        json_object_put(a);
                        return -ENOMEM;
                }
        return put(o, key, a);
}

/* [[text, number], …] */
static int put_pair(json_object *a, const char *s, uint64_t n) {
        json_object *pair = json_object_new_array();

        if (!pair || json_object_array_add(pair, json_object_new_string(s)) < 0 ||
            json_object_array_add(pair, json_object_new_uint64(n)) < 0 || json_object_array_add(a, pair) < 0) {
                json_object_put(pair);
                return -ENOMEM;
        }
        return 0;
}

static int put_disks(json_object *o, const Spec *s) {
        json_object *a = json_object_new_array();

        int r = put(o, "disks", a);
        for (size_t i = 0; r >= 0 && i < s->n_disks; i++)
                r = put_pair(a, s->disks[i].path, s->disks[i].size);
        return r;
}

int spec_encode(const Spec *s, char **ret, size_t *ret_size) {
        _cleanup_(json_object_putp) json_object *o = json_object_new_object();

        if (!o)
                return -ENOMEM;
        int r = put(o, "version", json_object_new_int(VERSION));
        r = r < 0 ? r : put_string(o, "name", s->name);
        r = r < 0 ? r : put_string(o, "program", s->program);
        r = r < 0 ? r : put_string(o, "qemu", s->version);
        r = r < 0 ? r : put_string(o, "directory", s->directory);
        r = r < 0 ? r : put_strv(o, "args", &s->args);
        r = r < 0 ? r : put_string(o, "machine", s->machine);
        r = r < 0 ? r : put_string(o, "ram", s->ram_id);
        r = r < 0 ? r : put(o, "ram-size", json_object_new_uint64(s->ram_size));
        r = r < 0 ? r : put_string(o, "agent", s->agent);
        r = r < 0 ? r : put_string(o, "hook", s->hook);
        r = r < 0 ? r : put(o, "paused", json_object_new_boolean(s->paused));
        r = r < 0 ? r : put_strv(o, "devices", &s->devices);
        r = r < 0 ? r : put_disks(o, s);
        r = r < 0 ? r : put(o, "state-size", json_object_new_uint64(s->state_size));
        r = r < 0 ? r : put(o, "state-crc", json_object_new_uint64(s->state_crc));
        if (r < 0)
                return r;
        const char *text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN);
        if (!text)
                return -ENOMEM;
        if (strlen(text) > SPEC_SIZE_MAX)
                return -E2BIG;
        *ret = strdup(text);
        if (!*ret)
                return -ENOMEM;
        *ret_size = strlen(*ret);
        return 0;
}

/* Decoding. */

static int bad(Problem *p, const char *key, const char *why) {
        return problem(p, "record-damaged", "the machine's record is damaged (%s: %s)", key, why);
}

static int get_string(json_object *o, const char *key, char **ret, Problem *p) {
        const char *s = json_object_get_string(o);

        if (!json_object_is_type(o, json_type_string) || strlen(s) != (size_t)json_object_get_string_len(o))
                return bad(p, key, "not a string");
        free(*ret);
        *ret = strdup(s);
        return *ret ? 0 : -ENOMEM;
}

static int get_strv(json_object *o, const char *key, Strv *ret, Problem *p) {
        if (!json_object_is_type(o, json_type_array) || json_object_array_length(o) > SPEC_ITEMS_MAX)
                return bad(p, key, "not a list, or too long");
        for (size_t i = 0; i < json_object_array_length(o); i++) {
                char *s = NULL;
                int r = get_string(json_object_array_get_idx(o, i), key, &s, p);
                if (r >= 0)
                        r = strv_take(ret, s);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int get_number(json_object *o, const char *key, uint64_t *ret, Problem *p) {
        if (!json_object_is_type(o, json_type_int) || json_object_get_int64(o) < 0)
                return bad(p, key, "not a number");
        *ret = json_object_get_uint64(o);
        return 0;
}

typedef int (*TakePair)(Spec *s, const char *text, uint64_t number);

static int take_disk(Spec *s, const char *text, uint64_t number) {
        return spec_add_disk(s, text, number);
}

static int get_pairs(json_object *o, const char *key, Spec *s, TakePair take, Problem *p) {
        if (!json_object_is_type(o, json_type_array) || json_object_array_length(o) > SPEC_ITEMS_MAX)
                return bad(p, key, "not a list, or too long");
        for (size_t i = 0; i < json_object_array_length(o); i++) {
                json_object *pair = json_object_array_get_idx(o, i);
                _cleanup_free_ char *text = NULL;
                uint64_t number = 0;

                if (!json_object_is_type(pair, json_type_array) || json_object_array_length(pair) != 2)
                        return bad(p, key, "not a pair");
                int r = get_string(json_object_array_get_idx(pair, 0), key, &text, p);
                if (r >= 0)
                        r = get_number(json_object_array_get_idx(pair, 1), key, &number, p);
                if (r >= 0)
                        r = take(s, text, number);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int decode_key(const char *key, json_object *v, Spec *s, Problem *p) {
        if (streq(key, "version"))
                return json_object_is_type(v, json_type_int) && json_object_get_int64(v) == VERSION
                               ? 0
                               : problem(p, "record-version", "the machine's record is of another version than %d",
                                         VERSION);
        if (streq(key, "name"))
                return get_string(v, key, &s->name, p);
        if (streq(key, "program"))
                return get_string(v, key, &s->program, p);
        if (streq(key, "qemu"))
                return get_string(v, key, &s->version, p);
        if (streq(key, "directory"))
                return get_string(v, key, &s->directory, p);
        if (streq(key, "args"))
                return get_strv(v, key, &s->args, p);
        if (streq(key, "machine"))
                return get_string(v, key, &s->machine, p);
        if (streq(key, "ram"))
                return get_string(v, key, &s->ram_id, p);
        if (streq(key, "ram-size"))
                return get_number(v, key, &s->ram_size, p);
        if (streq(key, "agent"))
                return get_string(v, key, &s->agent, p);
        if (streq(key, "hook"))
                return get_string(v, key, &s->hook, p);
        if (streq(key, "devices"))
                return get_strv(v, key, &s->devices, p);
        if (streq(key, "disks"))
                return get_pairs(v, key, s, take_disk, p);
        if (streq(key, "state-size"))
                return get_number(v, key, &s->state_size, p);
        if (streq(key, "state-crc"))
                return get_number(v, key, &s->state_crc, p);
        if (streq(key, "paused")) {
                s->paused = json_object_get_boolean(v);
                return json_object_is_type(v, json_type_boolean) ? 0 : bad(p, key, "not true or false");
        }
        return bad(p, "key", "not known");
}

static int check_whole(const Spec *s, Problem *p) {
        if (!s->name || !s->program || !s->version || !s->directory || !s->machine || !s->ram_id)
                return bad(p, "key", "one is missing");
        if (s->program[0] != '/' || s->directory[0] != '/')
                return bad(p, "program", "not an absolute path");
        if (s->ram_size == 0)
                return bad(p, "ram-size", "zero");
        return 0;
}

static json_object *parse(const char *text, size_t size) {
        _cleanup_(json_tokener_freep) json_tokener *t = json_tokener_new_ex(DEPTH_MAX);
        json_object *o = t ? json_tokener_parse_ex(t, text, (int)size) : NULL;

        if (o && json_tokener_get_parse_end(t) != size) {
                json_object_put(o);
                return NULL;
        }
        return o;
}

int spec_decode(const char *text, size_t size, Spec *ret, Problem *p) {
        if (size > SPEC_SIZE_MAX)
                return bad(p, "size", "too large");
        if (!utf8_valid(text, size) || memchr(text, '\0', size))
                return bad(p, "text", "not UTF-8");
        _cleanup_(json_object_putp) json_object *o = parse(text, size);
        if (!json_object_is_type(o, json_type_object))
                return bad(p, "text", "not JSON");

        _cleanup_(spec_done) Spec s = { 0 };
        json_object_object_foreach(o, key, value) {
                int r = decode_key(key, value, &s, p);
                if (r < 0)
                        return r;
        }
        if (!json_object_object_get_ex(o, "version", NULL))
                return bad(p, "version", "missing");
        int r = check_whole(&s, p);
        if (r < 0)
                return r;
        *ret = s;
        s = (Spec){ 0 };
        return 0;
}

/* The seal. */

enum { SEAL_SIZE = 10 }; /* a newline, 8 hex digits, a newline */

static void write_seal(char seal[static SEAL_SIZE + 1], const char *text, size_t size) {
        (void)snprintf(seal, SEAL_SIZE + 1, "\n%08x\n", crc32_ieee(text, size));
}

int spec_seal(const Spec *s, char **ret, size_t *ret_size) {
        _cleanup_free_ char *text = NULL;
        size_t size;

        int r = spec_encode(s, &text, &size);
        if (r < 0)
                return r;
        char *sealed = realloc(text, size + SEAL_SIZE + 1);
        if (!sealed)
                return -ENOMEM;
        text = NULL;
        write_seal(sealed + size, sealed, size);
        *ret = sealed;
        *ret_size = size + SEAL_SIZE;
        return 0;
}

int spec_unseal(const char *text, size_t size, Spec *ret, Problem *p) {
        char seal[SEAL_SIZE + 1];

        if (size < SEAL_SIZE)
                return bad(p, "seal", "too short");
        size -= SEAL_SIZE;
        write_seal(seal, text, size);
        if (memcmp(seal, text + size, SEAL_SIZE) != 0)
                return bad(p, "seal", "the checksum does not match");
        return spec_decode(text, size, ret, p);
}

int spec_check_record(const Spec *s, Problem *p) {
        _cleanup_(spec_done) Spec again = { 0 };
        _cleanup_free_ char *text = NULL;
        Problem why;
        size_t size;

        int r = spec_seal(s, &text, &size);
        if (r == -E2BIG || (r >= 0 && size > SPEC_SIZE_MAX))
                return problem(p, "command-line", "the command line is too long to be carried");
        if (r >= 0)
                r = spec_unseal(text, size, &again, &why);
        if (r == -EINVAL)
                return problem(p, "command-line",
                               "the command line cannot be carried; the next kernel's adapter would say: %.300s",
                               why.text);
        return r;
}
