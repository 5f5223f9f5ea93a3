/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How the end of any job is told: a done job on stdout with status 0, everything else by a
 * Failure.
 */
#include "ctl.h"

static int print_queued(Ctl *c, const JobOutcome *o) {
        char text[32];

        if (c->options.json != JSON_OFF)
                return ctl_print_json(c, json_outcome(o, "queued"));
        (void)snprintf(text, sizeof(text), "%llu\n", (unsigned long long)o->number);
        return ctl_print(c, text);
}

/* Here the old kernel is over: the new one tells how it went. */
static int print_jumped(Ctl *c, const JobOutcome *o) {
        if (!c->options.quiet)
                (void)fprintf(stderr,
                              "liveupdatectl: The connection ended in the jump, as it must. See 'liveupdatectl job "
                              "%llu' in the next kernel for the result.\n",
                              (unsigned long long)o->number);
        return c->options.json != JSON_OFF ? ctl_print_json(c, json_outcome(o, "jumping")) : EXIT_CTL_OK;
}

static int fail_interrupted(Ctl *c, const JobOutcome *o) {
        Failure failure;

        if (o->number > 0)
                failure_set(&failure, 0, EXIT_CTL_INTERRUPTED, "interrupted",
                            "Interrupted. Job %llu (%s) goes on; stop it with 'liveupdatectl cancel'.",
                            (unsigned long long)o->number, o->kind);
        else
                failure_set(&failure, 0, EXIT_CTL_INTERRUPTED, "interrupted",
                            "Interrupted. The request may have been taken: see 'liveupdatectl jobs', and stop it with "
                            "'liveupdatectl cancel'.");
        return ctl_fail(c, &failure, NULL);
}

static int print_ended(Ctl *c, const JobOutcome *o) {
        _cleanup_job_info_ JobInfo job = {};
        Failure failure;
        char text[128];

        /* What the signal told is enough to go on if the object is gone. */
        bool known = (o->end != JOB_END_DONE || c->options.json != JSON_OFF) &&
                     bus_get_job(c->bus, o->path, &job, &failure) >= 0;
        if (o->end != JOB_END_DONE) {
                failure_from_job(&failure, o->number, o->kind, o->end == JOB_END_CANCELLED ? "cancelled" : "failed",
                                 o->code, known ? job.subject : "", o->sentence);
                return ctl_fail(c, &failure, known ? &job : NULL);
        }
        if (c->options.json != JSON_OFF)
                return ctl_print_json(c, known ? json_job(&job) : json_outcome(o, "done"));
        if (c->options.quiet)
                return EXIT_CTL_OK;
        (void)snprintf(text, sizeof(text), "Job %llu (%.40s) is done.\n", (unsigned long long)o->number, o->kind);
        return ctl_print(c, text);
}

int print_outcome(Ctl *c, const JobOutcome *o) {
        switch (o->end) {
        case JOB_END_QUEUED:
                return print_queued(c, o);
        case JOB_END_JUMPED:
                return print_jumped(c, o);
        case JOB_END_INTERRUPTED:
                return fail_interrupted(c, o);
        case JOB_END_DONE:
        case JOB_END_FAILED:
        case JOB_END_CANCELLED:
                break;
        }
        return print_ended(c, o);
}

int run_job(Ctl *c, JobRequest *request) {
        _cleanup_job_outcome_ JobOutcome outcome = {};
        const Options *o = &c->options;
        Failure failure;
        int r;

        request->no_block = o->no_block;
        request->progress = !o->quiet && (o->verbose || isatty(STDERR_FILENO));
        if ((r = ctl_connect(c, &failure)) < 0 || (r = bus_run_job(c->bus, request, &outcome, &failure)) < 0)
                return ctl_fail(c, &failure, NULL);
        return print_outcome(c, &outcome);
}
