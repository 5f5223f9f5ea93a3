/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hold.h"

#include "common/log.h"
#include "common/names.h"
#include "daemon/handover.h"
#include "daemon/planner.h"
#include "manager-internal.h"

#include <fcntl.h>

/* The table. */

static Hold *find_hold(Manager *m, Address address) {
        for (size_t i = 0; i < m->holds.n; i++)
                if (address_compare(m->holds.items[i].address, address) == 0)
                        return &m->holds.items[i];
        return NULL;
}

static Hold *add_hold(Manager *m, Address address, HoldState state) {
        Hold *items = reallocarray(m->holds.items, m->holds.n + 1, sizeof(*items));

        if (!items)
                return NULL;
        m->holds.items = items;
        items[m->holds.n] = (Hold){ .address = address, .state = state, .device_fd = -1, .iommu_fd = -1 };
        return &items[m->holds.n++];
}

static void remove_hold(Manager *m, Address address) {
        Hold *h = find_hold(m, address);

        if (!h)
                return;
        size_t after = m->holds.n - (size_t)(h - m->holds.items) - 1;
        memmove(h, h + 1, after * sizeof(*h));
        m->holds.n--;
}

void hold_list_done(HoldList *l) {
        for (size_t i = 0; i < l->n; i++) {
                fd_close(l->items[i].device_fd);
                fd_close(l->items[i].iommu_fd);
        }
        free(l->items);
        *l = (HoldList){};
}

/* Hold and release: one piece of work in the image worker. */

typedef struct Holding {
        Manager *manager;
        Hold hold;
        bool rebind;
        hold_reply_t reply;
        void *userdata;
        Refusal why;
} Holding;

static int run_hold(void *work) {
        Holding *w = work;
        const HoldPort *p = &w->manager->ports->hold;
        Hold *h = &w->hold;

        int r = p->ops->bind(p->self, h->address, w->rebind, &h->driver, &w->why);
        if (r < 0)
                return r;
        r = p->ops->open(p->self, h->address, &h->device_fd, &w->why);
        if (r >= 0)
                r = p->ops->attach(p->self, h->address, h->device_fd, &h->iommu_fd, &w->why);
        if (r < 0) {
                h->device_fd = fd_close(h->device_fd);
                p->ops->unbind(p->self, h->address, &h->driver);
        }
        return r;
}

static int run_release(void *work) {
        Holding *w = work;
        const HoldPort *p = &w->manager->ports->hold;

        /* The device first: it is unbound with its last close. */
        w->hold.device_fd = fd_close(w->hold.device_fd);
        w->hold.iommu_fd = fd_close(w->hold.iommu_fd);
        p->ops->unbind(p->self, w->hold.address, &w->hold.driver);
        return 0;
}

static void finish(Holding *w, int r) {
        if (r < 0 && w->why.reason == REASON_NONE)
                refuse_errno(&w->why, r, "hold", "the work");
        w->reply(w->userdata, r < 0 ? &w->why : NULL);
        free(w);
}

static void held(void *work, int r, _unused_ void *userdata) {
        Holding *w = work;
        Manager *m = w->manager;
        Hold *h = find_hold(m, w->hold.address);
        char text[ADDRESS_TEXT_SIZE];

        address_format(w->hold.address, text);
        if (r >= 0 && h) {
                *h = w->hold;
                h->state = HOLD_HELD;
                log_info("%s is held.", text);
        } else
                remove_hold(m, w->hold.address);
        EMIT(m, holds_changed);
        finish(w, r);
}

static void released(void *work, int r, _unused_ void *userdata) {
        Holding *w = work;
        Manager *m = w->manager;

        fd_close(w->hold.device_fd); /* the worker ended first */
        fd_close(w->hold.iommu_fd);
        remove_hold(m, w->hold.address);
        EMIT(m, holds_changed);
        finish(w, r);
}

static int submit(Manager *m, const Holding *template, worker_run_t run, worker_done_t done) {
        Holding *w = malloc(sizeof(*w));

        if (!w)
                return -ENOMEM;
        *w = *template;
        int r = worker_submit(m->ports->image_lane, run, done, w, NULL);
        if (r < 0)
                free(w);
        return r;
}

static int check_state(const Manager *m, const char *text, Refusal *refusal) {
        int r = manager_job_allowed(m, refusal);

        if (r < 0)
                return r;
        if (m->phase != PHASE_NORMAL)
                return refuse(refusal, REASON_WRONG_STATE, text, "the state is %s", phase_to_string(m->phase));
        return 0;
}

