/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small client of liveupdated, as a VM manager would be one: it keeps writing its
 * "guest memory", takes part in updates, and takes its memory back on the other side.
 *
 *   demo-client NAME [--size MIB] [--direct] [--once] [--veto PHASE] [--mute PHASE]
 *               [--on-death POLICY] [--also FILE]
 *
 * At start it claims a session of its name; with none it starts a new guest. What
 * happens is printed line by line, each beginning with NAME:, for tests to read.
 * --direct: preserves on its own copy of the session descriptor; otherwise it hands the
 * files to the daemon. --once: exits after FINISH. --veto, --mute, --on-death: for tests, as is
 * --also: preserves one more file, and does not take it back.
 *
 * In each phase: "prepare": open a session, preserve the memory (the guest goes on
 * writing), Ready. "freeze": stop the guest, preserve the state, Ready. "resume": close
 * the session, go on.
 *
 * If the daemon leaves the bus while the guest is stopped, no jump can come any more, unless
 * it said that it has begun (systemd ends it before its own jump): the guest goes on, but the
 * session stays. When the daemon is back and still knows the
 * registration, it says how things stand: nothing (what was prepared is prepared) or
 * "resume". If it does not know it, all is let go, and the client registers anew.
 */
#include <fcntl.h>
#include <getopt.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "common/names.h"
#include "guest.h"
#include "sys/luo.h"

enum { TOKEN_MEMORY = 1, TOKEN_STATE = 2, TOKEN_ALSO = 3, PAGES_AT_A_TIME = 64, RESIZE_TRIES = 500 };
#define RESIZE_PAUSE_USEC (20 * USEC_PER_MSEC)
#define CALL_TIMEOUT_USEC (300 * USEC_PER_SEC)

typedef struct Client {
        const char *name;
        const char *veto, *mute, *on_death, *also;
        size_t size;
        bool direct, once;
        bool prepared;    /* our memory is preserved, or was on its way to be */
        bool stopped;     /* the guest is */
        bool jumping;     /* the daemon's last word was that the jump has begun */
        unsigned n_tries; /* of resizing the memory after a resume */
        sd_bus *bus;
        sd_event *event;
        sd_event_source *writer, *resizer;
        Guest guest;
        int lease;
        int session_fd;
        char *session; /* object path */
        char *participant;
        LuoDevice device;
        Luo luo;
} Client;

_printf_(2, 3) static void say(const Client *c, const char *format, ...) {
        char line[512];
        va_list ap;

        va_start(ap, format);
        vsnprintf(line, sizeof(line), format, ap);
        va_end(ap);
        printf("%s: %s\n", c->name, line);
        (void)fflush(stdout);
}

/* The bus, with a time-out that allows for preserving large memory. */
static int call(Client *c, const char *path, const char *interface, const char *method, sd_bus_message **ret,
                const char *types, ...) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus_message *m = NULL;
        va_list ap;

        int r = sd_bus_message_new_method_call(c->bus, &m, LIVEUPDATE_BUS_NAME, path, interface, method);
        va_start(ap, types);
        if (r >= 0)
                r = sd_bus_message_appendv(m, types, ap);
        va_end(ap);
        if (r >= 0)
                r = sd_bus_call(c->bus, m, CALL_TIMEOUT_USEC, &error, ret);
        if (r < 0)
                say(c, "%s: %s", method, error.message ?: strerror(-r));
        sd_bus_message_unref(m);
        sd_bus_error_free(&error);
        return r;
}

static int get_session(Client *c, const char *method) {
        sd_bus_message *reply = NULL;
        const char *path;
        int fd;

        int r = call(c, LIVEUPDATE_PATH, LIVEUPDATE_MANAGER_INTERFACE, method, &reply, "sa{sv}", c->name, 0);
        if (r >= 0)
                r = sd_bus_message_read(reply, "oh", &path, &fd);
        if (r >= 0) {
                free(c->session);
                c->session = strdup(path);
                fd_close(c->session_fd);
                c->session_fd = c->direct ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;
        }
        sd_bus_message_unref(reply);
        return r;
}

