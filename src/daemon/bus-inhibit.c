/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * logind's inhibitor: while an update is under way an operator's reboot, poweroff or kexec
 * would end the machine with workloads paused, or go into the next kernel without them. The
 * lock makes logind refuse, with our sentence, what comes through it; root can overrule that
 * (until systemd 257 root is not even asked). Then systemd stops us like any service, and
 * what can be cancelled is cancelled.
 *
 * Nothing waits for logind, and without it nothing is inhibited. One that refuses (it has
 * given out all the locks it has) or is not there (it is being restarted) is asked again, ever
 * more rarely, as long as the lock is wanted. Our own way through systemd (Jump=systemd) does
 * not pass by it.
 */
#include "bus.h"

#include <fcntl.h>

#include "common/fd.h"
#include "common/log.h"

#define LOGIND "org.freedesktop.login1"
#define LOGIND_PATH "/org/freedesktop/login1"
#define LOGIND_INTERFACE "org.freedesktop.login1.Manager"
#define WHY "A live update is prepared: 'liveupdatectl cancel' puts it back, 'liveupdatectl update' goes on with it."

enum { AGAIN_FIRST_SEC = 1, AGAIN_DOUBLINGS = 6 };

static bool wanted(const Bus *b) {
        switch (b->manager->phase) {
        case PHASE_PREPARING:
        case PHASE_PREPARED:
        case PHASE_FREEZING:
        case PHASE_FROZEN:
        case PHASE_JUMPING:
        case PHASE_CANCELLING:
                return b->manager->config->inhibit && !b->stopping;
        case PHASE_NORMAL:
        case PHASE_UPDATED:
        case PHASE_FINISHING:
        case _PHASE_MAX:
                break;
        }
        return false;
}

static int on_again(_unused_ sd_event_source *s, _unused_ uint64_t usec, void *userdata) {
        bus_inhibit_update(userdata);
        return 0;
}

/* The first time somebody should know: until it has the lock, nothing holds a reboot back. */
static void ask_again(Bus *b, const char *why) {
        unsigned doublings = MIN_OF(b->inhibit_refused, (unsigned)AGAIN_DOUBLINGS);
        uint64_t wait = (uint64_t)AGAIN_FIRST_SEC * USEC_PER_SEC << doublings;
        int r;

        if (b->inhibit_refused++ == 0)
                log_notice("logind gives no lock, so a reboot would not be held back (%s); it is asked again.", why);
        if (b->inhibit_again)
                r = sd_event_source_set_time_relative(b->inhibit_again, wait);
        else
                r = sd_event_add_time_relative(b->event, &b->inhibit_again, CLOCK_MONOTONIC, wait, 0, on_again, b);
        if (r >= 0)
                r = sd_event_source_set_enabled(b->inhibit_again, SD_EVENT_ONESHOT);
        if (r < 0)
                log_errno(r, "Setting a timer for logind");
}

/* Late answers are told apart by the slot: with it the answer goes, too. */
static int on_lock(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        Bus *b = userdata;
        int fd;

        b->inhibit_asked = sd_bus_slot_unref(b->inhibit_asked);
        if (sd_bus_message_is_method_error(reply, NULL) > 0) {
                ask_again(b, sd_bus_message_get_error(reply)->message ?: "it does not say why");
                return 0;
        }
        if (sd_bus_message_read(reply, "h", &fd) < 0) {
                ask_again(b, "its answer is not understood");
                return 0;
        }
        fd_close(b->inhibit_fd);
        b->inhibit_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (b->inhibit_fd < 0) {
                ask_again(b, strerror(errno));
                return 0;
        }
        if (b->inhibit_refused > 0)
                log_notice("logind has given the lock.");
        b->inhibit_refused = 0;
        return 0;
}

static int ask(Bus *b) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;

        int r = sd_bus_message_new_method_call(b->bus, &call, LOGIND, LOGIND_PATH, LOGIND_INTERFACE, "Inhibit");
        if (r >= 0)
                r = sd_bus_message_set_auto_start(call, false);
        if (r >= 0)
                r = sd_bus_message_append(call, "ssss", "shutdown", "liveupdated", WHY, "block");
        return r < 0 ? r : sd_bus_call_async(b->bus, &b->inhibit_asked, call, on_lock, b, 0);
}

void bus_inhibit_update(Bus *b) {
        if (!wanted(b)) {
                bus_inhibit_done(b);
                return;
        }
        if (b->inhibit_fd >= 0 || b->inhibit_asked)
                return;
        int r = ask(b);
        if (r < 0)
                log_errno(r, "Asking logind for a lock");
}

void bus_inhibit_done(Bus *b) {
        b->inhibit_asked = sd_bus_slot_unref(b->inhibit_asked);
        sd_event_source_disable_unref(b->inhibit_again);
        b->inhibit_again = NULL;
        b->inhibit_refused = 0;
        b->inhibit_fd = fd_close(b->inhibit_fd);
}
