/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "common/macro.h"

/* The running kernel's command line (a newline at its end goes) with a string appended,
 * or alone if append is NULL. What is at its end already, as whole words, is not added
 * again, so that one update after another does not make it grow. NULL: out of memory. */
char *cmdline_compose(const char *running, const char *append);
