/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "session-table.h"

#include <search.h>

static const char *const session_states[_SESSION_STATE_MAX] = {
        [SESSION_OPENING] = "opening",   [SESSION_OPEN] = "open",         [SESSION_CLOSING] = "closing",
        [SESSION_WAITING] = "waiting",   [SESSION_CLAIMING] = "claiming", [SESSION_CLAIMED] = "claimed",
        [SESSION_FINISHED] = "finished", [SESSION_LOST] = "lost",
};
DEFINE_STRING_TABLE(session_state, SessionState, session_states);

static const char *const file_states[_FILE_STATE_MAX] = {
        [FILE_PRESERVED] = "preserved",
        [FILE_WAITING] = "waiting",
        [FILE_RETRIEVED] = "retrieved",
        [FILE_FAILED] = "failed",
};
DEFINE_STRING_TABLE(file_state, FileState, file_states);

const char *session_file_kind(const char *word) {
        static const char *const kinds[] = { "memfd", "iommufd", "vfio" };

        for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
                if (streq(kinds[i], word))
                        return kinds[i];
        return "other";
}

Session *session_ref(Session *s) {
        s->n_ref++;
        return s;
}

static void forget(_unused_ void *node) {
}

Session *session_unref(Session *s) {
        if (!s || --s->n_ref > 0)
                return NULL;
        tdestroy(s->by_token, forget);
        for (size_t i = 0; i < s->n_files; i++)
                free(s->files[i]);
        free(s->files);
        /* The descriptor is the manager's to close; by now it has. */
        free(s);
        return NULL;
}