static int check_device(Manager *m, Address address, const char *text, Refusal *refusal) {
        const Topology *t = m->devices ? devices_topology(m->devices) : NULL;
        uint32_t index = t ? topology_find(t, address) : TOPOLOGY_NONE;

        if (!m->ports->hold.ops || index == TOPOLOGY_NONE)
                return refuse(refusal, REASON_NO_SUCH_DEVICE, text, t ? NULL : "the devices are not read yet");
        const Function *f = &t->items[index];
        DevicePolicy policy = rules_apply(m->ports->rules, f);
        if (f->header_type != 0)
                return refuse(refusal, REASON_DEVICE_IS_BRIDGE, text, NULL);
        if (f->is_vf)
                return refuse(refusal, REASON_INVALID_ARGUMENT, text,
                              "a virtual function needs the token of who has its PF; hold the PF");
        if (policy.deny)
                return refuse(refusal, REASON_RULE_DENIES, text, "%s", policy.action_origin);
        return find_hold(m, address) ? refuse(refusal, REASON_DEVICE_HELD, text, NULL) : 0;
}

int hold_device(Manager *m, Address address, bool rebind, hold_reply_t reply, void *userdata, Refusal *refusal) {
        char text[ADDRESS_TEXT_SIZE];

        address_format(address, text);
        int r = check_state(m, text, refusal);
        if (r >= 0)
                r = check_device(m, address, text, refusal);
        if (r < 0)
                return r;
        if (!add_hold(m, address, HOLD_TAKING))
                return refuse_errno(refusal, -ENOMEM, text, "holding the device");
        Holding w = {
                .manager = m,
                .hold = { .address = address, .device_fd = -1, .iommu_fd = -1 },
                .rebind = rebind,
                .reply = reply,
                .userdata = userdata,
        };
        r = submit(m, &w, run_hold, held);
        if (r < 0) {
                remove_hold(m, address);
                return refuse_errno(refusal, r, text, "holding the device");
        }
        EMIT(m, rearm);
        return 0;
}

int hold_release(Manager *m, Address address, hold_reply_t reply, void *userdata, Refusal *refusal) {
        Hold *h = find_hold(m, address);
        char text[ADDRESS_TEXT_SIZE];

        address_format(address, text);
        int r = check_state(m, text, refusal);
        if (r < 0)
                return r;
        if (!h || h->state != HOLD_HELD)
                return refuse(refusal, REASON_DEVICE_NOT_HELD, text, NULL);
        Holding w = { .manager = m, .hold = *h, .reply = reply, .userdata = userdata };
        r = submit(m, &w, run_release, released);
        if (r < 0)
                return refuse_errno(refusal, r, text, "releasing the device");
        h->state = HOLD_LEAVING;
        h->device_fd = h->iommu_fd = -1;
        EMIT(m, rearm);
        return 0;
}

/* At PREPARE and after the jump: one call in the LUO worker for all of them. */

typedef struct Carried {
        int device_fd, iommu_fd;
        CallDevice device;
} Carried;

typedef struct Carrying {
        Carried *items;
        size_t n;
        Refusal why; /* the first */
} Carrying;

static Carrying *carrying_new(size_t n) {
        Carrying *w = calloc(1, sizeof(*w));

        if (w)
                w->items = calloc(MAX_OF(n, (size_t)1), sizeof(*w->items));
        if (w && !w->items) {
                free(w);
                w = NULL;
        }
        return w;
}

static Carrying *carrying_free(Carrying *w) {
        if (!w)
                return NULL;
        for (size_t i = 0; i < w->n; i++) {
                fd_close(w->items[i].device_fd);
                fd_close(w->items[i].iommu_fd);
        }
        free(w->items);
        free(w);
        return NULL;
}

/* Tokens are the addresses, which are the same on the other side. */
static uint64_t token_of(Address a) {
        return (uint64_t)a.domain << 16 | (uint64_t)a.bus << 8 | (uint64_t)a.slot << 3 | a.function;
}

static bool excepted(const Manager *m, Address address) {
        Address other;

        for (size_t i = 0; i < m->update.request.n_exceptions; i++)
                if (address_parse(m->update.request.exceptions[i], &other) >= 0 &&
                    address_compare(other, address) == 0)
                        return true;
        return false;
}

