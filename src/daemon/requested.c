/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/requested.h"

#include "daemon/handover.h"
#include "manager-internal.h"

typedef struct Asking {
        Manager *manager;
        uint64_t generation;
} Asking;

/* By the module's word, which knows what clients preserve on their own copy of a session, or by
 * our books, in which it may be with another handler of the kernel. */
static bool is_preserved(const Manager *m, Address address) {
        if (shim_list_find(&m->handover.outgoing, address))
                return true;
        for (size_t i = 0; i < m->sessions.n; i++) {
                const Session *s = m->sessions.items[i];

                for (size_t k = 0; k < s->n_files && !session_is_incoming(s); k++)
                        if (s->files[k]->has_address && address_compare(s->files[k]->address, address) == 0)
                                return true;
        }
        return false;
}

static int check(const Manager *m, Refusal *why) {
        char text[ADDRESS_TEXT_SIZE];

        for (size_t i = 0; i < m->update.request.n_devices; i++) {
                address_format(m->update.request.devices[i], text);
                if (!manager_is_excepted(m, text) && !is_preserved(m, m->update.request.devices[i]))
                        return refuse(why, REASON_DEVICE_NOT_PRESERVED, text, NULL);
        }
        return 0;
}

static void answered(void *userdata, int r) {
        Asking *a = userdata;
        Manager *m = a->manager;
        bool late = a->generation != m->update.generation || m->phase != PHASE_FREEZING;
        Refusal why;

        free(a);
        if (late)
                return;
        if (r < 0 && r != -ENODEV)
                refuse_errno(&why, r, "liveupdate_vfio", "reading which devices are preserved");
        else
                r = check(m, &why);
        if (r < 0)
                manager_fail(m, &why);
        else
                m->update.requested_there = true;
        update_check(m);
}

int requested_check(Manager *m) {
        if (m->update.requested_asked)
                return 0;
        if (m->update.request.n_devices == 0) {
                m->update.requested_asked = m->update.requested_there = true;
                return 0;
        }
        Asking *a = malloc(sizeof(*a));
        if (!a)
                return -ENOMEM;
        *a = (Asking){ .manager = m, .generation = m->update.generation };
        int r = handover_read(m, answered, a);
        if (r < 0)
                free(a);
        else
                m->update.requested_asked = true;
        return r;
}
