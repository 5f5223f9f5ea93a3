/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PCI addresses as people type them and as the daemon writes them. ctl has nothing of
 * the daemon's: what an address is, it must know by itself. Pure.
 */
#pragma once

#include "common/macro.h"

enum { ADDRESS_SIZE = 20 }; /* "ffffffff:ff:1f.7" and a NUL */

/* "0000:01:02.3", also "01:02.3" with domain 0, in either case; written as the kernel
 * does. -EINVAL for anything else. */
int address_clean(const char *s, char ret[static ADDRESS_SIZE]);
/* By domain, bus, slot and function; what is no address comes last, by its bytes. */
int address_compare(const char *a, const char *b);
/* The part that names the bus ("0000:01") of what address_clean() takes; else 0. */
size_t address_bus_size(const char *s);
