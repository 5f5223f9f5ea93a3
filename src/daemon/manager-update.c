/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One update in the old kernel: prepare, freeze, jump, and the one rollback path.
 *
 * Each effect only starts things: calls in the workers, the participants' barrier.
 * update_check() is called whenever one of them moved, and alone decides that a phase
 * is complete. Between the last client's READY and reboot(2) there are a manifest (one
 * small memfd), one PRESERVE_FD, what is left of a sync(2) that began with FREEZE, and a look
 * into the kernel module's list if devices were asked for.
 */
#include "manager-internal.h"

#include <sys/mman.h>

#include "common/fd.h"
#include "common/log.h"
#include "common/names.h"
#include "daemon/handover.h"
#include "daemon/hold.h"
#include "daemon/requested.h"
#include "daemon/verify.h"
#include "daemon/vf-links.h"

void update_mark(Manager *m, Step step) {
        if (m->update.page)
                timeline_mark(m->update.page, step, manager_ticks(m), false);
}

static void fail_errno(Manager *m, int r, const char *subject, const char *what) {
        Refusal why;

        refuse_errno(&why, r, subject, what);
        manager_fail(m, &why);
}

/* Asks everybody who registered for the phase. */
static void announce(Manager *m, Want phase, uint64_t timeout_usec) {
        uint64_t now = manager_now(m), deadline = config_deadline(now, timeout_usec);

        barrier_begin(&m->barrier, phase, now, deadline);
        m->update.asked = m->barrier.next_id;
        recovery_save(m); /* before anybody hears it: a restart must tell them to go on */
        for (size_t i = 0; i < m->barrier.n; i++) {
                Participant *p = m->barrier.items[i];
                if (p->phase == phase && p->answer == ANSWER_WAITING)
                        EMIT(m, request, p, phase, deadline);
        }
        EMIT(m, waiting_changed);
}

/* Prepare: our own session with the timeline page, and the clients. */

static bool is_stale(const Call *c, Phase phase) {
        return c->generation != c->manager->update.generation || c->manager->phase != phase;
}

static void own_preserved(Call *c, int r) {
        Manager *m = c->manager;

        m->update.n_works--;
        if (is_stale(c, PHASE_PREPARING))
                return;
        if (r < 0)
                fail_errno(m, r, OWN_SESSION_NAME, "preserving the timeline");
        else
                m->update.own_ready = true;
}

/* Preserves a memfd in our own session; takes the descriptor over. */
static int preserve_own(Manager *m, int fd, uint64_t token, void (*done)(Call *call, int r)) {
        Call call = { .done = done, .session_fd = m->update.own_session, .fd = fd, .token = token };
        int r = manager_call(m, call_preserve, &call);

        if (r >= 0)
                m->update.n_works++;
        return r;
}

static void own_created(Call *c, int r) {
        Manager *m = c->manager;
        Refusal why;

        m->update.n_works--;
        if (r < 0) {
                luo_refuse(&why, r, OWN_SESSION_NAME, c->detail);
                if (!is_stale(c, PHASE_PREPARING))
                        manager_fail(m, &why);
                return;
        }
        if (is_stale(c, PHASE_PREPARING)) {
                manager_close_fd(m, TAKE_FD(c->fd), NULL, false);
                return;
        }
        m->update.own_session = TAKE_FD(c->fd);
        m->update.own_stored = store_put(m, STORE_OUT, OWN_SESSION_NAME, m->update.own_session);
        m->update.page_stored = store_put(m, STORE_TIMELINE, "", m->update.page_fd);
        int page = dup(m->update.page_fd);
        r = page < 0 ? -errno : preserve_own(m, page, OWN_TOKEN_TIMELINE, own_preserved);
        if (r < 0)
                fail_errno(m, r, OWN_SESSION_NAME, "preserving the timeline");
}

static int make_page(Manager *m) {
        const Ports *p = m->ports;
        uint64_t hz, error;

        int r = memfd_new("liveupdated-timeline", TIMELINE_SIZE, &m->update.page_fd);
        if (r < 0)
                return r;
        void *page = mmap(NULL, TIMELINE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, m->update.page_fd, 0);
        if (page == MAP_FAILED)
                return -errno;
        m->update.page = page;
        p->clock->frequency(p->clock_self, &hz, &error);
        timeline_init(m->update.page, p->clock->kind(p->clock_self), hz, error, m->job ? m->job->number : 0);
        report_begin(m, m->update.page, NULL);
        return 0;
}

static int make_id(Manager *m) {
        uint8_t raw[16];

        int r = m->ports->random(raw, sizeof(raw));
        if (r < 0)
                return r;
        for (size_t i = 0; i < sizeof(raw); i++)
                snprintf(m->update.id + 2 * i, 3, "%02x", raw[i]);
        return 0;
}

