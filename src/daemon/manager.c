/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The phase, the jobs, the participants and what ends an update. See manager.h. */
#include "manager-internal.h"

#include <stdarg.h>

#include "common/log.h"
#include "common/utf8.h"
#include "daemon/hold.h"
#include "daemon/planner.h"

static void settle(Manager *m);

static void on_stale(void *userdata, const Address *addresses, size_t n) {
        Manager *m = userdata;

        EMIT(m, plan_stale, addresses, n);
}

static const DevicesEvents devices_events = { .stale = on_stale };

/* Each effect, once. Effects may call manager_event() again: the phase is set before. */
static void run_effect(Manager *m, PhaseEffect effect) {
        static void (*const effects[_EFFECT_MAX])(Manager *) = {
                [EFFECT_PREPARE] = update_begin,   [EFFECT_FREEZE] = update_freeze,
                [EFFECT_JUMP] = update_jump,       [EFFECT_ROLLBACK] = update_rollback,
                [EFFECT_RECEIVE] = receive_effect, [EFFECT_FINISH] = receive_finish,
                [EFFECT_SETTLE] = settle,
        };

        if (effects[effect])
                effects[effect](m);
}

int manager_event(Manager *m, PhaseEvent event, Refusal *refusal) {
        const PhaseRule *rule = phase_rule(m->phase, event);

        if (!rule)
                return refuse(refusal, REASON_WRONG_STATE, phase_event_to_string(event), "the state is %s",
                              phase_to_string(m->phase));
        Phase from = m->phase;
        m->phase = rule->to;
        if (rule->from != rule->to) {
                log_info("State %s -> %s.", phase_to_string(from), phase_to_string(rule->to));
                recovery_save(m);
                EMIT(m, phase_changed, from, rule->to);
        }
        run_effect(m, rule->effect);
        return 0;
}

void manager_notice(Manager *m, const char *format, ...) {
        _cleanup_free_ char *text = NULL;
        va_list ap;

        va_start(ap, format);
        if (vasprintf(&text, format, ap) < 0)
                text = NULL;
        va_end(ap);
        if (!text)
                return;
        log_notice("%s", text);
        free(m->notice);
        m->notice = TAKE_PTR(text);
        EMIT(m, notice_changed);
}

/* Jobs. */

int manager_job_allowed(const Manager *m, Refusal *refusal) {
        if (!m->job)
                return 0;
        return refuse(refusal, REASON_BUSY_JOB, job_kind_to_string(m->job->kind), "job %lu is running",
                      (unsigned long)m->job->number);
}

Job *manager_job_start(Manager *m, JobKind kind, uint32_t uid, Refusal *refusal) {
        Job *j = job_list_add(&m->jobs, kind, uid, m->ports->clock->realtime_usec(m->ports->clock_self));

        if (!j) {
                refuse_errno(refusal, -ENOMEM, job_kind_to_string(kind), "starting a job");
                return NULL;
        }
        memcpy(j->update_id, m->update.id, sizeof(j->update_id));
        log_info("Job %lu (%s) started by uid %u.", (unsigned long)j->number, job_kind_to_string(kind), uid);
        EMIT(m, job_new, j);
        return j;
}

void manager_job_step(Manager *m, Job *j, const char *step) {
        if (!j || streq(j->step, step))
                return;
        j->step = step;
        EMIT(m, job_changed, j);
}

void manager_job_end(Manager *m, Job *j, const Refusal *why) {
        const Timeline *live = manager_job_timeline(m, j);

        if (live && live != &j->timeline) {
                j->timeline = *live;
                j->has_timeline = true;
                j->report = job_report_ref(m->report);
        }
        j->state = !why ? JOB_DONE : why->reason == REASON_CANCELLED ? JOB_CANCELLED : JOB_FAILED;
        j->step = "";
        if (why) {
                char text[640];
                j->failure = *why;
                refusal_format(why, text, sizeof(text));
                log_warning("Job %lu (%s) %s: %s", (unsigned long)j->number, job_kind_to_string(j->kind),
                            job_state_to_string(j->state), text);
        } else
                log_info("Job %lu (%s) done.", (unsigned long)j->number, job_kind_to_string(j->kind));
        if (m->job == j)
                m->job = NULL;
        if (m->cancel_job == j)
                m->cancel_job = NULL;
        recovery_save(m);
        EMIT(m, job_ended, j);

        Job *old;
        while ((old = job_list_take_surplus(&m->jobs, m->config->limit_jobs))) {
                EMIT(m, job_forgotten, old);
                if (m->incoming.job == old)
                        m->incoming.job = NULL;
                job_free(old);
        }
}

