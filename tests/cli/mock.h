/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by mock-service.c, which describes the scenarios, and mock-device.c. */
#pragma once

#include <systemd/sd-bus.h>

#include "common/macro.h"
#include "common/names.h"

/* The scenario, as mock-device.c needs it. */
typedef struct MockDevices {
        const char *scenario;
        sd_bus *bus;
} MockDevices;

int mock_plan(sd_bus_message *msg, const MockDevices *m, sd_bus_error *error);
int mock_list_devices(sd_bus_message *msg, const MockDevices *m);
int mock_list_preserved(sd_bus_message *msg, const MockDevices *m);
/* HoldDevice and ReleaseDevice: prints the call. */
int mock_hold(sd_bus_message *msg, const char *method, sd_bus_error *error);
int mock_list_bits(sd_bus_message *msg);
int mock_verify(sd_bus_message *msg, const MockDevices *m, sd_bus_error *error);
int mock_restore(sd_bus_message *msg, const MockDevices *m, sd_bus_error *error);
int mock_explain(sd_bus_message *msg, sd_bus_error *error);
/* Serves the Device objects. */
int mock_add_devices(const MockDevices *m);
/* Reads an "as" and prints " NAME=a,b" to stdout, nothing if it is empty. */
int mock_print_strings(sd_bus_message *msg, const char *name);
