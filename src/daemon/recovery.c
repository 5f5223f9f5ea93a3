/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a restart must find, in the runtime directory (gone with the boot):
 *
 *   state              phase, job and numbers; replaced at each change of phase
 *   incoming.manifest  what the previous kernel's daemon sent, as it came
 *   incoming.timeline  the timeline with this kernel's steps so far
 *   incoming.notes     one line per claimed, finished or lost session, appended
 *
 * The boot id in `state` tells files of this boot from others. Failing to write them
 * costs a restart its memory, not the update its life: it is logged.
 */
#include "manager-internal.h"

#include <fcntl.h>
#include <json-c/json.h>

#include "common/fd.h"
#include "common/log.h"

enum { STATE_SIZE_MAX = 64 * 1024, NOTES_SIZE_MAX = 16 * 1024 * 1024 };

static void add_string(json_object *o, const char *key, const char *value) {
        json_object_object_add(o, key, json_object_new_string(value));
}

static void add_number(json_object *o, const char *key, uint64_t value) {
        json_object_object_add(o, key, json_object_new_uint64(value));
}

void recovery_save(const Manager *m) {
        json_object *o = json_object_new_object();
        size_t n_sessions = 0;

        if (!o)
                return;
        for (size_t i = 0; i < m->sessions.n; i++)
                n_sessions += !session_is_incoming(m->sessions.items[i]);
        add_string(o, "boot_id", m->ports->host->boot_id);
        add_string(o, "phase", phase_to_string(m->phase));
        add_number(o, "next_job", m->jobs.next);
        add_string(o, "update_id", m->update.id);
        add_number(o, "sessions", n_sessions);
        json_object_object_add(o, "incoming", json_object_new_boolean(m->incoming.any));
        if (m->job) {
                add_number(o, "job", m->job->number);
                add_string(o, "job_kind", job_kind_to_string(m->job->kind));
                add_number(o, "job_uid", m->job->uid);
                add_number(o, "job_start", m->job->start_usec);
        }
        size_t size;
        const char *text = json_object_to_json_string_length(o, JSON_C_TO_STRING_PLAIN, &size);
        int r = text ? file_write_atomic_at(m->ports->run_fd, "state", text, size) : -ENOMEM;
        if (r >= 0 && m->incoming.any && m->incoming.has_timeline)
                r = file_write_atomic_at(m->ports->run_fd, "incoming.timeline", &m->incoming.timeline,
                                         sizeof(m->incoming.timeline));
        if (r < 0)
                log_errno(r, "Saving the state; a restart would not find it");
        json_object_put(o);
}

static const char *get_string(json_object *o, const char *key) {
        json_object *v;

        return json_object_object_get_ex(o, key, &v) && json_object_is_type(v, json_type_string)
                       ? json_object_get_string(v)
                       : "";
}

static uint64_t get_number(json_object *o, const char *key) {
        json_object *v;

        return json_object_object_get_ex(o, key, &v) && json_object_is_type(v, json_type_int)
                       ? json_object_get_uint64(v)
                       : 0;
}

int recovery_load(const Manager *m, RunState *ret) {
        _cleanup_free_ char *text = NULL;

        int r = file_read_at(m->ports->run_fd, "state", STATE_SIZE_MAX, &text, NULL);
        if (r < 0)
                return r;
        json_object *o = json_tokener_parse(text), *incoming;
        if (!json_object_is_type(o, json_type_object)) {
                json_object_put(o);
                return -EBADMSG;
        }
        int phase = phase_from_string(get_string(o, "phase"));
        int kind = job_kind_from_string(get_string(o, "job_kind"));
        RunState state = {
                .valid = phase >= 0 && streq(get_string(o, "boot_id"), m->ports->host->boot_id),
                .phase = phase < 0 ? PHASE_NORMAL : (Phase)phase,
                .next_job = get_number(o, "next_job"),
                .job = get_number(o, "job"),
                .job_kind = kind < 0 ? JOB_PREPARE : (JobKind)kind,
                .job_uid = (uint32_t)get_number(o, "job_uid"),
                .job_start = get_number(o, "job_start"),
                .n_sessions = get_number(o, "sessions"),
                .incoming = json_object_object_get_ex(o, "incoming", &incoming) && json_object_get_boolean(incoming),
        };
        snprintf(state.update_id, sizeof(state.update_id), "%s", get_string(o, "update_id"));
        json_object_put(o);
        if (!state.valid)
                state = (RunState){}; /* another boot's: its job numbers mean nothing here */
        *ret = state;
        return 0;
}

int recovery_save_incoming(const Manager *m, const void *manifest, size_t manifest_size, const Timeline *timeline) {
        int r = 0;

        if (manifest)
                r = file_write_atomic_at(m->ports->run_fd, "incoming.manifest", manifest, manifest_size);
        if (r >= 0 && timeline)
                r = file_write_atomic_at(m->ports->run_fd, "incoming.timeline", timeline, sizeof(*timeline));
        return r;
}

int recovery_load_incoming(const Manager *m, char **ret_manifest, size_t *ret_size, Timeline *ret_timeline) {
        _cleanup_free_ char *page = NULL;
        size_t size;

        int r = file_read_at(m->ports->run_fd, "incoming.timeline", TIMELINE_SIZE, &page, &size);
        if (r >= 0 && size == sizeof(*ret_timeline))
                memcpy(ret_timeline, page, size);
        return file_read_at(m->ports->run_fd, "incoming.manifest", MANIFEST_SIZE_MAX, ret_manifest, ret_size);
}

void recovery_note_session(const Manager *m, const char *what, const char *name) {
        char line[SESSION_NAME_MAX + 16];
        _cleanup_close_ int fd = openat(m->ports->run_fd, "incoming.notes",
                                        O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);

        int n = snprintf(line, sizeof(line), "%s %s\n", what, name);
        int r = fd < 0 ? -errno : fd_write_all(fd, line, (size_t)n);
        if (r < 0)
                log_errno(r, "Noting that session %s is %s", name, what);
}

int recovery_read_notes(Manager *m, void (*note)(Manager *m, const char *what, const char *name)) {
        _cleanup_free_ char *text = NULL;

        int r = file_read_at(m->ports->run_fd, "incoming.notes", NOTES_SIZE_MAX, &text, NULL);
        if (r < 0)
                return r;
        char *rest = text, *line;
        while ((line = strsep(&rest, "\n"))) {
                char *name = strchr(line, ' ');
                if (!name || !rest) /* the last line may be torn: it has no newline */
                        continue;
                *name++ = '\0';
                note(m, line, name);
        }
        return 0;
}

void recovery_clear_incoming(const Manager *m) {
        static const char *const names[] = { "incoming.manifest", "incoming.timeline", "incoming.notes" };

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                (void)unlinkat(m->ports->run_fd, names[i], 0);
}