static int preserve(Client *c, int fd, uint64_t token) {
        if (c->direct)
                return luo_preserve_fd(&c->luo, c->session_fd, fd, token);
        return call(c, c->session, LIVEUPDATE_SESSION_INTERFACE, "PreserveFd", NULL, "hta{sv}", fd, token, 0);
}

static int retrieve(Client *c, uint64_t token, int *ret_fd) {
        sd_bus_message *reply = NULL;
        int fd;

        if (c->direct)
                return luo_retrieve_fd(&c->luo, c->session_fd, token, ret_fd);
        int r = call(c, c->session, LIVEUPDATE_SESSION_INTERFACE, "RetrieveFd", &reply, "ta{sv}", token, 0);
        if (r >= 0)
                r = sd_bus_message_read(reply, "h", &fd);
        if (r >= 0)
                *ret_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        sd_bus_message_unref(reply);
        return r;
}

/* The guest. */

static int on_write(sd_event_source *source, void *userdata) {
        Client *c = userdata;

        guest_run(&c->guest, PAGES_AT_A_TIME);
        return 0;
}

static void set_running(Client *c, bool running) {
        c->stopped = !running;
        (void)sd_event_source_set_enabled(c->writer, running ? SD_EVENT_ON : SD_EVENT_OFF);
}

static int come_back(Client *c) {
        _cleanup_close_ int memory = -1, state = -1;

        int r = get_session(c, "ClaimSession");
        if (r >= 0)
                r = retrieve(c, TOKEN_MEMORY, &memory);
        if (r >= 0)
                r = retrieve(c, TOKEN_STATE, &state);
        if (r < 0)
                return r;
        r = guest_restore(&c->guest, TAKE_FD(memory), state);
        if (r < 0) {
                say(c, "memory is NOT intact: %s", strerror(-r));
                return r;
        }
        say(c, "memory is intact: %lu MiB, %lu pages written, checksum %016lx",
            (unsigned long)(c->guest.state.size >> 20), (unsigned long)c->guest.state.writes,
            (unsigned long)c->guest.state.sum);
        guest_run(&c->guest, PAGES_AT_A_TIME); /* it must be writable before it is let go */
        r = call(c, c->session, LIVEUPDATE_SESSION_INTERFACE, "Finish", NULL, "a{sv}", 0);
        if (r < 0)
                return r;
        c->session_fd = fd_close(c->session_fd);
        say(c, "finished");
        return 0;
}

/* The phases. */

static int preserve_also(Client *c) {
        _cleanup_close_ int fd = c->also ? open(c->also, O_RDWR | O_CLOEXEC) : -1;

        if (!c->also)
                return 0;
        return fd < 0 ? -errno : preserve(c, fd, TOKEN_ALSO);
}

static int on_prepare(Client *c) {
        c->prepared = true;
        int r = get_session(c, "OpenSession");
        if (r >= 0)
                r = preserve(c, c->guest.memory_fd, TOKEN_MEMORY);
        if (r >= 0)
                r = preserve_also(c);
        say(c, r < 0 ? "cannot prepare: %s" : "prepared", strerror(-r));
        return r;
}

static int on_freeze(Client *c) {
        _cleanup_close_ int state = -1;

        set_running(c, false);
        int r = guest_save(&c->guest, &state);
        if (r >= 0)
                r = preserve(c, state, TOKEN_STATE);
        if (r < 0)
                say(c, "cannot freeze: %s", strerror(-r));
        else
                say(c, "frozen: %lu pages written, checksum %016lx", (unsigned long)c->guest.state.writes,
                    (unsigned long)c->guest.state.sum);
        return r;
}

/* Preserved memory cannot be resized; memory that was given back can. The daemon lets
 * its copy of the session go after it told everybody to resume, so this may take a few
 * tries. */
static int on_resize(sd_event_source *source, uint64_t usec, void *userdata) {
        Client *c = userdata;
        off_t size = (off_t)c->guest.state.size;

        if (ftruncate(c->guest.memory_fd, size + GUEST_PAGE) == 0 && ftruncate(c->guest.memory_fd, size) == 0)
                say(c, "memory is resizable");
        else if (++c->n_tries < RESIZE_TRIES)
                return MIN_OF(sd_event_source_set_time_relative(source, RESIZE_PAUSE_USEC), 0)
                               ?: sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        else
                say(c, "memory is NOT resizable");
        return 0;
}

