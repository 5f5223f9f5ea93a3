/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The record of a departure, on storage that outlives the boot: an update was frozen
 * here, and its next kernel should find what it handed over. If the next boot finds none
 * (the jump failed and the machine was reset, somebody booted a kernel without LUO), the
 * daemon there can say what was lost, and under which job.
 *
 * It is written by the image worker with the beginning of FREEZE, before its sync(2),
 * which brings it to the disk; so it costs nothing of the blackout. It goes when the
 * update is cancelled, or has arrived. Failing to write it costs only the report.
 */
#include "manager-internal.h"

#include <fcntl.h>

#include "common/fd.h"
#include "common/log.h"
#include "common/parse.h"
#include "core/record.h"

#define FILE_NAME "departure"

enum { FILE_SIZE_MAX = 16 * 1024 };

typedef struct Departure {
        JobRecord job;
        uint64_t next_job, n_sessions;
        char boot_id[64], update_id[UPDATE_ID_SIZE], release[128], version[256];
        char reported[64]; /* the boot that has told of the loss */
} Departure;

static int encode(const Departure *d, char **ret, size_t *ret_size) {
        _cleanup_record_ Record o = {};

        record_add(&o, "boot-id", d->boot_id);
        record_add(&o, "update-id", d->update_id);
        record_add(&o, "release", d->release);
        record_add(&o, "version", d->version);
        record_add(&o, "reported", d->reported);
        record_add(&o, "job-kind", job_kind_to_string(d->job.kind));
        record_add_number(&o, "job-number", d->job.number);
        record_add_number(&o, "job-uid", d->job.uid);
        record_add_number(&o, "job-start", d->job.start_usec);
        record_add_number(&o, "next-job", d->next_job);
        record_add_number(&o, "sessions", d->n_sessions);
        int r = record_seal(&o);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(o.text);
        *ret_size = o.size;
        return 0;
}

static int read_text(Departure *d, const char *key, const char *value) {
        const struct {
                const char *key;
                char *to;
                size_t size;
        } texts[] = {
                { "boot-id", d->boot_id, sizeof(d->boot_id) },    { "update-id", d->update_id, sizeof(d->update_id) },
                { "release", d->release, sizeof(d->release) },    { "version", d->version, sizeof(d->version) },
                { "reported", d->reported, sizeof(d->reported) },
        };

        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                if (streq(texts[i].key, key)) {
                        int n = snprintf(texts[i].to, texts[i].size, "%s", value);
                        return n < 0 || (size_t)n >= texts[i].size ? -EBADMSG : 1;
                }
        return 0;
}

static int read_line(Departure *d, const char *key, const char *value) {
        int r = read_text(d, key, value);

        if (r != 0)
                return MIN_OF(r, 0);
        if (streq(key, "job-kind")) {
                int kind = job_kind_from_string(value);
                if (kind < 0)
                        return kind;
                d->job.kind = (JobKind)kind;
                return 0;
        }
        if (streq(key, "job-uid"))
                return parse_u32(value, &d->job.uid);
        uint64_t *number = streq(key, "job-number")  ? &d->job.number
                           : streq(key, "job-start") ? &d->job.start_usec
                           : streq(key, "next-job")  ? &d->next_job
                           : streq(key, "sessions")  ? &d->n_sessions
                                                     : NULL;
        return number ? parse_u64(value, number) : -EBADMSG;
}

static int load(const Ports *p, Departure *ret) {
        _cleanup_free_ char *text = NULL;
        char *rest, *key, *value;
        Departure d = {};
        size_t size;

        int r = file_read_at(p->state_fd, FILE_NAME, FILE_SIZE_MAX, &text, &size);
        if (r >= 0)
                r = record_unseal(text, size);
        if (r < 0)
                return r;
        rest = text;
        while ((r = record_next(&rest, &key, &value)) > 0) {
                r = read_line(&d, key, value);
                if (r < 0)
                        return -EBADMSG;
        }
        if (r >= 0)
                *ret = d;
        return r;
}

/* Before. */

int departure_encode(const Manager *m, char **ret, size_t *ret_size) {
        const HostFacts *host = m->ports->host;
        Departure d = { .job = m->job ? job_record(m->job) : m->update.prepared_by, .next_job = m->jobs.next };

        for (size_t i = 0; i < m->sessions.n; i++)
                d.n_sessions += m->sessions.items[i]->state == SESSION_OPEN;
        (void)snprintf(d.boot_id, sizeof(d.boot_id), "%s", host->boot_id);
        (void)snprintf(d.release, sizeof(d.release), "%s", host->release);
        (void)snprintf(d.version, sizeof(d.version), "%s", host->version);
        memcpy(d.update_id, m->update.id, sizeof(d.update_id));
        return encode(&d, ret, ret_size);
}