static int collect_devices(Manager *m) {
        int r = verify_collect(m);

        m->update.n_devices = m->update.devices.n;
        if (r >= 0 && m->update.n_devices > 0 && m->ports->store)
                r = recovery_save_devices(m);
        return r;
}

void update_begin(Manager *m) {
        Refusal why;

        m->update.generation++;
        int r = make_id(m);
        if (r >= 0)
                r = make_page(m);
        if (r >= 0)
                r = collect_devices(m);
        if (r < 0) {
                fail_errno(m, r, "", "starting an update");
                return;
        }
        r = handover_policies(m, &why);
        if (r >= 0)
                r = hold_preserve(m, &why);
        if (r < 0) {
                manager_fail(m, &why);
                return;
        }
        if (m->job)
                memcpy(m->job->update_id, m->update.id, sizeof(m->job->update_id));
        update_mark(m, STEP_PREPARE_BEGIN);
        manager_job_step(m, m->job, "preparing");

        Call call = { .done = own_created, .session_fd = -1, .fd = -1 };
        snprintf(call.name, sizeof(call.name), "%s", OWN_SESSION_NAME);
        r = manager_call(m, call_create, &call);
        if (r < 0) {
                fail_errno(m, r, OWN_SESSION_NAME, "creating the session");
                return;
        }
        m->update.n_works++;
        announce(m, WANT_PREPARE, m->config->prepare_timeout_usec);
        update_check(m);
}

/* Freeze: the clients pause, the file systems sync, the manifest is written. */

typedef struct Sync {
        const Ports *ports;
        uint64_t generation;
        char *record; /* of the departure; the sync brings it to the disk */
        size_t size;
        int written;
} Sync;

static Sync *sync_free(Sync *s) {
        free(s->record);
        free(s);
        return NULL;
}

static int run_sync(void *work) {
        Sync *s = work;

        s->written = departure_write(s->ports, s->record, s->size);
        s->ports->sync(s->ports->sync_self);
        return 0;
}

static void synced(void *work, int r, void *userdata) {
        Manager *m = userdata;
        Sync *s = work;

        if (s->written < 0)
                log_errno(s->written,
                          "Writing the record of the update; if it is lost in the jump nobody will say so");
        /* Rolled back while it was being written. In another one's FREEZE that one's record
         * takes its place, and may have done so. */
        if (m->phase != PHASE_FREEZING)
                departure_clear(m);
        /* One that began before this FREEZE says nothing of what was written since. */
        else if (r >= 0 && s->generation == m->update.generation)
                m->update.synced = true;
        sync_free(s);
        update_check(m);
}

static int submit_sync(Manager *m) {
        Sync *s = calloc(1, sizeof(*s));

        if (!s)
                return -ENOMEM;
        s->ports = m->ports;
        s->generation = m->update.generation;
        int r = departure_encode(m, &s->record, &s->size);
        if (r >= 0)
                r = worker_submit(m->ports->image_lane, run_sync, synced, s, m);
        if (r < 0)
                sync_free(s);
        return r;
}

static void record_links_now(void *userdata) {
        Manager *m = userdata;

        if (m->phase != PHASE_FREEZING || !m->update.links_waiting)
                return;
        m->update.links_waiting = false;
        int r = vf_links_record(m);
        if (r < 0)
                fail_errno(m, r, "freeze", "reading VF settings");
        update_check(m);
}

/* A daemon that was restarted in PREPARED may not have read the devices yet. */
static int record_links(Manager *m) {
        if (!m->devices || devices_topology(m->devices))
                return vf_links_record(m);
        m->update.links_waiting = true;
        return devices_when_ready(m->devices, record_links_now, m);
}

void update_freeze(Manager *m) {
        manager_job_step(m, m->job, "freezing");
        if (m->job && !m->job->update_id[0])
                memcpy(m->job->update_id, m->update.id, sizeof(m->job->update_id));
        update_mark(m, STEP_FREEZE_BEGIN);
        m->update.sync_deadline = config_deadline(manager_now(m), m->config->sync_timeout_usec);
        int r = verify_snapshot(m);
        if (r >= 0)
                r = record_links(m);
        if (r >= 0)
                r = submit_sync(m);
        if (r < 0) {
                fail_errno(m, r, "freeze", "starting the work");
                return;
        }
        announce(m, WANT_FREEZE, m->config->freeze_timeout_usec);
        update_check(m);
}

static int fill_file(Manifest *manifest, const SessionFile *f) {
        int r = manifest_add_file(manifest, f->token, f->kind);

        return r < 0 || !f->has_address ? r : manifest_set_file_address(manifest, f->address);
}

