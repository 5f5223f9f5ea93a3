/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Why liveupdatectl did not do what it was asked: an exit status, a stable code for
 * programs, and a sentence for people. Pure; the bus layer hands in names and texts.
 */
#pragma once

#include "common/macro.h"

/* The exit statuses, as docs/liveupdatectl.md and --help list them. */
enum {
        EXIT_CTL_OK = 0,
        EXIT_CTL_FAILED = 1,
        EXIT_CTL_USAGE = 2,
        EXIT_CTL_UNREACHABLE = 3,
        EXIT_CTL_DENIED = 4,
        EXIT_CTL_CANCELLED = 5,
        EXIT_CTL_INTERRUPTED = 130, /* 128 + SIGINT, as shells have it */
};

typedef struct Failure {
        int exit_status;
        char code[64];
        char subject[128]; /* "" when there is none or it is in the sentence */
        char sentence[1024];
        char context[96]; /* "Job 7 (update) failed"; may be "" */
} Failure;

/* Fills *f, with cleaned text, and returns r unchanged. */
int failure_set(Failure *f, int r, int exit_status, const char *code, const char *format, ...) _printf_(5, 6);
/* From a D-Bus error. where: the host it came from, NULL for this one. */
void failure_from_error(Failure *f, const char *name, const char *message, const char *where);
/* From a failed call: the errno r, which is returned unchanged. */
int failure_from_errno(Failure *f, int r, const char *what, const char *where);
/* From a job's end. result: failed or cancelled. */
void failure_from_job(Failure *f, uint64_t number, const char *kind, const char *result, const char *code,
                      const char *subject, const char *sentence);
/* True for the errnos of a connection that is gone or never was. */
bool errno_is_disconnect(int r);
/* "org.liveupdate1.Error.ImageLuoAbi" -> "image-luo-abi". Cuts what does not fit. */
void code_from_error_name(const char *name, char *buf, size_t size);
/* "CONTEXT: SUBJECT: SENTENCE", each part only if there is one and once. */
void failure_format(const Failure *f, char *buf, size_t size);
