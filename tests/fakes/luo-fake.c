/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The LUO fake's port and its controls: see luo-fake.h. Every function takes the lock and
 * first lets the model notice which descriptors were closed; a port call is counted, and
 * may be chosen to fail, before anything else.
 */
#include "luo-fake.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include "luo-fake-model.h"

enum { WANTED_DESCRIPTORS = 250 * 1000 };

static void lock(LuoFake *f) {
        (void)pthread_mutex_lock(&f->lock);
        model_reap(f);
}

static void unlock(LuoFake *f) {
        (void)pthread_mutex_unlock(&f->lock);
}

static void unlockp(LuoFake **f) {
        unlock(*f);
}

/* Locks f until the end of the scope. */
#define LOCKED(f)                                    \
        _cleanup_(unlockp) LuoFake *_locked_f = (f); \
        lock(_locked_f)

static int call_begin(LuoFake *f) {
        f->calls++;
        if (f->before && f->before(f->before_userdata))
                return -EIO;
        return f->fail_at == f->calls ? -f->fail_error : 0;
}

/* luo_open(), with the port's waiting in front: LUO_FAKE_ATTEMPTS tries. */
static int open_device(LuoFake *f) {
        if (f->absent)
                return -ENODEV;
        if (f->held == LUO_FAKE_FOR_EVER)
                return -EBUSY;
        if (f->held >= LUO_FAKE_ATTEMPTS) {
                f->held -= LUO_FAKE_ATTEMPTS;
                return -EBUSY;
        }
        f->held = 0;
        return f->broken ? -EIO : 0;
}

static int fake_available(void *self) {
        LuoFake *f = self;
        LOCKED(f);
        int r = call_begin(f);

        if (r < 0)
                return r;
        return f->absent ? -ENODEV : 0;
}

static int fake_create_session(void *self, const char *name, int *ret_fd) {
        LuoFake *f = self;
        LOCKED(f);
        int r = call_begin(f);

        if (r < 0)
                return r;
        if (strlen(name) >= LUO_NAME_LENGTH)
                return -EINVAL;
        r = open_device(f);
        if (r < 0)
                return r;
        if (str_empty(name))
                return -EINVAL;
        if (model_session_by_name(f, name, false))
                return -EEXIST;
        return model_session_create(f, name, ret_fd);
}

static int fake_retrieve_session(void *self, const char *name, int *ret_fd) {
        LuoFake *f = self;
        LOCKED(f);
        int r = call_begin(f);
        Session *s;

        if (r < 0)
                return r;
        if (strlen(name) >= LUO_NAME_LENGTH)
                return -EINVAL;
        r = open_device(f);
        if (r < 0)
                return r;
        s = model_session_by_name(f, name, true);
        if (!s)
                return -ENOENT;
        if (s->kind != SESSION_INCOMING)
                return -EINVAL;
        return model_session_retrieve(f, s, ret_fd);
}

static int session_of_kind(LuoFake *f, int fd, SessionKind kind, Session **ret) {
        Session *s;
        int r = call_begin(f);

        if (r >= 0)
                r = model_session_by_fd(f, fd, &s);
        if (r < 0)
                return r;
        if (s->kind != kind)
                return -EINVAL;
        *ret = s;
        return 0;
}

static int fake_preserve_fd(void *self, int session_fd, int fd, uint64_t token) {
        LuoFake *f = self;
        LOCKED(f);
        Session *s;
        int r;

        r = session_of_kind(f, session_fd, SESSION_OUTGOING, &s);
        if (r < 0)
                return r;
        if (model_file_by_token(f, s, token))
                return -EEXIST;
        return model_file_preserve(f, s, fd, token);
}

static int fake_retrieve_fd(void *self, int session_fd, uint64_t token, int *ret_fd) {
        LuoFake *f = self;
        LOCKED(f);
        Session *s;
        File *file;
        int r;

        r = session_of_kind(f, session_fd, SESSION_RETRIEVED, &s);
        if (r < 0)
                return r;
        file = model_file_by_token(f, s, token);
        if (!file)
                return -ENOENT;
        return model_file_retrieve(f, file, ret_fd);
}

static int fake_finish(void *self, int session_fd) {
        LuoFake *f = self;
        LOCKED(f);
        Session *s;
        int r;

        r = session_of_kind(f, session_fd, SESSION_RETRIEVED, &s);
        if (r < 0)
                return r;
        return model_session_finish(f, s, false);
}

static int fake_get_name(void *self, int session_fd, char ret[static LUO_NAME_LENGTH]) {
        LuoFake *f = self;
        LOCKED(f);
        Session *s;
        int r = call_begin(f);

        if (r >= 0)
                r = model_session_by_fd(f, session_fd, &s);
        if (r < 0)
                return r;
        memcpy(ret, s->name, LUO_NAME_LENGTH);
        return 0;
}

