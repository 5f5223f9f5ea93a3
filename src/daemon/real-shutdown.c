/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "real-shutdown.h"

#include <time.h>

#include "common/fd.h"
#include "sys/keeper.h"

#define SYSTEMD "org.freedesktop.systemd1"
#define SYSTEMD_PATH "/org/freedesktop/systemd1"
#define SYSTEMD_MANAGER "org.freedesktop.systemd1.Manager"
#define KEEPER_UNIT "liveupdate-keeper.service"
#define KEEPER_TIMEOUT_USEC (20 * USEC_PER_SEC)

/* Not at the start of the daemon: what lies idle before its Hello is thrown out by the bus. */
static int connected(RealShutdown *s) {
        if (s->bus && sd_bus_is_open(s->bus) > 0)
                return 0;
        s->bus = sd_bus_close_unref(s->bus);
        return sd_bus_open_system(&s->bus);
}

static int unit_call(RealShutdown *s, const char *method, const char *unit, const char *mode, Refusal *refusal) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;

        int r = connected(s);
        if (r >= 0)
                r = sd_bus_call_method(s->bus, SYSTEMD, SYSTEMD_PATH, SYSTEMD_MANAGER, method, &error, NULL, "ss",
                                       unit, mode);
        return r < 0 ? refuse(refusal, REASON_SHUTDOWN_FAILED, unit, "%s: %.200s", method,
                              error.message ?: strerror(-r))
                     : 0;
}

/* The unit's state, or NULL: it cannot be asked for. */
static char *keeper_state(RealShutdown *s) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *path;
        char *state;

        int r = connected(s);
        if (r >= 0)
                r = sd_bus_call_method(s->bus, SYSTEMD, SYSTEMD_PATH, SYSTEMD_MANAGER, "LoadUnit", NULL, &reply, "s",
                                       KEEPER_UNIT);
        if (r >= 0)
                r = sd_bus_message_read(reply, "o", &path);
        if (r >= 0)
                r = sd_bus_get_property_string(s->bus, SYSTEMD, path, SYSTEMD ".Unit", "ActiveState", NULL, &state);
        return r < 0 ? NULL : state;
}

static int shutdown_release_keeper(void *self) {
        RealShutdown *s = self;
        Refusal why;

        s->keeper_fd = fd_close(s->keeper_fd);
        for (unsigned waited = 0; waited < KEEPER_TIMEOUT_USEC; waited += 20 * USEC_PER_MSEC) {
                _cleanup_free_ char *state = keeper_state(s);
                if (!state || streq(state, "inactive") || streq(state, "failed"))
                        return 0;
                if (!streq(state, "deactivating") && unit_call(s, "StopUnit", KEEPER_UNIT, "replace", &why) < 0)
                        return -EIO;
                (void)nanosleep(&(struct timespec){ .tv_nsec = 20 * 1000 * 1000 }, NULL);
        }
        return -ETIMEDOUT;
}

/* One that an earlier update left behind has that one's sessions, and goes first. */
static int shutdown_keep(void *self, const int *fds, size_t n, Refusal *refusal) {
        _cleanup_close_ int listen_fd = -1;
        RealShutdown *s = self;

        int r = shutdown_release_keeper(s);
        if (r >= 0)
                r = keeper_listen(s->run_fd, &listen_fd);
        if (r < 0)
                return refuse_errno(refusal, r, KEEPER_UNIT, "making ready for it");
        r = unit_call(s, "StartUnit", KEEPER_UNIT, "replace", refusal);
        if (r < 0)
                return r;
        r = keeper_accept(listen_fd, KEEPER_TIMEOUT_USEC, &s->keeper_fd);
        if (r >= 0)
                r = keeper_give(s->keeper_fd, fds, n, KEEPER_TIMEOUT_USEC);
        return r < 0 ? refuse(refusal, REASON_SHUTDOWN_FAILED, KEEPER_UNIT, "it does not take the sessions: %s",
                              strerror(-r))
                     : 0;
}

static int shutdown_running(void *self) {
        _cleanup_free_ char *state = NULL;
        RealShutdown *s = self;

        int r = connected(s);
        if (r >= 0)
                r = sd_bus_get_property_string(s->bus, SYSTEMD, SYSTEMD_PATH, SYSTEMD_MANAGER, "SystemState", NULL,
                                               &state);
        return r < 0 ? r : streq(state, "stopping");
}

/* Not to be taken back by a job that somebody queues meanwhile. */
static int shutdown_start(void *self, Refusal *refusal) {
        RealShutdown *s = self;

        int r = keeper_stay(s->keeper_fd, KEEPER_TIMEOUT_USEC);
        if (r < 0)
                return refuse(refusal, REASON_SHUTDOWN_FAILED, KEEPER_UNIT, "it does not answer: %s", strerror(-r));
        r = unit_call(s, "StartUnit", "kexec.target", "replace-irreversibly", refusal);
        /* No answer is no refusal: to put everything back with the shutdown under way would
         * have it end in the next kernel without us. */
        return r < 0 && shutdown_running(s) > 0 ? 0 : r;
}

static int shutdown_scheduled(_unused_ void *self, char mode[static SCHEDULED_MODE_SIZE], uint64_t *ret_usec) {
        return scheduled_read("", mode, ret_usec);
}

const ShutdownOps real_shutdown_ops = {
        .keep = shutdown_keep,
        .begin = shutdown_start,
        .running = shutdown_running,
        .release = shutdown_release_keeper,
        .scheduled = shutdown_scheduled,
};

void real_shutdown_done(RealShutdown *s) {
        fd_close(s->keeper_fd);
        sd_bus_close_unref(s->bus);
}
