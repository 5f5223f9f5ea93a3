/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The verbs that drive an update.
 */
#include "ctl.h"

int verb_prepare(Ctl *c, char **args, size_t n_args) {
        return run_job(c, &(JobRequest){ .method = "Prepare",
                                         .kind = "prepare",
                                         .devices = &c->options.devices,
                                         .exceptions = &c->options.exceptions });
}

int verb_freeze(Ctl *c, char **args, size_t n_args) {
        return run_job(c, &(JobRequest){ .method = "Freeze", .kind = "freeze" });
}

int verb_kexec(Ctl *c, char **args, size_t n_args) {
        return run_job(c, &(JobRequest){ .method = "Execute", .kind = "execute", .jump = c->options.jump });
}

int verb_update(Ctl *c, char **args, size_t n_args) {
        if (c->options.kernel) {
                _cleanup_job_outcome_ JobOutcome loaded = {};
                Failure failure;

                int r = load_kernel(c, c->options.kernel, &loaded, &failure);
                if (r < 0)
                        return ctl_fail(c, &failure, NULL);
                if (loaded.end != JOB_END_DONE)
                        return print_outcome(c, &loaded);
        }
        return run_job(c, &(JobRequest){ .method = "Update",
                                         .kind = "update",
                                         .devices = &c->options.devices,
                                         .exceptions = &c->options.exceptions,
                                         .jump = c->options.jump });
}

int verb_cancel(Ctl *c, char **args, size_t n_args) {
        return run_job(c, &(JobRequest){ .method = "Cancel", .kind = "cancel" });
}

int verb_finish(Ctl *c, char **args, size_t n_args) {
        return run_job(c, &(JobRequest){ .method = "Finish",
                                         .kind = "finish",
                                         .unclaimed = c->options.unclaimed,
                                         .force = c->options.force });
}
