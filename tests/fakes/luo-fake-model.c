/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sessions and files of the LUO fake: see luo-fake-model.h. The functions follow
 * luo_session.c and luo_file.c move by move, the order of their checks included.
 */
#include "luo-fake-model.h"

#include <assert.h>
#include <fcntl.h>
#include <search.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "luo-fake-memfd.h"

#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))

typedef struct Finishes {
        char name[LUO_NAME_LENGTH];
        uint64_t n;
} Finishes;

static int session_name_compare(const void *a, const void *b) {
        return strcmp(((const Session *)a)->name, ((const Session *)b)->name);
}

static int session_inode_compare(const void *a, const void *b) {
        return COMPARE(((const Session *)a)->inode, ((const Session *)b)->inode);
}

static int file_token_compare(const void *a, const void *b) {
        const File *x = a, *y = b;

        if (x->session != y->session)
                return COMPARE((uintptr_t)x->session, (uintptr_t)y->session);
        return COMPARE(x->token, y->token);
}

static int file_inode_compare(const void *a, const void *b) {
        const File *x = a, *y = b;

        if (x->device != y->device)
                return COMPARE(x->device, y->device);
        return COMPARE(x->inode, y->inode);
}

static int finishes_compare(const void *a, const void *b) {
        return strcmp(((const Finishes *)a)->name, ((const Finishes *)b)->name);
}

static void *lookup(void *const *root, const void *key, int (*compare)(const void *, const void *)) {
        void **node = tfind(key, root, compare);

        return node ? *node : NULL;
}

static void **name_root(LuoFake *f, const Session *s) {
        return s->kind == SESSION_OUTGOING ? &f->outgoing_by_name : &f->incoming_by_name;
}

static size_t *kind_count(LuoFake *f, SessionKind kind) {
        switch (kind) {
        case SESSION_OUTGOING:
                return &f->stats.outgoing;
        case SESSION_INCOMING:
                return &f->stats.incoming;
        case SESSION_RETRIEVED:
                return &f->stats.retrieved;
        case SESSION_LEAKED:
                return &f->stats.leaked;
        }
        abort();
}

static void session_set_kind(LuoFake *f, Session *s, SessionKind kind) {
        (*kind_count(f, s->kind))--;
        s->kind = kind;
        (*kind_count(f, s->kind))++;
}

/* Both ends of a new descriptor for s: the test's is returned, the model's is watched. */
static int session_open(LuoFake *f, Session *s, int *ret_fd) {
        _cleanup_close_ int ours = -1, theirs = -1;
        struct epoll_event event = { .events = 0, .data.ptr = s };
        int pair[2];
        struct stat st;

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                return -errno;
        ours = pair[0];
        theirs = pair[1];
        if (fstat(theirs, &st) < 0)
                return -errno;
        /* EPOLLHUP is always reported, and only when the last duplicate is closed. */
        if (epoll_ctl(f->epoll_fd, EPOLL_CTL_ADD, ours, &event) < 0)
                return -errno;
        s->inode = st.st_ino;
        if (!tsearch(s, &f->session_by_inode, session_inode_compare))
                return -ENOMEM;

        s->peer = TAKE_FD(ours);
        *ret_fd = TAKE_FD(theirs);
        return 0;
}

static void session_close(LuoFake *f, Session *s) {
        if (s->peer < 0)
                return;
        (void)tdelete(s, &f->session_by_inode, session_inode_compare);
        /* By hand: a forked child may have the peer open, too, and keep it registered. */
        (void)epoll_ctl(f->epoll_fd, EPOLL_CTL_DEL, s->peer, NULL);
        s->peer = fd_close(s->peer);
}

static void file_free(LuoFake *f, File *file) {
        Session *s = file->session;

        if (file->indexed)
                (void)tdelete(file, &f->file_by_inode, file_inode_compare);
        (void)tdelete(file, &f->file_by_token, file_token_compare);
        TAILQ_REMOVE(&s->files, file, link);
        if (s->kind == SESSION_OUTGOING)
                f->stats.preserved_files--;
        else
                f->stats.incoming_files--;
        fd_close(file->fd);
        fd_close(file->copy_fd);
        free(file);
}

/* Last in, first out, as the kernel does it. */
static void session_free_files(LuoFake *f, Session *s) {
        File *file;

        while ((file = TAILQ_LAST(&s->files, FileHead)))
                file_free(f, file);
}

static void session_free(LuoFake *f, Session *s) {
        session_free_files(f, s);
        session_close(f, s);
        (void)tdelete(s, name_root(f, s), session_name_compare);
        (*kind_count(f, s->kind))--;
        TAILQ_REMOVE(&f->sessions, s, link);
        free(s);
}

