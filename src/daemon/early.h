/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sessions that were retrieved in the initrd (docs/boot.md): fetched from the steward before
 * the manager is made, which takes them like what the service manager had stored. The steward
 * is told to go only when the service manager has copies of all of them; until then a daemon
 * that dies loses nothing.
 */
#pragma once

#include "daemon/manager.h"

typedef struct Early {
        int connection; /* -1: there is no steward */
        size_t first;   /* of the stored ones: those from here on are the steward's */
} Early;

/* Adds to both arrays, which have n members. Without a steward: 0, and nothing is added. */
int early_collect(Early *e, const Luo *luo, StoredFd **stored, char ***names, size_t *n);
/* After manager_new(): lets the steward go, if all is safe. */
void early_settle(Early *e, const Manager *m, const StoredFd *stored, size_t n);