const Timeline *manager_job_timeline(const Manager *m, const Job *j) {
        if (j->state == JOB_RUNNING && m->incoming.job == j && m->incoming.has_timeline)
                return &m->incoming.timeline;
        if (j->state == JOB_RUNNING && m->job == j && m->update.page)
                return m->update.page;
        return j->has_timeline ? &j->timeline : NULL;
}

const Report *manager_job_report(const Manager *m, const Job *j) {
        const Timeline *t = manager_job_timeline(m, j);
        const JobReport *r = t && t != &j->timeline ? m->report : j->report;

        return r ? &r->report : NULL;
}

/* What was prepared or frozen by hand has no job that could say why it was put back. */
static void notice_cancelled(Manager *m, const Refusal *why) {
        char text[640];

        refusal_format(why, text, sizeof(text));
        manager_notice(m, "The update that was prepared was cancelled: %s", text);
}

/* The update is over: rolled back, or finished in the new kernel. */
static void settle(Manager *m) {
        if (m->incoming.any) {
                receive_settle(m);
                return;
        }
        Refusal why = m->update.failure;
        Job *driving = m->job, *cancel = m->cancel_job;

        if (why.reason == REASON_NONE)
                refuse(&why, REASON_CANCELLED, "", "");
        if (driving)
                manager_job_end(m, driving, &why);
        else if (!cancel && why.reason != REASON_DAEMON_DIED) /* which was said */
                notice_cancelled(m, &why);
        update_end(m);
        recovery_clear_devices(m);
        departure_clear(m);
        if (cancel)
                manager_job_end(m, cancel, NULL);
        recovery_save(m);
}

/* A request that drives the phase: checks, makes the job, fires the event. */
static int start_driving(Manager *m, JobKind kind, PhaseEvent event, uint32_t uid, Job **ret, Refusal *refusal) {
        int r = manager_job_allowed(m, refusal);

        if (r < 0)
                return r;
        if (!phase_rule(m->phase, event))
                return refuse(refusal, REASON_WRONG_STATE, job_kind_to_string(kind), "the state is %s",
                              phase_to_string(m->phase));
        if (event == EVENT_PREPARE || event == EVENT_EXECUTE) {
                r = manager_check_image(m, refusal);
                if (r < 0)
                        return r;
        }
        Job *j = manager_job_start(m, kind, uid, refusal);
        if (!j)
                return -ENOMEM;
        m->job = j;
        *ret = j;
        (void)manager_event(m, event, NULL); /* the rule is there */
        EMIT(m, rearm);
        return 0;
}

void update_request_done(UpdateRequest *r) {
        for (size_t i = 0; i < r->n_exceptions; i++)
                free(r->exceptions[i]);
        free(r->exceptions);
        free(r->devices);
        *r = (UpdateRequest){};
}

/* What was asked for is kept for the whole update. */
static void take_request(Manager *m, UpdateRequest *request) {
        if (!request)
                return;
        update_request_done(&m->update.request);
        m->update.request = *request;
        *request = (UpdateRequest){};
}

int manager_prepare(Manager *m, uint32_t uid, UpdateRequest *request, Job **ret, Refusal *refusal) {
        int r = manager_job_allowed(m, refusal);

        if (r < 0)
                return r;
        if (phase_rule(m->phase, EVENT_PREPARE)) { /* else that is what has to be said */
                r = manager_check_image(m, refusal);
                if (r >= 0)
                        r = planner_check(m, request, refusal);
                if (r < 0)
                        return r;
                take_request(m, request);
        }
        return start_driving(m, JOB_PREPARE, EVENT_PREPARE, uid, ret, refusal);
}

/* A participant that came late, in PREPARED, and has not answered yet. */
static int check_late(const Manager *m, Refusal *refusal) {
        for (size_t i = 0; m->phase == PHASE_PREPARED && m->barrier.n_waiting > 0 && i < m->barrier.n; i++)
                if (m->barrier.items[i]->answer == ANSWER_WAITING)
                        return refuse(refusal, REASON_WRONG_STATE, m->barrier.items[i]->name,
                                      "it registered late and is still getting ready");
        return 0;
}

