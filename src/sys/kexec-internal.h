/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between kexec.c (the port) and kexec-judge.c (the verdict). */
#pragma once

#include "kexec.h"

int kexec_real_judge(void *self, int kernel_fd, int initrd_fd, const char *cmdline, KernelImage *ret,
                     Refusal *refusal);
