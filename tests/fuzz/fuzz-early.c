/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any text as a file of clients for the initrd: reading ends, and each client that is left
 * can be started. Reading it a second time adds nobody: their sessions have clients.
 */
#include "core/early.h"
#include "core/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok) {
        if (!ok)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        EarlyClients clients = {};

        must(early_parse(&clients, "f", (const char *)data, size, NULL, NULL) == 0);
        must(clients.n <= EARLY_CLIENTS_MAX);
        for (size_t i = 0; i < clients.n; i++) {
                const EarlyClient *c = &clients.items[i];
                size_t n = 0;

                must(session_name_check(c->session, NULL) >= 0);
                while (c->argv[n])
                        n++;
                must(n >= 1 && n <= EARLY_ARGUMENTS_MAX && c->argv[0][0] == '/');
        }
        size_t n = clients.n;
        must(early_parse(&clients, "f", (const char *)data, size, NULL, NULL) == 0);
        must(clients.n == n);
        early_done(&clients);
        return 0;
}
