/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The QEMU guest agent, as far as it is needed: setting the guest's clock. */
#pragma once

#include "common/macro.h"

/* Tells the agent behind this socket to read the real-time clock. Waits for its answer,
 * but not long: there may be no agent in the guest, or another program may talk to it. */
int agent_set_time(const char *socket_path, uint64_t timeout_usec);
