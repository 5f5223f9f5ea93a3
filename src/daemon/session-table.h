/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sessions the daemon knows, by name. Outgoing ones were opened in this kernel;
 * incoming ones came through the manifest. A session is referenced by the table and by
 * each call that is under way for it in the worker, and freed with the last reference.
 *
 * fd is the daemon's own copy of the kernel's session descriptor: closing it is an
 * act (CANCEL or FINISH), so only the worker closes it, through the manager.
 */
#pragma once

#include "common/table.h"

#include "core/quota.h"
#include "core/session.h"
#include "core/topology.h"

typedef enum SessionState {
        SESSION_OPENING,
        SESSION_OPEN,
        SESSION_CLOSING,
        SESSION_WAITING, /* from here on: incoming */
        SESSION_CLAIMING,
        SESSION_CLAIMED,
        SESSION_FINISHED,
        SESSION_LOST,
        _SESSION_STATE_MAX,
} SessionState;

typedef enum FileState { FILE_PRESERVED, FILE_WAITING, FILE_RETRIEVED, FILE_FAILED, _FILE_STATE_MAX } FileState;

DECLARE_STRING_TABLE(session_state, SessionState);
DECLARE_STRING_TABLE(file_state, FileState);

typedef struct SessionFile {
        uint64_t token;
        const char *kind; /* static string */
        FileState state;
        bool has_address; /* it is the descriptor of a PCI function */
        Address address;
} SessionFile;

typedef struct Session {
        unsigned n_ref;
        char name[SESSION_NAME_MAX + 1];
        uint32_t uid;                        /* who opened it: its owner, for ever */
        uint32_t grants[SESSION_GRANTS_MAX]; /* whom the owner lets in as well */
        size_t n_grants;
        uint64_t n_counted; /* files that count for the owner: preserved, or under way */
        char owner[256];    /* unique bus name; "" when it is gone */
        SessionState state;
        uint64_t hold_usec;  /* how long it waits to be claimed (core/session.h) */
        uint64_t give_up;    /* incoming: when nobody need claim it any more; UINT64_MAX: never */
        uint64_t claimed;    /* when; CLOCK_MONOTONIC microseconds */
        bool orphaned;       /* finished although nobody claimed it */
        int fd;              /* -1: not held */
        bool direct;         /* the client has a copy of the descriptor */
        bool doomed;         /* close it as soon as the call under way is over */
        bool dropped;        /* closed for good: no longer in the table */
        bool stored;         /* the service manager has a copy of fd */
        SessionFile **files; /* in the order of preservation */
        size_t n_files, room;
        unsigned ranked[_RANK_MAX]; /* files by rank, those under way included */
        void *by_token;             /* tsearch(3) tree over files */
        void *bus;                  /* the bus layer's, NULL without one */
} Session;

typedef struct SessionTable {
        Session **items; /* sorted by name */
        size_t n, room;
        Quotas users; /* sessions and files of each owner */
} SessionTable;

static inline bool session_is_incoming(const Session *s) {
        return s->state >= SESSION_WAITING;
}

Session *session_ref(Session *s);
Session *session_unref(Session *s);

/* -EEXIST, -ENOMEM. The table holds the reference; *ret is borrowed. */
int session_table_add(SessionTable *t, const char *name, uint32_t uid, SessionState state, Session **ret);
Session *session_table_find(const SessionTable *t, const char *name);
/* Takes it out and drops the table's reference. */
void session_table_remove(SessionTable *t, Session *s);
void session_table_done(SessionTable *t);

/* Whether the user may do what the owner may. */
bool session_may(const Session *s, uint32_t uid);
/* A file is about to be preserved in the session, or was not after all. -ENOMEM. */
int session_count_file(SessionTable *t, Session *s);
void session_uncount_file(SessionTable *t, Session *s);

/* -EEXIST, -ENOMEM. kind must be a static string. */
int session_add_file(Session *s, uint64_t token, const char *kind, FileState state);
SessionFile *session_find_file(const Session *s, uint64_t token);
/* One more of this kind is preserved, or about to be; or was not after all. */
void session_rank(Session *s, const char *kind);
void session_unrank(Session *s, const char *kind);
/* The file is the descriptor of this function. No-op if there is no such file. */
void session_set_device(Session *s, uint64_t token, Address address);
bool session_has_devices(const Session *s);
/* The functions of a session whose interrupts were cut by the jump: all that it has, since
 * MSI and MSI-X are off in the new kernel until their user sets them up again. What came
 * meanwhile is lost, and the client makes up for it by one spurious interrupt a vector. A
 * new array, by token; *ret is NULL if there are none. -ENOMEM. */
typedef struct SessionDevice {
        uint64_t token;
        Address address;
} SessionDevice;
int session_interrupted_devices(const Session *s, SessionDevice **ret, size_t *ret_n);
/* The static string for a kind word that came from outside ("other" if unknown). */
const char *session_file_kind(const char *word);