int manager_freeze(Manager *m, uint32_t uid, Job **ret, Refusal *refusal) {
        int r = check_late(m, refusal);

        if (r < 0)
                return r;
        return start_driving(m, JOB_FREEZE, EVENT_FREEZE, uid, ret, refusal);
}

JumpWay manager_jump_way(const Manager *m, JumpChoice choice) {
        return choice.given ? choice.way : m->config->jump;
}

static bool is_requested(const Manager *m, Address address) {
        for (size_t i = 0; i < m->update.request.n_devices; i++)
                if (address_compare(m->update.request.devices[i], address) == 0)
                        return true;
        return false;
}

/* What goes along and what may be lost was said when the update began, and looked at then. */
static int check_same_request(const Manager *m, const UpdateRequest *request, Refusal *refusal) {
        static const char why[] = "the update was prepared without it; cancel it and begin anew";
        char text[ADDRESS_TEXT_SIZE];

        for (size_t i = 0; i < request->n_devices; i++) {
                if (is_requested(m, request->devices[i]))
                        continue;
                address_format(request->devices[i], text);
                return refuse(refusal, REASON_WRONG_STATE, text, "%s", why);
        }
        for (size_t i = 0; i < request->n_exceptions; i++)
                if (!manager_is_excepted(m, request->exceptions[i]))
                        return refuse(refusal, REASON_WRONG_STATE, request->exceptions[i], "%s", why);
        return 0;
}

/* The way on from PREPARED or FROZEN: how to jump can still be said. */
static int drive_on(Manager *m, JobKind kind, PhaseEvent event, uint32_t uid, const UpdateRequest *request, Job **ret,
                    Refusal *refusal) {
        JumpChoice before = m->update.request.jump, choice = request && request->jump.given ? request->jump : before;

        if (manager_jump_way(m, choice) == JUMP_SYSTEMD && !m->ports->shutdown)
                return refuse(refusal, REASON_SHUTDOWN_FAILED, "systemd", "there is no service manager");
        int r = request ? check_same_request(m, request, refusal) : 0;
        if (r < 0)
                return r;
        m->update.request.jump = choice;
        r = start_driving(m, kind, event, uid, ret, refusal);
        if (r < 0)
                m->update.request.jump = before;
        return r;
}

int manager_execute(Manager *m, uint32_t uid, UpdateRequest *request, Job **ret, Refusal *refusal) {
        if (m->phase != PHASE_FROZEN)
                return start_driving(m, JOB_EXECUTE, EVENT_EXECUTE, uid, ret, refusal);
        return drive_on(m, JOB_EXECUTE, EVENT_EXECUTE, uid, request, ret, refusal);
}

int manager_update(Manager *m, uint32_t uid, UpdateRequest *request, Job **ret, Refusal *refusal) {
        int r = check_late(m, refusal);

        if (r < 0)
                return r;
        /* Goes on from wherever the operator has come to by hand. */
        if (m->phase == PHASE_PREPARED)
                return drive_on(m, JOB_UPDATE, EVENT_FREEZE, uid, request, ret, refusal);
        if (m->phase == PHASE_FROZEN)
                return drive_on(m, JOB_UPDATE, EVENT_EXECUTE, uid, request, ret, refusal);

        r = manager_job_allowed(m, refusal);
        if (r < 0)
                return r;
        if (!phase_rule(m->phase, EVENT_PREPARE))
                return refuse(refusal, REASON_WRONG_STATE, "update", "the state is %s", phase_to_string(m->phase));
        if (manager_check_image(m, NULL) >= 0 || str_empty(m->config->kexec_kernel)) {
                r = manager_check_image(m, refusal);
                if (r >= 0)
                        r = planner_check(m, request, refusal);
                if (r < 0)
                        return r;
                take_request(m, request);
                return start_driving(m, JOB_UPDATE, EVENT_PREPARE, uid, ret, refusal);
        }

        Job *j = manager_job_start(m, JOB_UPDATE, uid, refusal);
        if (!j)
                return -ENOMEM;
        m->job = j;
        r = manager_load_configured(m, j, refusal);
        if (r < 0) {
                Refusal why = *refusal;
                manager_job_end(m, j, &why);
                return r;
        }
        take_request(m, request);
        *ret = j;
        EMIT(m, rearm);
        return 0;
}

