/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Manager.Plan, Explain and ListBits: what can go along and why not, in words. */
#include "bus-device.h"

#include "daemon/planner.h"
#include "sys/holder.h"

/* The bus's words for the kinds. */
static const char *kind_word(PlanKind kind) {
        return kind == PLAN_REQUESTED ? "device" : kind == PLAN_FILE ? "session" : plan_kind_to_string(kind);
}

static int append_item(sd_bus_message *reply, const Plan *p, const PlanSubject *s, const PlanItem *item) {
        char subject[PLAN_SUBJECT_TEXT_SIZE], sentence[640];

        plan_subject_text(s, subject);
        if (!item)
                return sd_bus_message_append(reply, "(ssssss)", kind_word(s->kind), subject,
                                             verdict_to_string(s->verdict), "", "", "");
        const char *text = reason_sentence(item->reason);
        (void)snprintf(sentence, sizeof(sentence), "%s%s%s%s", text, item->detail ? " (" : "", item->detail ?: "",
                       item->detail ? ")" : "");
        return sd_bus_message_append(reply, "(ssssss)", kind_word(s->kind), subject, verdict_to_string(item->verdict),
                                     reason_code(item->reason), sentence, reason_remedy(item->reason));
}

static int append_plan(sd_bus_message *reply, const Plan *p) {
        int r = sd_bus_message_open_container(reply, 'a', "(ssssss)");

        for (size_t i = 0; i < p->n_subjects && r >= 0; i++) {
                const PlanSubject *s = &p->subjects[i];
                if (s->n_items == 0)
                        r = append_item(reply, p, s, NULL);
                for (size_t k = 0; k < s->n_items && r >= 0; k++)
                        r = append_item(reply, p, s, &p->items[s->first_item + k]);
        }
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

/* All devices that are bound to a VFIO driver: what somebody means who names none. */
static int all_vfio(const Topology *t, Address **ret, size_t *ret_n) {
        Address *addresses = calloc(MAX_OF(t->n, (size_t)1), sizeof(*addresses));
        size_t n = 0;

        if (!addresses)
                return -ENOMEM;
        for (size_t i = 0; i < t->n; i++)
                if (t->items[i].driver && strstr(t->items[i].driver, "vfio"))
                        addresses[n++] = t->items[i].address;
        *ret = addresses;
        *ret_n = n;
        return 0;
}

typedef struct PlanCall {
        Address *devices;
        size_t n;
        bool all;
        bool luo_busy;
        JumpChoice jump;
} PlanCall;

static void plan_call_free(void *data) {
        PlanCall *call = data;

        free(call->devices);
        free(call);
}

static int reply_plan(BusWaiter *w) {
        Manager *m = w->bus->manager;
        PlanCall *call = w->data;
        sd_bus_message *reply = NULL;
        Plan plan = {};
        int r = 0;

        if (call->all) {
                free(TAKE_PTR(call->devices));
                r = all_vfio(devices_topology(m->devices), &call->devices, &call->n);
        }
        if (r >= 0)
                r = planner_make(m, call->devices, call->n,
                                 (PlannerHints){ .luo_busy = call->luo_busy, .jump = call->jump }, &plan);
        if (r >= 0)
                r = sd_bus_message_new_method_return(w->call.message, &reply);
        if (r >= 0)
                r = append_plan(reply, &plan);
        if (r >= 0)
                r = sd_bus_send(w->bus->bus, reply, NULL);
        if (r >= 0) /* what comes after this is not in what was seen */
                m->planned = devices_generation(m->devices);
        sd_bus_message_unref(reply);
        plan_done(&plan);
        return r;
}

/* Whether somebody has the device open is only looked up in /proc, never tried: a plan
 * must not get in anybody's way. That takes its time, so a worker does it. */
static int run_probe(void *work) {
        BusWaiter *w = work;
        PlanCall *call = w->data;
        char holder[128];

        call->luo_busy = holder_find("", w->bus->manager->config->luo_device, holder, sizeof(holder)) >= 0;
        return 0;
}

static void probed(void *work, int r, _unused_ void *userdata) {
        BusWaiter *w = work;

        if (r >= 0)
                r = reply_plan(w);
        if (r < 0)
                (void)sd_bus_reply_method_errno(w->call.message, r, NULL);
        bus_waiter_free(w);
}

static void make_plan(void *userdata) {
        BusWaiter *w = userdata;

        int r = worker_submit(w->bus->manager->ports->image_lane, run_probe, probed, w, NULL);
        if (r < 0)
                probed(w, r, NULL);
}

int bus_plan(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        PlanCall *call;
        Address *devices;
        char **words = NULL;
        const char *jump = NULL;
        const BusOption options[] = { { "jump", 's', &jump } };
        JumpChoice choice = {};
        Refusal refusal;
        size_t n;

        int r = sd_bus_message_read_strv(message, &words);
        if (r >= 0)
                r = bus_read_options(message, options, ELEMENTSOF(options), error);
        if (r >= 0)
                r = bus_read_jump(jump, &choice, error);
        if (r < 0) {
                bus_free_words(words);
                return r;
        }
        r = planner_parse(words, &devices, &n, &refusal);
        bus_free_words(words);
        if (r < 0)
                return bus_refuse(error, &refusal);
        call = malloc(sizeof(*call));
        if (!call) {
                free(devices);
                return -ENOMEM;
        }
        *call = (PlanCall){ .devices = devices, .n = n, .all = n == 0, .jump = choice };
        return bus_when_devices(userdata, message, call, plan_call_free, make_plan, error);
}

int bus_plan_verdict(const Bus *b, Address address, bool codes, sd_bus_message *reply) {
        Plan plan = {};

        int r = planner_make(b->manager, &address, 1, (PlannerHints){}, &plan);
        if (r < 0)
                return r;
        if (codes)
                r = sd_bus_message_open_container(reply, 'a', "s");
        for (size_t i = 0; i < plan.n_subjects && r >= 0; i++) {
                const PlanSubject *s = &plan.subjects[i];
                if (s->kind != PLAN_REQUESTED)
                        continue;
                if (!codes) {
                        r = sd_bus_message_append(reply, "s", verdict_to_string(s->verdict));
                        break;
                }
                for (size_t k = 0; k < s->n_items && r >= 0; k++)
                        r = sd_bus_message_append(reply, "s", reason_code(plan.items[s->first_item + k].reason));
        }
        if (codes && r >= 0)
                r = sd_bus_message_close_container(reply);
        plan_done(&plan);
        return r;
}

int bus_explain(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const char *code;
        Refusal refusal;

        int r = sd_bus_message_read(message, "s", &code);
        if (r < 0)
                return r;
        int reason = reason_from_code(code);
        if (reason <= 0) {
                refuse(&refusal, REASON_INVALID_ARGUMENT, "code", "'%.64s' is no reason code", code);
                return bus_refuse(error, &refusal);
        }
        return sd_bus_reply_method_return(message, "ss", reason_sentence((Reason)reason),
                                          reason_remedy((Reason)reason));
}
