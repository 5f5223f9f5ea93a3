/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Handlers that are kernel modules, in the next boot: are they there, and are they loaded
 * before somebody opens /dev/liveupdate? The first open takes everything in, and a file
 * whose handler is not registered by then is lost, with all others (kernel/liveupdate/
 * luo_session.c). Who opens first: systemd from version 261 on, when it is PID 1, of the
 * initrd or else of the host; and before that version liveupdated, which loads what is
 * among the host's modules itself.
 *
 * So a module has to be in the initrd where such a systemd is, and with it the step that
 * loads it (liveupdate-restore); else the host's modules are enough.
 */
#pragma once

#include "newc.h"
#include "reason.h"
#include "shim-text.h"

enum {
        NEXT_MODULES_MAX = 64,
        NEXT_MODULE_NAME_SIZE = 56, /* MODULE_NAME_LEN */
        SYSTEMD_OPENS_LUO = 261,    /* from this version on */
        MODULE_FILE_MAX = 16 << 20, /* of liveupdate_vfio's file */
};

typedef struct NextModule {
        char name[NEXT_MODULE_NAME_SIZE]; /* '_' for '-' */
        bool builtin;                     /* into the next kernel */
        bool in_host;                     /* among the host's modules for it */
        bool in_initrd;
} NextModule;

/* What runs as PID 1, and which version (0: not known) if it is systemd. */
typedef struct NextInit {
        bool systemd;
        unsigned version;
} NextInit;

typedef struct NextBoot {
        NextModule modules[NEXT_MODULES_MAX]; /* those with handlers that are in use here */
        size_t n_modules;
        NextInit initrd, host;
        bool has_initrd;
        bool restore;        /* liveupdate-restore is in it */
        char unread[96];     /* why not all of the initrd was read; "": it was */
        bool root_is_initrd; /* this system lives in its initrd: the next one has no other modules */
        /* What liveupdate_vfio of the initrd says of itself; "" if it does not, or is not there. */
        char compatible[SHIM_COMPATIBLE_SIZE];
} NextBoot;

/* -ENAMETOOLONG, -ENOSPC; twice is once. */
int next_boot_add(NextBoot *b, const char *name);
NextModule *next_boot_find(NextBoot *b, const char *name);

/* REASON_NONE: the module will be there in time. REASON_INITRD_HANDLER_MISSING: it will
 * not; REASON_INITRD_HANDLER_UNSURE: that cannot be told. */
void next_boot_judge(const NextBoot *b, const NextModule *m, Refusal *ret);

/* ---- the initrd ---- */

/* Looks at the archives of an initrd for the modules of *boot, made for `release` ("":
 * for any), the restore step, and systemd. */
typedef struct InitrdScan {
        NextBoot *boot;
        const char *release;
        /* liveupdate_vfio's file, as it is in the archive. */
        char *module;
        size_t n_module, module_size;
        bool in_module;
} InitrdScan;

InitrdScan initrd_scan_start(NextBoot *boot, const char *release);
void initrd_scan_done(InitrdScan *s);
/* What looks at the entries; it fails with -ENOMEM only. */
NewcSink initrd_scan_sink(InitrdScan *s);
/* Nothing that comes could change the verdict. */
bool initrd_scan_enough(const InitrdScan *s);

/* MODULE_INFO(liveupdate_compatible, "…") in a module's file that is not compressed: the
 * section .modinfo holds "KEY=VALUE" with a NUL behind each. False: it is not there. */
bool module_compatible(const void *data, size_t size, char ret[static SHIM_COMPATIBLE_SIZE]);