static int fill_session(Manifest *manifest, const Session *s) {
        int r = manifest_add_session(manifest, s->name, s->uid, "", s->direct);

        if (r >= 0)
                r = manifest_set_hold(manifest, s->hold_usec);
        for (size_t i = 0; i < s->n_grants && r >= 0; i++)
                r = manifest_add_grant(manifest, s->grants[i]);
        for (size_t i = 0; i < s->n_files && r >= 0; i++)
                r = fill_file(manifest, s->files[i]);
        return r;
}

static int set_string(char **field, const char *value) {
        free(*field);
        *field = strdup(value);
        return *field ? 0 : -ENOMEM;
}

static int fill_manifest(const Manager *m, Manifest *manifest) {
        const HostFacts *host = m->ports->host;
        const Job *job = m->job;

        manifest->job = job ? job->number : 0;
        manifest->next_job = m->jobs.next;
        manifest->started_by_uid = job ? job->uid : 0;
        manifest->started_realtime_usec = job ? job->start_usec : 0;
        manifest->old_update_number = host->update_number;
        /* A FREEZE by hand: the job that jumps comes later and is found by update id. */
        if (set_string(&manifest->job_kind, job ? job_kind_to_string(job->kind) : "execute") < 0 ||
            set_string(&manifest->update_id, m->update.id) < 0 ||
            set_string(&manifest->old_release, host->release) < 0 ||
            set_string(&manifest->old_version, host->version) < 0 ||
            set_string(&manifest->old_boot_id, host->boot_id) < 0 ||
            set_string(&manifest->daemon_version, PROJECT_VERSION) < 0)
                return -ENOMEM;
        for (size_t i = 0; i < m->sessions.n; i++) {
                const Session *s = m->sessions.items[i];
                int r = s->state == SESSION_OPEN ? fill_session(manifest, s) : 0;
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < m->update.devices.n; i++) {
                int r = manifest_add_device(manifest, &m->update.devices.items[i]);
                if (r < 0)
                        return r;
        }
        int r = m->report ? report_copy(&m->report->report, &manifest->report) : 0;
        return r < 0 ? r : vf_links_fill(m, manifest);
}

static void manifest_preserved(Call *c, int r) {
        Manager *m = c->manager;

        m->update.n_works--;
        if (is_stale(c, PHASE_FREEZING))
                return;
        if (r < 0) {
                fail_errno(m, r, OWN_SESSION_NAME, "preserving the manifest");
                return;
        }
        update_mark(m, STEP_FROZEN);
        (void)manager_event(m, EVENT_PHASE_READY, NULL);
        EMIT(m, waiting_changed);
        if (!m->job)
                return;
        if (m->job->kind == JOB_FREEZE)
                manager_job_end(m, m->job, NULL);
        else if (m->job->kind == JOB_UPDATE)
                (void)manager_event(m, EVENT_EXECUTE, NULL);
}

static int send_manifest(Manager *m) {
        _cleanup_(manifest_freep) Manifest *manifest = manifest_new();
        _cleanup_free_ void *data = NULL;
        size_t size;
        int fd;

        if (!manifest)
                return -ENOMEM;
        int r = fill_manifest(m, manifest);
        if (r >= 0)
                r = manifest_encode(manifest, &data, &size);
        if (r >= 0)
                r = memfd_new_sealed("liveupdated-manifest", data, size, &fd);
        if (r < 0)
                return r;
        return preserve_own(m, fd, OWN_TOKEN_MANIFEST, manifest_preserved);
}

/* Jump. */

void update_jump(Manager *m) {
        manager_job_step(m, m->job, "jumping");
        if (m->job && !m->job->update_id[0])
                memcpy(m->job->update_id, m->update.id, sizeof(m->job->update_id));
        if (m->update.page && m->job)
                m->update.page->job = m->job->number;
        /* Not from here: what was just said on the bus should leave first. */
        m->jump_pending = true;
        EMIT(m, rearm);
}

void update_run_jump(Manager *m) {
        Refusal why;

        m->jump_pending = false;
        int r = manager_check_image(m, &why);
        if (r >= 0 && manager_jump_way(m, m->update.request.jump) == JUMP_SYSTEMD) {
                r = shutdown_begin(m, &why);
                if (r >= 0)
                        return;
        } else if (r >= 0) {
                update_mark(m, STEP_REBOOT);
                r = kexec_jump(&m->ports->kexec, &why);
                if (r >= 0) /* only a fake comes back from there */
                        return;
        }
        manager_fail(m, &why);
}

/* Rollback: workloads first, then the books. */

void update_resume(Manager *m) {
        _cleanup_free_ Participant **touched = NULL;
        size_t n = 0;

        barrier_end(&m->barrier);
        int r = barrier_take_touched(&m->barrier, &touched, &n);
        if (r < 0)
                log_errno(r, "Could not list the participants to resume");
        for (size_t i = 0; i < n; i++)
                if (touched[i]->want & WANT_RESUME)
                        EMIT(m, request, touched[i], WANT_RESUME, 0);
        EMIT(m, waiting_changed);
}

