/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The restore step: everything that came in through a live update is where it should be
 * before anybody else looks for devices. The modules with handlers are loaded, then the
 * module's list of PCI functions is read, which needs no /dev/liveupdate, and each function
 * that waits without a driver is given its own, physical functions before virtual ones.
 *
 * It changes only what is not as it should be, so it may run any number of times, in the
 * initrd and in the host. It never opens /dev/liveupdate and never takes a function from a
 * driver.
 */
#pragma once

#include "core/config.h"
#include "sys/handlers.h"

enum { STEP_DOING_SIZE = 128 };

typedef struct Step {
        const char *root; /* "", or that of a test */
        const Config *config;
        handlers_load_t load;
        /* What is being done right now, for whoever waits; may be NULL. */
        char *doing; /* [STEP_DOING_SIZE] */
} Step;

/* Logs what came in and what is wrong. How many things are wrong; 0 also if live update is
 * off in this kernel. */
unsigned step_run(const Step *s);
