/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "common/fd.h"
#include "common/log.h"

/* The clock. */

static uint64_t clock_now(void *self) {
        return ((World *)self)->now;
}
static uint64_t clock_real(void *self) {
        return ((World *)self)->now + UINT64_C(1700000000) * USEC_PER_SEC;
}
static ClockKind clock_kind(_unused_ void *self) {
        return CLOCK_KIND_TSC_INVARIANT;
}
static uint64_t clock_tick(void *self) {
        World *w = self;
        return w->ticks += 1000; /* every look at the clock takes a microsecond */
}
static void clock_hz(_unused_ void *self, uint64_t *ret_hz, uint64_t *ret_error_ppb) {
        *ret_hz = NSEC_PER_SEC;
        *ret_error_ppb = 1000;
}
static const ClockOps clock_ops = {
        .monotonic_usec = clock_now,
        .realtime_usec = clock_real,
        .kind = clock_kind,
        .ticks = clock_tick,
        .kernel_start = clock_tick,
        .frequency = clock_hz,
};

/* The descriptor store. */

static void die(World *w) {
        w->dead = true;
        w->ports.run_fd = fd_close(w->ports.run_fd);
        w->ports.state_fd = fd_close(w->ports.state_fd);
}

static bool before_call(void *userdata) {
        World *w = userdata;

        if (++w->port_calls == w->die_at)
                die(w);
        return w->dead;
}

static bool store_fails(World *w) {
        return before_call(w) || ++w->store_calls == w->store_fail_at;
}

/* A daemon that dies between RETRIEVE_SESSION and this loses the session, which nothing that
 * it does can prevent: there alone it dies after the call. */
static int store_put(void *self, const char *name, int fd) {
        World *w = self;
        bool gap = w->port_calls + 1 == w->die_at && strncmp(name, "in-", 3) == 0 && !w->in_gap;

        if (gap) {
                w->die_at++;
                w->n_gaps++;
        }
        if (store_fails(w))
                return -ENOSPC;
        if (w->n_stored >= MIN_OF(w->store_max, ELEMENTSOF(w->stored)))
                return -ENOSPC;
        snprintf(w->stored[w->n_stored].name, sizeof(w->stored[0].name), "%s", name);
        w->stored[w->n_stored++].fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        return 0;
}

/* All that have the name, as FDSTOREREMOVE=1 does. */
static int store_drop(void *self, const char *name) {
        World *w = self;
        int r = -ENOENT;

        if (store_fails(w))
                return -EAGAIN;
        for (size_t i = w->n_stored; i-- > 0;)
                if (streq(w->stored[i].name, name)) {
                        fd_close(w->stored[i].fd);
                        w->stored[i] = w->stored[--w->n_stored];
                        r = 0;
                }
        return r;
}

/* What was dropped is closed already. */
static int store_flush(void *self) {
        return store_fails(self) ? -ETIMEDOUT : 0;
}

static const StoreOps store_ops = { .put = store_put, .drop = store_drop, .flush = store_flush };

static void no_sync(_unused_ void *self) {
}

static int fixed_random(void *buf, size_t size) {
        memset(buf, 0x5a, size);
        return 0;
}

/* Events. */

static size_t phase_index(Want phase) {
        return phase == WANT_PREPARE ? 0 : phase == WANT_FREEZE ? 1 : 2;
}

static void on_request(void *userdata, Participant *p, Want phase, _unused_ uint64_t deadline) {
        World *w = userdata;
        Client *c = p->userdata;
        size_t i = phase_index(phase);

        if (w->dead)
                return;
        c->told[i]++;
        c->asked[i] = true;
        if (phase == WANT_RESUME && w->n_resumed < ELEMENTSOF(w->resumed))
                w->resumed[w->n_resumed++] = (size_t)(c - w->clients);
}

static void on_resume(void *userdata, Participant *p, const Session *s) {
        const World *w = userdata;
        Client *c = p->userdata;
        size_t n = 0;

        if (w->dead)
                return;
        c->resumed++;
        for (size_t i = 0; i < s->n_files; i++)
                if (s->files[i]->has_address && n < ELEMENTSOF(c->cut))
                        address_format(s->files[i]->address, c->cut[n++]);
}

static void on_job_ended(void *userdata, Job *j) {
        World *w = userdata;

        w->last = j;
        w->last_state = j->state;
        w->last_failure = j->failure;
}

