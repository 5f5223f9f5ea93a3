/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs of this host with the libraries that they need, put into a tree. Which these are
 * the dynamic loader says that the program names: nobody else knows its paths.
 */
#pragma once

#include "tree.h"

/* The program and its libraries; a script is refused. */
int libraries_add_program(Tree *t, const char *path);
/* The libraries alone. */
int libraries_add(Tree *t, const char *path);
