/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --restore-initrd: has liveupdate-mkinitrd build the initrd that is loaded, in a memfd. It
 * runs with the caller's rights, and finishes before the daemon is asked for anything.
 */
#pragma once

#include "failure.h"

/* release: NULL if the kernel's file is to say it. */
int restore_initrd_build(int kernel_fd, int initrd_fd, const char *release, int *ret_fd, Failure *failure);
