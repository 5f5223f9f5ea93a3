/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a restart must find beside the descriptors that the service manager keeps, in the
 * runtime directory (gone with the boot):
 *
 *   state              phase, job and numbers; a sealed record, replaced at each change
 *   NAME.session       an outgoing session and its files, ID.participant a registration
 *                      (registry.c)
 *   devices.manifest   the devices of the update under way
 *   incoming.manifest  what the previous kernel's daemon sent, as it came
 *   incoming.timeline  the timeline with this kernel's steps so far
 *   incoming.notes     one line per claimed, finished or lost session, appended
 *
 * The boot id in `state` tells files of this boot from others. Failing to write them
 * costs a restart its memory, not the update its life: it is logged.
 */
#include "manager-internal.h"

#include <fcntl.h>

#include "common/crc32.h"
#include "common/fd.h"
#include "common/log.h"
#include "common/parse.h"
#include "core/record.h"

enum { STATE_SIZE_MAX = 64 * 1024, NOTES_SIZE_MAX = 16 * 1024 * 1024 };

/* The state. */

static void add_job(Record *o, const char *prefix, const JobRecord *j) {
        char key[32];
        const struct {
                const char *name;
                uint64_t value;
        } numbers[] = { { "number", j->number }, { "uid", j->uid }, { "start", j->start_usec } };

        if (j->number == 0)
                return;
        for (size_t i = 0; i < ELEMENTSOF(numbers); i++) {
                (void)snprintf(key, sizeof(key), "%s-%s", prefix, numbers[i].name);
                record_add_number(o, key, numbers[i].value);
        }
        (void)snprintf(key, sizeof(key), "%s-kind", prefix);
        record_add(o, key, job_kind_to_string(j->kind));
}

JobRecord job_record(const Job *j) {
        return j ? (JobRecord){ .number = j->number, .kind = j->kind, .uid = j->uid, .start_usec = j->start_usec }
                 : (JobRecord){};
}

static void add_failure(Record *o, const Refusal *why) {
        if (why->reason == REASON_NONE)
                return;
        record_add(o, "failure-code", reason_code(why->reason));
        record_add(o, "failure-subject", why->subject);
        record_add(o, "failure-detail", why->detail);
}

static void add_reason(Record *o, const char *key, const Refusal *why) {
        if (why->reason != REASON_NONE)
                record_add(o, key, reason_code(why->reason));
}

static void fill_state(const Manager *m, Record *o) {
        JobRecord running = job_record(m->job);

        record_add(o, "boot-id", m->ports->host->boot_id);
        record_add(o, "phase", phase_to_string(m->phase));
        record_add_number(o, "next-job", m->jobs.next);
        record_add_number(o, "next-participant", m->barrier.next_id);
        record_add(o, "update-id", m->update.id);
        record_add_number(o, "asked", m->update.asked);
        record_add_number(o, "devices", m->update.n_devices);
        record_add_number(o, "incoming", m->incoming.any);
        add_job(o, "job", &running);
        add_job(o, "prepared", &m->update.prepared_by);
        add_failure(o, &m->update.failure);
        /* While an image is being loaded or unloaded, which one is there is not known. */
        if (m->next.loaded && !m->loading) {
                record_add(o, "kernel-release", m->next.release);
                record_add(o, "kernel-cmdline", m->next.cmdline ?: "");
                record_add_number(o, "kernel-no-vf", m->next.no_vf);
                add_reason(o, "kernel-shim", &m->next.shim);
                add_reason(o, "kernel-vfio", &m->next.vfio);
                add_reason(o, "kernel-files", &m->next.files);
        }
}

/* The page itself has no checksum: it is written until the jump. */
typedef struct SealedTimeline {
        Timeline timeline;
        uint64_t sum;
} SealedTimeline;
_Static_assert(sizeof(SealedTimeline) == sizeof(Timeline) + sizeof(uint64_t), "nothing between them");

static uint64_t timeline_sum(const Timeline *t) {
        return crc32_ieee(t, sizeof(*t));
}

static int save_timeline(const Manager *m, const Timeline *t) {
        const SealedTimeline s = { .timeline = *t, .sum = timeline_sum(t) };

        return file_write_atomic_at(m->ports->run_fd, "incoming.timeline", &s, sizeof(s));
}

static int load_timeline(const Manager *m, Timeline *ret) {
        _cleanup_free_ char *data = NULL;
        SealedTimeline s;
        size_t size;

        int r = file_read_at(m->ports->run_fd, "incoming.timeline", sizeof(s), &data, &size);
        if (r < 0)
                return r;
        if (size != sizeof(s))
                return -EBADMSG;
        memcpy(&s, data, sizeof(s));
        if (s.sum != timeline_sum(&s.timeline))
                return -EBADMSG;
        *ret = s.timeline;
        return 0;
}

