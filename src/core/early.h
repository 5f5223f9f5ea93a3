/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Clients that are started in the initrd (docs/boot.md): files of sections
 *
 *   [Client]
 *   Session=NAME
 *   Exec=/path/of/program argument argument
 *
 * A section that is not whole or has a mistake in it is reported and left out: a client that
 * is not started early can still be started late.
 */
#pragma once

#include "ini-file.h"

enum { EARLY_CLIENTS_MAX = 256, EARLY_ARGUMENTS_MAX = 64 };

typedef struct EarlyClient {
        char *session;
        char *exec;                          /* cut into words */
        char *argv[EARLY_ARGUMENTS_MAX + 1]; /* into exec; NULL-terminated */
        size_t nth;                          /* section of its file */
        bool dropped;
} EarlyClient;

typedef struct EarlyClients {
        EarlyClient *items;
        size_t n;
} EarlyClients;

void early_done(EarlyClients *e);
/* Adds those of a file. -ENOMEM. */
int early_parse(EarlyClients *e, const char *filename, const char *buf, size_t size, config_warn_t warn,
                void *userdata);