Session *model_session_by_name(LuoFake *f, const char *name, bool incoming) {
        Session key;

        if (strlen(name) >= sizeof(key.name))
                return NULL;
        strcpy(key.name, name);
        return lookup(incoming ? &f->incoming_by_name : &f->outgoing_by_name, &key, session_name_compare);
}

int model_session_by_fd(LuoFake *f, int fd, Session **ret) {
        Session key, *s;
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISSOCK(st.st_mode))
                return -ENOTTY;
        key.inode = st.st_ino;
        s = lookup(&f->session_by_inode, &key, session_inode_compare);
        if (!s)
                return -ENOTTY;
        *ret = s;
        return 0;
}

int model_session_create(LuoFake *f, const char *name, int *ret_fd) {
        Session *s;
        int r;

        s = calloc(1, sizeof(*s));
        if (!s)
                return -ENOMEM;
        strcpy(s->name, name);
        s->kind = SESSION_OUTGOING;
        s->peer = -1;
        TAILQ_INIT(&s->files);
        if (!tsearch(s, &f->outgoing_by_name, session_name_compare)) {
                free(s);
                return -ENOMEM;
        }
        TAILQ_INSERT_TAIL(&f->sessions, s, link);
        f->stats.outgoing++;

        r = session_open(f, s, ret_fd);
        if (r < 0)
                session_free(f, s);
        return r;
}

int model_session_retrieve(LuoFake *f, Session *s, int *ret_fd) {
        int r;

        r = session_open(f, s, ret_fd);
        if (r < 0)
                return r;
        session_set_kind(f, s, SESSION_RETRIEVED);
        return 0;
}

File *model_file_by_token(LuoFake *f, Session *s, uint64_t token) {
        File key = { .session = s, .token = token };

        return lookup(&f->file_by_token, &key, file_token_compare);
}

static void file_set_identity(File *file, const struct stat *st) {
        file->device = st->st_dev;
        file->inode = st->st_ino;
}

File *model_file_by_fd(LuoFake *f, int fd) {
        struct stat st;
        File key;

        if (fstat(fd, &st) < 0)
                return NULL;
        file_set_identity(&key, &st);
        return lookup(&f->file_by_inode, &key, file_inode_compare);
}

static int file_index(LuoFake *f, File *file) {
        if (!tsearch(file, &f->file_by_inode, file_inode_compare))
                return -ENOMEM;
        file->indexed = true;
        return 0;
}

int model_file_preserve(LuoFake *f, Session *s, int fd, uint64_t token) {
        struct stat st;
        File *file;
        int r, seals;

        r = fake_memfd_can_preserve(fd, &st);
        if (r < 0)
                return r;
        if (model_file_by_fd(f, fd))
                return -EBUSY;
        seals = fake_memfd_seals(fd);
        if (seals < 0)
                return seals;

        file = malloc(sizeof(*file));
        if (!file)
                return -ENOMEM;
        *file = (File){ .session = s,
                        .token = token,
                        .fd = fcntl(fd, F_DUPFD_CLOEXEC, 3),
                        .copy_fd = -1,
                        .size = (uint64_t)st.st_size,
                        .seals = seals };
        if (file->fd < 0) {
                r = -errno;
                free(file);
                return r;
        }
        file_set_identity(file, &st);
        TAILQ_INSERT_TAIL(&s->files, file, link);
        f->stats.preserved_files++;
        if (!tsearch(file, &f->file_by_token, file_token_compare) || file_index(f, file) < 0) {
                file_free(f, file);
                return -ENOMEM;
        }
        return 0;
}

int model_file_retrieve(LuoFake *f, File *file, int *ret_fd) {
        _cleanup_close_ int fd = -1;
        struct stat st;

        if (file->retrieve_status < 0)
                return file->retrieve_status;
        if (file->retrieve_status == 0 && file->fail_retrieve > 0)
                return file->retrieve_status = -file->fail_retrieve;

        fd = fcntl(file->fd, F_DUPFD_CLOEXEC, 3);
        if (fd < 0)
                return -errno;
        if (file->retrieve_status == 0) {
                if (fstat(fd, &st) < 0)
                        return -errno;
                file_set_identity(file, &st);
                if (file_index(f, file) < 0)
                        return -ENOMEM;
                file->retrieve_status = 1;
        }
        *ret_fd = TAKE_FD(fd);
        return 0;
}

