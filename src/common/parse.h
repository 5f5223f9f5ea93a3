/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Strict parsers for text from people and files. What is not wholly understood is
 * -EINVAL, what does not fit is -ERANGE; the result is untouched then. No locale, no
 * leading or trailing space, no sign, no octal, no hexadecimal.
 */
#pragma once

#include "macro.h"

/* Decimal, no leading zeros. */
int parse_u64(const char *s, uint64_t *ret);
int parse_u32(const char *s, uint32_t *ret);
/* A time span in microseconds: "30" and "30s" are seconds; units us, ms, s (sec), min
 * (m), h (hr), d; several may follow one another, largest first or not, with or
 * without spaces ("1min 30s"). "infinity" is UINT64_MAX. */
int parse_timespan(const char *s, uint64_t *ret_usec);
/* The other way, in the largest unit that needs no fraction: "500ms", "2min", "0". */
void format_timespan(uint64_t usec, char *buf, size_t size);
