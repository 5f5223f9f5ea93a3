/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The VF settings of PFs that stay with their network driver: with FREEZE they are read
 * into the manifest; in the new kernel they are read again, held against that, and put
 * back if that is asked for. All asking of interfaces is done by the image worker.
 *
 * What cannot be read or put back is told, and never fails an update. A PF without a
 * network interface (an NVMe controller) has nothing to record.
 */
#pragma once

#include "daemon/verify.h"

/* Queues the reading; update_check() is called when it is over. At FREEZE. */
int vf_links_record(Manager *m);
/* What was read, into the manifest. */
int vf_links_fill(const Manager *m, Manifest *manifest);
/* Moves what the manifest says into the manager: it outlives the update. */
void vf_links_arrive(Manager *m, Manifest *from);

/* Compares, and adds to the result. In the worker. -ENOMEM. */
int vf_links_compare(const Ports *p, const LinkList *links, bool restore, VerifyResult *result);
