/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state behind the LUO fake and the moves on it; luo-fake.c turns port calls and test
 * controls into these. Callers hold the lock.
 *
 * Always true: an OUTGOING or RETRIEVED session has its end of the socketpair in `peer`
 * and is found by the inode of the other end; INCOMING and LEAKED ones have neither. A
 * file is found by its inode while it is preserved (OUTGOING) or retrieved and not
 * finished (luo_preserved_files in luo_file.c). Every File has a descriptor: of the file
 * itself before the kexec, of its copy after it.
 */
#pragma once

#include <pthread.h>
#include <sys/queue.h>

#include "luo-fake.h"

typedef enum SessionKind { SESSION_OUTGOING, SESSION_INCOMING, SESSION_RETRIEVED, SESSION_LEAKED } SessionKind;

typedef struct Session Session;

typedef struct File {
        TAILQ_ENTRY(File) link;
        Session *session;
        uint64_t token;
        uint64_t device, inode; /* what `by_inode` knows it as; valid while indexed */
        bool indexed;
        int fd;
        int copy_fd; /* only while a kexec is under way */
        uint64_t size;
        int seals;
        int fail_retrieve;   /* positive errno, or 0 */
        int retrieve_status; /* 0 not yet, 1 retrieved, negative: failed for ever */
} File;

struct Session {
        TAILQ_ENTRY(Session) link;
        char name[LUO_NAME_LENGTH];
        SessionKind kind;
        int peer;
        uint64_t inode;
        bool finished;
        bool block_finish;
        TAILQ_HEAD(FileHead, File) files; /* in the order of preservation */
};

/* Roots for tsearch(3): n log n with n sessions or files. */
struct LuoFake {
        pthread_mutex_t lock;
        int epoll_fd; /* the peers; reports only that an end was closed */
        TAILQ_HEAD(, Session) sessions;
        void *outgoing_by_name, *incoming_by_name, *session_by_inode;
        void *file_by_token, *file_by_inode;
        void *finishes_by_name;

        uint64_t calls, fail_at;
        bool (*before)(void *userdata); /* of luo_fake_watch() */
        void *before_userdata;
        int fail_error, freeze_error;
        bool absent, broken, break_next;
        int held; /* failed opens until the holder goes; LUO_FAKE_FOR_EVER */
        LuoFakeStats stats;
};

/* Adds a session with a new socketpair, or gives one to an incoming session. */
int model_session_create(LuoFake *f, const char *name, int *ret_fd);
int model_session_retrieve(LuoFake *f, Session *s, int *ret_fd);
Session *model_session_by_name(LuoFake *f, const char *name, bool incoming);
/* -EBADF not a descriptor, -ENOTTY not one of a session of this boot. */
int model_session_by_fd(LuoFake *f, int fd, Session **ret);

int model_file_preserve(LuoFake *f, Session *s, int fd, uint64_t token);
int model_file_retrieve(LuoFake *f, File *file, int *ret_fd);
File *model_file_by_token(LuoFake *f, Session *s, uint64_t token);
File *model_file_by_fd(LuoFake *f, int fd);

int model_session_finish(LuoFake *f, Session *s, bool by_close);
/* Does what the kernel did at the last close of every session whose duplicates are all
 * gone. */
void model_reap(LuoFake *f);

/* The jump. Copies all preserved files first: failing there changes nothing. */
int model_kexec(LuoFake *f);
/* Drops what came in: it goes no further, finished or not; counts what is lost. */
void model_drop_incoming(LuoFake *f);
/* Drops all sessions; finishing, unpreserving and counting nothing. */
void model_drop_all(LuoFake *f);
uint64_t model_finishes(LuoFake *f, const char *name);
void model_forget_finishes(LuoFake *f);