static void on_job_forgotten(void *userdata, Job *j) {
        World *w = userdata;

        if (w->last == j)
                w->last = NULL;
}

static const ManagerEvents events = {
        .job_ended = on_job_ended,
        .job_forgotten = on_job_forgotten,
        .request = on_request,
        .resume = on_resume,
};

/* Birth, boot and death. */

World *world_new(void) {
        World *w = calloc(1, sizeof(*w));

        assert_non_null(w);
        log_set_max_priority(2);
        assert_int_equal(luo_fake_new(&w->luo), 0);
        w->kexec.luo = w->luo;
        luo_fake_watch(w->luo, before_call, w);
        w->kexec.before = before_call;
        w->kexec.before_userdata = w;
        assert_int_equal(config_init(&w->config), 0);
        w->config.luo_busy_usec = 0;
        w->now = USEC_PER_SEC;
        w->store_max = ELEMENTSOF(w->stored);
        /* As /run, in memory: the sweeps write a lot. */
        snprintf(w->run_path, sizeof(w->run_path), "%s/liveupdated-scenario-XXXXXX",
                 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
        assert_non_null(mkdtemp(w->run_path));
        snprintf(w->state_path, sizeof(w->state_path), "%s-state", w->run_path);
        assert_int_equal(mkdir(w->state_path, 0700), 0);
        w->ports.run_fd = w->ports.state_fd = -1;
        memset(w->kept, 0xff, sizeof(w->kept));
        return w;
}

static void clean_dir(const char *path) {
        DIR *dir = opendir(path);

        assert_non_null(dir);
        for (struct dirent *e; (e = readdir(dir));)
                if (e->d_name[0] != '.')
                        assert_int_equal(unlinkat(dirfd(dir), e->d_name, 0), 0);
        (void)closedir(dir);
}

static void host_facts(World *w) {
        snprintf(w->host.release, sizeof(w->host.release), "7.3.4-boot%u", w->boots);
        snprintf(w->host.version, sizeof(w->host.version), "#%u SMP", w->boots);
        snprintf(w->host.boot_id, sizeof(w->host.boot_id), "00000000-0000-4000-8000-%012u", w->boots);
        snprintf(w->host.abi.luo, sizeof(w->host.abi.luo), "luo-v5");
        free(w->host.cmdline);
        w->host.cmdline = strdup("console=ttyS0 kho=on liveupdate=on");
}

/* A client whose registration outlived the daemon keeps it; one that died meanwhile is
 * found out, as by its lease. */
static void find_participant(Client *c) {
        Manager *m = c->world->manager;

        for (size_t i = 0; i < m->barrier.n; i++) {
                Participant *p = m->barrier.items[i];
                if (p->userdata || !streq(p->name, c->name))
                        continue;
                p->userdata = c;
                c->participant = p;
                return;
        }
}

/* The initrd: before there is a daemon. */
static void retrieve_early(World *w) {
        Luo luo = luo_fake_port(w->luo);

        for (size_t i = 0; i < w->n_early; i++)
                assert_int_equal(luo_retrieve_session(&luo, w->early[i], &w->kept[i]), 0);
}

void world_dismiss(World *w) {
        for (size_t i = 0; i < w->n_early; i++)
                w->kept[i] = fd_close(w->kept[i]);
        w->n_early = 0;
}

static int try_boot(World *w) {
        StoredFd stored[ELEMENTSOF(w->stored) + ELEMENTSOF(w->kept)];
        char names[ELEMENTSOF(w->kept)][96];
        size_t n = w->n_stored, n_before = n;

        for (size_t i = 0; i < n; i++) /* the store keeps its own */
                stored[i] = (StoredFd){ w->stored[i].name, fcntl(w->stored[i].fd, F_DUPFD_CLOEXEC, 3) };
        for (size_t i = 0; i < w->n_early; i++) {
                if (w->kept[i] < 0) /* before the jump */
                        continue;
                (void)snprintf(names[i], sizeof(names[i]), "in-%s", w->early[i]);
                for (char *c = names[i]; *c; c++) /* as daemon/manager-store.c */
                        *c = *c == ':' ? '/' : *c;
                stored[n++] = (StoredFd){ names[i], fcntl(w->kept[i], F_DUPFD_CLOEXEC, 3), .early = true };
        }
        w->ports = (Ports){
                .luo = luo_fake_port(w->luo),
                .kexec = kexec_fake_port(&w->kexec),
                .host = &w->host,
                .started_ticks = clock_tick(w),
                .clock = &clock_ops,
                .clock_self = w,
                .store = w->with_store ? &store_ops : NULL,
                .store_self = w,
                .shutdown = w->shutdown,
                .shutdown_self = w->shutdown_self,
                .pci = w->pci,
                .pci_self = w->pci_self,
                .links = w->links,
                .links_self = w->links_self,
                .shim = w->shim,
                .hold = w->hold,
                .rules = w->rules,
                .sync = no_sync,
                .random = fixed_random,
                .run_fd = open(w->run_path, O_PATH | O_DIRECTORY | O_CLOEXEC),
                .state_fd = open(w->state_path, O_PATH | O_DIRECTORY | O_CLOEXEC),
        };
        assert_int_equal(worker_new_inline(&w->ports.luo_lane), 0);
        assert_int_equal(worker_new_inline(&w->ports.image_lane), 0);
        int r = manager_new(&w->ports, &w->config, stored, n, &w->manager);
        if (r < 0) {
                world_crash(w);
                return r;
        }
        w->adopted = true;
        for (size_t i = n_before; i < n; i++)
                w->adopted = w->adopted && stored[i].taken;
        for (size_t i = 0; i < w->n_clients; i++) {
                Client *c = &w->clients[i];
                find_participant(c);
                if (c->participant || c->lease < 0)
                        continue;
                /* The daemon does not know it any more: it goes on by itself. */
                c->lease = fd_close(c->lease);
                c->asked[0] = c->asked[1] = c->asked[2] = c->paused = false;
                client_leave(c);
        }
        manager_watch(w->manager, &events, w);
        for (size_t i = 0; i < w->n_clients; i++) /* their leases hang up */
                if (w->clients[i].dead)
                        client_die(&w->clients[i]);
        return 0;
}

int world_boot(World *w) {
        host_facts(w);
        int r = try_boot(w);
        if (w->dead) {
                if (w->manager)
                        world_crash(w);
                w->dead = false;
                r = try_boot(w);
        }
        return r < 0 ? try_boot(w) : r;
}

void world_crash(World *w) {
        /* A killed process writes and calls nothing more: cut the ports before the
         * structures are taken down. */
        w->ports.run_fd = fd_close(w->ports.run_fd);
        w->ports.state_fd = fd_close(w->ports.state_fd);
        w->ports.store = NULL;
        if (w->manager)
                manager_watch(w->manager, NULL, NULL);
        luo_fake_fail(w->luo, 0, 0);
        w->dead = true; /* also for what the workers still have */
        worker_free(w->ports.luo_lane);
        worker_free(w->ports.image_lane);
        w->ports.luo_lane = w->ports.image_lane = NULL;
        w->manager = manager_free(w->manager);
        w->dead = false;
        for (size_t i = 0; i < w->n_clients; i++)
                w->clients[i].participant = NULL;
        w->last = NULL;
}

int world_arrive(World *w) {
        assert_true(w->kexec.jumped);
        w->kexec.jumped = false;
        world_crash(w); /* nothing of the old kernel runs on */
        for (size_t i = 0; i < w->n_stored; i++)
                fd_close(w->stored[i].fd);
        w->n_stored = 0;
        for (size_t i = 0; i < w->n_clients; i++) {
                w->clients[i].session_fd = fd_close(w->clients[i].session_fd);
                w->clients[i].memory = fd_close(w->clients[i].memory);
                w->clients[i].lease = fd_close(w->clients[i].lease);
                w->clients[i].paused = w->clients[i].preserved = false;
                w->clients[i].asked[0] = w->clients[i].asked[1] = w->clients[i].asked[2] = false;
        }
        w->boots++;
        clean_dir(w->run_path);
        retrieve_early(w);
        if (w->busy)
                luo_fake_fail(w->luo, 2, EBUSY); /* the look for our own session */
        return world_boot(w);
}

int world_cold_boot(World *w) {
        luo_fake_cold_boot(w->luo);
        w->kexec.jumped = true;
        w->kexec.loaded = false;
        return world_arrive(w);
}

World *world_free(World *w) {
        world_dismiss(w);
        if (w->manager)
                world_crash(w);
        for (size_t i = 0; i < w->n_clients; i++) {
                fd_close(w->clients[i].session_fd);
                fd_close(w->clients[i].memory);
                fd_close(w->clients[i].lease);
        }
        for (size_t i = 0; i < w->n_stored; i++)
                fd_close(w->stored[i].fd);
        luo_fake_free(w->luo);
        config_done(&w->config);
        free(w->host.cmdline);
        clean_dir(w->run_path);
        clean_dir(w->state_path);
        (void)rmdir(w->state_path);
        (void)rmdir(w->run_path);
        free(w);
        return NULL;
}

/* Running. */

void client_die(Client *c) {
        Manager *m = c->world->manager;

        c->dead = true;
        c->paused = false;
        c->lease = fd_close(c->lease);
        client_leave(c);
        if (c->participant)
                manager_unregister(m, TAKE_PTR(c->participant));
        if (m)
                manager_owner_gone(m, c->name);
}

static bool answer(World *w, Client *c, size_t i) {
        static const Want wants[] = { WANT_PREPARE, WANT_FREEZE, WANT_RESUME };
        Refusal ignored;

        if (!c->asked[i] || !c->participant)
                return false;
        if (i == 2) { /* told to resume: the guest runs, the session is given back */
                c->asked[0] = c->asked[1] = c->asked[2] = c->paused = false;
                client_leave(c);
                return true;
        }
        if (c->manner[i] == MANNER_SILENT)
                return false;
        if (c->manner[i] == MANNER_DELAY && !c->delayed) {
                c->delayed = true;
                (void)manager_delay(w->manager, c->participant, wants[i], w->now + USEC_PER_SEC, "busy", &ignored);
                return true;
        }
        c->asked[i] = false;
        c->paused = i == 1;
        if (c->manner[i] == MANNER_READY || c->manner[i] == MANNER_DELAY)
                (void)manager_ready(w->manager, c->participant, wants[i], &ignored);
        else if (c->manner[i] == MANNER_VETO)
                (void)manager_veto(w->manager, c->participant, wants[i], "not now", &ignored);
        else
                client_die(c);
        return true;
}

/* One piece of work, of the daemon or of a client. A step is what SIGKILL comes between. */
static bool step(World *w) {
        if (worker_dispatch(w->ports.luo_lane) > 0 || worker_dispatch(w->ports.image_lane) > 0)
                return true;
        if (manager_due(w->manager)) {
                manager_dispatch(w->manager);
                return true;
        }
        for (size_t i = 0; i < w->n_clients; i++)
                for (size_t phase = 0; phase < 3; phase++)
                        if (answer(w, &w->clients[i], phase))
                                return true;
        return false;
}

void world_run(World *w) {
        if (w->dead)
                longjmp(w->killed, 1);
        while (!w->kexec.jumped && step(w)) {
                w->n_steps++;
                if (w->dead && !w->kexec.jumped)
                        longjmp(w->killed, 1);
                if (w->kill_in > 0 && --w->kill_in == 0 && !w->kexec.jumped)
                        longjmp(w->killed, 1);
        }
}

void world_wait(World *w, uint64_t usec) {
        w->now += usec;
        manager_tick(w->manager, w->now);
        world_run(w);
}

int world_job(World *w, world_job_t request) {
        Refusal refusal = {};
        Job *j;

        w->last_failure = (Refusal){};
        w->last_state = JOB_RUNNING;
        int r = request(w->manager, 0, &j, &refusal);
        if (r < 0) {
                w->last_failure = refusal;
                return r;
        }
        world_run(w);
        if (w->kexec.jumped || w->last_state == JOB_DONE)
                return 0;
        return w->last_state == JOB_RUNNING ? -EINPROGRESS : -ECANCELED;
}

int world_prepare(Manager *m, uint32_t uid, Job **ret, Refusal *refusal) {
        return manager_prepare(m, uid, NULL, ret, refusal);
}

int world_execute(Manager *m, uint32_t uid, Job **ret, Refusal *refusal) {
        return manager_execute(m, uid, NULL, ret, refusal);
}

int world_update(Manager *m, uint32_t uid, Job **ret, Refusal *refusal) {
        return manager_update(m, uid, NULL, ret, refusal);
}

static int request_load(Manager *m, uint32_t uid, Job **ret, Refusal *refusal) {
        _cleanup_close_ int kernel = open("/dev/null", O_RDONLY | O_CLOEXEC);

        return manager_load(m, kernel, -1, "", uid, ret, refusal);
}

int world_load(World *w) {
        return world_job(w, request_load);
}

/* Clients. */

static void fill(void *memory, const char *name) {
        uint8_t *p = memory;

        for (size_t i = 0; i < MEMORY_SIZE; i++)
                p[i] = (uint8_t)(i * 7 + (size_t)name[0] + i / 4096);
}

Client *world_client(World *w, const char *name, bool direct) {
        Client *c = &w->clients[w->n_clients++];

        *c = (Client){ .world = w, .name = name, .direct = direct, .session_fd = -1, .memory = -1, .lease = -1 };
        return c;
}

static void replied(void *userdata, _unused_ Session *s, int fd, const Refusal *refusal) {
        Client *c = userdata;

        if (c->world->dead)
                return;
        if (refusal) {
                c->refusal = *refusal;
                c->failure = -ECANCELED;
                return;
        }
        c->failure = 0;
        if (fd >= 0 && c->session_fd < 0)
                c->session_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        else if (fd >= 0)
                c->memory = fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

/* Waits for the reply of a session call. */
static int await(Client *c, int r) {
        if (r < 0)
                return r;
        world_run(c->world);
        return c->failure;
}

static int make_memory(Client *c) {
        uint8_t contents[MEMORY_SIZE];

        if (c->memory >= 0)
                return 0;
        fill(contents, c->name);
        int r = memfd_new("guest", 0, &c->memory);
        return r < 0 ? r : fd_write_all(c->memory, contents, sizeof(contents));
}

static int preserve(Client *c) {
        Manager *m = c->world->manager;

        if (c->direct)
                return luo_preserve_fd(&c->world->ports.luo, c->session_fd, c->memory, 7);
        Session *s = session_table_find(&m->sessions, c->name);
        if (!s)
                return -ENOENT;
        return await(c, manager_preserve_fd(m, s, 0, c->memory, 7, replied, c, &c->refusal));
}

int client_take_part(Client *c) {
        int ends[2];

        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        Registration registration = {
                .name = c->name,
                .what = "prepare:freeze:resume",
                .on_death = c->on_death,
                .owner = c->name,
                .lease = ends[0],
        };
        int r = manager_register(c->world->manager, &registration, &c->participant, &c->refusal);
        if (r < 0) {
                fd_close(ends[0]);
                fd_close(ends[1]);
                return r;
        }
        fd_close(c->lease);
        c->lease = ends[1];
        c->participant->userdata = c;
        manager_registered(c->world->manager, c->participant);
        return 0;
}

int client_join(Client *c) {
        Manager *m = c->world->manager;

        int r = make_memory(c);
        if (r >= 0 && !c->participant)
                r = client_take_part(c);
        c->failure = -EINPROGRESS;
        if (r >= 0)
                r = manager_open_session(m, c->name, 0, c->name, replied, c, &c->refusal);
        if (r >= 0 && c->hold)
                session_table_find(&m->sessions, c->name)->hold_usec = c->hold == 1 ? SESSION_HOLD_UPDATE : c->hold;
        r = await(c, r);
        if (r >= 0)
                r = preserve(c);
        if (r >= 0)
                c->preserved = true;
        else {
                Session *s = session_table_find(&m->sessions, c->name);
                client_leave(c);
                if (s && s->state == SESSION_OPEN)
                        (void)await(c, manager_close_session(m, s, 0, replied, c, &c->refusal));
        }
        if (!c->direct) /* a simple client keeps no copy */
                c->session_fd = fd_close(c->session_fd);
        return r;
}

void client_leave(Client *c) {
        c->session_fd = fd_close(c->session_fd);
        c->preserved = false;
}

int client_return(Client *c) {
        Manager *m = c->world->manager;
        uint8_t expected[MEMORY_SIZE], found[MEMORY_SIZE];

        c->failure = -EINPROGRESS;
        int r = await(c, manager_claim_session(m, c->name, 0, c->name, replied, c, &c->refusal));
        if (r < 0)
                return r;
        if (c->direct)
                r = luo_retrieve_fd(&c->world->ports.luo, c->session_fd, 7, &c->memory);
        else
                r = await(c, manager_retrieve_fd(m, session_table_find(&m->sessions, c->name), 0, 7, replied, c,
                                                 &c->refusal));
        if (r < 0)
                return r;
        fill(expected, c->name);
        if (pread(c->memory, found, sizeof(found), 0) != MEMORY_SIZE)
                return -EIO;
        c->intact = memcmp(expected, found, sizeof(found)) == 0;
        return c->intact ? 0 : -EBADMSG;
}

int client_finish(Client *c) {
        Manager *m = c->world->manager;
        Session *s = session_table_find(&m->sessions, c->name);

        if (!s)
                return -ENOENT;
        int r = await(c, manager_finish_session(m, s, 0, replied, c, &c->refusal));
        if (r >= 0) {
                c->finished = true;
                client_leave(c);
        }
        return r;
}

void world_check(World *w) {
        const Manager *m = w->manager;
        LuoFakeStats stats;

        luo_fake_stats(w->luo, &stats);
        assert_int_equal(stats.leaked, 0);
        if (!w->may_free)
                assert_int_equal(stats.never_retrieved, 0);
        assert_int_equal(stats.dropped_unretrieved, 0);
        assert_int_equal(stats.dropped_unfinished, 0);
        assert_int_equal(m->n_calls, 0);
        assert_int_equal(m->n_closing, 0);
        if (m->phase == PHASE_NORMAL) {
                assert_null(m->job);
                assert_null(m->cancel_job);
                assert_null(m->update.page);
                assert_int_equal(m->update.own_session, -1);
        }
        if (m->phase == PHASE_NORMAL || m->phase == PHASE_UPDATED)
                for (size_t i = 0; i < w->n_clients; i++) {
                        const Client *c = &w->clients[i];
                        /* Whoever was paused was told to go on, or is in a new kernel. */
                        assert_true(c->dead || !c->paused);
                }
}

/* Whole passages that tests share. */

World *world_two_clients(void) {
        World *w = world_new();

        assert_int_equal(world_boot(w), 0);
        assert_int_equal(world_load(w), 0);
        assert_int_equal(client_join(world_client(w, "vm-a", false)), 0);
        assert_int_equal(client_join(world_client(w, "vm-b", true)), 0);
        return w;
}

void world_come_back(World *w) {
        uint64_t number = w->manager->incoming.job->number;

        assert_int_equal(w->manager->phase, PHASE_UPDATED);
        for (size_t i = 0; i < w->n_clients; i++)
                assert_int_equal(client_return(&w->clients[i]), 0);
        for (size_t i = 0; i < w->n_clients; i++)
                assert_int_equal(client_finish(&w->clients[i]), 0);
        assert_int_equal(w->manager->phase, PHASE_NORMAL);
        Job *j = job_list_find(&w->manager->jobs, number);
        assert_non_null(j);
        assert_int_equal(j->state, JOB_DONE);
        assert_int_equal(j->finished, w->n_clients);
        world_check(w);
}

void world_put_back(World *w) {
        LuoFakeStats stats;

        assert_int_equal(w->manager->phase, PHASE_NORMAL);
        world_check(w);
        luo_fake_stats(w->luo, &stats);
        assert_int_equal(stats.outgoing, 0);
        assert_int_equal(stats.preserved_files, 0);
        for (size_t i = 0; i < w->n_clients; i++) {
                assert_false(luo_fake_is_preserved(w->luo, w->clients[i].memory));
                for (size_t phase = 0; phase < 3; phase++)
                        w->clients[i].manner[phase] = MANNER_READY;
                if (!w->clients[i].dead)
                        assert_int_equal(client_join(&w->clients[i]), 0);
        }
        for (size_t i = 0; i < w->n_clients; i++)
                if (w->clients[i].dead) { /* somebody starts it again */
                        w->clients[i].dead = false;
                        assert_int_equal(client_join(&w->clients[i]), 0);
                }
        if (!w->kexec.loaded ||
            !w->manager->next.loaded) /* a restarted daemon trusts no image that it did not judge */
                assert_int_equal(world_load(w), 0);
        assert_int_equal(world_job(w, world_update), 0);
        assert_int_equal(world_arrive(w), 0);
        world_come_back(w);
}
