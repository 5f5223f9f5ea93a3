/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two ends of handing over sessions that were retrieved in the initrd (docs/boot.md): the
 * steward, which holds them, and the daemon, which takes them. They meet on an abstract socket:
 * no file of the initrd is there after the switch to the host's root, nor is one from before
 * PID 1 that lies below /run.
 *
 * The steward gives copies and keeps its own until it is told that they are safe. Either end
 * believes nobody but root, or its own user in tests.
 */
#pragma once

#include "common/macro.h"

#define STEWARD_NAME "liveupdated-steward"

enum { STEWARD_SESSIONS_MAX = 256 };

/* -EADDRINUSE: there is a steward already. */
int steward_listen(const char *name, int *ret_fd);
/* Gives copies to whoever asks, until one says that they are safe: 0. */
int steward_serve(int listen_fd, const int *fds, size_t n);

/* -ENOENT: there is no steward; -EPERM: who listens there is not to be believed; -ETIMEDOUT.
 * ret_fds has room for STEWARD_SESSIONS_MAX; *ret_connection is for steward_dismiss(). */
int steward_collect(const char *name, int *ret_connection, int ret_fds[static STEWARD_SESSIONS_MAX], size_t *ret_n);
/* They are safe. */
int steward_dismiss(int connection);
