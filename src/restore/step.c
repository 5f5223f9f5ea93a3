/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "step.h"

#include "common/log.h"
#include "core/restore.h"
#include "sys/pci-driver.h"
#include "sys/shim.h"

#include <limits.h>

/* More problems are counted, but not told one by one: the kernel's log takes ten lines of
 * a program in five seconds (Documentation/admin-guide/kernel-parameters.txt,
 * printk.devkmsg). */
enum { TOLD_MAX = 5 };

static void doing(const Step *s, const char *what, const char *which) {
        if (s->doing)
                (void)snprintf(s->doing, STEP_DOING_SIZE, "%s %s", what, which);
}

/* The device of LUO, not its node: /dev may be empty yet. */
static bool is_on(const Step *s) {
        char path[PATH_MAX];

        (void)snprintf(path, sizeof(path), "%s/sys/class/misc/liveupdate", s->root);
        return access(path, F_OK) == 0;
}

static void say(_unused_ void *userdata, int priority, const char *text) {
        log_full(priority, "%s", text);
}

/* The override says which driver had it; the module has set it, unless it ran out of memory. */
static int bind_function(const Step *s, Address address) {
        char driver[DRIVER_NAME_SIZE];
        PciPlace p;

        int r = driver_place(s->root, address, &p);
        if (r < 0)
                return r;
        doing(s, "binding", p.address);
        driver_read_override(&p, driver);
        if (!*driver) {
                log_warning("%s came in without a driver that is to have it: %s is set.", p.address, VFIO_DRIVER);
                r = driver_set_override(&p, VFIO_DRIVER);
                (void)snprintf(driver, sizeof(driver), "%s", VFIO_DRIVER);
        }
        if (r < 0)
                return r;
        if (!driver_is_vfio(driver))
                return -ENXIO;
        r = s->load(driver);
        if (r < 0)
                return r;
        return driver_probe(&p);
}

/* A VF is behind its PF, whatever their addresses. */
static bool bind_all(const Step *s, const ShimList *l) {
        char text[ADDRESS_TEXT_SIZE];
        bool any = false;

        for (int vfs = 0; vfs < 2; vfs++)
                for (size_t i = 0; i < l->n; i++) {
                        const ShimDevice *d = &l->items[i];

                        if (restore_judge(d) != RESTORE_BIND || (d->kind == SHIM_KIND_VF) != vfs)
                                continue;
                        any = true;
                        address_format(d->address, text);
                        int r = bind_function(s, d->address);
                        if (r < 0)
                                log_errno(r, "%s came in and cannot be given to its driver", text);
                }
        return any;
}

static unsigned report(const ShimList *l) {
        RestoreCounts counts = {};
        unsigned problems = 0;
        char text[512];

        for (size_t i = 0; i < l->n; i++) {
                RestoreVerdict v = restore_judge(&l->items[i]);

                counts.n[v]++;
                if (!restore_is_problem(v) && v != RESTORE_BIND)
                        continue;
                if (++problems > TOLD_MAX)
                        continue;
                restore_explain(&l->items[i], text, sizeof(text));
                log_error("%s", text);
        }
        if (problems > TOLD_MAX)
                log_error("So it is with %u more.", problems - TOLD_MAX);
        restore_summarize(&counts, text, sizeof(text));
        log_full(problems > 0 ? LOG_PRI_WARNING : LOG_PRI_INFO, "%s", text);
        return problems;
}

static int restore_functions(const Step *s, unsigned *problems) {
        ShimList incoming = {};

        int r = shim_read_list(s->root, SHIM_INCOMING, &incoming);
        if (r < 0)
                return r;
        if (bind_all(s, &incoming)) {
                shim_list_done(&incoming);
                r = shim_read_list(s->root, SHIM_INCOMING, &incoming);
        }
        if (r >= 0)
                *problems += report(&incoming);
        shim_list_done(&incoming);
        return r;
}

unsigned step_run(const Step *s) {
        if (!is_on(s)) {
                log_debug("Live update is off in this kernel (kho=on liveupdate=on): there is nothing to restore.");
                return 0;
        }
        doing(s, "loading", "the modules with handlers");
        unsigned problems = handlers_load(s->config, s->load, say, NULL);
        if (!s->config->luo_shim)
                return problems;
        doing(s, "reading", "what came in");
        int r = restore_functions(s, &problems);
        if (r < 0 && r != -ENODEV) { /* that was said when it did not load */
                log_errno(r, "Reading which PCI functions came in from " SHIM_MODULE);
                problems++;
        }
        return problems;
}
