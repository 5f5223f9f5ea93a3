/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --restore-initrd: has liveupdate-mkinitrd build the initrd that is loaded, in a memfd. It
 * runs with the caller's rights, and finishes before the daemon is asked for anything.
 */
#pragma once

#include "failure.h"

typedef enum RestoreInitrd {
        RESTORE_INITRD_AUTO, /* if liveupdate-mkinitrd finds it useful, and can */
        RESTORE_INITRD_YES,
        RESTORE_INITRD_NO,
} RestoreInitrd;

/* 1, or 0 with if_useful where it is not, or where the program is not installed. release: NULL
 * if the kernel's file is to say it. */
int restore_initrd_build(bool if_useful, int kernel_fd, int initrd_fd, const char *release, int *ret_fd,
                         Failure *failure);
