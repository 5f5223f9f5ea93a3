/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine with its clients on fakes: one LuoFake, one KexecFake, a clock that only
 * the test moves, a runtime directory, the real manager on inline workers, and clients
 * that behave as told. world_boot() starts a daemon, world_crash() is SIGKILL, a jump
 * takes the machine into the next kernel.
 *
 * Clients answer from world_run(), never from inside a manager call, as on the bus.
 */
#pragma once

#include <setjmp.h>

#include "daemon/manager.h"
#include "fakes/kexec-fake.h"
#include "fakes/luo-fake.h"

/* MANNER_DELAY asks for more time once, then is ready. */
typedef enum Manner { MANNER_READY, MANNER_VETO, MANNER_SILENT, MANNER_DIE, MANNER_DELAY } Manner;

enum { CLIENTS_MAX = 8, MEMORY_SIZE = 3 * 4096 };

typedef struct World World;

typedef struct Client {
        World *world;
        const char *name; /* of the session and the participant */
        bool direct;      /* preserves on its own copy of the session descriptor */
        Manner manner[3]; /* for prepare, freeze, resume */
        OnDeath on_death;
        uint64_t hold; /* how long its session waits to be claimed; 0: for ever, 1: as the update */
        Participant *participant;
        int session_fd; /* its own copy; -1 */
        int lease;      /* its end; -1 */
        int memory;     /* its memfd; -1 after the jump until retrieved */
        bool preserved;
        unsigned told[3]; /* how often it was asked: prepare, freeze, resume */
        bool asked[3];    /* and has still to answer */
        bool dead, delayed;
        bool paused; /* froze, and was not told to go on yet */
        int failure; /* of the last session call */
        Refusal refusal;
        unsigned resumed; /* told to resume after FINISH */
        char cut[2][24];  /* … with these devices */
        bool intact;      /* got its memory back, contents equal */
        bool finished;
} Client;

struct World {
        LuoFake *luo;
        KexecFake kexec;
        HostFacts host;
        Config config;
        Ports ports;
        Manager *manager;
        uint64_t now;   /* microseconds */
        uint64_t ticks; /* nanoseconds, goes on through a kexec */
        unsigned boots;
        char run_path[64], state_path[96];
        Client clients[CLIENTS_MAX];
        size_t n_clients;
        Job *last; /* the job that ended last */
        Refusal last_failure;
        JobState last_state;
        unsigned n_resumed; /* orders of resume, for the order check */
        size_t resumed[CLIENTS_MAX * 4];
        /* The store of the service manager. */
        struct {
                char name[96];
                int fd;
        } stored[64];
        size_t n_stored, store_max;
        bool may_free;                       /* sessions that nobody claims */
        uint64_t store_calls, store_fail_at; /* the n-th call of the store fails */
        /* world_run() ends by this jump after kill_in steps; 0: never. */
        unsigned kill_in;
        uint64_t n_steps;
        /* The same before the call of a port (LUO, kexec, the store) of this number; 0: never.
         * A daemon that is dead does nothing any more, whatever its code goes on to do. */
        uint64_t port_calls, die_at;
        bool dead;
        bool in_gap;     /* also where store_put() would put it off */
        unsigned n_gaps; /* deaths that were put off */
        jmp_buf killed;
        bool with_store;   /* set before world_boot(), as store_max */
        const PciOps *pci; /* NULL: no devices; set before world_boot() */
        void *pci_self;
        const LinkOps *links; /* the same of network interfaces */
        void *links_self;
        const ShutdownOps *shutdown; /* the same of the service manager's shutdown */
        void *shutdown_self;
        /* Sessions that the next kernel's initrd retrieves, by name, and its steward's
         * descriptors of them; -1: it has none, or was dismissed. */
        const char *early[4];
        size_t n_early;
        int kept[4];
        bool adopted; /* the last daemon has taken all of them */
        bool busy;    /* … and somebody has the device when its first daemon starts */
        /* The same for what goes with devices. */
        Shim shim;
        HoldPort hold;
        const Rules *rules;
};

World *world_new(void);
World *world_free(World *w);
DEFINE_CLEANUP(World, world_free);
#define _cleanup_world_ _cleanup_(world_freep)

/* Starts the daemon; a start-up that fails is tried again once, as a service manager
 * does. Returns what manager_new() returned in the end. */
int world_boot(World *w);
void world_crash(World *w);
/* After a jump: the old daemon is gone, a new kernel and a new daemon run. */
int world_arrive(World *w);
/* The steward is told that the sessions are safe. */
void world_dismiss(World *w);
/* The machine was reset, or the next kernel has no LUO: nothing is left of any session. */
int world_cold_boot(World *w);
/* Runs until nothing moves. */
void world_run(World *w);
/* Moves the clock and lets deadlines pass. */
void world_wait(World *w, uint64_t usec);

Client *world_client(World *w, const char *name, bool direct);
/* Registers alone. */
int client_take_part(Client *c);
/* Registers, opens the session and preserves its memory. 0 or the first failure. */
int client_join(Client *c);
/* Lets its session go, as clients must when told to resume in the old kernel. */
void client_leave(Client *c);
/* It is gone, and the daemon, if there is one, learns it. */
void client_die(Client *c);
/* Claims, retrieves, compares. 0 or the first failure. */
int client_return(Client *c);
int client_finish(Client *c);

/* Loads a kernel and waits for it. */
int world_load(World *w);
/* Starts a job and runs the world; 0 when it ended well or jumped. */
typedef int (*world_job_t)(Manager *m, uint32_t uid, Job **ret, Refusal *refusal);
int world_job(World *w, world_job_t request);
/* Prepare and update without devices, as requests. */
int world_prepare(Manager *m, uint32_t uid, Job **ret, Refusal *refusal);
int world_execute(Manager *m, uint32_t uid, Job **ret, Refusal *refusal);
int world_update(Manager *m, uint32_t uid, Job **ret, Refusal *refusal);

/* What must hold whenever nothing moves; cmocka assertions. */
void world_check(World *w);

/* A running daemon, a loaded kernel, two clients that have joined, the second one direct. */
World *world_two_clients(void);
/* In the new kernel: all clients come back and finish; the update is over. */
void world_come_back(World *w);
/* Everything is as before an update, and a whole update works. */
void world_put_back(World *w);
