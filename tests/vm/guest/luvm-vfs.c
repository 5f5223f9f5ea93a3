/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A PF with VFs through a live update, as a user of VFIO does it: an NVMe controller
 * whose PF gives queues and interrupts to its VFs. All functions are on vfio-pci, in
 * one IOAS, with one memfd for all their queues. Each command speaks TAP.
 *
 *   luvm-vfs before SESSION PF COUNT FILE [running|daemon]
 *       sets everything up, preserves it, notes in FILE how it is, and leaves a process
 *       behind that holds it until the kexec
 *   luvm-vfs after SESSION PF FILE [NEXT] [running|daemon]
 *       takes it back, compares it with FILE, uses it without setting up anything but
 *       interrupts, finishes; with NEXT preserves it again as it is, under that name
 *   luvm-vfs refused PF ERRNO
 *       a VF is refused with this error number, though its PF is preserved
 *   luvm-vfs abandon SESSION
 *       finishes a session of which nothing was taken back
 *   luvm-vfs lost SESSION
 *       the first VF of a session is not to be had; finishes it
 *
 * `running` is for a machine without an IOMMU, with DMA policy `continue` of the VFs: they
 * are given reads, each from a namespace of its own, that take their time, and what they
 * completed while no kernel looked is counted. Then who stays behind in `before` gives them
 * the reads and jumps into the kernel that is loaded when it gets SIGUSR1; FILE.pid says
 * who that is. With `daemon` the session is one of liveupdated's, on the bus.
 *
 * The order of `after` is the one that VFIO and the kernel ask for: the PF first, bound
 * with the token; then the number of VFs into sriov_numvfs, by which they get devices
 * (they are live already); then each VF, bound with the same token.
 */
#include <fcntl.h>
#include <linux/reboot.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#include "common/macro.h"
#include "luvm-nvme.h"
#include "luvm-vfs-io.h"
#include "luvm-vfs-session.h"
#include "support/tap.h"

enum {
        VFS_MAX = 16,
        TOKEN_MEMORY = 1,
        TOKEN_PF = 2, /* and the VFs from 3 */
};

static const uint64_t IOVA = 0x10000000;
static const uint8_t VF_TOKEN[16] = { 0x6c, 0x75, 0x76, 0x6d, 0x2d, 0x76, 0x66, 0x73,
                                      0x8a, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77 };

typedef struct Function {
        char address[16];
        int fd;    /* the VFIO cdev */
        int event; /* of MSI-X vector 0 */
        Nvme nvme;
} Function;

typedef enum Way { WAY_PLAIN, WAY_RUNNING, WAY_DAEMON } Way;

typedef struct World {
        Tap tap;
        VfsSession session;
        int iommu, memory;
        uint32_t ioas;
        uint8_t *window; /* the memfd */
        bool running;    /* without an IOMMU, DMA of the VFs goes on */
        unsigned n;      /* functions: the PF, then its VFs */
        Function functions[1 + VFS_MAX];
} World;

static bool point(World *w, int r, const char *format, ...) _printf_(3, 4);

/* One point: r is 0 or a negative errno. */
static bool point(World *w, int r, const char *format, ...) {
        char text[160];
        va_list ap;

        va_start(ap, format);
        (void)vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        if (r < 0)
                tap_diag("%s: %s", text, strerror(-r));
        tap_point(&w->tap, r >= 0, text);
        return r >= 0;
}

/* Nothing after this makes sense. */
static void must(World *w, int r, const char *what) {
        if (r >= 0)
                return;
        tap_diag("%s: %s", what, strerror(-r));
        exit(tap_finish(&w->tap) ?: EXIT_FAILURE);
}

/* --- memory and functions ------------------------------------------------------------ */

static size_t memory_size(const World *w) {
        return (size_t)w->n * NVME_MEMORY_SIZE;
}

static void world_memory(World *w) {
        w->window = mmap(NULL, memory_size(w), PROT_READ | PROT_WRITE, MAP_SHARED, w->memory, 0);
        must(w, w->window == MAP_FAILED ? -errno : 0, "mapping the memory");
        w->iommu = io_iommu_open();
        must(w, w->iommu, "/dev/iommu");
        must(w, io_ioas(w->iommu, &w->ioas), "an IOAS");
        must(w, io_map(w->iommu, w->ioas, w->memory, 0, memory_size(w), IOVA), "mapping the memory for DMA");
        for (unsigned i = 0; i < w->n; i++)
                w->functions[i].nvme.memory = w->window + i * NVME_MEMORY_SIZE;
}

