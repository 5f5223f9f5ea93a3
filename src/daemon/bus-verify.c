/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Manager.ListBits, Manager.Verify and Manager.Restore: devices before and after the jump. */
#include "bus-device.h"

#include "common/log.h"
#include "daemon/verify.h"

/* "0x04", "MSI-X+0x02" */
static void format_place(const ConfigBits *b, char *buf, size_t size) {
        const char *name = NULL;

        if (b->place == BITS_CAPABILITY || b->place == BITS_EXTENDED)
                name = config_capability_name(b->capability, b->place == BITS_EXTENDED);
        (void)snprintf(buf, size, "%s%s0x%02x", name ?: "", name ? "+" : "", b->offset);
}

int bus_list_bits(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Bus *b = userdata;
        sd_bus_message *reply = NULL;
        size_t n;
        const ConfigBits *table = config_bits_table(&n);

        int r = sd_bus_message_new_method_return(message, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(sssss)");
        for (size_t i = 0; i < n && r >= 0; i++) {
                char place[96], mask[16];
                format_place(&table[i], place, sizeof(place));
                (void)snprintf(mask, sizeof(mask), "0x%0*x", table[i].width * 2, table[i].mask);
                r = sd_bus_message_append(reply, "(sssss)", table[i].name, place, mask,
                                          bits_class_to_string(table[i].class), table[i].reason);
        }
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r >= 0)
                r = sd_bus_send(b->bus, reply, NULL);
        sd_bus_message_unref(reply);
        return r;
}

static int append_row(sd_bus_message *reply, const VerifyRow *row) {
        char address[ADDRESS_TEXT_SIZE], reason[512];

        address_format(row->address, address);
        (void)snprintf(reason, sizeof(reason), "%s%s%s", row->reason ?: "", row->error < 0 ? ": " : "",
                       row->error < 0 ? strerror(-row->error) : "");
        return sd_bus_message_append(reply, "(ssssss)", address, row->name, row->before, row->after,
                                     verify_verdict_to_string(row->verdict), reason);
}

static void reply_verify(void *userdata, int r, const VerifyResult *result) {
        BusCall *call = userdata;
        sd_bus_message *message = call->message, *reply = NULL;

        if (r >= 0)
                r = sd_bus_message_new_method_return(message, &reply);
        if (r >= 0)
                r = sd_bus_message_append(reply, "t", result->equal + result->settings.equal);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(ssssss)");
        for (size_t i = 0; i < result->n_rows && r >= 0; i++)
                r = append_row(reply, &result->rows[i]);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r >= 0)
                r = sd_bus_send(sd_bus_message_get_bus(message), reply, NULL);
        if (r < 0)
                (void)sd_bus_reply_method_errno(message, r, NULL);
        sd_bus_message_unref(reply);
        bus_call_free(call);
}

static int start(sd_bus_message *message, Bus *b, bool restore, sd_bus_error *error) {
        Refusal refusal;
        BusCall *call;

        int r = verify_allowed(b->manager, restore, &refusal);
        if (r < 0)
                return bus_refuse(error, &refusal);
        r = bus_call_new(b, message, &call, error);
        if (r < 0)
                return r;
        r = (restore ? verify_restore : verify_compare)(b->manager, reply_verify, call);
        if (r < 0) {
                bus_call_free(call);
                return r;
        }
        return 1;
}

int bus_verify(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        int r = bus_read_options(message, NULL, 0, error);

        return r < 0 ? r : start(message, userdata, false, error);
}

int bus_restore(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Bus *b = userdata;
        uint32_t uid;

        int r = bus_read_options(message, NULL, 0, error);
        if (r >= 0)
                r = bus_caller_uid(b, message, &uid, error);
        if (r < 0)
                return r;
        log_info("VF settings are to be put back, says uid %u.", uid);
        return start(message, b, true, error);
}