int departure_write(const Ports *p, const char *text, size_t size) {
        return p->state_fd < 0 ? 0 : file_write_atomic_at(p->state_fd, FILE_NAME, text, size);
}

void departure_clear(const Manager *m) {
        if (m->ports->state_fd < 0 || unlinkat(m->ports->state_fd, FILE_NAME, 0) == 0 || errno == ENOENT)
                return;
        log_errno(-errno, "Removing the record of an update; the next boot may report it as lost");
}

void departure_clear_own(const Manager *m) {
        Departure d = {};

        if (m->ports->state_fd >= 0 && load(m->ports, &d) >= 0 && streq(d.boot_id, m->ports->host->boot_id))
                departure_clear(m);
}

/* After. */

static Job *add_job(Manager *m, const Departure *d) {
        const HostFacts *host = m->ports->host;

        m->jobs.next = d->job.number;
        Job *j = job_list_add(&m->jobs, d->job.kind, d->job.uid, d->job.start_usec);
        if (!j)
                return NULL;
        memcpy(j->update_id, d->update_id, sizeof(j->update_id));
        memcpy(j->from_release, d->release, sizeof(j->from_release));
        memcpy(j->from_version, d->version, sizeof(j->from_version));
        (void)snprintf(j->to_release, sizeof(j->to_release), "%s", host->release);
        (void)snprintf(j->to_version, sizeof(j->to_version), "%s", host->version);
        j->expected = (uint32_t)MIN_OF(d->n_sessions, (uint64_t)UINT32_MAX);
        return j;
}

static void add_lost_job(Manager *m, const Departure *d, const Refusal *why) {
        Job *j = add_job(m, d);

        if (!j)
                return;
        j->missing = j->expected;
        manager_job_end(m, j, why);
}

Job *departure_add_job(Manager *m) {
        Departure d = {};

        if (m->ports->state_fd < 0 || load(m->ports, &d) < 0 || streq(d.boot_id, m->ports->host->boot_id) ||
            d.job.number == 0 || job_list_find(&m->jobs, d.job.number))
                return NULL;
        Job *j = add_job(m, &d);
        m->jobs.next = MAX_OF(m->jobs.next, d.next_job);
        return j;
}

static const char *what_came(const Manager *m) {
        if (luo_available(&m->ports->luo) < 0)
                return "this kernel runs without /dev/liveupdate";
        if (m->luo_broken)
                return "the kernel could not restore it";
        return m->ports->host->update_number > 0 ? "the handover into this kernel had nothing of liveupdated in it"
                                                 : "this kernel was booted without a handover";
}

static void set_reported(const Manager *m, Departure *d) {
        _cleanup_free_ char *text = NULL;
        size_t size;

        (void)snprintf(d->reported, sizeof(d->reported), "%s", m->ports->host->boot_id);
        int r = encode(d, &text, &size);
        if (r >= 0)
                r = file_write_atomic_at(m->ports->state_fd, FILE_NAME, text, size);
        if (r < 0)
                log_errno(r, "Noting that the loss was reported");
}

void departure_check(Manager *m) {
        const char *boot_id = m->ports->host->boot_id;
        _cleanup_free_ char *earlier = NULL;
        Departure d = {};
        Refusal why;

        if (m->ports->state_fd < 0)
                return;
        int r = load(m->ports, &d);
        if (r == -ENOENT || (r >= 0 && streq(d.boot_id, boot_id)))
                return; /* none, or of this boot: it is still to go */
        if (r < 0 || (*d.reported && !streq(d.reported, boot_id))) {
                if (r < 0)
                        log_errno(r, "The record of an update's departure cannot be read; it is removed");
                departure_clear(m);
                return;
        }
        refuse(&why, REASON_HANDOVER_LOST, "", "%s", what_came(m));
        earlier = TAKE_PTR(m->notice);
        manager_notice(
                m,
                "Job %llu froze %llu sessions on %s for an update, and nothing of it arrived: %s. What they held is "
                "lost; start the workloads anew.%s%s",
                (unsigned long long)d.job.number, (unsigned long long)d.n_sessions, d.release, what_came(m),
                earlier ? " " : "", earlier ?: "");
        if (d.job.number > 0 && !job_list_find(&m->jobs, d.job.number))
                add_lost_job(m, &d, &why);
        m->jobs.next = MAX_OF(m->jobs.next, d.next_job);
        if (!*d.reported)
                set_reported(m, &d);
}
