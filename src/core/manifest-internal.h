/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the value, writing and reading of the manifest share. */
#pragma once

#include "manifest.h"

#include <json-c/json.h>

#define HEADER_VERSION UINT32_C(1)
#define UPDATE_ID_LENGTH 32u

#define MANIFEST_MAGIC "LUMANIF\n"

typedef struct ManifestHeader {
        char magic[8];
        uint32_t version;
        uint32_t crc;
        uint64_t length;
        uint64_t zero;
} ManifestHeader;

_Static_assert(sizeof(ManifestHeader) == MANIFEST_HEADER_SIZE, "the header has no padding");

static inline void json_freep(json_object **o) {
        json_object_put(*o);
}

/* 0, -E2BIG, -EINVAL for what is not UTF-8. */
int manifest_check_string(const char *s);
bool manifest_update_id_valid(const char *s);
bool manifest_device_valid(const ManifestDevice *d);
/* 0, -EEXIST with the first that is there twice (a name lives as long as m), -ENOMEM. */
int manifest_find_duplicate_name(const Manifest *m, const char **ret_name);
int manifest_find_duplicate_token(const ManifestSession *s, uint64_t *ret_token);
int manifest_find_duplicate_device(const Manifest *m, Address *ret_address);
int manifest_find_duplicate_link(const Manifest *m, Address *ret_address);
/* Refuses it: "WHEREKEY: " and what the rest says. */
int manifest_bad(Refusal *refusal, const char *where, const char *key, const char *format, ...) _printf_(4, 5);
/* The body of a whole and undamaged record, an object. */
int manifest_parse(const void *data, size_t size, json_object **ret, Refusal *refusal);
