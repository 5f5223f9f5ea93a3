/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Why a virtual machine cannot be carried or taken back: a stable code for programs and
 * a sentence for people that says what to do. Functions that can refuse take a Problem*
 * and return a negative errno together with a filled-in one; on success it is untouched.
 */
#pragma once

#include "common/macro.h"

typedef struct Problem {
        char code[32];
        char text[480];
} Problem;

/* Fills *ret (if not NULL) and returns -EINVAL: `return problem(…)`. */
int problem(Problem *ret, const char *code, const char *format, ...) _printf_(3, 4);
/* The same for a failed call: the text is "FORMAT: strerror", r comes back unchanged. */
int problem_errno(Problem *ret, int r, const char *code, const char *format, ...) _printf_(4, 5);
