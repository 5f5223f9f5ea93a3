/* SPDX-License-Identifier: GPL-2.0-or-later */
/* status, sessions, monitor: looking without touching. */
#include <time.h>

#include "ctl.h"

typedef struct StatusParts {
        ManagerInfo manager;
        JobInfo running, last;
        JobSummaryList jobs;
        SessionList sessions;
} StatusParts;

static void status_parts_done(StatusParts *p) {
        manager_info_done(&p->manager);
        job_info_done(&p->running);
        job_info_done(&p->last);
        job_summary_list_done(&p->jobs);
        session_list_done(&p->sessions);
}

/* A job may be forgotten between two calls: then it is not shown. */
static int get_job_if_there(Ctl *c, const char *path, JobInfo *job, const JobInfo **ret, Failure *failure) {
        int r = bus_get_job(c->bus, path, job, failure);

        if (r == -ENOENT)
                return 0;
        if (r >= 0)
                *ret = job;
        return r;
}

static int get_status(Ctl *c, StatusParts *p, StatusView *v, Failure *failure) {
        int r;

        if ((r = ctl_connect(c, failure)) < 0 || (r = bus_get_manager(c->bus, &p->manager, failure)) < 0 ||
            (r = bus_list_jobs(c->bus, &p->jobs, failure)) < 0)
                return r;
        v->manager = &p->manager;
        if (*p->manager.job && !streq(p->manager.job, "/")) {
                r = get_job_if_there(c, p->manager.job, &p->running, &v->running, failure);
                if (r < 0)
                        return r;
        }
        const JobSummary *last = job_summary_last_ended(&p->jobs);
        if (last) {
                r = get_job_if_there(c, last->path, &p->last, &v->last, failure);
                if (r < 0)
                        return r;
        }
        /* Not everybody who may see the state may list the sessions. */
        r = bus_list_sessions(c->bus, &p->sessions, failure);
        if (r >= 0)
                v->sessions = &p->sessions;
        return r < 0 && failure->exit_status != EXIT_CTL_DENIED ? r : 0;
}

int verb_status(Ctl *c, char **args, size_t n_args) {
        _cleanup_(status_parts_done) StatusParts parts = {};
        _cleanup_free_ char *text = NULL;
        StatusView view = {};
        struct timespec ts;
        Failure failure;

        int r = get_status(c, &parts, &view, &failure);
        if (r < 0)
                return ctl_fail(c, &failure, NULL);
        if (c->options.json != JSON_OFF)
                return ctl_print_json(c, json_status(&view));
        /* Deadlines are on the monotonic clock of the daemon's host. */
        if (!c->options.host && clock_gettime(CLOCK_MONOTONIC, &ts) == 0)
                view.now_usec = (uint64_t)ts.tv_sec * USEC_PER_SEC + (uint64_t)ts.tv_nsec / NSEC_PER_USEC;
        r = format_status(&view, &c->style, &text);
        return r < 0 ? ctl_fail_errno(c, r) : ctl_print(c, text);
}

int verb_sessions(Ctl *c, char **args, size_t n_args) {
        _cleanup_session_list_ SessionList sessions = {};
        _cleanup_free_ char *text = NULL;
        Failure failure;
        int r;

        if ((r = ctl_connect(c, &failure)) < 0 || (r = bus_list_sessions(c->bus, &sessions, &failure)) < 0)
                return ctl_fail(c, &failure, NULL);
        if (c->options.json != JSON_OFF)
                return ctl_print_json(c, json_sessions(&sessions));
        r = format_sessions(&sessions, &c->style, &text);
        return r < 0 ? ctl_fail_errno(c, r) : ctl_print(c, text);
}

/* Each event is written out at once, for who reads a pipe. */
static int print_event(void *userdata, const Event *event) {
        _cleanup_free_ char *text = NULL;
        const Ctl *c = userdata;

        int r = c->options.json != JSON_OFF ? json_to_text(json_event(event), c->options.json, &text)
                                            : format_event(event, &c->style, &text);
        if (r < 0)
                return r;
        errno = 0;
        if (fputs(text, stdout) == EOF || fflush(stdout) == EOF)
                return errno > 0 ? -errno : -EIO;
        return 0;
}

int verb_monitor(Ctl *c, char **args, size_t n_args) {
        Failure failure;

        int r = ctl_connect(c, &failure);
        if (r >= 0)
                r = bus_monitor(c->bus, print_event, c, &failure);
        return r < 0 ? ctl_fail(c, &failure, NULL) : EXIT_CTL_OK;
}