void manager_drop_own(Manager *m) {
        char stored[STORE_NAME_SIZE];

        if (m->update.page_stored)
                manager_close_fd(m, -1, STORE_TIMELINE, false);
        store_name(STORE_OUT, OWN_SESSION_NAME, stored);
        /* The last of what is closed: when this is done, the service manager has nothing. */
        manager_close_fd(m, TAKE_FD(m->update.own_session), m->update.own_stored ? stored : NULL, true);
        m->update.own_stored = m->update.page_stored = false;
}

void update_mark_owner(Manager *m, const Session *s) {
        for (size_t i = 0; i < m->barrier.n; i++) {
                Participant *p = m->barrier.items[i];
                if (*s->owner && streq(p->owner ?: "", s->owner))
                        p->touched = true;
        }
}

void update_rollback(Manager *m) {
        m->jump_pending = false;
        for (size_t i = 0; i < m->sessions.n; i++)
                if (!session_is_incoming(m->sessions.items[i]))
                        update_mark_owner(m, m->sessions.items[i]);
        update_resume(m);
        manager_job_step(m, m->job, "rolling back");
        shutdown_release(m);
        for (size_t i = m->sessions.n; i-- > 0;)
                if (i < m->sessions.n && !session_is_incoming(m->sessions.items[i]))
                        manager_drop_session(m, m->sessions.items[i], false);
        manager_drop_own(m);
        update_check(m);
}

static bool rolled_back(const Manager *m) {
        if (m->n_closing > 0 || m->update.n_works > 0)
                return false;
        for (size_t i = 0; i < m->sessions.n; i++)
                if (!session_is_incoming(m->sessions.items[i]))
                        return false;
        return true;
}

static void check_preparing(Manager *m) {
        /* Sessions that are left behind are gone before anything goes on. */
        if (!m->update.own_ready || !m->update.held || !barrier_open(&m->barrier) || m->n_closing > 0)
                return;
        barrier_end(&m->barrier);
        /* With those that clients preserved in PREPARE. */
        int r = collect_devices(m);
        if (r < 0) {
                fail_errno(m, r, "", "listing the devices");
                return;
        }
        update_mark(m, STEP_PREPARED);
        m->update.prepared_by = job_record(m->job);
        (void)manager_event(m, EVENT_PHASE_READY, NULL);
        EMIT(m, waiting_changed);
        if (!m->job)
                return;
        if (m->job->kind == JOB_PREPARE)
                manager_job_end(m, m->job, NULL);
        else if (m->job->kind == JOB_UPDATE)
                (void)manager_event(m, EVENT_FREEZE, NULL);
}

static void check_freezing(Manager *m) {
        if (!m->update.clients_ready && barrier_open(&m->barrier)) {
                m->update.clients_ready = true;
                barrier_end(&m->barrier);
                update_mark(m, STEP_CLIENTS_FROZEN);
                EMIT(m, waiting_changed);
        }
        /* Files that clients handed over before their READY belong in the manifest. */
        if (!m->update.clients_ready || !m->update.synced || !m->update.snapped || !m->update.links_read ||
            m->update.manifest_sent || m->n_calls > m->update.n_works || m->n_closing > 0) {
                /* What is closed after the question may be what was asked for. */
                m->update.requested_asked = m->update.requested_there = false;
                return;
        }
        int r = requested_check(m);
        if (r < 0) {
                fail_errno(m, r, "devices", "asking which are preserved");
                return;
        }
        if (!m->update.requested_there)
                return;
        r = send_manifest(m);
        if (r < 0)
                fail_errno(m, r, OWN_SESSION_NAME, "writing the manifest");
        else
                m->update.manifest_sent = true;
}

void update_check(Manager *m) {
        if (m->phase == PHASE_PREPARING)
                check_preparing(m);
        else if (m->phase == PHASE_PREPARED && barrier_open(&m->barrier))
                barrier_end(&m->barrier); /* who came late is ready, too */
        else if (m->phase == PHASE_FREEZING)
                check_freezing(m);
        else if (m->phase == PHASE_CANCELLING && rolled_back(m))
                (void)manager_event(m, EVENT_PHASE_READY, NULL);
        else if (m->phase == PHASE_UPDATED || m->phase == PHASE_FINISHING)
                receive_check(m);
}

void update_end(Manager *m) {
        if (m->update.page)
                (void)munmap(m->update.page, TIMELINE_SIZE);
        fd_close(m->update.page_fd);
        fd_close(m->update.own_session);
        update_request_done(&m->update.request);
        device_list_done(&m->update.devices);
        link_list_done(&m->update.links);
        m->update = (Update){ .generation = m->update.generation, .own_session = -1, .page_fd = -1 };
}
