/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All methods of the interfaces in dbus/, as the XML files list them, so that a test
 * which goes over all of them meets a new one without being told.
 */
#pragma once

#include "rig.h"

typedef struct Method {
        char interface[64], member[64];
        char types[32];    /* of the arguments */
        char names[8][24]; /* of each, in order */
} Method;

enum { METHODS_MAX = 96 };

size_t methods_read(Method ret[static METHODS_MAX]);
/* The first complete type at the start of types. */
size_t type_length(const char *types);
