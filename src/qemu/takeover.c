/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/vfs.h>

#include "common/fd.h"
#include "common/parse.h"
#include "takeover.h"

#define ASK_USEC (30 * USEC_PER_SEC)
#define PROC_MAX ((size_t)4 << 20)

/* Who listens on the monitor. */
static int connect_monitor(const char *path, int *ret_fd, pid_t *ret_pid, Problem *p) {
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_un a = { .sun_family = AF_UNIX };
        struct ucred who;
        socklen_t size = sizeof(who);

        if (path[0] != '/' || strlen(path) >= sizeof(a.sun_path))
                return problem(p, "monitor", "%s is not the absolute path of a socket", path);
        strcpy(a.sun_path, path);
        if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
            getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) < 0)
                return problem_errno(p, -errno, "monitor", "connecting to %s", path);
        *ret_fd = TAKE_FD(fd);
        *ret_pid = who.pid;
        return 0;
}

/* Its command line, program and directory. */

static int read_link(pid_t pid, const char *what, char **ret, Problem *p) {
        char path[64], target[4096];

        snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, what);
        ssize_t n = readlink(path, target, sizeof(target) - 1);
        if (n < 0 || n == sizeof(target) - 1)
                return problem_errno(p, n < 0 ? -errno : -ENAMETOOLONG, "system", "reading %s", path);
        target[n] = '\0';
        *ret = strdup(target);
        return *ret ? 0 : -ENOMEM;
}

static int read_proc(pid_t pid, const char *what, char **ret, size_t *ret_size, Problem *p) {
        char path[64];

        snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, what);
        int r = file_read_at(AT_FDCWD, path, PROC_MAX, ret, ret_size);
        return r < 0 ? problem_errno(p, r, "system", "reading %s", path) : 0;
}

static int read_words(pid_t pid, Strv *ret, Problem *p) {
        _cleanup_free_ char *text = NULL;
        size_t size;

        int r = read_proc(pid, "cmdline", &text, &size, p);
        for (size_t at = 0; r >= 0 && at < size; at += strlen(text + at) + 1)
                r = strv_add(ret, text + at);
        if (r >= 0 && ret->n == 0)
                return problem(p, "monitor", "process %d, which listens on the monitor, has no command line",
                               (int)pid);
        return r;
}

/* An upgrade may have replaced the file under the running process: then the newer one is
 * what the next kernel will run, and it is held to that. */
static int program_of(pid_t pid, char **ret, Problem *p) {
        static const char deleted[] = " (deleted)";
        char *path = NULL;

        int r = read_link(pid, "exe", &path, p);
        if (r < 0)
                return r;
        char *end = strstr(path, deleted);
        if (end && end[strlen(deleted)] == '\0' && access(path, F_OK) < 0)
                *end = '\0';
        *ret = path;
        return 0;
}

static int read_spec(pid_t pid, const char *name, const char *hook, Spec *ret, Problem *p) {
        _cleanup_free_ char *program = NULL, *directory = NULL;
        _cleanup_strv_ Strv words = { 0 };

        int r = program_of(pid, &program, p);
        if (r >= 0)
                r = read_link(pid, "cwd", &directory, p);
        if (r >= 0)
                r = read_words(pid, &words, p);
        return r < 0 ? r : machine_spec(name, program, words.v + 1, directory, hook, ret, p);
}

/* Its memory. */

bool takeover_maps_line(const char *line, dev_t device, ino_t inode, uint64_t *ret_size) {
        unsigned long begin, end, number;
        unsigned major, minor;
        char shared;

        if (sscanf(line, "%lx-%lx %*1[r-]%*1[w-]%*1[x-]%c %*x %x:%x %lu", &begin, &end, &shared, &major, &minor,
                   &number) != 6)
                return false;
        if (shared != 's' || makedev(major, minor) != device || number != inode || end <= begin)
                return false;
        *ret_size = end - begin;
        return true;
}

