/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "polkit.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define POLKIT_INTERFACE "org.freedesktop.PolicyKit1.Authority"

typedef struct Held {
        sd_bus_message *call;
        bool yes;
} Held;

typedef struct Authority {
        PolkitShared *shared;
        Held held[POLKIT_BATCH];
        size_t n_held;
} Authority;

static int answer(sd_bus_message *call, bool yes, bool challenge) {
        return sd_bus_reply_method_return(call, "(bba{ss})", yes, challenge, 1,
                                          "polkit.retains_authorization_after_challenge", "1");
}

static int hold(Authority *a, sd_bus_message *call, const char *action) {
        a->held[a->n_held++] = (Held){ sd_bus_message_ref(call), streq(action, a->shared->only) };
        if (a->n_held < POLKIT_BATCH)
                return 1;
        while (a->n_held > 0) {
                Held *h = &a->held[--a->n_held];
                (void)answer(h->call, h->yes, false);
                sd_bus_message_unref(h->call);
        }
        return 1;
}

static int check(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        const char *kind, *key, *subject, *action, *id;
        Authority *a = userdata;
        PolkitShared *s = a->shared;
        uint32_t flags;

        if (sd_bus_message_read(call, "(sa{sv})sa{ss}us", &kind, 1, &key, "s", &subject, &action, 0, &flags, &id) <
                    0 ||
            !streq(kind, "system-bus-name") || !streq(key, "name"))
                _exit(3);
        snprintf(s->action, sizeof(s->action), "%s", action);
        snprintf(s->subject, sizeof(s->subject), "%s", subject);
        snprintf(s->id, sizeof(s->id), "%s", id);
        s->flags = flags;
        s->n_asked++;
        switch ((Mood)s->mood) {
        case MOOD_YES:
        case MOOD_NO:
                return answer(call, s->mood == MOOD_YES, false);
        case MOOD_CHALLENGE:
                return answer(call, false, true);
        case MOOD_ERROR:
                return sd_bus_error_set(error, "org.freedesktop.PolicyKit1.Error.Failed", "Out of ink");
        case MOOD_NONSENSE:
                return sd_bus_reply_method_return(call, "s", "yes");
        case MOOD_SILENT:
                return 1;
        case MOOD_DIE:
                _exit(0);
        case MOOD_REVERSE:
                return hold(a, call, action);
        }
        return -EINVAL;
}

static int cancel(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        PolkitShared *s = ((Authority *)userdata)->shared;
        const char *id;

        if (sd_bus_message_read(call, "s", &id) < 0)
                _exit(3);
        snprintf(s->cancelled, sizeof(s->cancelled), "%s", id);
        s->n_cancelled++;
        return sd_bus_reply_method_return(call, "");
}

/* No vtable: sd-bus would hold answers against it, and one of them is to be wrong. */
static int on_call(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        if (sd_bus_message_is_method_call(call, POLKIT_INTERFACE, "CheckAuthorization") > 0)
                return check(call, userdata, error);
        if (sd_bus_message_is_method_call(call, POLKIT_INTERFACE, "CancelCheckAuthorization") > 0)
                return cancel(call, userdata, error);
        return 0;
}

static _Noreturn void run(const Rig *r, PolkitShared *shared, int ready) {
        Authority a = { .shared = shared };
        sd_bus *bus = rig_connect(r);

        if (sd_bus_add_object(bus, NULL, "/org/freedesktop/PolicyKit1/Authority", on_call, &a) < 0 ||
            sd_bus_request_name(bus, "org.freedesktop.PolicyKit1", 0) < 0 || write(ready, "", 1) != 1)
                _exit(2);
        for (;;) {
                int n = sd_bus_process(bus, NULL);
                if (n < 0 || (n == 0 && sd_bus_wait(bus, UINT64_MAX) < 0))
                        _exit(0);
        }
}

void polkit_start(Polkit *p, const Rig *r, Mood mood) {
        int ready[2];
        char byte;

        p->shared = mmap(NULL, sizeof(*p->shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        assert_true(p->shared != MAP_FAILED);
        p->shared->mood = (int)mood;
        assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
        p->pid = fork();
        assert_true(p->pid >= 0);
        if (p->pid == 0) {
                (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
                run(r, p->shared, ready[1]);
        }
        (void)close(ready[1]);
        ssize_t n = read(ready[0], &byte, 1);
        (void)close(ready[0]);
        if (n != 1)
                fail_msg("the mock of polkit did not start");
}

void polkit_stop(Polkit *p) {
        if (p->pid > 0) {
                (void)kill(p->pid, SIGKILL);
                (void)waitpid(p->pid, NULL, 0);
                (void)munmap(p->shared, sizeof(*p->shared));
        }
        *p = (Polkit){};
}