/* Where the function finds its memory: once it is attached, if that is physical. */
static int function_pages(World *w, Function *f) {
        uint64_t start = IOVA + (uint64_t)(f->nvme.memory - w->window);
        int r = 0;

        for (unsigned i = 0; r >= 0 && i < NVME_PAGES; i++) {
                f->nvme.pages[i] = start + i * NVME_PAGE;
                if (w->running)
                        r = io_phys(w->iommu, w->ioas, f->nvme.pages[i], &f->nvme.pages[i]);
        }
        return r;
}

/* From an open descriptor to a function that can be used. */
static int function_bind(World *w, Function *f) {
        int r = io_bind(f->fd, w->iommu, VF_TOKEN);

        if (r < 0)
                return r;
        r = io_attach(f->fd, w->ioas);
        if (r >= 0)
                r = function_pages(w, f);
        if (r < 0)
                return r;
        f->nvme.registers = io_map_bar0(f->fd, NVME_REGISTERS_SIZE);
        if (!f->nvme.registers)
                return -errno;
        return 0;
}

/* QEMU's controller has to find MSI-X enabled when it makes a completion queue, or it
 * never interrupts for it: so this comes before nvme_start(). */
static int function_interrupts(Function *f) {
        f->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        return f->event < 0 ? -errno : io_msix(f->fd, f->event);
}

/* Whether a completion raised vector 0: every command does, so one is made. */
static int function_interrupted(Function *f) {
        struct pollfd p = { .fd = f->event, .events = POLLIN };
        NvmeIdentity id;
        uint64_t n;
        int r;

        (void)!read(f->event, &n, sizeof(n));
        r = nvme_identify(&f->nvme, &id);
        if (r < 0)
                return r;
        return poll(&p, 1, 30000) == 1 ? 0 : -ETIMEDOUT;
}

/* The number of a controller is its place: QEMU counts the PF 0 and its VFs from 1. */
static int function_identify(Function *f, unsigned place) {
        NvmeIdentity id;
        int r = nvme_identify(&f->nvme, &id);

        if (r < 0)
                return r;
        return id.cntlid == place && id.vendor == 0x1b36 ? 0 : -EBADMSG;
}

static void find_vfs(World *w) {
        for (unsigned i = 1; i < w->n; i++)
                must(w, io_virtfn(w->functions[0].address, i - 1, w->functions[i].address), "virtfn");
}

/* --- what it was like ---------------------------------------------------------------- */

/* A line for each thing that must not change; what is done with it is the caller's. */
typedef void (*LineHandler)(void *self, const char *line);

static void _printf_(3, 4) emit(LineHandler handler, void *self, const char *format, ...) {
        char line[160];
        va_list ap;

        va_start(ap, format);
        (void)vsnprintf(line, sizeof(line), format, ap);
        va_end(ap);
        handler(self, line);
}

/* Configuration space, by sysfs, so that VFIO's own picture of it does not get between:
 * COMMAND without STATUS, and without Bus Master and INTx Disable, by which the freeze
 * makes a function quiet. */
static void describe_config(const Function *f, LineHandler handler, void *self) {
        unsigned msix = io_capability(f->address, 0x11);

        for (unsigned at = 0; at < 0x40; at += 4)
                emit(handler, self, "%s config %02x %x", f->address, at,
                     io_config(f->address, at) & (at == 4 ? 0xfbfbU : ~0U));
        emit(handler, self, "%s bar %s", f->address, io_bar0(f->address));
        emit(handler, self, "%s msix %x", f->address, io_config(f->address, msix) >> 16 & 0x7ff);
}

static void describe_sriov(const Function *f, LineHandler handler, void *self) {
        unsigned sriov = io_extended_capability(f->address, 0x10);

        for (unsigned at = 0; at < 0x40; at += 4)
                emit(handler, self, "%s sriov %02x %x", f->address, at, io_config(f->address, sriov + at));
}

/* The first vector's address and data: set by the old kernel, not touched by the new one
 * before interrupts are asked for. */
static void describe_vector(const Function *f, LineHandler handler, void *self) {
        uint32_t entry[3];

        io_msix_entry(f->fd, f->address, entry, sizeof(entry));
        emit(handler, self, "%s vector %x %x %x", f->address, entry[0], entry[1], entry[2]);
}

static void write_line(void *self, const char *line) {
        fprintf(self, "%s\n", line);
}

typedef struct Comparison {
        char *before;
        unsigned lines, differ;
} Comparison;

