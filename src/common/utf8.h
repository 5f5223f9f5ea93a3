/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * UTF-8 as RFC 3629 defines it: no overlong forms, no surrogates, nothing above
 * U+10FFFF. The bus closes the connection of who sends it anything else, so text from
 * outside is checked before it goes there.
 */
#pragma once

#include "macro.h"

/* Bytes of the character at s, looking at no more than n; 0 if it is not a valid one. */
size_t utf8_char_size(const char *s, size_t n);
bool utf8_valid(const char *s, size_t n);
/* Valid, and without control characters (C0, DEL, C1): fit for one line of a log. */
bool utf8_printable(const char *s, size_t n);
/* Copies as much of src as fits into dst in whole characters; invalid bytes and control
 * characters become '?'. Always terminates (size > 0). dst and src must not overlap. */
void utf8_copy(char *dst, size_t size, const char *src);
