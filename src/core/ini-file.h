/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The form that all files in conf/ have: sections, Key=value, comments in lines of their
 * own. Text comes in as a buffer. What cannot be read never stops the daemon: it is
 * reported as a warning with file and line, and the line is left out.
 */
#pragma once

#include "common/macro.h"

typedef void (*config_warn_t)(void *userdata, const char *message);

typedef struct IniFile IniFile;

/* Called for each Key=value. value is "" where there is none. section: its name, ""
 * before the first; nth: how many sections began until here, so that sections of the
 * same name can be told apart. A negative return ends the reading. */
typedef int (*ini_value_t)(void *userdata, const IniFile *file, const char *section, size_t nth, const char *name,
                           const char *value);
/* Called, if given, for each line that is left out unseen. A negative return ends the
 * reading. */
typedef int (*ini_fault_t)(void *userdata, const IniFile *file, size_t nth);

struct IniFile {
        const char *filename; /* for the warnings: "FILE:LINE: TEXT" */
        const char *next, *end;
        size_t line, section;
        ini_value_t on_value;
        ini_fault_t on_fault;
        config_warn_t warn; /* may be NULL */
        void *userdata;     /* of on_value and on_fault */
        void *warn_userdata;
        int error;
};

/* Fill in filename, on_value and what else is needed. -ENOMEM, or what on_value said. */
int ini_file_parse(IniFile *f, const char *buf, size_t size);
/* A warning about the present line. */
void ini_file_complain(const IniFile *f, const char *format, ...) _printf_(2, 3);