static void compare_line(void *self, const char *line) {
        Comparison *c = self;
        size_t length = strlen(line);

        c->lines++;
        for (const char *p = c->before; (p = strstr(p, line)) != NULL; p += length)
                if ((p == c->before || p[-1] == '\n') && p[length] == '\n')
                        return;
        c->differ++;
        tap_diag("changed: %s", line);
}

static void note(World *w, const char *path) {
        _cleanup_fclose_ FILE *file = fopen(path, "we");

        must(w, file ? 0 : -errno, path);
        for (unsigned i = 0; i < w->n; i++) {
                const Function *f = &w->functions[i];

                fprintf(file, "function %s\n", f->address);
                describe_config(f, write_line, file);
                describe_vector(f, write_line, file);
        }
        describe_sriov(&w->functions[0], write_line, file);
        must(w, fflush(file) ? -errno : 0, path);
}

/* What note() wrote, and the functions' addresses from it. */
static char *read_note(World *w, const char *path) {
        _cleanup_fclose_ FILE *file = fopen(path, "re");
        char *text = NULL;
        size_t size = 0;

        must(w, file ? 0 : -errno, path);
        must(w, getdelim(&text, &size, '\0', file) < 0 ? -errno : 0, path);
        for (const char *p = text; (p = strstr(p, "function ")) != NULL && w->n < ELEMENTSOF(w->functions);)
                if (sscanf(p += strlen("function "), "%15s", w->functions[w->n].address) == 1)
                        w->n++;
        return text;
}

/* --- before -------------------------------------------------------------------------- */

/* Flexible queues and interrupts belong to the primary controller until they are taken
 * from it, which takes effect with its next reset. */
static void free_resources(World *w) {
        Nvme *pf = &w->functions[0].nvme;
        int fd = w->functions[0].fd;

        must(w, io_bus_master(fd), "Bus Master of the PF");
        must(w, nvme_start(pf), "starting the primary controller");
        must(w, nvme_virtualize(pf, NVME_PRIMARY_FLEXIBLE, NVME_RESOURCE_QUEUES, 0, 0, NULL), "its queues");
        must(w, nvme_virtualize(pf, NVME_PRIMARY_FLEXIBLE, NVME_RESOURCE_INTERRUPTS, 0, 0, NULL), "its interrupts");
        must(w, io_reset(fd), "resetting the PF");
        must(w, io_bus_master(fd), "Bus Master of the PF");
        must(w, function_interrupts(&w->functions[0]), "interrupts of the PF");
        must(w, nvme_start(pf), "starting it again");
}

static int bring_online(World *w, uint16_t cntlid) {
        Nvme *pf = &w->functions[0].nvme;
        uint16_t status = 0;
        int r = nvme_virtualize(pf, NVME_SECONDARY_ASSIGN, NVME_RESOURCE_QUEUES, cntlid, 2, &status);

        if (r >= 0)
                r = nvme_virtualize(pf, NVME_SECONDARY_ASSIGN, NVME_RESOURCE_INTERRUPTS, cntlid, 1, &status);
        if (r >= 0)
                r = nvme_virtualize(pf, NVME_SECONDARY_ONLINE, 0, cntlid, 0, &status);
        if (r == -EREMOTEIO)
                tap_diag("secondary controller %u: status %#x", cntlid, status);
        return r;
}

static void start_vf(World *w, unsigned i) {
        Function *f = &w->functions[i];
        int r;

        f->fd = io_open(f->address);
        must(w, f->fd, f->address);
        if (i == 1) {
                r = io_bind(f->fd, w->iommu, NULL);
                point(w, r == -EACCES ? 0 : -EBADMSG, "a VF is not bound without the token");
        }
        r = function_bind(w, f);
        if (r >= 0)
                r = io_bus_master(f->fd);
        if (r >= 0)
                r = function_interrupts(f);
        if (r >= 0)
                r = nvme_start(&f->nvme);
        point(w, r, "VF %u starts", i);
}

static void set_up(World *w) {
        Function *pf = &w->functions[0];

        pf->fd = io_open(pf->address);
        must(w, pf->fd, pf->address);
        must(w, function_bind(w, pf), "binding the PF");
        free_resources(w);
        must(w, io_numvfs(pf->address, w->n - 1), "sriov_numvfs");
        find_vfs(w);
        for (unsigned i = 1; i < w->n; i++)
                must(w, bring_online(w, (uint16_t)i), "bringing a VF online");
        for (unsigned i = 1; i < w->n; i++)
                start_vf(w, i);
        for (unsigned i = 0; i < w->n; i++)
                point(w, function_identify(&w->functions[i], i), "before: function %u does DMA", i);
        for (unsigned i = 0; i < w->n; i++)
                point(w, function_interrupted(&w->functions[i]), "before: function %u interrupts", i);
}

