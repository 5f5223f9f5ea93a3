/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU's "word,key=value,…" option values: a comma in a value is written twice, the first
 * element may be a value alone, whose key is then implied; "key" alone later means
 * "key=on" and "nokey" "key=off" (qapi and QemuOpts agree on that much).
 */
#pragma once

#include "common/macro.h"

/* The value of key, unescaped, as a new string; implied names the first element's key
 * where it has none (NULL: it has to have one). When a key is there twice the last wins,
 * as in QEMU. *ret is NULL when it is not there. -ENOMEM. */
int keyval_get(const char *text, const char *implied, const char *key, char **ret);
/* The text without that key, in a new string, which may be empty. -ENOMEM. */
int keyval_without(const char *text, const char *implied, const char *key, char **ret);
/* s with its commas doubled, as a new string. NULL: no memory. */
char *keyval_escape(const char *s);
/* "on"/"off", "yes"/"no", "true"/"false"; -EINVAL. */
int keyval_bool(const char *s);
/* Bytes: decimal with an optional suffix b, k, M, G, T (any case), by default in units of
 * `unit` bytes. -EINVAL, -ERANGE. */
int keyval_size(const char *s, uint64_t unit, uint64_t *ret);
