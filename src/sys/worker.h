/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs slow calls beside the event loop: one thread and one queue each, so the work of
 * one worker is done in order. A thread, not a process, because PRESERVE_FD resolves
 * descriptors in the caller's own table.
 *
 * The completion runs in the event loop, from worker_dispatch(), when the descriptor
 * of worker_fd() is readable. An inline worker (worker_new_inline) queues as well but
 * runs the work inside worker_dispatch(): tests stay single-threaded and ordered.
 */
#pragma once

#include "common/macro.h"

typedef struct Worker Worker;

typedef int (*worker_run_t)(void *work);
/* result: what run returned. Always called exactly once, also when the worker ends. */
typedef void (*worker_done_t)(void *work, int result, void *userdata);

int worker_new(const char *name, Worker **ret);
int worker_new_inline(Worker **ret);
/* Waits for the running work, completes the queued ones with -ECANCELED; completions run
 * here, in the order of submission. Not to be called from a completion. Returns NULL. */
Worker *worker_free(Worker *w);

/* 0, -ENOMEM, or -ESHUTDOWN from a completion that worker_free() runs; on failure neither
 * run nor done is called. done may be NULL. Completions may submit. */
int worker_submit(Worker *w, worker_run_t run, worker_done_t done, void *work, void *userdata);
int worker_fd(const Worker *w);
/* Runs completions that are due; returns how many. One that is submitted meanwhile waits
 * for the next call. */
int worker_dispatch(Worker *w);
/* Whether something is queued, running or waiting for its completion. Inside a
 * completion its own work no longer counts. */
bool worker_busy(const Worker *w);

DEFINE_CLEANUP(Worker, worker_free);
#define _cleanup_worker_free_ _cleanup_(worker_freep)
