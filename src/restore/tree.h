/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A cpio archive of files of this host, at the same places: a path is gone along as the
 * kernel would, and each symbolic link on the way goes into the archive as such, so that it
 * leads there too. All belong to root and none has a date: the same files make the same
 * archive.
 */
#pragma once

#include "common/macro.h"

#include <sys/types.h>

enum { TREE_FILE_MAX = 512 * 1024 * 1024, PROBLEM_SIZE = 512 };

typedef struct Tree {
        int out_fd;
        const char *root; /* "", or that of a test */
        void *seen;       /* paths in the archive; tsearch(3) */
        uint32_t n;
        char problem[PROBLEM_SIZE]; /* a sentence, once a call failed */
} Tree;

/* With the directories that it is in. All of it is there once only. */
int tree_put(Tree *t, const char *path, mode_t mode, const void *data, size_t size);
int tree_directory(Tree *t, const char *path);
/* The host's file, or whatever a symbolic link of this path leads to. */
int tree_add(Tree *t, const char *path);
/* The end of the archive. */
int tree_finish(Tree *t);
void tree_done(Tree *t);

/* Fills in a problem, and returns r. */
int problem(char buf[static PROBLEM_SIZE], int r, const char *format, ...) _printf_(3, 4);
