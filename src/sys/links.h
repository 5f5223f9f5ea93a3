/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The VF settings of a PF's network interface, over rtnetlink: read, and put back.
 *
 * The messages are made and taken apart with libnl's attributes, not with the VF objects
 * of libnl-route 3.7: those ask for statistics, with which the kernel describes 128 VFs
 * only, and write the VLAN protocol in the wrong byte order.
 */
#pragma once

#include "core/topology.h"
#include "core/vf-settings.h"

typedef struct Links Links;

int links_open(Links **ret);
Links *links_close(Links *l);
DEFINE_CLEANUP(Links, links_close);

/* The interface of this PF below sysfs_root ("/sys"): its uplink, where the driver has
 * representors of VFs too, and of several ports the first. -ENODEV when it has none. */
int links_pf_ifindex(const char *sysfs_root, Address pf, int *ret);

/* An interface without VFs, or whose driver says nothing of them, has an empty list.
 * -ENODEV when there is no such interface. */
int links_read_vfs(Links *l, int ifindex, VfList *ret);
/* The same from the kernel's answer, an RTM_NEWLINK message of nlmsg_len bytes. -EBADMSG. */
struct nlmsghdr;
int links_parse(struct nlmsghdr *message, VfList *ret);

typedef struct VfOutcome {
        int errors[_VF_SETTING_MAX]; /* 0, or the negative errno of that setting */
} VfOutcome;

/* Sets those of want's known settings that are in the mask, each by itself, so that one
 * which is refused does not keep the others back. What the driver cannot set is only
 * noted in the outcome (-EOPNOTSUPP); the result is the first other error, after all
 * have been tried (or the interface has gone, or the right is missing). The outcome is
 * filled in on failure, too. Needs CAP_NET_ADMIN. */
int links_apply_vf(Links *l, int ifindex, const VfSettings *want, uint32_t settings, VfOutcome *ret);
