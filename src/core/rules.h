/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Device rules: who may go along, and how. Files like conf/device-rules.conf come in as
 * buffers, in the order of their weight. Each [Rule] section is one rule:
 *
 *   [Rule]
 *   Address=0000:3b:*.*     domain:bus:slot.function, '*' for any part
 *   Id=8086:10d3            vendor:device, '*' for either
 *   Class=0200              2, 4 or 6 hexadecimal digits: what the class begins with
 *   Driver=ixgbe            bound now, or the native one
 *   Action=allow            or deny
 *   Dma=auto                keep, keep-identity, stop or auto (stop, and the plan says so)
 *   Preserve=conservative   or minimal
 *
 * A rule is for a function that each kind of match in it fits; several of one kind, in
 * one line or several, mean: any of them. Without a match it is for all. What a later
 * rule sets wins, attribute by attribute.
 *
 * Mistakes are warnings with file and line. A section with a mistake is dropped as a
 * whole: with a match missing it would be for more devices than was meant. The number
 * of dropped ones is kept, so that the plan can say that a rule does not count.
 */
#pragma once

#include "ini-file.h"
#include "topology.h"

typedef enum Dma {
        DMA_AUTO,
        DMA_KEEP,          /* where there is no IOMMU */
        DMA_KEEP_IDENTITY, /* also where one passes addresses through, without isolation */
        DMA_STOP,
        _DMA_MAX,
} Dma;
DECLARE_STRING_TABLE(dma, Dma);

typedef enum Preservation {
        PRESERVATION_CONSERVATIVE, /* what the table of config-bits.h does not know must not change */
        PRESERVATION_MINIMAL,      /* it may */
        _PRESERVATION_MAX,
} Preservation;
DECLARE_STRING_TABLE(preservation, Preservation);

enum { RULES_MAX = 4096, RULE_MATCHES_MAX = 1024 };

typedef struct RuleMatch RuleMatch;

typedef struct Rule {
        RuleMatch *matches;
        size_t n_matches;
        bool has_action, has_dma, has_preservation;
        bool deny;
        Dma dma;
        Preservation preservation;
        bool dropped;
        char *origin; /* "FILE:LINE" */
} Rule;

typedef struct Rules {
        Rule *items;
        size_t n, n_allocated;
        size_t n_dropped;
} Rules;

typedef struct DevicePolicy {
        bool deny;
        Dma dma;
        Preservation preservation;
        /* Which rule said so; NULL: the default. They live as long as the rules. */
        const char *action_origin, *dma_origin, *preservation_origin;
} DevicePolicy;

void rules_done(Rules *rules);
/* Adds the rules of a buffer. -ENOMEM is the only error. */
int rules_parse(Rules *rules, const char *filename, const char *buf, size_t size, config_warn_t warn, void *userdata);
/* rules may be NULL. */
DevicePolicy rules_apply(const Rules *rules, const Function *f);
