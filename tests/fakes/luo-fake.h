/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A model of the kernel's Live Update Orchestrator behind the Luo port: what is kept is
 * the state of luo_core.c, luo_session.c, luo_file.c and the memfd handler, not a list of
 * expected calls. One LuoFake is one machine; luo_fake_kexec() takes it into its next
 * kernel, so both sides of a live update run in one test.
 *
 * Session descriptors are ends of socketpairs. The model holds the other ends and learns
 * of a close only when the last duplicate is gone, whoever has it; it looks at each call.
 * Preserved memfds are real ones. Their contents are copied at the kexec, and come back
 * in new memfds.
 *
 * What a model in user space cannot do: keep a real memfd from being resized while it is
 * preserved (luo_fake_is_preserved() tells instead), name descriptors in /proc, act in
 * other processes, take raw ioctls.
 *
 * May be used from several threads.
 */
#pragma once

#include "sys/luo.h"

typedef struct LuoFake LuoFake;

typedef struct LuoFakeStats {
        /* now */
        size_t outgoing;        /* sessions that would go along */
        size_t incoming;        /* came in, not retrieved */
        size_t retrieved;       /* a descriptor is open, finished or not */
        size_t leaked;          /* FINISH failed on the last close */
        size_t preserved_files; /* in outgoing sessions */
        size_t incoming_files;  /* in incoming, retrieved and leaked ones, before FINISH */
        uint64_t update_number; /* kexecs so far */
        /* since the start */
        uint64_t unpreserved_files;                       /* by closing outgoing sessions */
        uint64_t finished;                                /* sessions finished by FINISH */
        uint64_t finished_by_close;                       /* sessions finished because they were closed */
        uint64_t never_retrieved;                         /* files that a FINISH freed before anyone had them */
        uint64_t dropped_unretrieved, dropped_unfinished; /* sessions, by a kexec or a cold boot */
} LuoFakeStats;

/* Raises the limit on descriptors as far as it goes: a preserved file takes one. */
int luo_fake_new(LuoFake **ret);
LuoFake *luo_fake_free(LuoFake *f);
DEFINE_CLEANUP(LuoFake, luo_fake_free);
#define _cleanup_luo_fake_ _cleanup_(luo_fake_freep)

Luo luo_fake_port(LuoFake *f);

/* The n-th call of the port from now (1: the next) fails with error and does nothing.
 * n 0: no call fails. All ops count, available() too. */
void luo_fake_fail(LuoFake *f, uint64_t n, int error);
/* Is told of each call of the port before it; if it says true, that fails with EIO and does
 * nothing. Must not call back. */
void luo_fake_watch(LuoFake *f, bool (*before)(void *userdata), void *userdata);
uint64_t luo_fake_calls(LuoFake *f);

void luo_fake_set_absent(LuoFake *f, bool absent);
/* Another process holds the device. A call that needs it tries LUO_FAKE_ATTEMPTS opens
 * before its deadline (no time passes); the holder goes away after that many failed
 * opens, or only with luo_fake_release(). A kexec ends it, too. */
enum { LUO_FAKE_ATTEMPTS = 8, LUO_FAKE_FOR_EVER = -1 };
void luo_fake_hold(LuoFake *f, int failed_opens);
void luo_fake_release(LuoFake *f);
bool luo_fake_is_held(LuoFake *f);

/* In the kernel after the next kexec, no open of the device will succeed (-EIO). */
void luo_fake_break_next_boot(LuoFake *f);
/* The next jump fails in a handler's freeze; the one after it may succeed. */
void luo_fake_fail_freeze(LuoFake *f, int error);
/* The first RETRIEVE_FD of this token will fail in the handler, hence all will. -ENOENT
 * if no session, outgoing or incoming, has it. */
int luo_fake_fail_retrieve(LuoFake *f, const char *session, uint64_t token, int error);
/* A handler in this incoming or retrieved session cannot finish yet, or can again. */
int luo_fake_block_finish(LuoFake *f, const char *session, bool block);

/* reboot(LINUX_REBOOT_CMD_KEXEC): freeze, jump, boot. Negative errno if the freeze
 * failed: then nothing has changed. */
int luo_fake_kexec(LuoFake *f);
/* A reset, or a next kernel without LUO: all is lost. */
void luo_fake_cold_boot(LuoFake *f);

/* Whether fd's file is in an outgoing session: then its size is frozen. */
bool luo_fake_is_preserved(LuoFake *f, int fd);
/* How often a session of this name was finished, by FINISH or by closing it. */
uint64_t luo_fake_finishes(LuoFake *f, const char *session);
void luo_fake_stats(LuoFake *f, LuoFakeStats *ret);