bool manager_cancelable(const Manager *m) {
        return phase_cancelable(m->phase) && !m->cancel_job && !m->jump_pending;
}

/* Of the update that is cancelled: who, and what it was waiting for. */
static void refuse_cancelled(const Manager *m, uint32_t uid, Refusal *ret) {
        char why[PARTICIPANT_REASON_MAX + 1] = "";
        const Participant *p = barrier_first_waiting(&m->barrier);

        if (!p) {
                refuse(ret, REASON_CANCELLED, "", "by uid %u", uid);
                return;
        }
        utf8_copy(why, 100, p->reason ?: "");
        refuse(ret, REASON_CANCELLED, "", "by uid %u, while %s had not answered to %s for %llu s%s%s", uid, p->name,
               want_to_string(p->phase), (unsigned long long)((manager_now(m) - p->asked) / USEC_PER_SEC),
               *why ? "; it said: " : "", why);
}

int manager_cancel(Manager *m, uint32_t uid, Job **ret, Refusal *refusal) {
        if (!manager_cancelable(m))
                return refuse(refusal, REASON_WRONG_STATE, "cancel", "the state is %s", phase_to_string(m->phase));
        Job *j = manager_job_start(m, JOB_CANCEL, uid, refusal);
        if (!j)
                return -ENOMEM;
        m->cancel_job = j;
        *ret = j;
        if (m->update.failure.reason == REASON_NONE)
                refuse_cancelled(m, uid, &m->update.failure);
        (void)manager_event(m, EVENT_CANCEL, NULL);
        EMIT(m, rearm);
        return 0;
}

void manager_fail(Manager *m, const Refusal *why) {
        if (!phase_cancelable(m->phase) && m->phase != PHASE_JUMPING)
                return;
        if (m->update.failure.reason == REASON_NONE)
                m->update.failure = *why;
        (void)manager_event(m, EVENT_PHASE_FAILED, NULL);
}

/* Participants. */

void manager_ask_late(Manager *m, Participant *p) {
        uint64_t now = manager_now(m), deadline = config_deadline(now, m->config->prepare_timeout_usec);

        barrier_ask(&m->barrier, p, WANT_PREPARE, now, deadline);
        m->update.asked = MAX_OF(m->update.asked, p->id);
        registry_add_participant(m, p);
        recovery_save(m);
        EMIT(m, request, p, WANT_PREPARE, deadline);
        EMIT(m, waiting_changed);
        EMIT(m, rearm);
}

int manager_register(Manager *m, const Registration *from, Participant **ret, Refusal *refusal) {
        Participant *p;
        unsigned want;

        if (want_parse(from->what, &want) < 0)
                return refuse(refusal, REASON_INVALID_ARGUMENT, from->name, "'%.64s' is no list of phases",
                              from->what);
        _cleanup_free_ char *owner = strdup(from->owner);
        if (!owner)
                return refuse_errno(refusal, -ENOMEM, from->name, "registering");
        int r = barrier_register(&m->barrier, from->name, want, from->on_death, m->config->limit_participants, &p,
                                 refusal);
        if (r < 0)
                return r;
        p->owner = TAKE_PTR(owner);
        p->uid = from->uid;
        p->lease = from->lease;
        p->stored = store_put_lease(m, p->id, p->lease);
        registry_add_participant(m, p);
        *ret = p;
        return 0;
}

/* What it runs could not go along any more, and the jump would end it. With another mode of
 * on-death its user has said that it may be left behind, or that its sessions go without it. */
static void fail_too_late(Manager *m, const Participant *p) {
        Refusal why;

        if (!(p->want & (WANT_PREPARE | WANT_FREEZE)) || p->on_death != ON_DEATH_CANCEL)
                return;
        refuse(&why, REASON_WRONG_STATE, p->name, "it has come too late to go along: the state was %s",
               phase_to_string(m->phase));
        manager_fail(m, &why);
        EMIT(m, rearm);
}

void manager_registered(Manager *m, Participant *p) {
        if ((m->phase == PHASE_PREPARING || m->phase == PHASE_PREPARED) && (p->want & WANT_PREPARE))
                manager_ask_late(m, p);
        else if (m->phase == PHASE_FREEZING || m->phase == PHASE_FROZEN)
                fail_too_late(m, p);
}

