/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What of ours is in an initrd: several archives one after the other, each plain or
 * compressed, with zeros between them, as the kernel takes them (init/initramfs.c).
 * Nothing is unpacked to disk or kept in memory but the file of one kernel module;
 * reading ends when enough is known.
 */
#pragma once

#include "core/next-boot.h"

/* Fills in what *boot says of an initrd for its modules of `release`. What cannot be read
 * but may be good (a compression that is not supported, something that is no archive,
 * more than is looked at) goes into boot->unread; what is damaged or ends too early is
 * refused. */
int initrd_look(int fd, uint64_t size, const char *release, NextBoot *boot, Refusal *refusal);
