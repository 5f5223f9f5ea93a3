/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by format.c and format-table.c. */
#pragma once

#include "format.h"

#define ANSI_RED "\033[31m"
#define ANSI_GREEN "\033[32m"
#define ANSI_YELLOW "\033[33m"
#define ANSI_NORMAL "\033[0m"

/* The colour of a state or result; NULL for none. */
const char *word_color(const char *word);
const char *plus_minus(const Style *style);
/* A word in its colour, cleaned. */
void put_word(FILE *f, const Style *style, const char *word);
/* Closes a memory stream and hands its text over: 0, r if that is negative, or -ENOMEM. */
int text_finish(FILE **f, char **text, int r, char **ret);
