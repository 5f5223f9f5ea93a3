/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The next kernel: judge, load, unload. Both take long and run in the image worker,
 * before anything is preserved. Only an image that this daemon has judged and loaded
 * counts: one from elsewhere may have come through kexec_load(2) and lose everything.
 */
#include "manager-internal.h"

#include <fcntl.h>

#include "core/cmdline.h"
#include "daemon/planner.h"

typedef struct Load {
        Manager *manager;
        Job *job;
        bool unload;
        int kernel_fd, initrd_fd;
        char *cmdline;
        KernelImage image;
        NextBoot boot;
        Refusal shim, vfio, files;
        Refusal refusal;
} Load;

static Load *load_free(Load *l) {
        if (!l)
                return NULL;
        fd_close(l->kernel_fd);
        fd_close(l->initrd_fd);
        free(l->cmdline);
        kernel_image_done(&l->image);
        free(l);
        return NULL;
}

static inline void load_freep(Load **l) {
        load_free(*l);
}

static Load *load_new(Manager *m) {
        Load *l = calloc(1, sizeof(*l));

        if (l)
                *l = (Load){
                        .manager = m, .kernel_fd = -1, .initrd_fd = -1, .image = { .kernel_fd = -1, .initrd_fd = -1 }
                };
        return l;
}

/* Both kernels' modules must agree on the records. That of the initrd comes first; without
 * one in it, that of the next kernel is looked for where depmod(8) puts it. */
static void judge_shim(Load *l) {
        const NextModule *module = next_boot_find(&l->boot, SHIM_MODULE);
        const Shim *shim = &l->manager->ports->shim;
        char next[SHIM_COMPATIBLE_SIZE];
        ShimFacts running;
        int r = 0;

        if (shim_facts(shim, &running) < 0)
                return;
        if (*l->boot.compatible)
                memcpy(next, l->boot.compatible, sizeof(next));
        else
                r = shim_other_compatible(shim, l->image.verdict.release, next);
        if (r == -ENODATA || r == -EBADMSG || (r < 0 && module && module->in_initrd))
                refuse(&l->shim, REASON_NEXT_SHIM_ABI, "kernel", "running %s, next unknown", running.compatible);
        else if (r >= 0 && !streq(running.compatible, next)) /* that there is none is the handlers' matter */
                refuse(&l->shim, REASON_NEXT_SHIM_ABI, "kernel", "running %s, next %s", running.compatible, next);
}

/* What is missing for certain is told before what is not sure. */
static void judge_handlers(Load *l) {
        for (size_t i = 0; i < l->boot.n_modules; i++) {
                const NextModule *m = &l->boot.modules[i];
                Refusal why, *to = streq(m->name, SHIM_MODULE) ? &l->vfio : &l->files;

                next_boot_judge(&l->boot, m, &why);
                if (why.reason == REASON_INITRD_HANDLER_MISSING || to->reason == REASON_NONE)
                        *to = why;
        }
}

/* In the worker. */
static int run_load(void *work) {
        Load *l = work;
        const Kexec *kexec = &l->manager->ports->kexec;

        if (l->unload)
                return kexec_unload_image(kexec, &l->refusal);
        int r = kexec_judge(kexec, l->kernel_fd, l->initrd_fd, l->cmdline, &l->image, &l->refusal);
        if (r < 0)
                return r;
        r = kexec_next_boot(kexec, &l->image, &l->boot, &l->refusal);
        if (r < 0)
                return r;
        judge_shim(l);
        judge_handlers(l);
        return kexec_load_image(kexec, &l->image, &l->refusal);
}

static void set_next(Manager *m, Load *l) {
        free(m->next.cmdline);
        m->next = (NextKernel){ .loaded = !l->unload };
        if (!l->unload) {
                snprintf(m->next.release, sizeof(m->next.release), "%s", l->image.verdict.release);
                m->next.cmdline = TAKE_PTR(l->image.cmdline);
                m->next.shim = l->shim;
                m->next.vfio = l->vfio;
                m->next.files = l->files;
                m->next.no_vf = !*l->image.verdict.abi.iov;
        }
        EMIT(m, kernel_changed);
}

static void loaded(void *work, int r, void *userdata) {
        _cleanup_(load_freep) Load *l = work;
        Manager *m = userdata;
        Job *job = l->job;

        m->loading = false;
        if (r == -ECANCELED && l->refusal.reason == REASON_NONE)
                refuse(&l->refusal, REASON_CANCELLED, "", "the daemon stops");
        if (r >= 0)
                set_next(m, l);
        recovery_save(m);
        if (r < 0 || job->kind != JOB_UPDATE) {
                if (job->kind == JOB_UPDATE)
                        update_request_done(&m->update.request);
                manager_job_end(m, job, r < 0 ? &l->refusal : NULL);
                return;
        }
        /* An update that brought its kernel along goes on. */
        Refusal why;
        r = planner_check(m, &m->update.request, &why);
        if (r >= 0)
                r = manager_event(m, EVENT_PREPARE, &why);
        if (r < 0) {
                update_request_done(&m->update.request);
                manager_job_end(m, job, &why);
        }
}

static int submit(Manager *m, Load *l, Job *job, Refusal *refusal) {
        l->job = job;
        int r = worker_submit(m->ports->image_lane, run_load, loaded, l, m);
        m->loading = r >= 0;
        recovery_save(m); /* before the first system call of it */
        if (r < 0)
                return refuse_errno(refusal, r, job_kind_to_string(job->kind), "starting the work");
        return 0;
}

