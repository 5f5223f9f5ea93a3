/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A list of strings that owns them; always ends in NULL, so that it can be an argv. */
#pragma once

#include "common/macro.h"

typedef struct Strv {
        char **v; /* NULL while n is 0 */
        size_t n;
} Strv;

void strv_done(Strv *l);
/* Appends a copy, or takes s over (also when it fails; NULL is -ENOMEM). */
int strv_add(Strv *l, const char *s);
int strv_take(Strv *l, char *s);
int strv_addf(Strv *l, const char *format, ...) _printf_(2, 3);
bool strv_contains(const Strv *l, const char *s);
bool strv_equal(const Strv *a, const Strv *b);
#define _cleanup_strv_ _cleanup_(strv_done)
