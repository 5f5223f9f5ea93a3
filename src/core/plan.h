/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The plan: what would become of everything that is asked for, if the update began now.
 * It only looks. Each subject (the host, the next kernel, each requested and each
 * depended device, each file of a session) has a verdict and any number of findings,
 * each with its reason; a subject without findings goes. All findings are listed, not
 * the first alone: an operator wants to mend everything in one go.
 *
 * What always holds:
 * - a device goes only if every device it depends on goes, and every other device of its
 *   IOMMU group (bridges, which do no DMA of their own, aside);
 * - the subjects are in a fixed order: host, next kernel, devices root-first (the order
 *   in which they are restored), addresses where nothing is, files as given. It depends
 *   on neither the order of the request nor that of the scan;
 * - the cost is that of sorting: groups and dependants are walked once each.
 *
 * The text of a finding is its reason's sentence and remedy (reason.h) and its detail.
 */
#pragma once

#include "order.h"
#include "rules.h"

typedef enum Verdict { VERDICT_GOES, VERDICT_LIMITED, VERDICT_CANNOT, _VERDICT_MAX } Verdict;
DECLARE_STRING_TABLE(verdict, Verdict);

typedef enum PlanKind {
        PLAN_HOST,
        PLAN_KERNEL, /* the next one */
        PLAN_REQUESTED,
        PLAN_DEPENDED,
        PLAN_FILE,
        _PLAN_KIND_MAX,
} PlanKind;
DECLARE_STRING_TABLE(plan_kind, PlanKind);

/* What the running kernel can do for files and devices. */
typedef enum PlanCan {
        PLAN_CAN_MEMFD = 1 << 0,
        PLAN_CAN_IOMMUFD = 1 << 1,
        PLAN_CAN_VFIO = 1 << 2,
        PLAN_CAN_VF = 1 << 3,  /* VFs stay enabled across the kexec */
        PLAN_CAN_DMA = 1 << 4, /* Bus Master is kept through the jump */
} PlanCan;

typedef enum PlanLuo { PLAN_LUO_READY, PLAN_LUO_ABSENT, PLAN_LUO_BUSY, PLAN_LUO_BROKEN } PlanLuo;

typedef struct PlanFacts {
        PlanLuo luo;
        unsigned can;        /* PlanCan */
        Refusal scheduled;   /* a shutdown that comes in between; REASON_NONE: none */
        Refusal next_kernel; /* REASON_NONE: nothing is wrong with it; else, why not */
        Refusal next_shim;   /* the same about its kernel module, if there are devices */
        Refusal next_vfio;   /* that the next boot lacks the handler of devices, by next_boot_judge() */
        Refusal next_files;  /* the same of a handler of other files than memfds */
        bool jump_systemd;   /* all services are stopped before the jump */
        bool no_systemd;     /* and there is nobody who could do that */
        bool next_no_vf;     /* the next kernel is known not to keep VFs */
        uint64_t generation; /* functions with a later one were hot-plugged since; 0: no plan was made before */
        /* From the command lines, by plan_facts_cmdlines(). */
        bool acs_differs;    /* the next kernel would treat ACS otherwise */
        bool acs_configured; /* both set bits of their own: no telling from the registers */
        bool ari_differs;
        bool no_ari; /* both leave ARI as it is */
} PlanFacts;

/* A device as it was: of an earlier plan, or from the manifest. */
typedef struct PlanExpected {
        Address address;
        uint32_t class_code;
        uint16_t vendor, device;
        uint64_t serial;
} PlanExpected;

typedef struct PlanFile {
        const char *session;
        uint64_t token;
        const char *kind; /* of fd_kind(): "memfd", "iommufd", "vfio", "other" */
        bool preserved;   /* the kernel took it already, whatever it is */
        bool hugepages;   /* a memfd on hugetlbfs */
        unsigned seals;   /* F_GET_SEALS; 0 if there are none */
} PlanFile;

typedef struct PlanInput {
        const Topology *topology; /* linked */
        const Address *requested; /* duplicates allowed */
        size_t n_requested;
        const Rules *rules; /* may be NULL */
        const PlanFacts *facts;
        const PlanFile *files;
        size_t n_files;
        const PlanExpected *expected; /* sorted by address */
        size_t n_expected;
} PlanInput;

typedef struct PlanItem {
        Reason reason;
        Verdict verdict;  /* VERDICT_LIMITED or VERDICT_CANNOT */
        uint32_t subject; /* index */
        char *detail;     /* without a full stop; NULL: none */
} PlanItem;

typedef struct PlanSubject {
        PlanKind kind;
        Verdict verdict;   /* the worst of its items */
        Address address;   /* of devices */
        uint32_t function; /* of devices: index in the topology, or TOPOLOGY_NONE */
        Dma dma;           /* of devices, as decided by plan_dma() */
        Preservation preservation;
        char *name;                 /* of files: SESSION/TOKEN */
        size_t first_item, n_items; /* in items */
} PlanSubject;

typedef struct Plan {
        PlanSubject *subjects;
        size_t n_subjects;
        PlanItem *items; /* those of a subject together */
        size_t n_items;
} Plan;

enum { PLAN_SUBJECT_TEXT_SIZE = 128 };

void plan_done(Plan *p);
/* -ENOMEM; -EINVAL for a topology that is not linked. What cannot go is no error. */
int plan_make(const PlanInput *in, Plan *ret);
/* "host", "next kernel", the address, or SESSION/TOKEN. */
void plan_subject_text(const PlanSubject *s, char buf[static PLAN_SUBJECT_TEXT_SIZE]);
/* The item as a refusal, for whoever stops at it. */
void plan_item_refusal(const Plan *p, const PlanItem *item, Refusal *ret);
/* The worst verdict of all. */
Verdict plan_verdict(const Plan *p);

/* Strict mode: 0 if all that was asked for goes, with a limit or without. Else the first
 * that cannot, as a refusal. exceptions name what may be lost: addresses, SESSION/TOKEN,
 * or SESSION for all of its files. Host and next kernel cannot be excepted; a depended
 * device counts through those that need it. */
int plan_allows(const Plan *p, const char *const *exceptions, size_t n, Refusal *refusal);

/* What becomes of the device's DMA where its rule says `wanted`: DMA_STOP, DMA_KEEP where
 * nothing translates it, or DMA_KEEP_IDENTITY. can: PlanCan. */
Dma plan_dma(const Function *f, Dma wanted, unsigned can);

/* Sets what PlanFacts has from the command lines (NULL: not known, sets nothing): what
 * pci= says about ACS and ARI, and what is said about IOMMUs, which decides on ACS. */
void plan_facts_cmdlines(PlanFacts *facts, const char *running, const char *next);
