/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Logging to standard error with the "<N>" priority prefix that systemd's journal
 * reads when the output is not a terminal. Log once, at the top, with context;
 * functions below return errors and stay silent.
 */
#pragma once

#include "macro.h"

enum { LOG_PRI_ERR = 3, LOG_PRI_WARNING = 4, LOG_PRI_NOTICE = 5, LOG_PRI_INFO = 6, LOG_PRI_DEBUG = 7 };

/* Messages above this priority number are dropped; LOG_PRI_INFO unless changed. */
void log_set_max_priority(int priority);
void log_full(int priority, const char *format, ...) _printf_(2, 3);
/* What every line begins with, for a log that does not know who writes (the kernel's);
 * must stay. NULL: nothing. */
void log_set_name(const char *name);
/* Logs "MESSAGE: strerror" and returns the negative errno r unchanged. */
int log_errno(int r, const char *format, ...) _printf_(2, 3);

#define log_error(...) log_full(LOG_PRI_ERR, __VA_ARGS__)
#define log_warning(...) log_full(LOG_PRI_WARNING, __VA_ARGS__)
#define log_notice(...) log_full(LOG_PRI_NOTICE, __VA_ARGS__)
#define log_info(...) log_full(LOG_PRI_INFO, __VA_ARGS__)
#define log_debug(...) log_full(LOG_PRI_DEBUG, __VA_ARGS__)
