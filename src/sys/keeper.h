/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The keeper: a process with copies of all session descriptors, for an update that goes
 * through systemd's shutdown. A session whose last descriptor is closed is unpreserved
 * (kernel/liveupdate/luo_session.c), and systemd stops this daemon and its clients long
 * before its reboot(2); the keeper's unit is not stopped, and its argv[0] begins with
 * '@', which systemd's final kill spares.
 *
 * They talk over a SOCK_SEQPACKET socket at which the daemon listens. The keeper answers each
 * message with the number of descriptors that it has by then. If the daemon is gone before
 * it said GO, the keeper ends, and so lets go; after that it stays until it is killed.
 */
#pragma once

#include "common/macro.h"

#define KEEPER_SOCKET "keeper"

/* The daemon's side. dir: the runtime directory's descriptor. A socket that is left there
 * is replaced. */
int keeper_listen(int dir_fd, int *ret_fd);
/* Waits for the keeper to connect. -EPERM: it was not root who did; -ETIMEDOUT. */
int keeper_accept(int listen_fd, uint64_t timeout_usec, int *ret_fd);
/* Returns when the keeper has them all. -EIO: it does not say so. */
int keeper_give(int fd, const int *fds, size_t n, uint64_t timeout_usec);
/* GO: from now on it stays. */
int keeper_stay(int fd, uint64_t timeout_usec);

/* The keeper's side: connects to path and serves the daemon. Returns when the daemon has let
 * go of it, or failed; after GO it does not return. */
int keeper_serve(const char *path);