/* Where name is, or where it would have to go. */
static size_t position(const SessionTable *t, const char *name, bool *ret_found) {
        size_t low = 0, high = t->n;

        *ret_found = false;
        while (low < high) {
                size_t middle = low + (high - low) / 2;
                int c = strcmp(t->items[middle]->name, name);
                if (c == 0) {
                        *ret_found = true;
                        return middle;
                }
                if (c < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

Session *session_table_find(const SessionTable *t, const char *name) {
        bool found;
        size_t i = position(t, name, &found);

        return found ? t->items[i] : NULL;
}

int session_table_add(SessionTable *t, const char *name, uint32_t uid, SessionState state, Session **ret) {
        bool found;
        size_t i = position(t, name, &found);

        if (found)
                return -EEXIST;
        if (t->n == t->room) {
                size_t room = MAX_OF(t->room * 2, (size_t)16);
                Session **bigger = reallocarray(t->items, room, sizeof(*bigger));
                if (!bigger)
                        return -ENOMEM;
                t->items = bigger;
                t->room = room;
        }
        Session *s = calloc(1, sizeof(*s));
        if (!s || quota_add(&t->users, uid, QUOTA_SESSIONS) < 0) {
                free(s);
                return -ENOMEM;
        }
        *s = (Session){ .n_ref = 1, .uid = uid, .state = state, .fd = -1 };
        s->hold_usec = SESSION_HOLD_FOREVER;
        s->give_up = UINT64_MAX;
        snprintf(s->name, sizeof(s->name), "%s", name);
        memmove(&t->items[i + 1], &t->items[i], (t->n - i) * sizeof(*t->items));
        t->items[i] = s;
        t->n++;
        *ret = s;
        return 0;
}

void session_table_remove(SessionTable *t, Session *s) {
        bool found;
        size_t i = position(t, s->name, &found);

        if (!found || t->items[i] != s)
                return;
        memmove(&t->items[i], &t->items[i + 1], (t->n - i - 1) * sizeof(*t->items));
        t->n--;
        s->dropped = true;
        quota_release(&t->users, s->uid, QUOTA_SESSIONS, 1);
        quota_release(&t->users, s->uid, QUOTA_FILES, s->n_counted);
        s->n_counted = 0;
        session_unref(s);
}

void session_table_done(SessionTable *t) {
        for (size_t i = 0; i < t->n; i++) {
                fd_close(t->items[i]->fd);
                session_unref(t->items[i]);
        }
        free(t->items);
        quotas_done(&t->users);
        *t = (SessionTable){};
}

bool session_may(const Session *s, uint32_t uid) {
        if (uid == 0 || uid == s->uid)
                return true;
        for (size_t i = 0; i < s->n_grants; i++)
                if (uid == s->grants[i])
                        return true;
        return false;
}

int session_count_file(SessionTable *t, Session *s) {
        int r = quota_add(&t->users, s->uid, QUOTA_FILES);

        if (r >= 0)
                s->n_counted++;
        return r;
}

void session_uncount_file(SessionTable *t, Session *s) {
        if (s->n_counted == 0) /* the session went, and all that counted with it */
                return;
        s->n_counted--;
        quota_release(&t->users, s->uid, QUOTA_FILES, 1);
}

static int compare_tokens(const void *a, const void *b) {
        uint64_t x = ((const SessionFile *)a)->token, y = ((const SessionFile *)b)->token;

        return x < y ? -1 : x > y;
}

SessionFile *session_find_file(const Session *s, uint64_t token) {
        SessionFile key = { .token = token };
        void *node = tfind(&key, &s->by_token, compare_tokens);

        return node ? *(SessionFile **)node : NULL;
}

int session_add_file(Session *s, uint64_t token, const char *kind, FileState state) {
        if (session_find_file(s, token))
                return -EEXIST;
        if (s->n_files == s->room) {
                size_t room = MAX_OF(s->room * 2, (size_t)4);
                SessionFile **bigger = reallocarray(s->files, room, sizeof(*bigger));
                if (!bigger)
                        return -ENOMEM;
                s->files = bigger;
                s->room = room;
        }
        _cleanup_free_ SessionFile *f = calloc(1, sizeof(*f));
        if (!f)
                return -ENOMEM;
        *f = (SessionFile){ .token = token, .kind = kind, .state = state };
        if (!tsearch(f, &s->by_token, compare_tokens))
                return -ENOMEM;
        s->files[s->n_files++] = TAKE_PTR(f);
        return 0;
}

void session_rank(Session *s, const char *kind) {
        FileRank rank = session_file_rank(kind);

        if (rank < _RANK_MAX)
                s->ranked[rank]++;
}

void session_unrank(Session *s, const char *kind) {
        FileRank rank = session_file_rank(kind);

        if (rank < _RANK_MAX && s->ranked[rank] > 0)
                s->ranked[rank]--;
}

void session_set_device(Session *s, uint64_t token, Address address) {
        SessionFile *f = session_find_file(s, token);

        if (!f)
                return;
        f->has_address = true;
        f->address = address;
}

bool session_has_devices(const Session *s) {
        for (size_t i = 0; i < s->n_files; i++)
                if (s->files[i]->has_address)
                        return true;
        return false;
}

static int compare_devices(const void *a, const void *b) {
        uint64_t x = ((const SessionDevice *)a)->token, y = ((const SessionDevice *)b)->token;

        return x < y ? -1 : x > y;
}

int session_interrupted_devices(const Session *s, SessionDevice **ret, size_t *ret_n) {
        _cleanup_free_ SessionDevice *devices = NULL;
        size_t n = 0;

        for (size_t i = 0; i < s->n_files; i++)
                n += s->files[i]->has_address;
        if (n > 0) {
                devices = calloc(n, sizeof(*devices));
                if (!devices)
                        return -ENOMEM;
        }
        n = 0;
        for (size_t i = 0; i < s->n_files; i++)
                if (s->files[i]->has_address)
                        devices[n++] = (SessionDevice){ s->files[i]->token, s->files[i]->address };
        if (n > 0)
                qsort(devices, n, sizeof(*devices), compare_devices);
        *ret = TAKE_PTR(devices);
        *ret_n = n;
        return 0;
}
