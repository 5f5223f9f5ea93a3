/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a PF's network driver was told about its VFs (ip link set DEV vf N …). It is state
 * of the driver and the card, not of the VF's config space: a new kernel's driver starts
 * from its defaults, and the VM behind the VF would lose its MAC address or its VLAN. So
 * the settings travel in the manifest, are compared with what the new kernel has, and
 * can be put back.
 *
 * What a driver does not report is not known, and is neither compared nor put back. A
 * list is in order of the VFs' numbers, each there once.
 */
#pragma once

#include "reason.h"

#include "common/table.h"

struct json_object;

/* In the order in which the kernel applies them (do_setvfinfo() in
 * net/core/rtnetlink.c). What can only be set together is one setting. */
typedef enum VfSetting {
        VF_SETTING_MAC,
        VF_SETTING_VLAN, /* with QoS and protocol */
        VF_SETTING_RATE, /* lowest and highest */
        VF_SETTING_SPOOF_CHECK,
        VF_SETTING_LINK_STATE,
        VF_SETTING_RSS_QUERY,
        VF_SETTING_TRUST,
        _VF_SETTING_MAX,
} VfSetting;
DECLARE_STRING_TABLE(vf_setting, VfSetting);

#define VF_SETTING_BIT(setting) (UINT32_C(1) << (setting))
#define VF_SETTINGS_ALL (VF_SETTING_BIT(_VF_SETTING_MAX) - 1)

typedef enum VfLink { VF_LINK_AUTO, VF_LINK_ENABLE, VF_LINK_DISABLE, _VF_LINK_MAX } VfLink; /* the kernel's values */
DECLARE_STRING_TABLE(vf_link, VfLink);

enum {
        VLAN_PROTO_8021Q = 0x8100,
        VLAN_PROTO_8021AD = 0x88a8,
        VF_MAC_SIZE = 6,
        VF_SETTING_TEXT_SIZE = 48,
        VF_NUMBER_MAX = 65535, /* TotalVFs has 16 bits */
};

typedef struct VfSettings {
        uint32_t vf;
        uint32_t known; /* VF_SETTING_BIT()s */
        uint8_t mac[VF_MAC_SIZE];
        uint16_t vlan, vlan_proto;   /* 0-4095; an Ethertype */
        uint8_t vlan_qos;            /* 0-7 */
        uint32_t min_rate, max_rate; /* Mbit/s; 0: no limit */
        bool spoof_check, rss_query, trust;
        VfLink link_state;
} VfSettings;

typedef struct VfList {
        VfSettings *items;
        size_t n;
        uint32_t total; /* VFs there are; the kernel describes 256 at most */
} VfList;

void vf_list_done(VfList *l);
/* *ret is to be passed to vf_list_done(). -ENOMEM. */
int vf_list_copy(const VfList *from, VfList *ret);
/* Whether it can be written and read back: numbers ascend, values are in range. */
bool vf_list_valid(const VfList *l);

/* The settings known in both that differ, as bits. */
uint32_t vf_settings_changed(const VfSettings *want, const VfSettings *now);
/* In words: "02:00:00:00:00:01", "100 qos 3 802.1ad", "unknown". */
void vf_setting_format(const VfSettings *v, VfSetting setting, char buf[static VF_SETTING_TEXT_SIZE]);

typedef enum VfDifferenceKind {
        VF_DIFFERENCE_CHANGED,    /* the setting has another value */
        VF_DIFFERENCE_UNREADABLE, /* it was reported before and is not now */
        VF_DIFFERENCE_GONE,       /* there is no such VF any more */
        VF_DIFFERENCE_NEW,        /* there was no such VF */
        _VF_DIFFERENCE_MAX,
} VfDifferenceKind;
DECLARE_STRING_TABLE(vf_difference, VfDifferenceKind);

typedef struct VfDifference {
        VfDifferenceKind kind;
        uint32_t vf;
        VfSetting setting;        /* _VF_SETTING_MAX: of the VF as a whole */
        const VfSettings *before; /* of the lists compared; NULL where there is none */
        const VfSettings *after;
} VfDifference;

/* In order of VF and setting; linear. -ENOMEM. */
int vf_list_compare(const VfList *before, const VfList *after, VfDifference **ret, size_t *ret_n);

/* { "total": N, "vfs": [ { "vf": N, "mac": S, "vlan": [ID, QOS, PROTO], "rate": [MIN, MAX],
 *   "spoof-check": BOOL, "link-state": S, "rss-query": BOOL, "trust": BOOL }… ] }, with
 * the known settings alone. -EINVAL for a list that cannot be read back; -ENOMEM. */
int vf_list_encode(const VfList *l, struct json_object **ret);
/* The input is hostile until proven otherwise; unknown keys are ignored. -EBADMSG and a
 * refusal (REASON_MANIFEST_INVALID), or -ENOMEM. */
int vf_list_decode(struct json_object *o, VfList *ret, Refusal *refusal);
