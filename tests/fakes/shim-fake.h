/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A model of the kernel module and of VFIO behind the ports Shim and HoldPort. Devices are
 * known by the files that stand for their descriptors: memfds, which the LUO fake takes.
 * What it says of outgoing ones is what the LUO fake has preserved; shim_fake_carry() makes
 * incoming ones of them.
 */
#pragma once

#include "fakes/luo-fake.h"
#include "sys/shim.h"
#include "sys/vfio-hold.h"

enum { SHIM_FAKE_MAX = 16 };

typedef enum HoldStep { HOLD_STEP_NONE, HOLD_STEP_BIND, HOLD_STEP_OPEN, HOLD_STEP_ATTACH } HoldStep;

typedef struct ShimFake {
        LuoFake *luo;
        bool loaded;
        unsigned features;
        char compatible[SHIM_COMPATIBLE_SIZE];
        char next[SHIM_COMPATIBLE_SIZE]; /* of the next kernel's module */
        int next_error;                  /* if there is none */
        int policy_error;
        bool policy_ignored; /* it is not set, and nothing is said */
        ShimSetting policies[SHIM_FAKE_MAX];
        size_t n_policies;
        struct {
                Address address;
                int fd;
        } known[SHIM_FAKE_MAX];
        size_t n_known;
        ShimDevice incoming[SHIM_FAKE_MAX];
        size_t n_incoming;
        bool unidentified; /* the kernel does not tell which device a descriptor is for */
        HoldStep fail;     /* this step of holding a device fails */
        bool in_use;       /* another driver has the devices */
        int n_bound;       /* taken from their driver, and not given back */
        unsigned n_opened, n_attached;
} ShimFake;

/* A module with all features, in both kernels. */
void shim_fake_init(ShimFake *f, LuoFake *luo);
void shim_fake_done(ShimFake *f);
Shim shim_fake_port(ShimFake *f);
HoldPort shim_fake_hold_port(ShimFake *f);
/* A new descriptor of the device; the caller's. */
int shim_fake_device(ShimFake *f, Address address);
/* The policy that is set, SHIM_POLICY_DEFAULT if none. */
ShimPolicy shim_fake_policy(const ShimFake *f, Address address);
/* Before the jump: what is preserved now will have come in. */
void shim_fake_carry(ShimFake *f);
ShimDevice *shim_fake_incoming(ShimFake *f, Address address);
