/* SPDX-License-Identifier: GPL-2.0-or-later */
/* jobs, job, timeline. */
#include "common/parse.h"
#include "ctl.h"

int verb_jobs(Ctl *c, char **args, size_t n_args) {
        _cleanup_job_summary_list_ JobSummaryList jobs = {};
        _cleanup_free_ char *text = NULL;
        Failure failure;
        int r;

        if ((r = ctl_connect(c, &failure)) < 0 || (r = bus_list_jobs(c->bus, &jobs, &failure)) < 0)
                return ctl_fail(c, &failure, NULL);
        if (c->options.json != JSON_OFF)
                return ctl_print_json(c, json_jobs(&jobs));
        r = format_jobs(&jobs, &c->style, &text);
        return r < 0 ? ctl_fail_errno(c, r) : ctl_print(c, text);
}

/* The newest job, or the newest with a timeline; -ENOENT if there is none. */
static int get_newest(Ctl *c, bool with_timeline, JobInfo *ret, Failure *failure) {
        _cleanup_job_summary_list_ JobSummaryList jobs = {};

        int r = bus_list_jobs(c->bus, &jobs, failure);
        if (r < 0)
                return r;
        for (size_t i = jobs.n; i > 0; i--) {
                _cleanup_job_info_ JobInfo job = {};

                r = bus_get_job(c->bus, jobs.items[i - 1].path, &job, failure);
                if (r == -ENOENT)
                        continue;
                if (r < 0)
                        return r;
                if (with_timeline && job.timeline.n == 0)
                        continue;
                *ret = job;
                job = (JobInfo){};
                return 0;
        }
        return failure_set(failure, -ENOENT, EXIT_CTL_FAILED, "no-such-job",
                           with_timeline ? "No job has a timeline yet. An update makes one."
                                         : "There is no job yet. See 'liveupdatectl --help' for what makes one.");
}

/* 0 or the exit status of a failure that was told. */
static int get_named(Ctl *c, char **args, size_t n_args, bool with_timeline, JobInfo *ret) {
        char path[JOB_PATH_SIZE];
        Failure failure;
        uint64_t number;

        if (n_args > 0 && parse_u64(args[0], &number) < 0) {
                (void)fprintf(stderr,
                              "liveupdatectl: '%s' is not the number of a job. See 'liveupdatectl jobs' for them.\n",
                              args[0]);
                return EXIT_CTL_USAGE;
        }
        int r = ctl_connect(c, &failure);
        if (r >= 0 && n_args > 0) {
                job_path(number, path);
                r = bus_get_job(c->bus, path, ret, &failure);
        } else if (r >= 0)
                r = get_newest(c, with_timeline, ret, &failure);
        return r < 0 ? ctl_fail(c, &failure, NULL) : 0;
}

int verb_job(Ctl *c, char **args, size_t n_args) {
        _cleanup_free_ char *text = NULL;
        _cleanup_job_info_ JobInfo job = {};

        int r = get_named(c, args, n_args, false, &job);
        if (r != 0)
                return r;
        if (c->options.json != JSON_OFF)
                return ctl_print_json(c, json_job(&job));
        r = format_job(&job, &c->style, &text);
        return r < 0 ? ctl_fail_errno(c, r) : ctl_print(c, text);
}

int verb_timeline(Ctl *c, char **args, size_t n_args) {
        _cleanup_free_ char *text = NULL;
        _cleanup_job_info_ JobInfo job = {};

        int r = get_named(c, args, n_args, true, &job);
        if (r != 0)
                return r;
        if (c->options.json != JSON_OFF)
                return ctl_print_json(c, json_timeline(&job));
        r = format_timeline(&job, &c->style, &text);
        return r < 0 ? ctl_fail_errno(c, r) : ctl_print(c, text);
}