bool manager_is_excepted(const Manager *m, const char *name) {
        for (size_t i = 0; i < m->update.request.n_exceptions; i++)
                if (streq(m->update.request.exceptions[i], name))
                        return true;
        return false;
}

/* A device that was asked for by name is not its client's to give up. */
static bool holds_requested(const Manager *m, const Session *s, char device[static ADDRESS_TEXT_SIZE]) {
        for (size_t i = 0; i < s->n_files; i++)
                for (size_t k = 0; k < m->update.request.n_devices; k++) {
                        const SessionFile *f = s->files[i];
                        address_format(m->update.request.devices[k], device);
                        if (f->has_address && address_compare(f->address, m->update.request.devices[k]) == 0 &&
                            !manager_is_excepted(m, device))
                                return true;
                }
        return false;
}

/* Leaves the sessions of a participant behind, as its registration said. From the manifest
 * on it is too late for that: what is promised there must be found there. */
static int leave_behind(Manager *m, const Participant *p, Refusal *why) {
        char device[ADDRESS_TEXT_SIZE];

        if (m->update.manifest_sent)
                return refuse(why, REASON_PARTICIPANT_DIED, p->name, "too late to leave its sessions behind");
        for (size_t i = 0; i < m->sessions.n; i++) {
                const Session *s = m->sessions.items[i];
                if (!session_is_incoming(s) && streq(s->owner, p->owner ?: "") && holds_requested(m, s, device))
                        return refuse(why, REASON_PARTICIPANT_DIED, p->name,
                                      "its session %s has device %s, which the update was asked for", s->name, device);
        }
        for (size_t i = m->sessions.n; i-- > 0;) {
                Session *s = i < m->sessions.n ? m->sessions.items[i] : NULL;
                if (!s || session_is_incoming(s) || s->state == SESSION_CLOSING || !streq(s->owner, p->owner ?: ""))
                        continue;
                manager_notice(m,
                               "Session %s does not go along: participant %s has left, and its sessions go with it.",
                               s->name, p->name);
                manager_drop_session(m, s, true);
        }
        return 0;
}

/* What its registration said about its death; true if the update cannot go on. */
static bool death_cancels(Manager *m, const Participant *p, Refusal *why) {
        refuse(why, REASON_PARTICIPANT_DIED, p->name, "while the state was %s", phase_to_string(m->phase));
        if (!p->touched || !phase_cancelable(m->phase))
                return false;
        if (p->on_death == ON_DEATH_DROP)
                return leave_behind(m, p, why) < 0;
        return p->on_death == ON_DEATH_CANCEL;
}

void manager_unregister(Manager *m, Participant *p) {
        Refusal why;
        bool matters = death_cancels(m, p, &why);

        registry_remove_participant(m, p);
        fd_close(p->lease);
        barrier_remove(&m->barrier, p);
        if (matters)
                manager_fail(m, &why);
        else
                update_check(m);
        EMIT(m, waiting_changed);
        EMIT(m, rearm);
}

int manager_ready(Manager *m, Participant *p, Want phase, Refusal *refusal) {
        int r = barrier_ready(&m->barrier, p, phase, manager_now(m), refusal);

        if (r < 0)
                return r;
        if (m->phase == PHASE_PREPARED) /* came late: written down as one that is waited for */
                registry_add_participant(m, p);
        EMIT(m, waiting_changed);
        update_check(m);
        EMIT(m, rearm);
        return 0;
}

int manager_veto(Manager *m, Participant *p, Want phase, const char *reason, Refusal *refusal) {
        int r = barrier_veto(&m->barrier, p, phase, manager_now(m), reason, refusal);
        Refusal why;

        if (r < 0)
                return r;
        refuse(&why, REASON_VETO, p->name, "%.200s", reason);
        EMIT(m, waiting_changed);
        manager_fail(m, &why);
        EMIT(m, rearm);
        return 0;
}

int manager_delay(Manager *m, Participant *p, Want phase, uint64_t until, const char *reason, Refusal *refusal) {
        uint64_t timeout = phase == WANT_PREPARE ? m->config->prepare_timeout_usec : m->config->freeze_timeout_usec;
        /* A client may ask for as much time again as everybody gets, counted from when it was asked. */
        uint64_t limit = config_deadline(p->asked, MIN_OF(2 * timeout, CONFIG_FOREVER));
        int r = barrier_delay(&m->barrier, p, phase, until, limit, reason, refusal);

        if (r < 0)
                return r;
        EMIT(m, waiting_changed);
        EMIT(m, rearm);
        return 0;
}

