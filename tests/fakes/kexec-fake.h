/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A model of kexec behind the Kexec port: an image is loaded or not, and a jump takes
 * the LUO fake into its next kernel. Images are not looked at; what a verdict would be
 * is set by the test. A jump that succeeds returns 0, as no real one does.
 */
#pragma once

#include "fakes/luo-fake.h"
#include "sys/kexec.h"

typedef struct KexecFake {
        LuoFake *luo;
        bool loaded;
        bool jumped;                    /* since the test last cleared it */
        Reason verdict;                 /* REASON_NONE: every image is good */
        NextBoot boot;                  /* what is there of handlers in the next boot */
        uint64_t n_calls;               /* over all ops */
        uint64_t fail_at;               /* the call with this number fails; 0: none */
        bool (*before)(void *userdata); /* told of each call; true: it fails */
        void *before_userdata;
} KexecFake;

Kexec kexec_fake_port(KexecFake *k);