/* The kernel's errno, or the daemon's word for it. */
static int is_refused(const World *w, int r, int error, const char *refusal) {
        bool right = w->session.daemon ? r < 0 && strcmp(w->session.client.refusal, refusal) == 0 : r == error;

        return right ? 0 : r < 0 ? r : -EBADMSG;
}

static void preserve(World *w, const char *session) {
        int r;

        must(w, session_open(&w->session, session, true), "a session");
        must(w, session_preserve(&w->session, TOKEN_MEMORY, w->memory), "preserving the memory");
        r = session_preserve(&w->session, TOKEN_PF + 1, w->functions[1].fd);
        point(w, is_refused(w, r, -ENODEV, "PfNotPreserved"), "a VF is not preserved before its PF");
        for (unsigned i = 0; i < w->n; i++)
                point(w, session_preserve(&w->session, TOKEN_PF + i, w->functions[i].fd), "function %u is preserved",
                      i);
}

/* Waits to be told, gives the VFs their reads and leaves the kernel: so the reads are under
 * way in the jump however long everything before it took. */
static _Noreturn void jump(World *w) {
        sigset_t set;
        int number;

        (void)sigemptyset(&set);
        (void)sigaddset(&set, SIGUSR1);
        (void)sigwait(&set, &number);
        for (unsigned i = 1; i < w->n; i++)
                must(w, nvme_read(&w->functions[i].nvme, i), "reads");
        for (unsigned i = 1; i < w->n; i++)
                nvme_set_mark(&w->functions[i].nvme, nvme_read_done(&w->functions[i].nvme));
        (void)syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_KEXEC, NULL);
        _exit(EXIT_FAILURE);
}

static void note_pid(World *w, const char *path, pid_t pid) {
        _cleanup_fclose_ FILE *file = NULL;
        char name[128];

        (void)snprintf(name, sizeof(name), "%s.pid", path);
        file = fopen(name, "we");
        must(w, file && fprintf(file, "%d\n", (int)pid) > 0 && !fflush(file) ? 0 : -errno, name);
}

/* A child keeps all descriptors; the pipe to whoever reads our points is not one. */
static int leave_behind(World *w, const char *path) {
        sigset_t set;
        pid_t pid;
        int null;

        fflush(NULL);
        (void)sigemptyset(&set);
        (void)sigaddset(&set, SIGUSR1);
        (void)sigprocmask(SIG_BLOCK, &set, NULL);
        pid = fork();
        must(w, pid < 0 ? -errno : 0, "fork");
        if (pid > 0) {
                if (w->running)
                        note_pid(w, path, pid);
                return tap_finish(&w->tap);
        }
        (void)setsid();
        null = open("/dev/null", O_RDWR);
        for (int fd = 0; fd <= 2; fd++)
                (void)dup2(null, fd);
        if (w->running)
                jump(w);
        for (;;)
                pause();
}

static int before(const char *session, const char *pf, unsigned vfs, const char *path, Way way) {
        bool running = way == WAY_RUNNING;
        World w = { .n = vfs + 1, .running = running, .session.daemon = way == WAY_DAEMON };

        tap_plan(&w.tap, 1 + vfs + 2 * w.n + 1 + w.n);
        (void)snprintf(w.functions[0].address, sizeof(w.functions[0].address), "%s", pf);
        w.memory = memfd_create("luvm-vfs", MFD_CLOEXEC);
        must(&w, w.memory < 0 || ftruncate(w.memory, (off_t)memory_size(&w)) < 0 ? -errno : 0, "a memfd");
        world_memory(&w);
        set_up(&w);
        preserve(&w, session);
        note(&w, path);
        return leave_behind(&w, path);
}

/* --- after --------------------------------------------------------------------------- */

static void compare(World *w, Comparison *c, const char *what, unsigned i) {
        if (c->differ)
                tap_diag("%u of %u changed", c->differ, c->lines);
        point(w, c->lines > 0 && !c->differ ? 0 : -EBADMSG, "%s of function %u as before", what, i);
        c->lines = c->differ = 0;
}

