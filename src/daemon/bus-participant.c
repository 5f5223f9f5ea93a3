/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * org.liveupdate1.Participant, and Manager.Register. The lease is a pipe: the client
 * keeps one end, and when its last copy is closed ours reports a hang-up and the
 * registration is over. It is over as well when the client leaves the bus, for nobody
 * could be asked any more. Our end belongs to the manager, which keeps it through a crash;
 * the Lease here is what listens to it.
 */
#include "bus.h"

#include <fcntl.h>
#include <sys/epoll.h>

#include "common/log.h"
#include "common/names.h"

typedef struct Lease {
        Bus *bus;
        Participant *participant;
        sd_event_source *source;
        uint32_t uid; /* whose registration it is */
        bool counted;
} Lease;

static Lease *lease_free(Lease *l) {
        if (!l)
                return NULL;
        if (l->counted)
                quota_release(&l->bus->users, l->uid, QUOTA_PARTICIPANTS, 1);
        sd_event_source_disable_unref(l->source);
        free(l);
        return NULL;
}

static inline void lease_freep(Lease **l) {
        lease_free(*l);
}

static void end_lease(Lease *l) {
        Bus *b = l->bus;
        Participant *p = l->participant;
        char path[BUS_PATH_MAX];

        bus_participant_path(p, path);
        log_info("Participant %s has left.", p->name);
        (void)sd_bus_emit_object_removed(b->bus, path);
        lease_free(l);
        p->userdata = NULL;
        manager_unregister(b->manager, p);
}

static int on_lease(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        end_lease(userdata);
        return 0;
}

void bus_participants_owner_gone(Bus *b, const char *owner) {
        const Barrier *all = &b->manager->barrier;

        for (size_t i = all->n; i-- > 0;) {
                Lease *l = i < all->n ? all->items[i]->userdata : NULL;
                if (l && streq(l->participant->owner, owner))
                        end_lease(l);
        }
}

void bus_release_leases(Bus *b) {
        for (size_t i = 0; b->manager && i < b->manager->barrier.n; i++)
                b->manager->barrier.items[i]->userdata = lease_free(b->manager->barrier.items[i]->userdata);
}

static int append_devices(sd_bus_message *m, const Session *s) {
        char address[ADDRESS_TEXT_SIZE];

        int r = sd_bus_message_open_container(m, 'e', "sv");

        if (r >= 0)
                r = sd_bus_message_append(m, "s", "interrupts-cut");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "as");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "s");
        for (size_t i = 0; i < s->n_files && r >= 0; i++)
                if (s->files[i]->has_address) {
                        address_format(s->files[i]->address, address);
                        r = sd_bus_message_append(m, "s", address);
                }
        for (unsigned i = 0; i < 3 && r >= 0; i++) /* as, v, {sv} */
                r = sd_bus_message_close_container(m);
        return r;
}

void bus_participant_request(Bus *b, Participant *p, Want phase, uint64_t deadline, const Session *finished) {
        sd_bus_message *signal = NULL;
        char path[BUS_PATH_MAX];

        if (!p->userdata)
                return;
        bus_participant_path(p, path);
        int r = sd_bus_message_new_signal(b->bus, &signal, path, LIVEUPDATE_PARTICIPANT_INTERFACE, "PhaseRequested");
        if (r >= 0)
                r = sd_bus_message_append(signal, "st", want_to_string(phase), deadline);
        if (r >= 0)
                r = sd_bus_message_open_container(signal, 'a', "{sv}");
        if (r >= 0 && finished)
                r = append_devices(signal, finished);
        if (r >= 0)
                r = sd_bus_message_close_container(signal);
        if (r >= 0)
                r = sd_bus_message_set_destination(signal, p->owner);
        if (r >= 0)
                r = sd_bus_send(b->bus, signal, NULL);
        sd_bus_message_unref(signal);
        if (r < 0)
                log_errno(r, "Asking participant %s", p->name);
}

/* Listens to the lease of p, which counts against its user from now on. */
static int watch_lease(Bus *b, Participant *p) {
        _cleanup_(lease_freep) Lease *l = calloc(1, sizeof(*l));

        if (!l)
                return -ENOMEM;
        l->bus = b;
        l->participant = p;
        l->uid = p->uid;
        /* No events wanted: a hang-up is always reported. */
        int r = sd_event_add_io(b->event, &l->source, p->lease, 0, on_lease, l);
        if (r >= 0)
                r = quota_add(&b->users, l->uid, QUOTA_PARTICIPANTS);
        if (r < 0)
                return r;
        l->counted = true;
        p->userdata = TAKE_PTR(l);
        return 0;
}

