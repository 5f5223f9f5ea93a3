/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every verb gets: the options, how to print, and where to send requests.
 *
 * A verb returns the process's exit status. It collects its whole answer first and
 * hands it to ctl_print(), so that a failure half way leaves no half table behind.
 */
#pragma once

#include "agent.h"
#include "bus.h"
#include "failure.h"
#include "format.h"
#include "json.h"
#include "restore-initrd.h"

typedef struct Options {
        JsonMode json;
        bool quiet, verbose, no_block, no_legend, no_pager, no_ask_password;
        bool help, version;
        const char *host;    /* -H; NULL: this host */
        const char *address; /* --address; NULL: the system bus */
        const char *kernel, *initrd, *kernel_release, *cmdline, *append;
        RestoreInitrd restore_initrd;
        bool reuse_cmdline, unclaimed, force;
        bool tree, dot, rebind;
        bool restore;
        const char *jump;      /* "direct", "systemd"; NULL: as is set */
        StringList devices;    /* PCI addresses, as the kernel writes them */
        StringList exceptions; /* the same, and sessions */
} Options;

typedef struct Ctl {
        Options options;
        Style style;
        Bus *bus; /* NULL until ctl_connect() */
        Agent agent;
        bool may_ask; /* the verb is worth a password */
} Ctl;

/* Connects once. 0, or a negative errno and *failure filled. */
int ctl_connect(Ctl *c, Failure *failure);
/* Says what is wrong on stderr, with --json as an object on stdout too; job may be NULL.
 * Returns the exit status that goes with it. */
int ctl_fail(const Ctl *c, const Failure *failure, const JobInfo *job);
/* Out of memory and the like while an answer is put together. */
int ctl_fail_errno(const Ctl *c, int r);
/* Prints a finished answer, through a pager if that helps; returns EXIT_CTL_OK, or
 * EXIT_CTL_FAILED if it could not be written. */
int ctl_print(const Ctl *c, const char *text);
/* Prints a JSON value, which it takes over (NULL counts as out of memory). */
int ctl_print_json(const Ctl *c, struct json_object *value);

/* verbs-status.c */
int verb_status(Ctl *c, char **args, size_t n_args);
int verb_sessions(Ctl *c, char **args, size_t n_args);
int verb_monitor(Ctl *c, char **args, size_t n_args);
/* verbs-job.c */
int verb_jobs(Ctl *c, char **args, size_t n_args);
int verb_job(Ctl *c, char **args, size_t n_args);
int verb_timeline(Ctl *c, char **args, size_t n_args);
/* verbs-device.c */
int verb_devices(Ctl *c, char **args, size_t n_args);
int verb_device(Ctl *c, char **args, size_t n_args);
int verb_explain(Ctl *c, char **args, size_t n_args);
/* verbs-plan.c */
int verb_plan(Ctl *c, char **args, size_t n_args);
int verb_bits(Ctl *c, char **args, size_t n_args);
int verb_verify(Ctl *c, char **args, size_t n_args);
/* verbs-kernel.c */
int verb_load(Ctl *c, char **args, size_t n_args);
int verb_unload(Ctl *c, char **args, size_t n_args);
/* Loads what the options and the file name say and waits for it. */
int load_kernel(Ctl *c, const char *kernel, JobOutcome *ret, Failure *failure);
/* verbs-update.c */
int verb_prepare(Ctl *c, char **args, size_t n_args);
int verb_freeze(Ctl *c, char **args, size_t n_args);
int verb_kexec(Ctl *c, char **args, size_t n_args);
int verb_update(Ctl *c, char **args, size_t n_args);
int verb_cancel(Ctl *c, char **args, size_t n_args);
int verb_finish(Ctl *c, char **args, size_t n_args);
/* run-job.c: runs one request as the options say, and prints how it ended. */
int run_job(Ctl *c, JobRequest *request);
int print_outcome(Ctl *c, const JobOutcome *outcome);