static void adopt(World *w, Comparison *c) {
        Function *pf = &w->functions[0];
        int r = io_numvfs(pf->address, w->n - 2);
        char address[16];

        point(w, r == -EBUSY ? 0 : r ?: -EBADMSG, "another number of VFs is refused");
        point(w, io_virtfn(pf->address, 0, address) == -ENOENT ? 0 : -EEXIST, "the VFs have no devices yet");
        point(w, io_numvfs(pf->address, w->n - 1), "the VFs are adopted");
        describe_sriov(pf, compare_line, c);
        compare(w, c, "SR-IOV capability", 0);
        for (unsigned i = 1; i < w->n; i++) {
                r = io_virtfn(pf->address, i - 1, address);
                if (r >= 0)
                        r = strcmp(address, w->functions[i].address) == 0 ? 0 : -EBADMSG;
                point(w, r, "VF %u is where it was", i);
        }
}

/* Bus Master as the policy has it, and no MSI-X: that is off for what goes on, too. */
static bool function_quiet(const World *w, unsigned i) {
        const char *address = w->functions[i].address;
        bool master = io_config(address, 4) & 4, msix = io_config(address, io_capability(address, 0x11)) >> 31;

        return master == (w->running && i > 0) && !msix;
}

static void take_back(World *w, Comparison *c, unsigned i) {
        Function *f = &w->functions[i];
        int r;

        point(w, function_quiet(w, i) ? 0 : -EBADMSG, "Bus Master of function %u is as its policy says, MSI-X off", i);
        describe_config(f, compare_line, c);
        compare(w, c, "configuration", i);
        f->fd = session_retrieve(&w->session, TOKEN_PF + i);
        if (!point(w, f->fd, "function %u is retrieved", i))
                return;
        r = function_bind(w, f);
        point(w, r < 0 ? r : (function_quiet(w, i) ? 0 : -EBADMSG), "function %u is bound, Bus Master the same", i);
        describe_vector(f, compare_line, c);
        compare(w, c, "MSI-X vector", i);
}

static void use(World *w, unsigned i) {
        Function *f = &w->functions[i];
        uint64_t done = nvme_completed(&f->nvme);
        int r = nvme_attach(&f->nvme);

        point(w, r, "function %u was not reset", i);
        if (r >= 0)
                r = io_bus_master(f->fd);
        if (r >= 0)
                r = function_identify(f, i);
        point(w, r < 0 ? r : (done > 0 ? 0 : -EBADMSG), "after: function %u does DMA, its queues go on", i);
        r = function_interrupts(f);
        point(w, r < 0 ? r : function_interrupted(f), "after: function %u interrupts", i);
}

/* Completions that came after the old kernel's last look and before ours. */
static void blackout(World *w, unsigned i) {
        Nvme *n = &w->functions[i].nvme;
        unsigned seen = nvme_mark(n), now = nvme_read_done(n);

        tap_diag("VF %u: %u of %u reads before the jump, %u by now", i, seen, NVME_READS, now);
        point(w, seen < now ? 0 : -ENODATA, "VF %u did DMA while the kernel changed", i);
}

static void all_read(World *w, unsigned i) {
        Nvme *n = &w->functions[i].nvme;
        struct timespec pause = { .tv_nsec = 10000000 };

        for (unsigned t = 0; t < 6000 && nvme_read_done(n) < NVME_READS; t++)
                (void)nanosleep(&pause, NULL);
        point(w, nvme_read_check(n), "VF %u: no read is lost, none wrong", i);
}

static int after(const char *session, const char *pf, const char *path, const char *next, Way way) {
        bool running = way == WAY_RUNNING, daemon = way == WAY_DAEMON;
        World w = { .running = running, .session.daemon = daemon };
        Comparison c = { .before = read_note(&w, path) };

        tap_plan(&w.tap, 1 + 5 * w.n + 4 + (w.n - 1) + 3 * w.n + 1 + w.n + (running ? 2 * (w.n - 1) : 0) + daemon +
                                 (next ? 1 + w.n : 0));
        must(&w, strcmp(pf, w.functions[0].address) == 0 ? 0 : -EBADMSG, "the PF's address");
        must(&w, session_open(&w.session, session, false), "the session");
        w.memory = session_retrieve(&w.session, TOKEN_MEMORY);
        if (!point(&w, w.memory, "the memory is retrieved"))
                return tap_finish(&w.tap);
        world_memory(&w);
        for (unsigned i = 1; running && i < w.n; i++)
                blackout(&w, i);
        /* LUO would take it for the last word; the daemon does not ask. */
        if (daemon)
                point(&w, is_refused(&w, session_retrieve(&w.session, TOKEN_PF + 1), 0, "DeviceNotReady"),
                      "a VF is refused before it is adopted");
        take_back(&w, &c, 0);
        adopt(&w, &c);
        for (unsigned i = 1; i < w.n; i++)
                take_back(&w, &c, i);
        for (unsigned i = 0; i < w.n; i++)
                use(&w, i);
        for (unsigned i = 1; running && i < w.n; i++)
                all_read(&w, i);
        point(&w, session_finish(&w.session), "the session is finished");
        for (unsigned i = 0; i < w.n; i++)
                point(&w, function_identify(&w.functions[i], i), "finished: function %u does DMA", i);
        free(c.before);
        /* The daemon looks at configuration space after FINISH, and VFs go with the PF's user. */
        if (!next)
                return daemon ? leave_behind(&w, path) : tap_finish(&w.tap);
        preserve(&w, next);
        note(&w, path);
        return leave_behind(&w, path);
}