static int add_carried(Manager *m, Carrying *w, const Hold *h) {
        const Topology *t = devices_topology(m->devices);
        uint32_t index = t ? topology_find(t, h->address) : TOPOLOGY_NONE;
        Carried *c = &w->items[w->n];

        if (h->state != HOLD_HELD || index == TOPOLOGY_NONE || excepted(m, h->address))
                return 0;
        const Function *f = &t->items[index];
        *c = (Carried){ .device_fd = fcntl(h->device_fd, F_DUPFD_CLOEXEC, 3), .iommu_fd = -1 };
        if (c->device_fd < 0)
                return -errno;
        c->device = (CallDevice){
                .any = true,
                .address = h->address,
                .policy = handover_policy(plan_dma(f, rules_apply(m->ports->rules, f).dma, planner_can(m))),
        };
        w->n++;
        return 0;
}

static int run_preserve(void *work) {
        Call *c = work;
        Carrying *w = c->userdata;
        const Ports *p = c->manager->ports;
        char text[ADDRESS_TEXT_SIZE];

        int r = luo_create_session(&p->luo, c->name, &c->fd);
        if (r < 0)
                return luo_refuse(&w->why, r, c->name, "");
        for (size_t i = 0; i < w->n && r >= 0; i++) {
                Carried *one = &w->items[i];
                r = device_preserve(p, c->fd, one->device_fd, token_of(one->device.address), &one->device);
                if (r >= 0)
                        continue;
                address_format(one->device.address, text);
                if (one->device.why.reason != REASON_NONE)
                        refuse(&w->why, one->device.why.reason, text, "%s", one->device.why.detail);
                else
                        refuse_errno(&w->why, r, text, "PRESERVE_FD");
        }
        if (r < 0)
                c->fd = fd_close(c->fd);
        return r;
}

static void drop_from_table(Manager *m, Session *s) {
        if (s->dropped)
                return;
        EMIT(m, session_removed, s);
        session_table_remove(&m->sessions, s);
}

static void list_files(Session *s, const Carrying *w) {
        for (size_t i = 0; i < w->n; i++) {
                uint64_t token = token_of(w->items[i].device.address);
                int r = session_add_file(s, token, "vfio", FILE_PRESERVED);
                if (r < 0)
                        log_errno(r, "Session %s: token %lu is preserved but not listed", s->name,
                                  (unsigned long)token);
                session_set_device(s, token, w->items[i].device.address);
        }
}

static void preserved(Call *c, int r) {
        Manager *m = c->manager;
        Session *s = c->session;
        Carrying *w = c->userdata;
        bool stale = c->generation != m->update.generation || m->phase != PHASE_PREPARING;

        if (r >= 0) {
                s->fd = TAKE_FD(c->fd);
                s->state = SESSION_OPEN;
                list_files(s, w);
                if (s->doomed || stale)
                        manager_drop_session(m, s, false);
                else {
                        m->update.held = true;
                        /* Not in the descriptor store: a restart finds it missing, and cancels. */
                        registry_add_session(m, s);
                }
                EMIT(m, session_changed, s);
        } else {
                Refusal why = w->why;
                if (why.reason == REASON_NONE)
                        refuse_errno(&why, r, HOLD_SESSION_NAME, "preserving the held devices");
                drop_from_table(m, s);
                if (!stale)
                        manager_fail(m, &why);
        }
        (void)handover_read(m, NULL, NULL);
        carrying_free(w);
}

static int fill_carrying(Manager *m, Carrying *w) {
        int r = 0;

        /* The update's devices are in the order in which they depend on one another. */
        for (size_t i = 0; i < m->update.devices.n && r >= 0; i++) {
                const Hold *h = find_hold(m, m->update.devices.items[i].address);
                r = h ? add_carried(m, w, h) : 0;
        }
        return r;
}

static int start_preserve(Manager *m, Carrying *w) {
        Session *s;

        int r = session_table_add(&m->sessions, HOLD_SESSION_NAME, 0, SESSION_OPENING, &s);
        if (r < 0)
                return r;
        EMIT(m, session_added, s);
        Call call = { .session = s, .done = preserved, .userdata = w, .session_fd = -1, .fd = -1 };
        snprintf(call.name, sizeof(call.name), "%s", HOLD_SESSION_NAME);
        r = manager_call(m, run_preserve, &call);
        if (r < 0)
                drop_from_table(m, s);
        return r;
}

int hold_preserve(Manager *m, Refusal *refusal) {
        Carrying *w = m->holds.n > 0 ? carrying_new(m->holds.n) : NULL;

        m->update.held = m->holds.n == 0;
        if (m->update.held)
                return 0;
        int r = w ? fill_carrying(m, w) : -ENOMEM;
        if (r >= 0 && w->n == 0) { /* all are excepted, or on their way */
                m->update.held = true;
                carrying_free(w);
                return 0;
        }
        if (r >= 0)
                r = start_preserve(m, w);
        if (r < 0) {
                carrying_free(w);
                return refuse_errno(refusal, r, HOLD_SESSION_NAME, "preserving the held devices");
        }
        return 0;
}