/* The loop's side. */

uint64_t manager_deadline(const Manager *m) {
        uint64_t deadline = barrier_next_deadline(&m->barrier);

        if (m->phase == PHASE_FREEZING && !m->update.synced)
                deadline = MIN_OF(deadline, m->update.sync_deadline);
        if (m->update.shutdown_look)
                deadline = MIN_OF(deadline, m->update.shutdown_look);
        if (m->phase == PHASE_UPDATED)
                deadline = MIN_OF(deadline, MIN_OF(m->incoming.deadline, m->incoming.give_up));
        if (m->phase == PHASE_FINISHING)
                deadline = MIN_OF(deadline, m->incoming.finish_deadline);
        return deadline;
}

void manager_tick(Manager *m, uint64_t now) {
        Refusal why;
        Participant *late = barrier_expire(&m->barrier, now);

        if (late) {
                refuse(&why, REASON_DEADLINE, late->name, "no answer to %s for %llu s%s%s",
                       want_to_string(late->phase), (unsigned long long)((now - late->asked) / USEC_PER_SEC),
                       late->reason ? "; it said: " : "", late->reason ?: "");
                EMIT(m, waiting_changed);
                manager_fail(m, &why);
        }
        if (m->phase == PHASE_FREEZING && !m->update.synced && now >= m->update.sync_deadline) {
                refuse(&why, REASON_DEADLINE, "sync", "the file systems did not take all data in time");
                manager_fail(m, &why);
        }
        shutdown_look(m, now);
        if (m->phase == PHASE_UPDATED && now >= m->incoming.give_up)
                receive_give_up(m, now);
        if (m->phase == PHASE_UPDATED && now >= m->incoming.deadline)
                receive_report_late(m);
        if (m->phase == PHASE_FINISHING && now >= m->incoming.finish_deadline)
                receive_stop_waiting(m);
        EMIT(m, rearm);
}

void manager_dispatch(Manager *m) {
        int n;

        do {
                n = worker_dispatch(m->ports->luo_lane);
                n += worker_dispatch(m->ports->image_lane);
                if (m->jump_pending) {
                        update_run_jump(m);
                        n++;
                }
        } while (n > 0);
        EMIT(m, rearm);
}

void manager_watch(Manager *m, const ManagerEvents *events, void *userdata) {
        m->events = events;
        m->userdata = userdata;
        if (events)
                restart_go(m);
}

int manager_new(const Ports *ports, const Config *config, StoredFd *stored, size_t n_stored, Manager **ret) {
        Manager *m = calloc(1, sizeof(*m));

        if (!m) {
                for (size_t i = 0; i < n_stored; i++)
                        stored[i].fd = fd_close(stored[i].fd);
                return -ENOMEM;
        }
        *m = (Manager){
                .ports = ports,
                .config = config,
                .update = { .own_session = -1, .page_fd = -1 },
                .jobs = { .next = 1 },
                .restarted = _EVENT_MAX,
        };
        int r = ports->pci ? devices_new(ports, &devices_events, m, &m->devices) : 0;
        if (r >= 0)
                r = receive_start(m, stored, n_stored);
        if (r < 0) {
                manager_free(m);
                return r;
        }
        *ret = m;
        return 0;
}

Manager *manager_free(Manager *m) {
        if (!m)
                return NULL;
        m->events = NULL;
        /* The workers complete what they have before they go; main frees them first. */
        update_end(m);
        devices_free(m->devices);
        device_list_done(&m->arrived);
        link_list_done(&m->arrived_links);
        hold_list_done(&m->holds);
        shim_list_done(&m->handover.outgoing);
        shim_list_done(&m->handover.incoming);
        session_table_done(&m->sessions);
        for (size_t i = 0; i < m->barrier.n; i++)
                fd_close(m->barrier.items[i]->lease);
        barrier_done(&m->barrier);
        job_list_done(&m->jobs);
        m->report = job_report_unref(m->report);
        manifest_free(m->incoming.manifest);
        free(m->next.cmdline);
        free(m->notice);
        free(m);
        return NULL;
}
