/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a user's QEMU command line to one that can be carried across a kexec: memory comes
 * from a memfd, the machine type is pinned to a version, and what would not come back on
 * the other side is refused. Pure: what must be looked up (machine types) comes in.
 */
#pragma once

#include "spec.h"

typedef struct CarryInput {
        const char *name;
        const char *program;   /* absolute */
        const char *version;   /* "7.2.22" */
        const char *directory; /* absolute */
        const char *hook;      /* or NULL; with one, tap and its like are allowed */
        const char *machines;  /* what QEMU prints for "-machine help" */
        char *const *args;     /* NULL-terminated, without the program */
} CarryInput;

/* Fills *ret; sizes of disks are still 0. -EINVAL with a Problem that names the option. */
int carry(const CarryInput *in, Spec *ret, Problem *p);

/* The versioned name behind a machine type or alias ("q35" -> "pc-q35-7.2"; NULL: the
 * default one), from "-machine help". *ret is NULL when there is none. -ENOMEM. */
int carry_pin_machine(const char *machines, const char *type, char **ret);
/* Whether a QEMU of this version may take over from one of the other: the same or a later
 * one. -EINVAL if one is not a version. */
int carry_version_may_follow(const char *from, const char *to);