/* The other side. */

static int take_one(const Ports *p, int session_fd, Carried *one, Refusal *why) {
        const HoldPort *hold = &p->hold;
        char text[ADDRESS_TEXT_SIZE];

        int r = device_retrieve(p, session_fd, token_of(one->device.address), &one->device, &one->device_fd);
        if (r < 0) {
                address_format(one->device.address, text);
                if (one->device.why.reason != REASON_NONE)
                        return refuse(why, one->device.why.reason, text, "%s", one->device.why.detail);
                return refuse(why, REASON_RETRIEVE_FAILED, text, "%s", strerror(-r));
        }
        return hold->ops->attach(hold->self, one->device.address, one->device_fd, &one->iommu_fd, why);
}

/* All that can be had is taken; what cannot is quieted by FINISH. */
static int run_return(void *work) {
        Call *c = work;
        Carrying *w = c->userdata;
        const Ports *p = c->manager->ports;
        Refusal why;

        int r = luo_retrieve_session(&p->luo, c->name, &c->fd);
        if (r < 0)
                return r;
        for (size_t i = 0; i < w->n; i++)
                if (take_one(p, c->fd, &w->items[i], &why) < 0 && w->why.reason == REASON_NONE)
                        w->why = why;
        return luo_finish(&p->luo, c->fd);
}

static void keep_one(Manager *m, Session *s, Carried *one) {
        SessionFile *f = session_find_file(s, token_of(one->device.address));
        Hold *h = find_hold(m, one->device.address) ? NULL : add_hold(m, one->device.address, HOLD_HELD);

        if (f)
                f->state = one->device_fd >= 0 ? FILE_RETRIEVED : FILE_FAILED;
        if (one->device_fd >= 0)
                device_retrieved(m, &one->device);
        if (!h)
                return;
        if (one->iommu_fd < 0) {
                remove_hold(m, one->device.address);
                return;
        }
        h->device_fd = TAKE_FD(one->device_fd);
        h->iommu_fd = TAKE_FD(one->iommu_fd);
}

static void returned(Call *c, int r) {
        Manager *m = c->manager;
        Session *s = c->session;
        Carrying *w = c->userdata;
        char text[640];

        if (c->fd >= 0) {
                s->fd = TAKE_FD(c->fd);
                receive_set_claimed(m, s);
                receive_mark(m, STEP_FIRST_RETRIEVE, false);
                receive_mark(m, STEP_LAST_RETRIEVE, true);
                for (size_t i = 0; i < w->n; i++)
                        keep_one(m, s, &w->items[i]);
        }
        if (r >= 0)
                receive_set_finished(m, s);
        else if (r == -ENOENT && s->fd < 0)
                receive_set_lost(m, s);
        else {
                if (s->fd < 0)
                        s->state = SESSION_WAITING;
                if (w->why.reason == REASON_NONE)
                        refuse_errno(&w->why, r, s->name, s->fd < 0 ? "the session" : "FINISH");
        }
        if (w->why.reason != REASON_NONE) {
                refusal_format(&w->why, text, sizeof(text));
                manager_notice(m, "A device that was held did not come back as it should: %s", text);
        }
        EMIT(m, session_changed, s);
        EMIT(m, holds_changed);
        carrying_free(w);
}

void hold_arrived(Manager *m) {
        Session *s = session_table_find(&m->sessions, HOLD_SESSION_NAME);

        if (!s || s->state != SESSION_WAITING || !m->ports->hold.ops)
                return;
        Carrying *w = carrying_new(s->n_files);
        int r = w ? 0 : -ENOMEM;
        for (size_t i = 0; i < s->n_files && r >= 0; i++)
                if (s->files[i]->has_address)
                        w->items[w->n++] = (Carried){
                                .device_fd = -1,
                                .iommu_fd = -1,
                                .device = { .any = true, .address = s->files[i]->address },
                        };
        Call call = { .session = s, .done = returned, .userdata = w, .session_fd = -1, .fd = -1 };
        snprintf(call.name, sizeof(call.name), "%s", HOLD_SESSION_NAME);
        if (r >= 0)
                r = manager_call(m, run_return, &call);
        if (r < 0) {
                carrying_free(w);
                log_errno(r, "Taking the held devices back");
                return;
        }
        s->state = SESSION_CLAIMING;
}