static void resume(Client *c, const char *why) {
        bool stopped = c->stopped;

        c->session_fd = fd_close(c->session_fd);
        c->prepared = false;
        set_running(c, true);
        say(c, "resumed (%s)", why);
        if (stopped)
                say(c, guest_check(&c->guest) < 0 ? "memory has CHANGED" : "memory is as it was: checksum %016lx",
                    (unsigned long)c->guest.state.sum);
        c->n_tries = 0;
        c->resizer = sd_event_source_disable_unref(c->resizer);
        (void)sd_event_add_time_relative(c->event, &c->resizer, CLOCK_MONOTONIC, 0, 1, on_resize, c);
}

static int on_phase(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Client *c = userdata;
        const char *phase;
        uint64_t deadline;

        int r = sd_bus_message_read(message, "st", &phase, &deadline);
        if (r < 0)
                return r;
        if (streq(phase, "resume")) {
                resume(c, "told to");
                return 0;
        }
        if (c->mute && streq(c->mute, phase))
                return 0;
        r = streq(phase, "prepare") ? on_prepare(c) : on_freeze(c);
        if (c->veto && streq(c->veto, phase))
                r = -ECANCELED;
        if (r < 0)
                return call(c, c->participant, LIVEUPDATE_PARTICIPANT_INTERFACE, "Veto", NULL, "ss", phase,
                            "the demo client cannot go along");
        return call(c, c->participant, LIVEUPDATE_PARTICIPANT_INTERFACE, "Ready", NULL, "s", phase);
}

static int take_part(Client *c) {
        sd_bus_message *reply = NULL;
        const char *path;
        int lease;

        int r = call(c, LIVEUPDATE_PATH, LIVEUPDATE_MANAGER_INTERFACE, "Register", &reply, "ssa{sv}", c->name,
                     "prepare:freeze:resume", 1, "on-death", "s", c->on_death);
        if (r >= 0)
                r = sd_bus_message_read(reply, "oh", &path, &lease);
        if (r >= 0) {
                fd_close(c->lease);
                c->lease = fcntl(lease, F_DUPFD_CLOEXEC, 3);
                free(c->participant);
                c->participant = strdup(path);
                r = sd_bus_match_signal(c->bus, NULL, LIVEUPDATE_BUS_NAME, path, LIVEUPDATE_PARTICIPANT_INTERFACE,
                                        "PhaseRequested", on_phase, c);
        }
        sd_bus_message_unref(reply);
        say(c, r < 0 ? "cannot take part" : "takes part");
        return MIN_OF(r, 0);
}

/* Whether the registration outlived the daemon: then its object is there. */
static bool is_registered(Client *c) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_free_ char *name = NULL;

        int r = c->participant ? sd_bus_get_property_string(c->bus, LIVEUPDATE_BUS_NAME, c->participant,
                                                            LIVEUPDATE_PARTICIPANT_INTERFACE, "Name", &error, &name)
                               : -ENOENT;
        sd_bus_error_free(&error);
        return r >= 0 && streq(name, c->name);
}

/* Properties of the daemon changed: "sa{sv}as". */
static int on_properties(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const char *interface, *key, *state;
        Client *c = userdata;

        int r = sd_bus_message_read(message, "s", &interface);
        if (r >= 0)
                r = sd_bus_message_enter_container(message, 'a', "{sv}");
        while (r >= 0 && (r = sd_bus_message_enter_container(message, 'e', "sv")) > 0) {
                r = sd_bus_message_read(message, "s", &key);
                if (r >= 0 && streq(key, "State")) {
                        r = sd_bus_message_read(message, "v", "s", &state);
                        c->jumping = r >= 0 && streq(state, "jumping");
                } else if (r >= 0)
                        r = sd_bus_message_skip(message, "v");
                if (r >= 0)
                        r = sd_bus_message_exit_container(message);
        }
        return 0;
}

