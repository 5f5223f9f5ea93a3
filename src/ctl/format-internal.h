/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the format*.c files. */
#pragma once

#include "format.h"

#define ANSI_RED "\033[31m"
#define ANSI_GREEN "\033[32m"
#define ANSI_YELLOW "\033[33m"
#define ANSI_NORMAL "\033[0m"

/* What `plan` shows for "cannot" where that was excepted. */
#define VERDICT_EXCEPTED "cannot (excepted)"

/* The colour of a state or result; NULL for none. */
const char *word_color(const char *word);
const char *plus_minus(const Style *style);
/* A word in its colour, cleaned. */
void put_word(FILE *f, const Style *style, const char *word);
/* Closes a memory stream and hands its text over: 0, r if that is negative, or -ENOMEM. */
int text_finish(FILE **f, char **text, int r, char **ret);
/* "Label: value", cleaned, in one line. */
void put_label(FILE *f, const char *label);
void put_line(FILE *f, const char *label, const char *format, ...) _printf_(3, 4);
/* "Label: a b c"; nothing if the list is empty. */
void put_list(FILE *f, const char *label, const StringList *list);

/* format-table.c: tables as libsmartcols makes them; the rows belong to their table. */
typedef struct Column {
        const char *name;
        bool right, tree;
} Column;

typedef struct libscols_table Table;
typedef struct libscols_line Row;

void table_free(Table *t);
DEFINE_CLEANUP(Table, table_free);
int table_new(const Column *columns, size_t n, const Style *style, Table **ret);
/* colored: the cell that gets the colour of its word; SIZE_MAX: none. */
int table_add(Table *t, const char *const *cells, size_t n, size_t colored, Row **ret);
/* In a table with a tree column: places a row below another. */
int table_nest(Row *above, Row *row);
/* The table alone, without what it counts. */
int table_print(Table *t, char **ret);
/* The table, and with a legend a line that counts its rows, n WHATs. */
int table_text(Table *t, const Style *style, size_t n, const char *what, char **ret);
