/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <sys/stat.h>

#include "carry.h"
#include "common/crc32.h"
#include "common/fd.h"
#include "machine.h"

#define ASK_USEC (30 * USEC_PER_SEC)
#define START_USEC (120 * USEC_PER_SEC)

void machine_done(Machine *m) {
        Runtime *rt = m->runtime;

        running_done(&m->running);
        qmp_close(&m->qmp);
        free(m->version);
        *m = MACHINE_NONE;
        m->runtime = rt;
}

void machine_kill(Machine *m) {
        process_kill(&m->running.process);
        runtime_forget(m->runtime);
        machine_done(m);
}

/* What QEMU says about itself. */

static int ask(const char *program, const char *option, const char *value, char **ret, Problem *p) {
        char *const argv[] = { (char *)program, (char *)option, (char *)value, NULL };

        return process_output(argv, ASK_USEC, ret, p);
}

/* "QEMU emulator version 7.2.22 (Debian …)" */
static int ask_version(const char *program, char **ret, Problem *p) {
        static const char marker[] = " version ";
        _cleanup_free_ char *text = NULL;

        int r = ask(program, "-version", NULL, &text, p);
        if (r < 0)
                return r;
        const char *at = strstr(text, marker);
        if (!at)
                return problem(p, "program", "%s does not say which QEMU it is", program);
        at += strlen(marker);
        *ret = strndup(at, strspn(at, "0123456789."));
        return *ret ? 0 : -ENOMEM;
}

static int check_version(const Spec *spec, const char *version, Problem *p) {
        if (carry_version_may_follow(spec->version, version) > 0)
                return 0;
        return problem(p, "qemu-older",
                       "the machine was on QEMU %s and %s is %s: its state needs that version or a later one",
                       spec->version, spec->program, version);
}

/* QEMU gives up machine types after some years. */
static int check_type(const Spec *spec, const char *version, Problem *p) {
        _cleanup_free_ char *machines = NULL, *type = strndup(spec->machine, strcspn(spec->machine, ",")),
                            *found = NULL;

        if (!type)
                return -ENOMEM;
        int r = ask(spec->program, "-machine", "help", &machines, p);
        if (r >= 0)
                r = carry_pin_machine(machines, type, &found);
        if (r < 0 || found)
                return r;
        return problem(p, "machine-type", "%s, which is QEMU %s, has no machine type %s any more", spec->program,
                       version, type);
}

int machine_check_program(const Spec *spec, Problem *p) {
        _cleanup_free_ char *version = NULL;

        int r = ask_version(spec->program, &version, p);
        if (r >= 0)
                r = check_version(spec, version, p);
        /* What it was started with, the same version has. */
        if (r < 0 || streq(version, spec->version))
                return r;
        return check_type(spec, version, p);
}

int machine_spec(const char *name, const char *program, char *const *args, const char *directory, const char *hook,
                 Spec *ret, Problem *p) {
        _cleanup_free_ char *path = NULL, *version = NULL, *machines = NULL,
                            *place = directory ? strdup(directory) : getcwd(NULL, 0);

        if (!place)
                return problem_errno(p, -errno, "system", "the working directory");
        int r = process_find_program(program, &path, p);
        if (r >= 0)
                r = ask_version(path, &version, p);
        if (r >= 0)
                r = ask(path, "-machine", "help", &machines, p);
        if (r < 0)
                return r;
        CarryInput in = { .name = name,
                          .program = path,
                          .version = version,
                          .directory = place,
                          .hook = hook,
                          .machines = machines,
                          .args = args };
        r = carry(&in, ret, p);
        if (r < 0)
                return r;
        r = spec_check_record(ret, p);
        if (r < 0)
                spec_done(ret);
        return r;
}

/* Disks. */

