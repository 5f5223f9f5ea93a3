/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "restore.h"

#include <stdarg.h>

RestoreVerdict restore_judge(const ShimDevice *d) {
        switch (d->state) {
        case SHIM_WAITING:
                return *d->driver ? RESTORE_READY : RESTORE_BIND;
        case SHIM_MISSING:
                return d->kind == SHIM_KIND_VF ? RESTORE_LATER : RESTORE_MISSING;
        case SHIM_MISMATCH:
                return RESTORE_MISMATCH;
        case SHIM_RETRIEVED:
        case SHIM_BOUND:
                return RESTORE_IN_USE;
        case SHIM_FINISHED:
                return RESTORE_OVER;
        case SHIM_FAILED:
                return *d->driver ? RESTORE_TAKEN : RESTORE_LOST;
        case SHIM_PRESERVED: /* outgoing */
        case SHIM_FROZEN:
        case _SHIM_STATE_MAX:
                break;
        }
        return RESTORE_LOST;
}

void restore_explain(const ShimDevice *d, char *buf, size_t size) {
        char text[ADDRESS_TEXT_SIZE];

        address_format(d->address, text);
        switch (restore_judge(d)) {
        case RESTORE_MISSING:
                (void)snprintf(buf, size,
                               "%s (%04x:%04x) came in, but is not there; it can come until its descriptor is "
                               "asked for.",
                               text, d->vendor, d->device);
                break;
        case RESTORE_MISMATCH:
                (void)snprintf(buf, size, "%s is not the function %04x:%04x that came in; it is left alone.", text,
                               d->vendor, d->device);
                break;
        case RESTORE_TAKEN:
                (void)snprintf(buf, size,
                               "%s is lost: the driver %s had it before the module was loaded. Have " SHIM_MODULE
                               " loaded first in the boot (docs/boot.md).",
                               text, d->driver);
                break;
        case RESTORE_BIND:
                (void)snprintf(buf, size, "%s came in and no driver has it.", text);
                break;
        case RESTORE_READY:
        case RESTORE_LATER:
        case RESTORE_IN_USE:
        case RESTORE_OVER:
        case RESTORE_LOST:
        case _RESTORE_VERDICT_MAX:
                (void)snprintf(buf, size, "%s is lost for its descriptor; the kernel's log says why.", text);
                break;
        }
}

static void add(char *buf, size_t size, const char *format, ...) _printf_(3, 4);
static void add(char *buf, size_t size, const char *format, ...) {
        size_t n = strlen(buf);
        va_list ap;

        va_start(ap, format);
        (void)vsnprintf(buf + n, size - n, format, ap);
        va_end(ap);
}

void restore_summarize(const RestoreCounts *c, char *buf, size_t size) {
        static const char *const words[_RESTORE_VERDICT_MAX] = {
                [RESTORE_READY] = "ready",
                [RESTORE_BIND] = "without a driver",
                [RESTORE_LATER] = "to be adopted with their PF",
                [RESTORE_IN_USE] = "in use",
                [RESTORE_OVER] = "finished",
                [RESTORE_MISSING] = "missing",
                [RESTORE_MISMATCH] = "replaced by another device",
                [RESTORE_TAKEN] = "taken by another driver",
                [RESTORE_LOST] = "lost",
        };
        const char *separator = ": ";
        unsigned total = 0;

        for (unsigned v = 0; v < _RESTORE_VERDICT_MAX; v++)
                total += c->n[v];
        if (total == 0) {
                (void)snprintf(buf, size, "No PCI function came in through a live update.");
                return;
        }
        (void)snprintf(buf, size, "%u PCI function%s came in through a live update", total, total == 1 ? "" : "s");
        for (unsigned v = 0; v < _RESTORE_VERDICT_MAX; v++) {
                if (c->n[v] == 0)
                        continue;
                add(buf, size, "%s%u %s", separator, c->n[v], words[v]);
                separator = ", ";
        }
        add(buf, size, ".");
}