/* How much of the file the process has mapped shared; the memory of its guest is mapped whole. */
static uint64_t mapped(const char *maps, const struct stat *st) {
        uint64_t sum = 0, size;

        for (const char *line = maps; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
                if (takeover_maps_line(line, st->st_dev, st->st_ino, &size))
                        sum += size;
        return sum;
}

/* Whether this descriptor of the process is a memfd with its guest's memory. */
static bool is_memory(pid_t pid, const char *number, const char *maps, uint64_t size, struct stat *ret) {
        char path[64], target[64] = "";

        if (snprintf(path, sizeof(path), "/proc/%d/fd/%s", (int)pid, number) >= (int)sizeof(path) ||
            readlink(path, target, sizeof(target) - 1) < 0 || strncmp(target, "/memfd:", 7) != 0)
                return false;
        return stat(path, ret) == 0 && (uint64_t)ret->st_size == size && mapped(maps, ret) >= size;
}

static int search_memory(pid_t pid, DIR *dir, const char *maps, uint64_t size, uint32_t *ret, Problem *p) {
        struct stat st, first = { 0 };
        const struct dirent *e;
        bool found = false;
        uint32_t number;

        while ((e = readdir(dir)))
                if (parse_u32(e->d_name, &number) >= 0 && is_memory(pid, e->d_name, maps, size, &st)) {
                        if (found && (st.st_ino != first.st_ino || st.st_dev != first.st_dev))
                                return problem(p, "memory-several",
                                               "process %d has several memfds of the size of its memory", (int)pid);
                        first = st;
                        found = true;
                        *ret = number;
                }
        return found ? 0
                     : problem(p, "memory-private",
                               "process %d has its memory in no memfd of its own of %lu bytes; start it with "
                               "-object memory-backend-memfd,share=on and -machine memory-backend=",
                               (int)pid, (unsigned long)size);
}

static int find_memory(pid_t pid, uint64_t size, uint32_t *ret, Problem *p) {
        _cleanup_free_ char *maps = NULL;
        char path[64];
        size_t n;

        int r = read_proc(pid, "maps", &maps, &n, p);
        if (r < 0)
                return r;
        snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
        DIR *dir = opendir(path);
        if (!dir)
                return problem_errno(p, -errno, "system", "reading %s", path);
        r = search_memory(pid, dir, maps, size, ret, p);
        (void)closedir(dir);
        return r;
}

/* Its number in QEMU's table is what the runtime directory says; from there to here. */
static int open_memory(Machine *m, uint32_t number, Problem *p) {
        Running *running = &m->running;
        struct statfs fs;
        char path[64];

        running->ram_fd = (int)number;
        running->live = true;
        int r = runtime_save(m->runtime, running, p);
        running->ram_fd = -1;
        if (r < 0)
                return r;
        snprintf(path, sizeof(path), "/proc/%d/fd/%u", (int)running->process.pid, number);
        running->ram_fd = open(path, O_RDWR | O_CLOEXEC);
        if (running->ram_fd < 0 || fstatfs(running->ram_fd, &fs) < 0)
                return problem_errno(p, -errno, "system", "opening the memory of process %d",
                                     (int)running->process.pid);
        if ((uint64_t)fs.f_type == HUGETLBFS_MAGIC)
                return problem(p, "memory-hugepages", "the kernel does not preserve memfds on huge pages");
        return 0;
}

static int take(Machine *m, const char *name, const char *monitor, const char *hook, Problem *p) {
        Running *running = &m->running;
        uint32_t memory = 0;
        pid_t pid = 0;
        int fd = -1;

        int r = connect_monitor(monitor, &fd, &pid, p);
        if (r < 0)
                return r;
        r = process_open(pid, &running->process);
        if (r >= 0)
                r = read_spec(pid, name, hook, &running->spec, p);
        else
                (void)problem_errno(p, r, "monitor", "process %d, which listens on %s", (int)pid, monitor);
        if (r < 0) {
                fd_close(fd);
                return r;
        }
        r = qmp_open(&m->qmp, fd, ASK_USEC, &m->version, p);
        if (r >= 0)
                r = vm_enable(&m->qmp, p);
        if (r >= 0)
                r = find_memory(pid, running->spec.ram_size, &memory, p);
        if (r >= 0)
                r = vm_started_with(&m->qmp, p);
        if (r >= 0)
                r = vm_devices(&m->qmp, &running->spec.devices, p);
        if (r >= 0)
                r = vm_check(&m->qmp, &running->spec, p);
        if (r >= 0)
                r = runtime_link(m->runtime, monitor, p);
        if (r >= 0)
                r = machine_remember_version(m);
        return r < 0 ? r : open_memory(m, memory, p);
}

int machine_take_over(Machine *m, const char *name, const char *monitor, const char *hook, Problem *p) {
        int r = take(m, name, monitor, hook, p);

        if (r < 0) {
                runtime_forget(m->runtime);
                machine_done(m); /* it goes on as it was */
        }
        return r;
}
