/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any text as a file of device rules: whatever is in it, reading ends, each dropped rule
 * was warned about, and what is left can be applied. Reading it twice adds the same
 * rules again.
 */
#include "core/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok) {
        if (!ok)
                abort();
}

static void on_warning(void *userdata, const char *message) {
        must(strncmp(message, "f:", 2) == 0);
        (*(size_t *)userdata)++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        Function functions[] = {
                { .address = { 0, 0x3b, 1, 2 }, .vendor = 0x8086, .device = 0x10d3, .class_code = 0x020000 },
                { .address = { 0x10000, 0xff, 31, 7 }, .driver = (char *)"vfio-pci", .native_driver = (char *)"nvme" },
        };
        Rules rules = {};
        size_t warnings = 0;

        must(rules_parse(&rules, "f", (const char *)data, size, on_warning, &warnings) == 0);
        must(rules.n <= RULES_MAX && warnings >= rules.n_dropped);
        size_t n = rules.n, dropped = rules.n_dropped;
        for (size_t i = 0; i < ELEMENTSOF(functions); i++) {
                DevicePolicy p = rules_apply(&rules, &functions[i]);

                must(p.dma < _DMA_MAX && p.preservation < _PRESERVATION_MAX);
                must(p.action_origin || !p.deny);
        }
        must(rules_parse(&rules, "f", (const char *)data, size, NULL, NULL) == 0);
        must(rules.n == MIN_OF(2 * n, (size_t)RULES_MAX) && rules.n_dropped >= 2 * dropped);
        rules_done(&rules);
        return 0;
}
