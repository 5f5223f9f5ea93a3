/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Outgoing sessions and registrations as files in the runtime directory, one each, so
 * that a change costs what it changes:
 *
 *   NAME.session     sealed records: uid, owner, whether the client has a copy; then one for
 *                    each file, appended, which says how many there are with it
 *   ID.participant   a sealed record
 *
 * What is torn or was changed is not used, and the notice of the restart says so: of a
 * session whose files are not all known the manifest would not tell the truth.
 *
 * The descriptors that belong to them are in the service manager's store. What cannot be
 * written down is taken out of the store again: a restart must not find half of it.
 */
#include "manager-internal.h"

#include <dirent.h>
#include <fcntl.h>

#include "common/fd.h"
#include "common/log.h"
#include "common/parse.h"
#include "core/record.h"

#define SESSION_SUFFIX ".session"
#define PARTICIPANT_SUFFIX ".participant"

enum {
        FILE_NAME_SIZE = 96,
        SESSION_FILE_MAX = 64 * 1024 * 1024, /* bytes */
        PARTICIPANT_FILE_MAX = 4096,
};

/* Writing. */

static void session_file(const Session *s, char name[static FILE_NAME_SIZE]) {
        (void)snprintf(name, FILE_NAME_SIZE, "%s" SESSION_SUFFIX, s->name);
}

static void participant_file(uint64_t id, char name[static FILE_NAME_SIZE]) {
        (void)snprintf(name, FILE_NAME_SIZE, "%llu" PARTICIPANT_SUFFIX, (unsigned long long)id);
}

static void add_file(Record *o, const SessionFile *f) {
        char address[ADDRESS_TEXT_SIZE];

        record_add(o, "kind", f->kind);
        if (f->has_address) {
                address_format(f->address, address);
                record_add(o, "address", address);
        }
        record_add_number(o, "token", f->token);
}

/* A session that is not written down must not be found, either. */
static void forget_session(Manager *m, Session *s, int r) {
        log_errno(r, "Session %s is not written down; a crash of the daemon would lose it", s->name);
        if (s->stored)
                store_drop(m, STORE_OUT, s->name);
        s->stored = false;
        registry_remove_session(m, s);
}

void registry_add_session(Manager *m, Session *s) {
        _cleanup_record_ Record o = {};
        char name[FILE_NAME_SIZE];

        if (!m->ports->store)
                return;
        record_add_number(&o, "uid", s->uid);
        record_add(&o, "owner", s->owner);
        record_add_number(&o, "direct", s->direct);
        for (size_t i = 0; i < s->n_grants; i++)
                record_add_number(&o, "grant", s->grants[i]);
        record_add_number(&o, "hold", s->hold_usec);
        record_add_number(&o, "files", s->n_files);
        for (size_t i = 0; i < s->n_files; i++)
                add_file(&o, s->files[i]);
        session_file(s, name);
        int r = record_seal(&o);
        if (r >= 0)
                r = file_write_atomic_at(m->ports->run_fd, name, o.text, o.size);
        if (r < 0)
                forget_session(m, s, r);
}

