/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What scan, order and plan cost.
 *
 *   make TREE PFS VFS     a tree of that many PFs, each with that many VFs, eight PFs
 *                         behind a switch, for the others
 *   scan TREE             scans it, then orders and plans all VFs; one line of figures
 *   compare TREE ROUNDS LSPCI...
 *                         runs `scan TREE` and lspci in turn, both as whole processes
 *                         with their output thrown away, and prints time, ratio and memory
 *   growth                order and plan alone, on topologies that were never in a tree
 */
#include "common/fd.h"
#include "core/order.h"
#include "core/plan.h"
#include "support/sysfs-tree.h"
#include "sys/pci-scan.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

enum { PFS_PER_SWITCH = 8, ROUNDS_MAX = 99 };

static uint64_t now_usec(void) {
        struct timespec ts;

        (void)clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t)ts.tv_sec * USEC_PER_SEC + (uint64_t)ts.tv_nsec / NSEC_PER_USEC;
}

static void fail(const char *what) {
        fprintf(stderr, "bench-topology: %s: %s\n", what, strerror(errno));
        exit(EXIT_FAILURE);
}

/* A list of built-in drivers, so that the scan has native drivers to look up. */
static void make_modules(const char *tree) {
        static const char modinfo[] = "ice.alias=pci:v00008086d00001592sv*sd*bc*sc*i*\0"
                                      "iavf.alias=pci:v00008086d00001889sv*sd*bc*sc*i*";
        static const char *const dirs[] = { "lib", "lib/modules", "lib/modules/bench" };
        _cleanup_close_ int fd = open(tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        for (size_t i = 0; i < ELEMENTSOF(dirs); i++)
                if (mkdirat(fd, dirs[i], 0700) < 0)
                        fail(dirs[i]);
        if (file_write_atomic_at(fd, "lib/modules/bench/modules.builtin.modinfo", modinfo, sizeof(modinfo)) < 0)
                fail("modules.builtin.modinfo");
}

static int make_tree(const char *path, unsigned n_pfs, unsigned n_vfs) {
        _cleanup_(sysfs_freep) SysfsTree *t = sysfs_new_at(path);
        SysfsNode *host = NULL, *upstream = NULL;
        size_t n = 0;

        for (unsigned i = 0; i < n_pfs; i++) {
                if (i % (8 * PFS_PER_SWITCH) == 0)
                        host = sysfs_domain(t, i / (8 * PFS_PER_SWITCH), 0);
                if (i % PFS_PER_SWITCH == 0) {
                        upstream = sysfs_upstream(sysfs_root_port(host));
                        n += 2;
                }
                (void)sysfs_pf(sysfs_downstream(upstream), n_vfs, n_vfs);
                n += 2 + n_vfs;
        }
        sysfs_write(t);
        make_modules(path);
        printf("%zu functions\n", n);
        return 0;
}

/* ---- scan, order, plan ---- */

typedef struct Timing {
        uint64_t order, plan; /* in usec */
        size_t n_order, n_subjects;
} Timing;

/* All endpoints that are no PFs: each pulls in all that is above it. */
static Address *pick_endpoints(const Topology *t, uint32_t **ret_indices, size_t *ret_n) {
        Address *a = calloc(t->n + 1, sizeof(*a));
        uint32_t *indices = calloc(t->n + 1, sizeof(*indices));
        size_t n = 0;

        if (!a || !indices)
                fail("memory");
        for (uint32_t i = 0; i < t->n; i++)
                if (t->items[i].port == PORT_NONE && !t->items[i].is_pf) {
                        a[n] = t->items[i].address;
                        indices[n++] = i;
                }
        *ret_indices = indices;
        *ret_n = n;
        return a;
}

static Timing order_and_plan(const Topology *t) {
        _cleanup_free_ uint32_t *indices = NULL;
        _cleanup_free_ Address *requested = NULL;
        PlanFacts facts = { .can = ~0U };
        PlanInput in = { .topology = t, .facts = &facts };
        Timing timing = {};
        Order order = {};
        Plan plan = {};
        uint64_t start;

        requested = pick_endpoints(t, &indices, &in.n_requested);
        in.requested = requested;
        start = now_usec();
        if (order_make(t, indices, in.n_requested, &order) < 0)
                fail("order");
        timing.order = now_usec() - start;
        timing.n_order = order.n;
        start = now_usec();
        if (plan_make(&in, &plan) < 0)
                fail("plan");
        timing.plan = now_usec() - start;
        timing.n_subjects = plan.n_subjects;
        order_done(&order);
        plan_done(&plan);
        return timing;
}

static int scan_tree(const char *path) {
        _cleanup_(modules_freep) ModulesIndex *modules = NULL;
        uint64_t start = now_usec(), scan;
        Topology t = {};
        Timing timing;
        int r = modules_open(path, "bench", &modules);

        if (r >= 0)
                r = topology_scan(path, modules, &t);
        if (r < 0) {
                errno = -r;
                fail(path);
        }
        scan = now_usec() - start;
        timing = order_and_plan(&t);
        printf("functions %zu notes %zu ordered %zu subjects %zu scan %llu order %llu plan %llu usec\n", t.n,
               t.n_notes, timing.n_order, timing.n_subjects, (unsigned long long)scan,
               (unsigned long long)timing.order, (unsigned long long)timing.plan);
        topology_done(&t);
        return 0;
}

/* ---- against lspci ---- */

typedef struct Run {
        double msec;
        long kib; /* peak of resident memory */
} Run;

static Run run(char *const argv[]) {
        uint64_t start = now_usec();
        struct rusage usage;
        pid_t pid = vfork();
        int status;

        if (pid < 0)
                fail("vfork");
        if (pid == 0) {
                int null = open("/dev/null", O_RDWR | O_CLOEXEC);

                (void)dup2(null, STDOUT_FILENO);
                (void)dup2(null, STDERR_FILENO);
                (void)execvp(argv[0], argv);
                _exit(127);
        }
        if (wait4(pid, &status, 0, &usage) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
                fail(argv[0]);
        return (Run){ (double)(now_usec() - start) / 1000, usage.ru_maxrss };
}

static int compare_doubles(const void *a, const void *b) {
        double x = *(const double *)a, y = *(const double *)b;

        return x < y ? -1 : x > y;
}

/* Sorts. */
static void print_spread(const char *name, const char *unit, double *values, size_t n) {
        qsort(values, n, sizeof(*values), compare_doubles);
        printf("%-28s median %9.3f  min %9.3f  max %9.3f%s\n", name, values[n / 2], values[0], values[n - 1], unit);
}

static int compare(char *self, char *tree, unsigned rounds, char **lspci) {
        char *argv[] = { self, (char[]){ "scan" }, tree, NULL };
        double ours[ROUNDS_MAX], theirs[ROUNDS_MAX], ratio[ROUNDS_MAX];
        long our_kib = 0, their_kib = 0;

        if (rounds < 1 || rounds > ROUNDS_MAX) {
                errno = ERANGE;
                fail("rounds");
        }
        (void)run(argv); /* once each, for the caches */
        (void)run(lspci);
        for (unsigned i = 0; i < rounds; i++) {
                Run a = run(argv), b = run(lspci);

                ours[i] = a.msec;
                theirs[i] = b.msec;
                ratio[i] = a.msec / b.msec;
                our_kib = MAX_OF(our_kib, a.kib);
                their_kib = MAX_OF(their_kib, b.kib);
        }
        print_spread("scan, order and plan", " ms", ours, rounds);
        print_spread("lspci", " ms", theirs, rounds);
        print_spread("ratio, pair by pair", "", ratio, rounds);
        printf("%-28s %ld KiB; lspci %ld KiB\n", "peak memory", our_kib, their_kib);
        return 0;
}

/* ---- growth ---- */

/* Domains of a root port, a switch of eight and eight PFs with 125 VFs each: 1,018. */
static void synthesize(Topology *t, size_t n) {
        uint32_t domain = 0;
        Function *f;

        for (size_t made = 0; made < n; domain++) {
                for (unsigned i = 0; i < 18 && made < n; i++, made++) {
                        /* 0: root port; 1: upstream; 2-9: downstream; 10-17: PFs */
                        Address a = { domain, (uint8_t)MIN_OF(i, 2U), 0, 0 };

                        a.slot = (uint8_t)(i >= 2 && i < 10 ? i - 2 : 0);
                        a.bus = (uint8_t)(i < 10 ? a.bus : i - 7);
                        f = topology_add(t, a);
                        if (!f)
                                fail("memory");
                        f->has_pcie = true;
                        f->group = (int)made;
                        f->power = POWER_D0;
                        f->header_type = i < 10;
                        f->is_pf = i >= 10;
                        f->port = i == 0 ? PORT_ROOT : i == 1 ? PORT_UPSTREAM : i < 10 ? PORT_DOWNSTREAM : PORT_NONE;
                        f->secondary = (uint8_t)(i >= 10 ? 0 : i + 1);
                        f->subordinate = (uint8_t)(i >= 10 ? 0 : i < 2 ? 10 : i + 1);
                }
                for (unsigned i = 0; i < 8 * 125 && made < n; i++, made++) {
                        unsigned devfn = 1 + i % 125;
                        Address pf = { domain, (uint8_t)(3 + i / 125), 0, 0 }, a = pf;

                        a.slot = (uint8_t)(devfn >> 3);
                        a.function = (uint8_t)(devfn & 7);
                        f = topology_add(t, a);
                        if (!f)
                                fail("memory");
                        f->has_pcie = f->is_vf = true;
                        f->physfn = pf;
                        f->group = (int)made;
                        f->power = POWER_D0;
                }
        }
}

static int growth(void) {
        double best_order[ROUNDS_MAX], best_plan[ROUNDS_MAX];
        uint64_t start, link;

        printf("%9s %9s %10s %10s %10s %12s\n", "functions", "ordered", "link ms", "order ms", "plan ms",
               "ns/function");
        for (size_t n = 1024; n <= 131072; n *= 2) {
                Topology t = {};
                Timing timing = {};

                synthesize(&t, n);
                start = now_usec();
                if (topology_link(&t) < 0)
                        fail("link");
                link = now_usec() - start;
                for (size_t i = 0; i < 5; i++) {
                        timing = order_and_plan(&t);
                        best_order[i] = (double)timing.order / 1000;
                        best_plan[i] = (double)timing.plan / 1000;
                }
                qsort(best_order, 5, sizeof(double), compare_doubles);
                qsort(best_plan, 5, sizeof(double), compare_doubles);
                printf("%9zu %9zu %10.2f %10.2f %10.2f %12.0f\n", n, timing.n_order, (double)link / 1000,
                       best_order[2], best_plan[2], (best_order[2] + best_plan[2]) * 1e6 / (double)n);
                topology_done(&t);
        }
        return 0;
}

int main(int argc, char **argv) {
        if (argc == 5 && streq(argv[1], "make"))
                return make_tree(argv[2], (unsigned)atoi(argv[3]), (unsigned)atoi(argv[4]));
        if (argc == 3 && streq(argv[1], "scan"))
                return scan_tree(argv[2]);
        if (argc > 4 && streq(argv[1], "compare"))
                return compare(argv[0], argv[2], (unsigned)atoi(argv[3]), argv + 4);
        if (argc == 2 && streq(argv[1], "growth"))
                return growth();
        fprintf(stderr,
                "usage: bench-topology make TREE PFS VFS | scan TREE | compare TREE ROUNDS LSPCI... | growth\n");
        return EXIT_FAILURE;
}
