/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devices on their way through an update, and those that the daemon holds itself:
 * Manager.ListPreserved, HoldDevice, ReleaseDevice, and what a Device object shows of it.
 */
#include "bus-device.h"

#include "daemon/handover.h"
#include "daemon/hold.h"

/* ListPreserved. */

static int append_one(sd_bus_message *reply, const char *direction, const ShimDevice *d) {
        char address[ADDRESS_TEXT_SIZE];

        address_format(d->address, address);
        return sd_bus_message_append(reply, "(ssssss)", address, direction, shim_kind_to_string(d->kind),
                                     shim_dma_to_string(d->dma), shim_state_to_string(d->state), d->driver);
}

static int append_list(sd_bus_message *reply, const char *direction, const ShimList *l) {
        int r = 0;

        for (size_t i = 0; i < l->n && r >= 0; i++)
                r = append_one(reply, direction, &l->items[i]);
        return r;
}

static int append_held(sd_bus_message *reply, const Manager *m) {
        char address[ADDRESS_TEXT_SIZE];
        int r = 0;

        for (size_t i = 0; i < m->holds.n && r >= 0; i++) {
                if (m->holds.items[i].state != HOLD_HELD)
                        continue;
                address_format(m->holds.items[i].address, address);
                r = sd_bus_message_append(reply, "(ssssss)", address, "held", "", "", "held", "");
        }
        return r;
}

static void list_read(void *userdata, int result) {
        BusWaiter *w = userdata;
        const Handover *h = &w->bus->manager->handover;
        sd_bus_message *reply = NULL;

        int r = result == -ENODEV ? 0 : result; /* without a module nothing is on its way */
        if (r >= 0)
                r = sd_bus_message_new_method_return(w->call.message, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(ssssss)");
        if (r >= 0)
                r = append_held(reply, w->bus->manager);
        if (r >= 0 && result >= 0)
                r = append_list(reply, "outgoing", &h->outgoing);
        if (r >= 0 && result >= 0)
                r = append_list(reply, "incoming", &h->incoming);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r >= 0)
                r = sd_bus_send(w->bus->bus, reply, NULL);
        if (r < 0)
                (void)sd_bus_reply_method_errno(w->call.message, r, NULL);
        sd_bus_message_unref(reply);
        bus_waiter_free(w);
}

int bus_list_preserved(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Bus *b = userdata;
        BusWaiter *w = calloc(1, sizeof(*w));

        if (!w)
                return -ENOMEM;
        *w = (BusWaiter){ .bus = b };
        int r = bus_call_keep(b, message, &w->call, error);
        if (r >= 0)
                r = handover_read(b->manager, list_read, w);
        if (r < 0) {
                bus_waiter_free(w);
                return r;
        }
        return 1;
}

/* HoldDevice and ReleaseDevice. */

static void replied(void *userdata, const Refusal *refusal) {
        BusCall *call = userdata;

        if (refusal)
                bus_reply_refusal(call->message, refusal);
        else
                (void)sd_bus_reply_method_return(call->message, "");
        bus_call_free(call);
}

static int read_address(sd_bus_message *message, Address *ret, Refusal *refusal) {
        const char *text;

        int r = sd_bus_message_read(message, "s", &text);
        if (r < 0)
                return refuse_errno(refusal, r, "device", "reading the address");
        if (address_parse(text, ret) < 0)
                return refuse(refusal, REASON_INVALID_ARGUMENT, "device", "'%.32s' is no PCI address", text);
        return 0;
}

typedef struct HoldRequest {
        Address address;
        int rebind;
} HoldRequest;

static void held(void *userdata, const Refusal *refusal) {
        BusWaiter *w = userdata;

        if (refusal)
                bus_reply_refusal(w->call.message, refusal);
        else
                (void)sd_bus_reply_method_return(w->call.message, "");
        bus_waiter_free(w);
}

static void hold_ready(void *userdata) {
        BusWaiter *w = userdata;
        const HoldRequest *request = w->data;
        Refusal refusal;

        int r = hold_device(w->bus->manager, request->address, request->rebind, held, w, &refusal);
        if (r < 0)
                held(w, &refusal);
}

/* What there is to hold is known after the first look at the devices. */
int bus_hold_device(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        HoldRequest request = {}, *copy;
        Refusal refusal;

        int r = read_address(message, &request.address, &refusal);
        if (r < 0)
                return bus_refuse(error, &refusal);
        r = bus_read_options(message, &(BusOption){ "rebind", 'b', &request.rebind }, 1, error);
        if (r < 0)
                return r;
        copy = malloc(sizeof(*copy));
        if (!copy)
                return -ENOMEM;
        *copy = request;
        return bus_when_devices(userdata, message, copy, free, hold_ready, error);
}

int bus_release_device(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Bus *b = userdata;
        Refusal refusal;
        BusCall *call;
        Address address;

        int r = read_address(message, &address, &refusal);
        if (r < 0)
                return bus_refuse(error, &refusal);
        r = bus_read_options(message, NULL, 0, error);
        if (r >= 0)
                r = bus_call_new(b, message, &call, error);
        if (r < 0)
                return r;
        r = hold_release(b->manager, address, replied, call, &refusal);
        if (r >= 0)
                return 1;
        bus_call_free(call);
        return bus_refuse(error, &refusal);
}

/* Properties. */

const char *bus_device_way(const Manager *m, Address address, bool incoming) {
        const ShimDevice *d = shim_list_find(incoming ? &m->handover.incoming : &m->handover.outgoing, address);

        return d ? shim_state_to_string(d->state) : "";
}

bool bus_device_held(const Manager *m, Address address) {
        for (size_t i = 0; i < m->holds.n; i++)
                if (m->holds.items[i].state == HOLD_HELD && address_compare(m->holds.items[i].address, address) == 0)
                        return true;
        return false;
}

int bus_get_held(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
                 void *userdata, sd_bus_error *error) {
        const Manager *m = ((Bus *)userdata)->manager;
        char address[ADDRESS_TEXT_SIZE];

        int r = sd_bus_message_open_container(reply, 'a', "s");
        for (size_t i = 0; i < m->holds.n && r >= 0; i++) {
                if (m->holds.items[i].state != HOLD_HELD)
                        continue;
                address_format(m->holds.items[i].address, address);
                r = sd_bus_message_append(reply, "s", address);
        }
        return r < 0 ? r : sd_bus_message_close_container(reply);
}