static int disk_size(const Spec *spec, const char *path, uint64_t *ret) {
        _cleanup_close_ int dir = open(spec->directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
        struct stat st;

        if (dir < 0 || fstatat(dir, path, &st, 0) < 0)
                return -errno;
        *ret = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
        return 0;
}

static int measure_disks(Spec *spec, Problem *p) {
        for (size_t i = 0; i < spec->n_disks; i++) {
                int r = disk_size(spec, spec->disks[i].path, &spec->disks[i].size);
                if (r < 0)
                        return problem_errno(p, r, "disk-missing", "%s", spec->disks[i].path);
        }
        return 0;
}

static int check_disks(const Spec *spec, Problem *p) {
        for (size_t i = 0; i < spec->n_disks; i++) {
                const Disk *d = &spec->disks[i];
                uint64_t size = 0;
                int r = disk_size(spec, d->path, &size);
                if (r < 0)
                        return problem_errno(p, r, "disk-missing", "the disk %s", d->path);
                if (size != d->size)
                        return problem(p, "disk-changed",
                                       "the disk %s had %lu bytes when the machine was stopped and has %lu", d->path,
                                       (unsigned long)d->size, (unsigned long)size);
        }
        return 0;
}

int machine_check_arrival(const Spec *spec, int ram_fd, Problem *p) {
        struct stat st;

        if (fstat(ram_fd, &st) < 0)
                return problem_errno(p, -errno, "system", "the memory");
        if ((uint64_t)st.st_size != spec->ram_size)
                return problem(p, "memory-size", "the memory has %lu bytes, the machine's record says %lu",
                               (unsigned long)st.st_size, (unsigned long)spec->ram_size);
        return check_disks(spec, p);
}

/* Processes. */

static int run_hook(const Spec *spec, Problem *p) {
        char *const argv[] = { spec->hook, (char *)"start", spec->name, NULL };
        _cleanup_free_ char *output = NULL;

        return spec->hook ? process_output(argv, ASK_USEC, &output, p) : 0;
}

/* Starts QEMU and talks to it; m->running.spec and ram_fd are set. */
static int launch(Machine *m, bool incoming, Problem *p) {
        _cleanup_close_ int listener = -1;
        _cleanup_strv_ Strv argv = { 0 };
        int fd;

        int r = run_hook(&m->running.spec, p);
        if (r >= 0)
                r = runtime_listen(m->runtime, &listener, p);
        if (r >= 0)
                r = spec_argv(&m->running.spec, m->running.ram_fd, listener, incoming, &argv);
        if (r >= 0) {
                int fds[] = { m->running.ram_fd, listener };
                r = process_start(argv.v, m->running.spec.directory, fds, ELEMENTSOF(fds), &m->running.process, p);
        }
        if (r >= 0)
                r = runtime_save(m->runtime, &m->running, p);
        if (r >= 0)
                r = runtime_connect(m->runtime, &fd, p);
        /* QEMU's copy is the only one now: when it ends, so does the connection. */
        listener = fd_close(listener);
        if (r >= 0)
                r = qmp_open(&m->qmp, fd, START_USEC, &m->version, p);
        return r < 0 ? r : vm_enable(&m->qmp, p);
}

int machine_remember_version(Machine *m) {
        char *copy = strdup(m->version);

        if (!copy)
                return -ENOMEM;
        free(m->running.spec.version);
        m->running.spec.version = copy;
        return 0;
}

int machine_go_live(Machine *m, Problem *p) {
        int r = machine_remember_version(m);

        m->running.live = true;
        return r < 0 ? r : runtime_save(m->runtime, &m->running, p);
}

int machine_start(Machine *m, Spec *spec, Problem *p) {
        m->running.spec = *spec;
        *spec = (Spec){ 0 };
        int r = memfd_new(m->running.spec.name, m->running.spec.ram_size, &m->running.ram_fd);
        if (r < 0)
                (void)problem_errno(p, r, "memory-size", "%lu bytes of memory",
                                    (unsigned long)m->running.spec.ram_size);
        if (r >= 0)
                r = launch(m, false, p);
        if (r >= 0)
                r = vm_devices(&m->qmp, &m->running.spec.devices, p);
        if (r >= 0)
                r = machine_go_live(m, p);
        if (r < 0)
                machine_kill(m);
        return r;
}

int machine_adopt(Machine *m, Problem *p) {
        int fd;

        int r = runtime_load(m->runtime, &m->running, p);
        if (r < 0)
                return r;
        if (!m->running.live) {
                machine_kill(m);
                return -ENOENT;
        }
        r = runtime_connect(m->runtime, &fd, p);
        if (r >= 0)
                r = qmp_open(&m->qmp, fd, ASK_USEC, &m->version, p);
        if (r < 0) {
                machine_done(m);
                return -EIO; /* it is there: not -ENOENT, whatever was missing */
        }
        return 0;
}

/* The state, which is read twice to be sure of it: a flipped bit is a wrong register that
 * QEMU would load without a word. */

enum { STATE_SIZE_MAX = 1 << 30 };

static int measure_state(int fd, uint64_t *ret_size, uint64_t *ret_crc, Problem *p) {
        _cleanup_free_ char *bytes = NULL;
        size_t size;

        int r = fd_read_all(fd, STATE_SIZE_MAX, &bytes, &size);
        if (r < 0)
                return problem_errno(p, r, "state-damaged", "reading the device state");
        *ret_size = size;
        *ret_crc = crc32_ieee(bytes, size);
        return 0;
}

static int check_state(const Spec *spec, int fd, Problem *p) {
        uint64_t size = 0, crc = 0;

        int r = measure_state(fd, &size, &crc, p);
        if (r < 0)
                return r;
        if (size != spec->state_size)
                return problem(p, "state-damaged", "the device state has %lu bytes, %lu were saved",
                               (unsigned long)size, (unsigned long)spec->state_size);
        if (crc != spec->state_crc)
                return problem(p, "state-damaged",
                               "the device state is not what was saved: its checksum is %08lx, not %08lx",
                               (unsigned long)crc, (unsigned long)spec->state_crc);
        return 0;
}

/* A device too many would load as if it had just been plugged in. */
static int check_devices(Machine *m, Problem *p) {
        _cleanup_strv_ Strv devices = { 0 };

        int r = vm_devices(&m->qmp, &devices, p);
        if (r >= 0 && !strv_equal(&devices, &m->running.spec.devices))
                return problem(p, "other-machine",
                               "%s started with other devices than the machine was saved with: is it another program?",
                               m->running.spec.program);
        return r;
}

/* A QEMU that did not come up may be one that cannot: then that is the reason. Otherwise it
 * is asked nothing beforehand, as the guest stands still meanwhile. */
static int launch_incoming(Machine *m, Problem *p) {
        Problem why;

        int r = launch(m, true, p);
        if (r >= 0)
                return check_version(&m->running.spec, m->version, p);
        if (machine_check_program(&m->running.spec, &why) < 0)
                *p = why;
        return r;
}

int machine_restore(Machine *m, Spec *spec, int ram_fd, int state_fd, Problem *p) {
        m->running.spec = *spec;
        *spec = (Spec){ 0 };
        m->running.ram_fd = ram_fd;

        int r = check_state(&m->running.spec, state_fd, p);
        uint64_t begin = spans_now();
        if (r >= 0)
                r = launch_incoming(m, p);
        spans_add(&m->spans, "start", begin);
        begin = spans_now();
        if (r >= 0)
                r = check_devices(m, p);
        if (r >= 0)
                r = vm_load(&m->qmp, m->version, state_fd, START_USEC, p);
        spans_add(&m->spans, "load", begin);
        if (r < 0)
                machine_kill(m);
        return r;
}

/* The pause. */

static int save(Machine *m, uint64_t timeout_usec, int *ret_state_fd, Problem *p) {
        _cleanup_close_ int state = -1;
        Spec *spec = &m->running.spec;
        uint64_t begin = spans_now();

        int r = measure_disks(spec, p);
        if (r >= 0)
                r = memfd_new("device-state", 0, &state);
        if (r >= 0)
                r = vm_save(&m->qmp, m->version, state, timeout_usec, p);
        if (r >= 0)
                r = measure_state(state, &spec->state_size, &spec->state_crc, p);
        spans_add(&m->spans, "save", begin);
        if (r >= 0)
                *ret_state_fd = TAKE_FD(state);
        return r;
}

int machine_note_stopped(Machine *m, Problem *p) {
        int r = runtime_note_stopped(m->runtime, p);

        if (r >= 0)
                m->stopped = true;
        return r;
}

int machine_freeze(Machine *m, uint64_t timeout_usec, int *ret_state_fd, int *ret_record_fd, Problem *p) {
        _cleanup_close_ int state = -1, record = -1;
        _cleanup_free_ char *text = NULL;
        Spec *spec = &m->running.spec;
        uint64_t begin = spans_now();
        size_t size;

        int running = vm_running(&m->qmp, p);
        if (running < 0)
                return running;
        spec->paused = !running && !m->stopped;
        int r = spec->paused ? 0 : machine_note_stopped(m, p);
        if (r >= 0)
                r = vm_stop(&m->qmp, p);
        spans_add(&m->spans, "stop", begin);
        if (r >= 0)
                r = save(m, timeout_usec, &state, p);
        if (r < 0)
                return r;
        r = spec_seal(spec, &text, &size);
        if (r >= 0)
                r = memfd_new_sealed("machine", text, size, &record);
        if (r < 0)
                return problem_errno(p, r, "system", "writing the machine's record");
        *ret_state_fd = TAKE_FD(state);
        *ret_record_fd = TAKE_FD(record);
        return 0;
}

int machine_resume(Machine *m, Problem *p) {
        uint64_t begin = spans_now();

        int r = m->stopped ? vm_cont(&m->qmp, p) : 0;
        spans_add(&m->spans, "cont", begin);
        if (r < 0)
                return r;
        m->stopped = false;
        runtime_drop_stopped(m->runtime);
        return 0;
}