void recovery_save(const Manager *m) {
        _cleanup_record_ Record o = {};

        fill_state(m, &o);
        int r = record_seal(&o);
        if (r >= 0)
                r = file_write_atomic_at(m->ports->run_fd, "state", o.text, o.size);
        if (r >= 0 && m->incoming.any && m->incoming.has_timeline)
                r = save_timeline(m, &m->incoming.timeline);
        if (r < 0)
                log_errno(r, "Saving the state; a restart would not find it");
}

static int read_job(JobRecord *j, const char *key, const char *value) {
        if (streq(key, "number"))
                return parse_u64(value, &j->number);
        if (streq(key, "uid"))
                return parse_u32(value, &j->uid);
        if (streq(key, "start"))
                return parse_u64(value, &j->start_usec);
        int kind = streq(key, "kind") ? job_kind_from_string(value) : -EINVAL;
        if (kind < 0)
                return kind;
        j->kind = (JobKind)kind;
        return 0;
}

static int read_failure(Refusal *why, const char *key, const char *value) {
        if (streq(key, "code")) {
                int reason = reason_from_code(value);
                if (reason < 0)
                        return reason;
                why->reason = (Reason)reason;
                return 0;
        }
        if (streq(key, "subject"))
                return snprintf(why->subject, sizeof(why->subject), "%s", value) < 0 ? -EINVAL : 0;
        if (streq(key, "detail"))
                return snprintf(why->detail, sizeof(why->detail), "%s", value) < 0 ? -EINVAL : 0;
        return -EINVAL;
}

static int read_kernel(NextKernel *k, const char *key, const char *value) {
        if (streq(key, "release")) {
                (void)snprintf(k->release, sizeof(k->release), "%s", value);
                return 0;
        }
        if (streq(key, "no-vf")) {
                k->no_vf = streq(value, "1");
                return 0;
        }
        Refusal *why = streq(key, "shim") ? &k->shim : streq(key, "vfio") ? &k->vfio : &k->files;
        if (why != &k->files || streq(key, "files")) {
                int reason = reason_from_code(value);
                if (reason < 0)
                        return reason;
                *why = (Refusal){ .reason = (Reason)reason };
                return 0;
        }
        if (!streq(key, "cmdline"))
                return -EINVAL;
        k->loaded = true;
        free(k->cmdline);
        k->cmdline = strdup(value);
        return k->cmdline ? 0 : -ENOMEM;
}

static int read_number(RunState *state, const char *key, const char *value) {
        const struct {
                const char *key;
                uint64_t *to;
        } numbers[] = {
                { "next-job", &state->next_job }, { "next-participant", &state->next_participant },
                { "asked", &state->asked },       { "devices", &state->n_devices },
                { "incoming", &state->incoming },
        };

        for (size_t i = 0; i < ELEMENTSOF(numbers); i++)
                if (streq(numbers[i].key, key))
                        return parse_u64(value, numbers[i].to);
        return -EINVAL;
}

static int read_line(const Manager *m, RunState *state, const char *key, const char *value) {
        if (streq(key, "boot-id")) {
                state->valid = streq(value, m->ports->host->boot_id);
                return 0;
        }
        if (streq(key, "phase")) {
                int phase = phase_from_string(value);
                if (phase < 0)
                        return phase;
                state->phase = (Phase)phase;
                return 0;
        }
        if (streq(key, "update-id"))
                return snprintf(state->update_id, sizeof(state->update_id), "%s", value) >=
                                       (int)sizeof(state->update_id)
                               ? -EINVAL
                               : 0;
        if (strncmp(key, "job-", 4) == 0)
                return read_job(&state->job, key + 4, value);
        if (strncmp(key, "prepared-", 9) == 0)
                return read_job(&state->prepared_by, key + 9, value);
        if (strncmp(key, "failure-", 8) == 0)
                return read_failure(&state->failure, key + 8, value);
        if (strncmp(key, "kernel-", 7) == 0)
                return read_kernel(&state->kernel, key + 7, value);
        return read_number(state, key, value);
}

void run_state_done(RunState *s) {
        free(s->kernel.cmdline);
        *s = (RunState){};
}

int recovery_load(const Manager *m, RunState *ret) {
        _cleanup_(run_state_done) RunState state = {};
        _cleanup_free_ char *text = NULL;
        char *rest, *key, *value;
        size_t size;

        int r = file_read_at(m->ports->run_fd, "state", STATE_SIZE_MAX, &text, &size);
        if (r < 0)
                return r;
        r = record_unseal(text, size);
        if (r < 0)
                return r;
        rest = text;
        while ((r = record_next(&rest, &key, &value)) > 0) {
                r = read_line(m, &state, key, value);
                if (r < 0)
                        return r == -ENOMEM ? r : -EBADMSG;
        }
        if (r < 0)
                return r;
        if (state.valid) { /* else another boot's: its numbers mean nothing here */
                *ret = state;
                state = (RunState){};
        }
        return 0;
}