static void count_finish(LuoFake *f, const Session *s, bool by_close) {
        Finishes *entry;
        Finishes key;

        if (by_close)
                f->stats.finished_by_close++;
        else
                f->stats.finished++;

        strcpy(key.name, s->name);
        entry = lookup(&f->finishes_by_name, &key, finishes_compare);
        if (!entry) {
                entry = calloc(1, sizeof(*entry));
                if (!entry || (strcpy(entry->name, s->name), !tsearch(entry, &f->finishes_by_name, finishes_compare)))
                        abort(); /* a fake that counts wrongly would be worse */
        }
        entry->n++;
}

int model_session_finish(LuoFake *f, Session *s, bool by_close) {
        File *file;

        /* A session without files has no handler that could object. */
        if (s->block_finish && !TAILQ_EMPTY(&s->files))
                return -EBUSY;
        if (s->finished)
                return 0;
        TAILQ_FOREACH(file, &s->files, link) {
                if (file->retrieve_status == 0)
                        f->stats.never_retrieved++;
        }
        session_free_files(f, s);
        s->finished = true;
        count_finish(f, s, by_close);
        return 0;
}

/* luo_session_release() */
static void session_release(LuoFake *f, Session *s) {
        File *file;

        if (s->kind == SESSION_OUTGOING) {
                TAILQ_FOREACH(file, &s->files, link) {
                        f->stats.unpreserved_files++;
                }
                session_free(f, s);
                return;
        }
        if (model_session_finish(f, s, true) < 0) {
                session_close(f, s);
                session_set_kind(f, s, SESSION_LEAKED);
                return;
        }
        session_free(f, s);
}

void model_reap(LuoFake *f) {
        struct epoll_event events[64];
        int n;

        do {
                n = epoll_wait(f->epoll_fd, events, ELEMENTSOF(events), 0);
                for (int i = 0; i < n; i++)
                        session_release(f, events[i].data.ptr);
        } while (n > 0);
}

static void drop_copies(Session *s) {
        File *file;

        TAILQ_FOREACH(file, &s->files, link) {
                file->copy_fd = fd_close(file->copy_fd);
        }
}

static int session_copy_files(Session *s) {
        File *file;
        int r;

        TAILQ_FOREACH(file, &s->files, link) {
                r = fake_memfd_copy(file->fd, file->size, file->seals, &file->copy_fd);
                if (r < 0)
                        return r;
        }
        return 0;
}

void model_drop_incoming(LuoFake *f) {
        for (Session *next, *s = TAILQ_FIRST(&f->sessions); s; s = next) {
                next = TAILQ_NEXT(s, link);
                if (s->kind == SESSION_OUTGOING)
                        continue;
                if (s->kind == SESSION_INCOMING)
                        f->stats.dropped_unretrieved++;
                else if (!s->finished)
                        f->stats.dropped_unfinished++;
                session_free(f, s);
        }
}

static void session_cross(LuoFake *f, Session *s) {
        File *file;

        session_close(f, s);
        (void)tdelete(s, &f->outgoing_by_name, session_name_compare);
        session_set_kind(f, s, SESSION_INCOMING);
        if (!tsearch(s, &f->incoming_by_name, session_name_compare))
                abort();
        TAILQ_FOREACH(file, &s->files, link) {
                (void)tdelete(file, &f->file_by_inode, file_inode_compare);
                file->indexed = false;
                fd_close(file->fd);
                file->fd = TAKE_FD(file->copy_fd);
                f->stats.preserved_files--;
                f->stats.incoming_files++;
        }
}

int model_kexec(LuoFake *f) {
        Session *s;
        int r;

        TAILQ_FOREACH(s, &f->sessions, link) {
                if (s->kind != SESSION_OUTGOING)
                        continue;
                r = session_copy_files(s);
                if (r < 0) {
                        TAILQ_FOREACH(s, &f->sessions, link) {
                                drop_copies(s);
                        }
                        return r;
                }
        }

        model_drop_incoming(f);
        TAILQ_FOREACH(s, &f->sessions, link) {
                session_cross(f, s);
        }
        return 0;
}

void model_drop_all(LuoFake *f) {
        Session *s;

        while ((s = TAILQ_FIRST(&f->sessions)))
                session_free(f, s);
}

uint64_t model_finishes(LuoFake *f, const char *name) {
        Finishes key, *entry;

        if (strlen(name) >= sizeof(key.name))
                return 0;
        strcpy(key.name, name);
        entry = lookup(&f->finishes_by_name, &key, finishes_compare);
        return entry ? entry->n : 0;
}

void model_forget_finishes(LuoFake *f) {
        tdestroy(TAKE_PTR(f->finishes_by_name), free);
}
