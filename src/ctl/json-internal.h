/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shared by the json*.c files, and without json-c. An Object collects keys and remembers
 * whether memory ran out, so that building one needs no check at each key.
 */
#pragma once

#include "json.h"

typedef struct Object {
        struct json_object *object; /* NULL once memory ran out */
} Object;

Object object_new(void);
/* Takes value over; NULL means that memory ran out. */
void put(Object *o, const char *key, struct json_object *value);
void put_null(Object *o, const char *key);
void put_string(Object *o, const char *key, const char *s);
/* "" and NULL are null. */
void put_known(Object *o, const char *key, const char *s);
void put_u64(Object *o, const char *key, uint64_t v);
void put_i64(Object *o, const char *key, int64_t v);
void put_bool(Object *o, const char *key, bool v);
struct json_object *string_list(const StringList *l);