/* --- the rest ------------------------------------------------------------------------ */

static int refused(const char *pf, const char *error) {
        World w = { .n = 2 };
        Function *f = &w.functions[1];
        int r;

        tap_plan(&w.tap, 1);
        (void)snprintf(w.functions[0].address, sizeof(w.functions[0].address), "%s", pf);
        w.functions[0].fd = io_open(pf);
        must(&w, w.functions[0].fd, pf);
        w.iommu = io_iommu_open();
        must(&w, w.iommu, "/dev/iommu");
        must(&w, io_bind(w.functions[0].fd, w.iommu, VF_TOKEN), "binding the PF");
        must(&w, io_numvfs(pf, 1), "sriov_numvfs");
        find_vfs(&w);
        f->fd = io_open(f->address);
        must(&w, f->fd, f->address);
        must(&w, io_bind(f->fd, w.iommu, VF_TOKEN), "binding the VF");
        must(&w, session_open(&w.session, "refused", true), "a session");
        must(&w, session_preserve(&w.session, 1, w.functions[0].fd), "preserving the PF");
        r = session_preserve(&w.session, 2, f->fd);
        point(&w, r == -atoi(error) ? 0 : r ?: -EBADMSG, "a VF is refused with error %s", error);
        return tap_finish(&w.tap);
}

static int abandon(const char *session) {
        World w = { .n = 0 };

        tap_plan(&w.tap, 1);
        must(&w, session_open(&w.session, session, false), "the session");
        point(&w, session_finish(&w.session), "the session of which nothing was taken back is finished");
        return tap_finish(&w.tap);
}

static int lost(const char *session) {
        World w = { .n = 0 };
        int r;

        tap_plan(&w.tap, 2);
        must(&w, session_open(&w.session, session, false), "the session");
        r = session_retrieve(&w.session, TOKEN_PF + 1);
        point(&w, r == -ENODEV ? 0 : -EBADMSG, "a new VF at the address is not taken for the one that is lost");
        point(&w, session_finish(&w.session), "the session is finished");
        return tap_finish(&w.tap);
}

int main(int argc, char **argv) {
        Way way = argc > 5 && strcmp(argv[argc - 1], "running") == 0  ? WAY_RUNNING
                  : argc > 5 && strcmp(argv[argc - 1], "daemon") == 0 ? WAY_DAEMON
                                                                      : WAY_PLAIN;

        argc -= way != WAY_PLAIN;
        if (argc == 6 && strcmp(argv[1], "before") == 0) {
                int vfs = atoi(argv[4]);

                if (vfs >= 1 && vfs <= VFS_MAX)
                        return before(argv[2], argv[3], (unsigned)vfs, argv[5], way);
        }
        if ((argc == 5 || argc == 6) && strcmp(argv[1], "after") == 0)
                return after(argv[2], argv[3], argv[4], argc == 6 ? argv[5] : NULL, way);
        if (argc == 4 && strcmp(argv[1], "refused") == 0)
                return refused(argv[2], argv[3]);
        if (argc == 3 && strcmp(argv[1], "abandon") == 0)
                return abandon(argv[2]);
        if (argc == 3 && strcmp(argv[1], "lost") == 0)
                return lost(argv[2]);
        fputs("usage: luvm-vfs before SESSION PF COUNT FILE [running|daemon] | after SESSION PF FILE [NEXT] "
              "[running|daemon] | "
              "refused PF ERRNO | abandon SESSION | lost SESSION\n",
              stderr);
        return EXIT_FAILURE;
}