static int compare_words(const void *a, const void *b) {
        return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_connected(char **names, size_t n, const char *owner) {
        return bsearch(&owner, names, n, sizeof(*names), compare_words);
}

/* Those who left the bus while nobody listened. */
static void find_gone(Bus *b, char **names) {
        const SessionTable *sessions = &b->manager->sessions;
        size_t n = 0;

        while (names && names[n])
                n++;
        if (n == 0) /* not even we: no answer to rely on */
                return;
        qsort(names, n, sizeof(*names), compare_words);

        for (size_t i = b->manager->barrier.n; i-- > 0;) {
                Participant *p = i < b->manager->barrier.n ? b->manager->barrier.items[i] : NULL;
                if (p && p->userdata && !is_connected(names, n, p->owner))
                        end_lease(p->userdata);
        }
        for (size_t i = sessions->n; i-- > 0;) {
                char owner[256];
                if (i >= sessions->n || !*sessions->items[i]->owner)
                        continue;
                memcpy(owner, sessions->items[i]->owner, sizeof(owner));
                if (!is_connected(names, n, owner))
                        manager_owner_gone(b->manager, owner);
        }
}

void bus_restore_participants(Bus *b) {
        const Barrier *all = &b->manager->barrier;

        for (size_t i = all->n; i-- > 0;) {
                Participant *p = all->items[i];
                int r = watch_lease(b, p);
                if (r >= 0)
                        continue;
                log_errno(r, "Listening to the lease of %s", p->name);
                manager_unregister(b->manager, p);
        }
}

void bus_find_gone(Bus *b) {
        char **names = NULL;

        if (b->manager->barrier.n == 0 && b->manager->sessions.n == 0)
                return;
        int r = sd_bus_list_names(b->bus, &names, NULL);
        if (r < 0)
                log_errno(r, "Asking who is on the bus");
        else
                find_gone(b, names);
        bus_free_words(names);
}

int bus_register(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        _cleanup_close_ int ours = -1, client = -1;
        const char *name, *what, *word = "cancel";
        Bus *b = userdata;
        char path[BUS_PATH_MAX];
        Participant *p;
        Refusal refusal;
        uint32_t uid;
        int ends[2];

        int r = sd_bus_message_read(message, "ss", &name, &what);
        if (r >= 0)
                r = bus_read_options(message, &(BusOption){ "on-death", 's', &word }, 1, error);
        if (r >= 0)
                r = bus_caller_uid(b, message, &uid, error);
        if (r < 0)
                return r;
        int on_death = on_death_from_string(word);
        if (on_death < 0) {
                refuse(&refusal, REASON_INVALID_ARGUMENT, "on-death", "'%.32s' is none of cancel, keep, drop", word);
                return bus_refuse(error, &refusal);
        }
        r = quota_check(&b->users, uid, QUOTA_PARTICIPANTS, b->manager->config->limit_user_participants, name,
                        &refusal);
        if (r < 0)
                return bus_refuse(error, &refusal);
        if (pipe2(ends, O_CLOEXEC) < 0)
                return -errno;
        ours = ends[0];
        client = ends[1];
        Registration registration = {
                .name = name,
                .what = what,
                .on_death = (OnDeath)on_death,
                .owner = sd_bus_message_get_sender(message) ?: "",
                .uid = uid,
                .lease = ours,
        };
        r = manager_register(b->manager, &registration, &p, &refusal);
        if (r < 0)
                return bus_refuse(error, &refusal);
        TAKE_FD(ours);
        r = watch_lease(b, p);
        if (r < 0) {
                manager_unregister(b->manager, p);
                return r;
        }
        bus_participant_path(p, path);
        log_info("Participant %s takes part in %s.", name, what);
        (void)sd_bus_emit_object_added(b->bus, path);
        r = sd_bus_reply_method_return(message, "oh", path, client);
        /* After the reply, which says where it will be asked. */
        manager_registered(b->manager, p);
        return r;
}

static int find_participant(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret,
                            sd_bus_error *error) {
        Bus *b = userdata;
        uint64_t id;

        if (!b->manager || bus_path_number(path, BUS_PARTICIPANT_PREFIX, &id) < 0)
                return 0;
        Participant *p = barrier_find(&b->manager->barrier, id);
        if (!p || !p->userdata)
                return 0;
        *ret = p;
        return 1;
}

/* The phase argument, and that the caller is the one who registered. */
static int check_answer(sd_bus_message *message, const Participant *p, const char *word, Want *ret,
                        sd_bus_error *error) {
        const char *sender = sd_bus_message_get_sender(message);
        Refusal refusal;
        unsigned want;

        if (!sender || !streq(sender, p->owner)) {
                refuse(&refusal, REASON_NOT_OWNER, p->name, "");
                return bus_refuse(error, &refusal);
        }
        if (want_parse(word, &want) < 0 || (want & (want - 1)) != 0) {
                refuse(&refusal, REASON_INVALID_ARGUMENT, p->name, "'%.32s' is no phase", word);
                return bus_refuse(error, &refusal);
        }
        *ret = (Want)want;
        return 0;
}

static int method_ready(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Participant *p = userdata;
        Bus *b = ((Lease *)p->userdata)->bus;
        const char *word;
        Refusal refusal;
        Want phase;

        int r = sd_bus_message_read(message, "s", &word);
        if (r >= 0)
                r = check_answer(message, p, word, &phase, error);
        if (r < 0)
                return r;
        r = manager_ready(b->manager, p, phase, &refusal);
        if (r < 0)
                return bus_refuse(error, &refusal);
        return sd_bus_reply_method_return(message, "");
}

static int method_delay(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Participant *p = userdata;
        Bus *b = ((Lease *)p->userdata)->bus;
        const char *word, *reason;
        uint64_t until;
        Refusal refusal;
        Want phase;

        int r = sd_bus_message_read(message, "sts", &word, &until, &reason);
        if (r >= 0)
                r = check_answer(message, p, word, &phase, error);
        if (r < 0)
                return r;
        r = manager_delay(b->manager, p, phase, until, reason, &refusal);
        if (r < 0)
                return bus_refuse(error, &refusal);
        return sd_bus_reply_method_return(message, "");
}

static int method_veto(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Participant *p = userdata;
        Bus *b = ((Lease *)p->userdata)->bus;
        const char *word, *reason;
        Refusal refusal;
        Want phase;

        int r = sd_bus_message_read(message, "ss", &word, &reason);
        if (r >= 0)
                r = check_answer(message, p, word, &phase, error);
        if (r < 0)
                return r;
        r = manager_veto(b->manager, p, phase, reason, &refusal);
        if (r < 0)
                return bus_refuse(error, &refusal);
        return sd_bus_reply_method_return(message, "");
}

/* The spans, of which there is room for one more than may be: the manager refuses those. */
static int read_spans(sd_bus_message *message, ReportedSpan spans[static REPORT_SPANS_MAX + 1], size_t *ret_n) {
        size_t n = 0;

        int r = sd_bus_message_enter_container(message, 'a', "(stt)");
        while (r >= 0 && n <= REPORT_SPANS_MAX) {
                ReportedSpan *s = &spans[n];
                r = sd_bus_message_read(message, "(stt)", &s->name, &s->begin_usec, &s->length_usec);
                if (r == 0)
                        break;
                n++;
        }
        *ret_n = n;
        return r;
}

static int method_report(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const char *sender = sd_bus_message_get_sender(message);
        ReportedSpan spans[REPORT_SPANS_MAX + 1];
        Participant *p = userdata;
        Bus *b = ((Lease *)p->userdata)->bus;
        Refusal refusal;
        size_t n;

        if (!sender || !streq(sender, p->owner)) {
                refuse(&refusal, REASON_NOT_OWNER, p->name, "");
                return bus_refuse(error, &refusal);
        }
        int r = read_spans(message, spans, &n);
        if (r < 0)
                return r;
        r = manager_report(b->manager, p, spans, n, &refusal);
        if (r < 0)
                return bus_refuse(error, &refusal);
        return sd_bus_reply_method_return(message, "");
}

static int get_what(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
                    void *userdata, sd_bus_error *error) {
        static const Want all[] = { WANT_PREPARE, WANT_FREEZE, WANT_RESUME };
        const Participant *p = userdata;
        char text[64] = "";

        for (size_t i = 0; i < ELEMENTSOF(all); i++) {
                if (!(p->want & all[i]))
                        continue;
                size_t n = strlen(text);
                snprintf(text + n, sizeof(text) - n, "%s%s", n ? ":" : "", want_to_string(all[i]));
        }
        return sd_bus_message_append(reply, "s", text);
}

static int get_answer(sd_bus *bus, const char *path, const char *interface, const char *property,
                      sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        return sd_bus_message_append(reply, "s", answer_to_string(((Participant *)userdata)->answer));
}

static const sd_bus_vtable participant_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("Ready", SD_BUS_ARGS("s", phase), SD_BUS_NO_RESULT, method_ready,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Delay", SD_BUS_ARGS("s", phase, "t", until, "s", reason), SD_BUS_NO_RESULT,
                                method_delay, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Veto", SD_BUS_ARGS("s", phase, "s", reason), SD_BUS_NO_RESULT, method_veto,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Report", SD_BUS_ARGS("a(stt)", spans), SD_BUS_NO_RESULT, method_report,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_PROPERTY("Name", "s", NULL, offsetof(Participant, name), SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("What", "s", get_what, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Answer", "s", get_answer, 0, 0),
        SD_BUS_SIGNAL_WITH_ARGS("PhaseRequested", SD_BUS_ARGS("s", phase, "t", deadline, "a{sv}", data), 0),
        SD_BUS_VTABLE_END,
};

int bus_export_participants(Bus *b) {
        return sd_bus_add_fallback_vtable(b->bus, NULL, BUS_PARTICIPANT_PREFIX, LIVEUPDATE_PARTICIPANT_INTERFACE,
                                          participant_vtable, find_participant, b);
}
