/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The session of luvm-vfs: directly LUO's or, for a client that does no call of LUO's
 * itself, the daemon's on the bus. The daemon knows an owner by its connection, which a
 * child of ours keeps open.
 */
#pragma once

#include "luvm-vfio.h"

typedef struct VfsSession {
        bool daemon;
        Client client;
        Session session;
} VfsSession;

/* All return 0, session_retrieve() a descriptor, or a negative errno. */
int session_open(VfsSession *s, const char *name, bool create);
int session_preserve(VfsSession *s, uint64_t token, int fd);
int session_retrieve(VfsSession *s, uint64_t token);
int session_finish(VfsSession *s);