/* Devices of the update under way, in the manifest's own form. */

int recovery_save_devices(const Manager *m) {
        _cleanup_(manifest_freep) Manifest *manifest = manifest_new();
        _cleanup_free_ void *data = NULL;
        size_t size;

        if (!manifest)
                return -ENOMEM;
        free(manifest->update_id);
        manifest->update_id = strdup(m->update.id);
        int r = manifest->update_id ? 0 : -ENOMEM;
        for (size_t i = 0; i < m->update.devices.n && r >= 0; i++)
                r = manifest_add_device(manifest, &m->update.devices.items[i]);
        if (r >= 0)
                r = manifest_encode(manifest, &data, &size);
        return r < 0 ? r : file_write_atomic_at(m->ports->run_fd, "devices.manifest", data, size);
}

int recovery_load_devices(const Manager *m, const RunState *before, DeviceList *ret) {
        _cleanup_(manifest_freep) Manifest *manifest = NULL;
        _cleanup_free_ char *data = NULL;
        size_t size;

        if (before->n_devices == 0)
                return 0;
        int r = file_read_at(m->ports->run_fd, "devices.manifest", MANIFEST_SIZE_MAX, &data, &size);
        if (r >= 0)
                r = manifest_decode(data, size, &manifest, NULL);
        if (r < 0)
                return r;
        if (!streq(manifest->update_id, before->update_id) || manifest->n_devices != before->n_devices)
                return -EBADMSG;
        *ret = (DeviceList){ .items = TAKE_PTR(manifest->devices), .n = manifest->n_devices };
        manifest->n_devices = 0;
        return 0;
}

void recovery_clear_devices(const Manager *m) {
        (void)unlinkat(m->ports->run_fd, "devices.manifest", 0);
}

/* What came in. */

int recovery_save_incoming(const Manager *m, const void *manifest, size_t manifest_size, const Timeline *timeline) {
        int r = 0;

        if (manifest)
                r = file_write_atomic_at(m->ports->run_fd, "incoming.manifest", manifest, manifest_size);
        if (r >= 0 && timeline)
                r = save_timeline(m, timeline);
        return r;
}

int recovery_load_incoming(const Manager *m, char **ret_manifest, size_t *ret_size, Timeline *ret_timeline) {
        int r = load_timeline(m, ret_timeline);

        if (r < 0 && r != -ENOENT)
                log_errno(r, "The timeline of the update that came in cannot be read; it is not shown");
        return file_read_at(m->ports->run_fd, "incoming.manifest", MANIFEST_SIZE_MAX, ret_manifest, ret_size);
}

void recovery_note_session(const Manager *m, const char *what, const char *name, const char *owner) {
        _cleanup_close_ int fd = openat(m->ports->run_fd, "incoming.notes",
                                        O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
        _cleanup_record_ Record o = {};

        record_add(&o, what, name);
        if (*owner)
                record_add(&o, "owner", owner);
        int r = fd < 0 ? -errno : record_seal(&o);
        if (r >= 0)
                r = fd_write_all(fd, o.text, o.size);
        if (r < 0)
                log_errno(r, "Noting that session %s is %s", name, what);
}

int recovery_read_notes(Manager *m, void (*note)(Manager *m, const char *what, const char *name, const char *owner)) {
        char *rest, *record, *what, *name, *key, *owner;
        _cleanup_free_ char *text = NULL;
        size_t size;

        int r = file_read_at(m->ports->run_fd, "incoming.notes", NOTES_SIZE_MAX, &text, &size);
        if (r < 0)
                return r;
        rest = text;
        while ((r = record_next_sealed(&rest, &record)) > 0) {
                if (record_next(&record, &what, &name) <= 0)
                        return -EBADMSG;
                r = record_next(&record, &key, &owner);
                if (r < 0 || (r > 0 && !streq(key, "owner")))
                        return -EBADMSG;
                note(m, what, name, r > 0 ? owner : "");
        }
        return r == 0 && rest != text + size ? -EBADMSG : r; /* a NUL in it */
}

void recovery_clear_notes(const Manager *m) {
        (void)unlinkat(m->ports->run_fd, "incoming.notes", 0);
}

void recovery_clear_incoming(const Manager *m) {
        static const char *const names[] = { "incoming.manifest", "incoming.timeline", "incoming.notes" };

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                (void)unlinkat(m->ports->run_fd, names[i], 0);
}