/* The command line to use where the caller gave none: the configured one. Without any
 * it stays empty: judging takes the UKI's own or the running one. */
static int default_cmdline(const Manager *m, char **ret) {
        _cleanup_free_ char *base = NULL;
        int r;

        if (str_empty(m->config->kexec_command_line) && str_empty(m->config->kexec_append))
                return (*ret = strdup("")) ? 0 : -ENOMEM;

        if (!str_empty(m->config->kexec_command_line)) {
                base = strdup(m->config->kexec_command_line);
                r = base ? 0 : -ENOMEM;
        } else
                r = cmdline_strip_boot(m->ports->host->cmdline ? m->ports->host->cmdline : "", &base);
        if (r < 0)
                return r;
        if (str_empty(m->config->kexec_append)) {
                *ret = TAKE_PTR(base);
                return 0;
        }
        return cmdline_append(base, m->config->kexec_append, ret);
}

static int start(Manager *m, Load *l, JobKind kind, uint32_t uid, Job **ret, Refusal *refusal) {
        Job *j = manager_job_start(m, kind, uid, refusal);

        if (!j)
                return -ENOMEM;
        m->job = j;
        manager_job_step(m, j, l->unload ? "unloading" : "loading");
        int r = submit(m, l, j, refusal);
        if (r < 0) {
                Refusal why = *refusal;
                manager_job_end(m, j, &why);
                return r;
        }
        *ret = j;
        EMIT(m, rearm);
        return 0;
}

/* Loading is not allowed once things are preserved: memory for the image could not be
 * had, or a bad image would only be found in the middle of an update. */
static int check_quiet(const Manager *m, const char *what, Refusal *refusal) {
        int r = manager_job_allowed(m, refusal);

        if (r < 0)
                return r;
        if (m->phase == PHASE_NORMAL || m->phase == PHASE_UPDATED)
                return 0;
        return refuse(refusal, REASON_WRONG_STATE, what, "the state is %s", phase_to_string(m->phase));
}

int manager_load(Manager *m, int kernel_fd, int initrd_fd, const char *cmdline, uint32_t uid, Job **ret,
                 Refusal *refusal) {
        int r = check_quiet(m, "load", refusal);
        if (r < 0)
                return r;
        _cleanup_(load_freep) Load *l = load_new(m);
        if (!l)
                return refuse_errno(refusal, -ENOMEM, "load", "starting the work");
        l->kernel_fd = fcntl(kernel_fd, F_DUPFD_CLOEXEC, 3);
        l->initrd_fd = initrd_fd < 0 ? -1 : fcntl(initrd_fd, F_DUPFD_CLOEXEC, 3);
        if (l->kernel_fd < 0 || (initrd_fd >= 0 && l->initrd_fd < 0))
                return refuse_errno(refusal, -errno, "load", "taking the descriptors");
        if (str_empty(cmdline))
                r = default_cmdline(m, &l->cmdline);
        else
                r = (l->cmdline = strdup(cmdline)) ? 0 : -ENOMEM;
        if (r < 0)
                return refuse_errno(refusal, r, "load", "making the command line");
        r = start(m, l, JOB_LOAD, uid, ret, refusal);
        if (r >= 0)
                TAKE_PTR(l);
        return r;
}

int manager_unload(Manager *m, uint32_t uid, Job **ret, Refusal *refusal) {
        int r = check_quiet(m, "unload", refusal);
        if (r < 0)
                return r;
        _cleanup_(load_freep) Load *l = load_new(m);
        if (!l)
                return refuse_errno(refusal, -ENOMEM, "unload", "starting the work");
        l->unload = true;
        r = start(m, l, JOB_UNLOAD, uid, ret, refusal);
        if (r >= 0)
                TAKE_PTR(l);
        return r;
}

static int open_configured(const char *path, int *ret_fd, Refusal *refusal) {
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

        if (fd < 0)
                return refuse_errno(refusal, -errno, path, "opening the configured file");
        *ret_fd = fd;
        return 0;
}

int manager_load_configured(Manager *m, Job *job, Refusal *refusal) {
        _cleanup_(load_freep) Load *l = load_new(m);
        if (!l)
                return refuse_errno(refusal, -ENOMEM, "load", "starting the work");
        int r = open_configured(m->config->kexec_kernel, &l->kernel_fd, refusal);
        if (r >= 0 && !str_empty(m->config->kexec_initrd))
                r = open_configured(m->config->kexec_initrd, &l->initrd_fd, refusal);
        if (r < 0)
                return r;
        r = default_cmdline(m, &l->cmdline);
        if (r < 0)
                return refuse_errno(refusal, r, "load", "making the command line");
        manager_job_step(m, job, "loading");
        r = submit(m, l, job, refusal);
        if (r >= 0)
                TAKE_PTR(l);
        return r;
}

int manager_check_image(const Manager *m, Refusal *refusal) {
        int r = kexec_loaded(&m->ports->kexec);

        if (r < 0)
                return refuse_errno(refusal, r, "kexec", "asking whether a kernel is loaded");
        if (r == 0)
                return refuse(refusal, REASON_NO_IMAGE, "", "");
        if (!m->next.loaded)
                return refuse(refusal, REASON_IMAGE_FOREIGN, "", "");
        return 0;
}