void registry_add_file(Manager *m, Session *s, const SessionFile *f) {
        _cleanup_record_ Record o = {};
        char name[FILE_NAME_SIZE];

        if (!m->ports->store)
                return;
        record_add_number(&o, "files", s->n_files);
        add_file(&o, f);
        session_file(s, name);
        _cleanup_close_ int fd = openat(m->ports->run_fd, name, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
        int r = fd < 0 ? -errno : record_seal(&o);
        if (r >= 0)
                r = fd_write_all(fd, o.text, o.size);
        if (r < 0)
                forget_session(m, s, r);
}

void registry_remove_session(const Manager *m, const Session *s) {
        char name[FILE_NAME_SIZE];

        session_file(s, name);
        (void)unlinkat(m->ports->run_fd, name, 0);
}

void registry_add_participant(Manager *m, Participant *p) {
        _cleanup_record_ Record o = {};
        char name[FILE_NAME_SIZE];

        if (!m->ports->store)
                return;
        record_add(&o, "name", p->name);
        record_add_number(&o, "want", p->want);
        record_add(&o, "on-death", on_death_to_string(p->on_death));
        record_add(&o, "owner", p->owner ?: "");
        record_add_number(&o, "uid", p->uid);
        record_add_number(&o, "waiting", p->answer == ANSWER_WAITING && p->phase == WANT_PREPARE);
        participant_file(p->id, name);
        int r = record_seal(&o);
        if (r >= 0)
                r = file_write_atomic_at(m->ports->run_fd, name, o.text, o.size);
        if (r < 0) {
                log_errno(r, "Participant %s is not written down; a crash of the daemon would lose it", p->name);
                registry_remove_participant(m, p);
                p->stored = false;
        }
}

void registry_remove_participant(const Manager *m, const Participant *p) {
        char name[FILE_NAME_SIZE];

        participant_file(p->id, name);
        (void)unlinkat(m->ports->run_fd, name, 0);
        if (p->stored)
                store_drop_lease(m, p->id);
}

/* Reading. */

typedef struct Reader {
        Manager *manager;
        uint64_t *ids; /* of participants, as found */
        size_t n, room;
        unsigned n_bad;
} Reader;

typedef struct SessionText {
        const char *name;
        bool has_uid;
        uint32_t uid;
        uint64_t direct, hold, n_files;
        char owner[256];
        uint32_t grants[SESSION_GRANTS_MAX];
        size_t n_grants;
        Session *session; /* once its own lines are read */
        const char *kind; /* of the file whose token comes next */
        bool has_address; /* the same */
        Address address;
} SessionText;

static int read_own_line(SessionText *t, const char *key, const char *value) {
        if (streq(key, "files"))
                return parse_u64(value, &t->n_files);
        if (streq(key, "owner"))
                return snprintf(t->owner, sizeof(t->owner), "%s", value) >= (int)sizeof(t->owner) ? -EBADMSG : 0;
        if (streq(key, "direct"))
                return parse_u64(value, &t->direct);
        if (streq(key, "grant"))
                return t->n_grants < SESSION_GRANTS_MAX ? parse_u32(value, &t->grants[t->n_grants++]) : -EBADMSG;
        if (streq(key, "hold"))
                return parse_u64(value, &t->hold);
        if (!streq(key, "uid"))
                return -EBADMSG;
        t->has_uid = true;
        return parse_u32(value, &t->uid);
}

static int make_session(const Reader *x, SessionText *t) {
        if (t->session)
                return 0;
        if (!t->has_uid)
                return -EBADMSG;
        int r = session_table_add(&x->manager->sessions, t->name, t->uid, SESSION_OPEN, &t->session);
        if (r < 0)
                return r;
        t->session->direct = t->direct != 0;
        t->session->hold_usec = t->hold;
        memcpy(t->session->owner, t->owner, sizeof(t->session->owner));
        memcpy(t->session->grants, t->grants, sizeof(t->session->grants));
        t->session->n_grants = t->n_grants;
        return 0;
}

static int take_file(const Reader *x, SessionText *t, uint64_t token) {
        const char *kind = TAKE_PTR(t->kind);

        int r = session_add_file(t->session, token, kind, FILE_PRESERVED);
        if (r >= 0)
                r = session_count_file(&x->manager->sessions, t->session);
        if (r < 0)
                return r;
        session_rank(t->session, kind);
        if (t->has_address)
                session_set_device(t->session, token, t->address);
        t->has_address = false;
        return 0;
}

static int read_session_line(const Reader *x, SessionText *t, const char *key, const char *value) {
        uint64_t token;
        int r;

        if (streq(key, "files") || (!t->session && !streq(key, "kind")))
                return read_own_line(t, key, value);
        r = make_session(x, t);
        if (r < 0)
                return r;
        if (streq(key, "kind")) {
                t->kind = session_file_kind(value);
                return 0;
        }
        if (streq(key, "address")) {
                t->has_address = true;
                return address_parse(value, &t->address);
        }
        if (!streq(key, "token") || !t->kind)
                return -EBADMSG;
        r = parse_u64(value, &token);
        return r < 0 ? r : take_file(x, t, token);
}

/* One record of it; the first one makes the session. */
static int read_session_record(const Reader *x, SessionText *t, char *text) {
        char *key, *value;
        int r;

        while ((r = record_next(&text, &key, &value)) > 0) {
                r = read_session_line(x, t, key, value);
                if (r < 0)
                        return r;
        }
        if (r >= 0)
                r = make_session(x, t);
        return r >= 0 && t->session->n_files != t->n_files ? -EBADMSG : r;
}

static int read_session(const Reader *x, const char *file, const char *name) {
        _cleanup_free_ char *text = NULL;
        SessionText t = { .name = name, .hold = SESSION_HOLD_FOREVER };
        char *rest, *record;
        size_t size;

        if (session_name_check(name, NULL) < 0)
                return -EBADMSG;
        int r = file_read_at(x->manager->ports->run_fd, file, SESSION_FILE_MAX, &text, &size);
        if (r >= 0 && strlen(text) != size)
                r = -EBADMSG;
        if (r < 0)
                return r;
        rest = text;
        while ((r = record_next_sealed(&rest, &record)) > 0) {
                r = read_session_record(x, &t, record);
                if (r < 0)
                        break;
        }
        if (r >= 0 && !t.session) /* an empty file */
                r = -EBADMSG;
        if (r < 0 && t.session)
                session_table_remove(&x->manager->sessions, t.session);
        return r;
}

typedef struct ParticipantText {
        char name[PARTICIPANT_NAME_MAX + 1];
        char owner[256];
        uint64_t want, waiting;
        uint32_t uid;
        int on_death;
} ParticipantText;

static int read_participant_line(ParticipantText *t, const char *key, const char *value) {
        if (streq(key, "name"))
                return snprintf(t->name, sizeof(t->name), "%s", value) >= (int)sizeof(t->name) ? -EBADMSG : 0;
        if (streq(key, "owner"))
                return snprintf(t->owner, sizeof(t->owner), "%s", value) >= (int)sizeof(t->owner) ? -EBADMSG : 0;
        if (streq(key, "on-death"))
                return t->on_death = on_death_from_string(value);
        if (streq(key, "uid"))
                return parse_u32(value, &t->uid);
        if (streq(key, "want"))
                return parse_u64(value, &t->want);
        return streq(key, "waiting") ? parse_u64(value, &t->waiting) : -EBADMSG;
}

static int read_participant(const Reader *x, uint64_t id) {
        _cleanup_free_ char *text = NULL;
        ParticipantText t = { .on_death = ON_DEATH_CANCEL };
        char file[FILE_NAME_SIZE], *rest, *key, *value;
        Participant *p;
        size_t size;

        participant_file(id, file);
        int r = file_read_at(x->manager->ports->run_fd, file, PARTICIPANT_FILE_MAX, &text, &size);
        if (r >= 0)
                r = record_unseal(text, size);
        if (r < 0)
                return r;
        rest = text;
        while ((r = record_next(&rest, &key, &value)) > 0) {
                r = read_participant_line(&t, key, value);
                if (r < 0)
                        return r;
        }
        if (r >= 0)
                r = barrier_restore(&x->manager->barrier, id, t.name, (unsigned)MIN_OF(t.want, (uint64_t)UINT32_MAX),
                                    (OnDeath)t.on_death, &p, NULL);
        if (r < 0)
                return r;
        p->uid = t.uid;
        p->owner = strdup(t.owner);
        if (t.waiting) { /* asked again when there is somebody to tell */
                p->answer = ANSWER_LATE;
                p->phase = WANT_PREPARE;
        }
        return p->owner ? 0 : -ENOMEM;
}

static int note_participant(Reader *x, const char *number) {
        uint64_t id;

        if (parse_u64(number, &id) < 0 || id == 0)
                return -EBADMSG;
        if (x->n == x->room) {
                size_t room = MAX_OF(x->room * 2, (size_t)64);
                uint64_t *bigger = reallocarray(x->ids, room, sizeof(*bigger));
                if (!bigger)
                        return -ENOMEM;
                x->ids = bigger;
                x->room = room;
        }
        x->ids[x->n++] = id;
        return 0;
}

static bool cut_suffix(char *name, const char *suffix) {
        size_t n = strlen(name), k = strlen(suffix);

        if (n <= k || !streq(name + n - k, suffix))
                return false;
        name[n - k] = '\0';
        return true;
}

static void drop_file(Reader *x, const char *file, int r) {
        log_errno(r, "What a restart should have found in %s is not usable", file);
        (void)unlinkat(x->manager->ports->run_fd, file, 0);
        x->n_bad++;
}

static int compare_ids(const void *a, const void *b) {
        uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

        return x < y ? -1 : x > y;
}

static DIR *open_run_dir(const Manager *m) {
        int fd = openat(m->ports->run_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);

        if (!dir)
                fd_close(fd);
        return dir;
}

/* All of one suffix, by name. use NULL: only removed. */
static void each_file(Reader *x, bool use) {
        DIR *dir = open_run_dir(x->manager);
        char name[FILE_NAME_SIZE];

        if (!dir) {
                x->n_bad++;
                return;
        }
        for (struct dirent *e; (e = readdir(dir));) {
                int r = 0;
                if (strlen(e->d_name) >= sizeof(name))
                        continue;
                strcpy(name, e->d_name);
                bool session = cut_suffix(name, SESSION_SUFFIX);
                if (!session && !cut_suffix(name, PARTICIPANT_SUFFIX)) {
                        if (cut_suffix(name, SESSION_SUFFIX ".new") || cut_suffix(name, PARTICIPANT_SUFFIX ".new"))
                                (void)unlinkat(x->manager->ports->run_fd, e->d_name, 0);
                        continue;
                }
                if (!use)
                        (void)unlinkat(x->manager->ports->run_fd, e->d_name, 0);
                else if (session)
                        r = read_session(x, e->d_name, name);
                else
                        r = note_participant(x, name);
                if (r < 0)
                        drop_file(x, e->d_name, r);
        }
        (void)closedir(dir);
}

unsigned registry_load(Manager *m) {
        Reader x = { .manager = m };
        char file[FILE_NAME_SIZE];

        each_file(&x, true);
        if (x.n > 0)
                qsort(x.ids, x.n, sizeof(*x.ids), compare_ids);
        for (size_t i = 0; i < x.n; i++) {
                int r = read_participant(&x, x.ids[i]);
                if (r < 0) {
                        participant_file(x.ids[i], file);
                        drop_file(&x, file, r);
                }
        }
        free(x.ids);
        return x.n_bad;
}

void registry_clear(Manager *m) {
        Reader x = { .manager = m };

        each_file(&x, false);
}
