/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel module liveupdate_vfio says in /sys/kernel/liveupdate_vfio
 * (kernel-shim/README.md), as values. Strict: a text that is not wholly understood is
 * -EBADMSG, and nothing of it counts, because half a list would look like devices that
 * are missing. Only the order of the words matters, not the width of the columns.
 */
#pragma once

#include "topology.h"

#define SHIM_MODULE "liveupdate_vfio"
/* MODULE_INFO() of it: what its records are called, which both kernels must agree on. */
#define SHIM_MODULE_INFO "liveupdate_compatible"

enum { SHIM_COMPATIBLE_SIZE = 48, SHIM_WORD_SIZE = 32, SHIM_FUNCTIONS_MAX = 65536 };

typedef enum ShimFeature {
        SHIM_VFIO = 1 << 0,
        SHIM_DMA_CONTINUE = 1 << 1,
        SHIM_VF = 1 << 2, /* VFs stay enabled across the kexec */
} ShimFeature;

typedef enum ShimPolicy {
        SHIM_POLICY_DEFAULT, /* forgotten: as stop */
        SHIM_POLICY_STOP,
        SHIM_POLICY_CONTINUE,
        SHIM_POLICY_IDENTITY,
        _SHIM_POLICY_MAX,
} ShimPolicy;
DECLARE_STRING_TABLE(shim_policy, ShimPolicy);

typedef enum ShimKind { SHIM_FUNCTION, SHIM_KIND_PF, SHIM_KIND_VF, _SHIM_KIND_MAX } ShimKind;
DECLARE_STRING_TABLE(shim_kind, ShimKind);

typedef enum ShimDma { SHIM_DMA_STOP, SHIM_DMA_RUNS, SHIM_DMA_IDENTITY, _SHIM_DMA_MAX } ShimDma;
DECLARE_STRING_TABLE(shim_dma, ShimDma);

typedef enum ShimState {
        SHIM_PRESERVED, /* outgoing */
        SHIM_FROZEN,
        SHIM_WAITING, /* incoming, from here on */
        SHIM_MISSING,
        SHIM_MISMATCH,
        SHIM_RETRIEVED,
        SHIM_BOUND,
        SHIM_FAILED,
        SHIM_FINISHED,
        _SHIM_STATE_MAX,
} ShimState;
DECLARE_STRING_TABLE(shim_state, ShimState);

typedef enum ShimDirection { SHIM_OUTGOING, SHIM_INCOMING } ShimDirection;

typedef struct ShimDevice {
        Address address;
        uint16_t vendor, device;
        uint32_t class_code;
        ShimKind kind;
        ShimDma dma;
        ShimState state;
        char driver[SHIM_WORD_SIZE]; /* of incoming ones; "" if none */
} ShimDevice;

/* By address; freed as one array. */
typedef struct ShimList {
        ShimDevice *items;
        size_t n;
} ShimList;

typedef struct ShimSetting {
        Address address;
        ShimPolicy policy;
} ShimSetting;

typedef struct ShimHeld {
        Address address;
        uint16_t offset;
        uint8_t size;
        uint32_t mask, value;
        uint64_t overridden; /* writes that would have changed it */
        char reason[SHIM_WORD_SIZE];
} ShimHeld;

void shim_list_done(ShimList *l);
/* NULL if it is not in the list. log n. */
const ShimDevice *shim_list_find(const ShimList *l, Address address);

/* All of them: -EBADMSG, -ENOMEM; results are untouched then. */
int shim_parse_list(ShimDirection direction, const char *text, size_t size, ShimList *ret);
int shim_parse_held(const char *text, size_t size, ShimHeld **ret, size_t *ret_n);
int shim_parse_policies(const char *text, size_t size, ShimSetting **ret, size_t *ret_n);
/* ShimFeature; words that are not known are left out: a newer module has more of them. */
int shim_parse_features(const char *text, size_t size, unsigned *ret);
int shim_parse_compatible(const char *text, size_t size, char ret[static SHIM_COMPATIBLE_SIZE]);