static const LuoOps fake_ops = {
        .available = fake_available,
        .create_session = fake_create_session,
        .retrieve_session = fake_retrieve_session,
        .preserve_fd = fake_preserve_fd,
        .retrieve_fd = fake_retrieve_fd,
        .finish = fake_finish,
        .get_name = fake_get_name,
};

Luo luo_fake_port(LuoFake *f) {
        return (Luo){ .ops = &fake_ops, .self = f };
}

/* The soft limit may always be raised to the hard one, the hard one by root. */
static void raise_descriptor_limit(void) {
        struct rlimit l;

        if (getrlimit(RLIMIT_NOFILE, &l) < 0 || l.rlim_cur >= WANTED_DESCRIPTORS)
                return;
        struct rlimit more = { .rlim_cur = WANTED_DESCRIPTORS,
                               .rlim_max = MAX_OF(l.rlim_max, (rlim_t)WANTED_DESCRIPTORS) };
        if (setrlimit(RLIMIT_NOFILE, &more) >= 0)
                return;
        l.rlim_cur = l.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &l);
}

int luo_fake_new(LuoFake **ret) {
        LuoFake *f;

        raise_descriptor_limit();
        f = calloc(1, sizeof(*f));
        if (!f)
                return -ENOMEM;
        f->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        if (f->epoll_fd < 0) {
                int r = -errno;
                free(f);
                return r;
        }
        (void)pthread_mutex_init(&f->lock, NULL);
        TAILQ_INIT(&f->sessions);
        *ret = f;
        return 0;
}

LuoFake *luo_fake_free(LuoFake *f) {
        if (!f)
                return NULL;
        model_drop_all(f);
        model_forget_finishes(f);
        (void)pthread_mutex_destroy(&f->lock);
        fd_close(f->epoll_fd);
        free(f);
        return NULL;
}

void luo_fake_fail(LuoFake *f, uint64_t n, int error) {
        LOCKED(f);
        f->fail_at = n > 0 ? f->calls + n : 0;
        f->fail_error = error;
}

void luo_fake_watch(LuoFake *f, bool (*before)(void *userdata), void *userdata) {
        LOCKED(f);
        f->before = before;
        f->before_userdata = userdata;
}

uint64_t luo_fake_calls(LuoFake *f) {
        LOCKED(f);
        return f->calls;
}

void luo_fake_set_absent(LuoFake *f, bool absent) {
        LOCKED(f);
        f->absent = absent;
}

void luo_fake_hold(LuoFake *f, int failed_opens) {
        LOCKED(f);
        f->held = failed_opens;
}

void luo_fake_release(LuoFake *f) {
        LOCKED(f);
        f->held = 0;
}

bool luo_fake_is_held(LuoFake *f) {
        LOCKED(f);
        return f->held != 0;
}

void luo_fake_break_next_boot(LuoFake *f) {
        LOCKED(f);
        f->break_next = true;
}

void luo_fake_fail_freeze(LuoFake *f, int error) {
        LOCKED(f);
        f->freeze_error = error;
}

int luo_fake_fail_retrieve(LuoFake *f, const char *session, uint64_t token, int error) {
        LOCKED(f);
        /* The outgoing one first: it is what the test can only just have made. */
        for (int incoming = 0; incoming < 2; incoming++) {
                Session *s = model_session_by_name(f, session, incoming);
                File *file = s ? model_file_by_token(f, s, token) : NULL;
                if (file) {
                        file->fail_retrieve = error;
                        return 0;
                }
        }
        return -ENOENT;
}

int luo_fake_block_finish(LuoFake *f, const char *session, bool block) {
        LOCKED(f);
        Session *s = model_session_by_name(f, session, true);

        if (!s)
                return -ENOENT;
        s->block_finish = block;
        return 0;
}

static void boot(LuoFake *f) {
        f->broken = f->break_next;
        f->break_next = false;
        f->held = 0;
}

int luo_fake_kexec(LuoFake *f) {
        LOCKED(f);
        int r;

        if (f->freeze_error > 0) {
                r = -f->freeze_error;
                f->freeze_error = 0;
                return r;
        }
        r = model_kexec(f);
        if (r < 0)
                return r;
        f->stats.update_number++;
        boot(f);
        return 0;
}

void luo_fake_cold_boot(LuoFake *f) {
        LOCKED(f);
        model_drop_incoming(f);
        f->stats.dropped_unretrieved += f->stats.outgoing;
        model_drop_all(f);
        f->stats.update_number = 0;
        boot(f);
}

bool luo_fake_is_preserved(LuoFake *f, int fd) {
        LOCKED(f);
        File *file = model_file_by_fd(f, fd);

        return file && file->session->kind == SESSION_OUTGOING;
}

uint64_t luo_fake_finishes(LuoFake *f, const char *session) {
        LOCKED(f);
        return model_finishes(f, session);
}

void luo_fake_stats(LuoFake *f, LuoFakeStats *ret) {
        LOCKED(f);
        *ret = f->stats;
}
