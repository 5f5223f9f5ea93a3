/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <time.h>

#include "arrive.h"
#include "common/fd.h"
#include "common/log.h"

enum { TRIES = 2 };
#define STATE_POLL_NSEC 100000000L

typedef struct Cargo {
        Spec spec;
        int ram_fd, state_fd;
} Cargo;

static void cargo_done(Cargo *cargo) {
        spec_done(&cargo->spec);
        fd_close(cargo->ram_fd);
        fd_close(cargo->state_fd);
}

static int retrieve(Client *c, Cargo *cargo, Problem *p) {
        _cleanup_close_ int record = -1;
        _cleanup_free_ char *text = NULL;
        size_t size;

        int r = client_retrieve(c, TOKEN_RECORD, &record, p);
        if (r >= 0)
                r = client_retrieve(c, TOKEN_RAM, &cargo->ram_fd, p);
        if (r >= 0)
                r = client_retrieve(c, TOKEN_STATE, &cargo->state_fd, p);
        if (r < 0)
                return r;
        r = fd_read_all(record, SPEC_SIZE_MAX, &text, &size);
        if (r < 0)
                return problem_errno(p, r, "record-damaged", "reading the machine's record");
        r = spec_unseal(text, size, &cargo->spec, p);
        if (r < 0)
                return r;
        if (!streq(cargo->spec.name, c->name))
                return problem(p, "record-damaged", "the machine's record is that of %s", cargo->spec.name);
        return machine_check_arrival(&cargo->spec, cargo->ram_fd, p);
}

static int attempt(Machine *m, Client *c, const char *program, Problem *p) {
        _cleanup_(cargo_done) Cargo cargo = { .ram_fd = -1, .state_fd = -1 };
        uint64_t begin = spans_now();

        m->spans.n = 0;
        int r = retrieve(c, &cargo, p);
        if (r < 0)
                return r;
        spans_add(&m->spans, "retrieve", begin);
        if (program) {
                free(TAKE_PTR(cargo.spec.program));
                r = process_find_program(program, &cargo.spec.program, p);
                if (r < 0)
                        return r;
        }
        return machine_restore(m, &cargo.spec, TAKE_FD(cargo.ram_fd), cargo.state_fd, p);
}

static int go_on(Machine *m, Problem *p) {
        int r = m->running.spec.paused ? 0 : machine_note_stopped(m, p);

        if (r >= 0)
                r = machine_go_live(m, p);
        return r < 0 ? r : machine_resume(m, p);
}

/* The guest runs: whatever goes wrong here, it is not to be stopped. */
static void finish(Client *c) {
        Problem p;

        if (client_finish(c, &p) < 0)
                log_warning("%s: lives, but its session could not be finished: %s", c->name, p.text);
        client_forget_session(c);
}

/* Never -ENOENT: that would have the caller start the machine anew. */
static int still_preserved(const Client *c, Problem *p) {
        Problem why = *p;

        (void)problem(
                p, why.code,
                "%.300s; memory and state stay preserved, and liveupdate-qemu resume %s tries again, with another "
                "QEMU by --program",
                why.text, c->name);
        return -EIO;
}

int arrive(Machine *m, Client *c, const char *program, Problem *p) {
        int r = client_claim_session(c, p);

        if (r < 0)
                return r;
        for (int i = 0; i < TRIES; i++) {
                r = attempt(m, c, program, p);
                if (r >= 0)
                        break;
                log_warning("%s: cannot be brought back: %s", c->name, p->text);
        }
        if (r < 0)
                return still_preserved(c, p);
        if (go_on(m, p) < 0)
                return -EIO;
        finish(c);
        return 0;
}

int arrive_adopted(Machine *m, Client *c, Problem *p) {
        char state[CLIENT_STATE_SIZE] = "";

        int r = vm_running(&m->qmp, p);
        if (r < 0)
                return r;
        m->stopped = runtime_is_stopped(m->runtime);
        while (r == 0 && m->stopped && client_may_jump(c, state))
                (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){ .tv_nsec = STATE_POLL_NSEC }, NULL);
        r = machine_resume(m, p);
        if (r < 0 || client_claim_session(c, p) < 0)
                return r < 0 ? r : 0;
        finish(c);
        return 1;
}