/* The daemon came or went. */
static int on_owner(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Client *c = userdata;
        const char *name, *old, *new;
        if (sd_bus_message_read(message, "sss", &name, &old, &new) < 0)
                return 0;
        if (!*new) {
                if (c->stopped && c->jumping)
                        say(c, "stays stopped (the jump has begun)");
                else if (c->stopped) {
                        set_running(c, true);
                        say(c, "goes on (the daemon is gone)");
                }
                return 0;
        }
        c->jumping = false;
        if (is_registered(c)) {
                say(c, "still takes part");
                return 0;
        }
        if (c->prepared)
                resume(c, "the daemon does not know us any more");
        return MIN_OF(take_part(c), 0);
}

static int start(Client *c) {
        int r = come_back(c);

        if (r < 0 && r != -EBADMSG) {
                guest_done(&c->guest);
                r = guest_create(&c->guest, c->size);
                if (r >= 0)
                        say(c, "new guest: %lu MiB", (unsigned long)(c->size >> 20));
        } else if (r >= 0 && c->once)
                return 1;
        if (r < 0)
                return r;
        r = sd_event_add_defer(c->event, &c->writer, on_write, c);
        if (r >= 0)
                r = sd_event_source_set_priority(c->writer, SD_EVENT_PRIORITY_IDLE);
        if (r >= 0)
                r = sd_event_source_set_enabled(c->writer, SD_EVENT_ON);
        return r < 0 ? r : take_part(c);
}

static int run(Client *c) {
        int r = sd_event_default(&c->event);
        if (r >= 0)
                r = sd_bus_open_system(&c->bus);
        if (r >= 0)
                r = sd_bus_attach_event(c->bus, c->event, SD_EVENT_PRIORITY_NORMAL);
        if (r >= 0)
                r = sd_bus_add_match(c->bus, NULL,
                                     "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',"
                                     "arg0='" LIVEUPDATE_BUS_NAME "'",
                                     on_owner, c);
        if (r >= 0)
                r = sd_bus_match_signal(c->bus, NULL, LIVEUPDATE_BUS_NAME, LIVEUPDATE_PATH,
                                        "org.freedesktop.DBus.Properties", "PropertiesChanged", on_properties, c);
        if (r < 0)
                return r;
        c->luo = luo_device(&c->device, NULL, 10 * USEC_PER_SEC);
        r = start(c);
        if (r == 0)
                r = sd_event_loop(c->event);
        return r;
}

int main(int argc, char **argv) {
        static const struct option options[] = {
                { "size", required_argument, NULL, 's' }, { "direct", no_argument, NULL, 'd' },
                { "once", no_argument, NULL, 'o' },       { "veto", required_argument, NULL, 'v' },
                { "mute", required_argument, NULL, 'm' }, { "on-death", required_argument, NULL, 'x' },
                { "also", required_argument, NULL, 'a' }, {},
        };
        Client c = {
                .on_death = "cancel", .size = 16 << 20, .lease = -1, .session_fd = -1, .guest = { .memory_fd = -1 }
        };
        int option;

        while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0)
                switch (option) {
                case 's':
                        c.size = (size_t)strtoul(optarg, NULL, 10) << 20;
                        break;
                case 'd':
                        c.direct = true;
                        break;
                case 'o':
                        c.once = true;
                        break;
                case 'v':
                        c.veto = optarg;
                        break;
                case 'm':
                        c.mute = optarg;
                        break;
                case 'x':
                        c.on_death = optarg;
                        break;
                case 'a':
                        c.also = optarg;
                        break;
                default:
                        return 2;
                }
        if (optind + 1 != argc || c.size == 0) {
                fprintf(stderr, "usage: demo-client NAME [--size MIB] [--direct] [--once] [--veto PHASE] "
                                "[--mute PHASE] [--on-death POLICY] [--also FILE]\n");
                return 2;
        }
        c.name = argv[optind];
        int r = run(&c);
        if (r < 0)
                fprintf(stderr, "%s: %s\n", c.name, strerror(-r));
        guest_done(&c.guest);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
