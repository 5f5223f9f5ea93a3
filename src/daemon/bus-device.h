/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bus side of devices and plans: bus-device.c, bus-plan.c. */
#pragma once

#include "daemon/bus.h"

/* A method that waits for the first scan. data is freed with it, by free_data. */
typedef struct BusWaiter {
        Bus *bus;
        BusCall call;
        void *data;
        void (*free_data)(void *data);
} BusWaiter;

BusWaiter *bus_waiter_free(BusWaiter *w);
/* Runs done(BusWaiter *) as soon as the topology is there; takes data over. Returns what
 * the method has to return. */
int bus_when_devices(Bus *b, sd_bus_message *message, void *data, void (*free_data)(void *data), devices_ready_t done,
                     sd_bus_error *error);

void bus_device_path(Address a, char path[static BUS_PATH_MAX]);
int bus_export_devices(Bus *b);
int bus_list_devices(sd_bus_message *message, void *userdata, sd_bus_error *error);

/* bus-handover.c */
int bus_list_preserved(sd_bus_message *message, void *userdata, sd_bus_error *error);
int bus_hold_device(sd_bus_message *message, void *userdata, sd_bus_error *error);
int bus_release_device(sd_bus_message *message, void *userdata, sd_bus_error *error);
int bus_get_held(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
                 void *userdata, sd_bus_error *error);
/* The state of the device on its way out of this kernel, or into it; "" if it is not. */
const char *bus_device_way(const Manager *m, Address address, bool incoming);
bool bus_device_held(const Manager *m, Address address);

/* bus-plan.c */
int bus_plan(sd_bus_message *message, void *userdata, sd_bus_error *error);
int bus_explain(sd_bus_message *message, void *userdata, sd_bus_error *error);
int bus_list_bits(sd_bus_message *message, void *userdata, sd_bus_error *error);
int bus_verify(sd_bus_message *message, void *userdata, sd_bus_error *error);
int bus_restore(sd_bus_message *message, void *userdata, sd_bus_error *error);
/* Appends the Verdict, or the Codes, of a plan for this device alone. */
int bus_plan_verdict(const Bus *b, Address address, bool codes, sd_bus_message *reply);
