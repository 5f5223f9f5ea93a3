/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Enum <-> string tables. The table is the only place that knows the words; an enum
 * value without a word yields NULL, an unknown word yields -EINVAL.
 */
#pragma once

#include "macro.h"

#define DECLARE_STRING_TABLE(name, type)      \
        const char *name##_to_string(type v); \
        int name##_from_string(const char *s)

#define DEFINE_STRING_TABLE(name, type, table)                 \
        const char *name##_to_string(type v) {                 \
                if ((size_t)v >= ELEMENTSOF(table))            \
                        return NULL;                           \
                return table[v];                               \
        }                                                      \
        int name##_from_string(const char *s) {                \
                if (!s)                                        \
                        return -EINVAL;                        \
                for (size_t i = 0; i < ELEMENTSOF(table); i++) \
                        if (table[i] && streq(table[i], s))    \
                                return (int)i;                 \
                return -EINVAL;                                \
        }                                                      \
        struct name##_table_swallow_semicolon
