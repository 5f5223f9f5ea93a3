/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "common/fd.h"
#include "common/parse.h"
#include "runtime.h"

#define RECORD "machine.json"
#define PROCESS "process"
#define SOCKET "monitor"
#define STOPPED "stopped"

enum { NAME_MAX_BYTES = 63, PROCESS_FILE_MAX = 128 };

bool runtime_name_valid(const char *name) {
        size_t n = strlen(name);

        return n > 0 && n <= NAME_MAX_BYTES && name[0] != '.' && name[0] != '-' &&
               strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == n;
}

int runtime_open(const char *base, const char *name, Runtime *ret, Problem *p) {
        _cleanup_close_ int fd = -1;
        char path[96];

        if (!runtime_name_valid(name))
                return problem(p, "name",
                               "'%s' is no name for a machine: letters, digits, '.', '_' and '-', 63 at most", name);
        if ((size_t)snprintf(path, sizeof(path), "%s/%s", base, name) >= sizeof(path) - sizeof("/" SOCKET))
                return problem(p, "name", "%s/%s is too long for a socket's path", base, name);
        if ((mkdir(base, 0700) < 0 && errno != EEXIST) || (mkdir(path, 0700) < 0 && errno != EEXIST))
                return problem_errno(p, -errno, "system", "making %s", path);
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
                return problem_errno(p, -errno, "system", "opening %s", path);
        if (flock(fd, LOCK_EX | LOCK_NB) < 0)
                return errno != EWOULDBLOCK
                               ? problem_errno(p, -errno, "system", "locking %s", path)
                               : (problem(p, "running", "another liveupdate-qemu has the machine %s", name), -EBUSY);
        *ret = (Runtime){ .dir_fd = TAKE_FD(fd) };
        (void)snprintf(ret->socket, sizeof(ret->socket), "%s/" SOCKET, path);
        return 0;
}

void runtime_close(Runtime *rt) {
        fd_close(rt->dir_fd);
        *rt = (Runtime){ .dir_fd = -1 };
}

static struct sockaddr_un address(const Runtime *rt) {
        struct sockaddr_un a = { .sun_family = AF_UNIX };

        _Static_assert(sizeof(rt->socket) <= sizeof(a.sun_path), "the path was checked against this size");
        memcpy(a.sun_path, rt->socket, sizeof(rt->socket));
        return a;
}

/* What is left of a process that ended without an adapter. */
static void forget_former(const Runtime *rt) {
        (void)unlinkat(rt->dir_fd, SOCKET, 0);
        runtime_drop_stopped(rt);
}

int runtime_listen(const Runtime *rt, int *ret_fd, Problem *p) {
        struct sockaddr_un a = address(rt);
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        forget_former(rt);
        if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 1) < 0)
                return problem_errno(p, -errno, "system", "listening on %s", rt->socket);
        *ret_fd = TAKE_FD(fd);
        return 0;
}

int runtime_link(const Runtime *rt, const char *monitor, Problem *p) {
        forget_former(rt);
        return symlinkat(monitor, rt->dir_fd, SOCKET) < 0
                       ? problem_errno(p, -errno, "system", "linking %s to %s", rt->socket, monitor)
                       : 0;
}

int runtime_connect(const Runtime *rt, int *ret_fd, Problem *p) {
        struct sockaddr_un a = address(rt);
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
                return problem_errno(p, -errno, "qemu-connection", "connecting to %s", rt->socket);
        *ret_fd = TAKE_FD(fd);
        return 0;
}

int runtime_save(const Runtime *rt, const Running *running, Problem *p) {
        _cleanup_free_ char *text = NULL;
        char line[PROCESS_FILE_MAX];
        size_t size;

        int r = spec_encode(&running->spec, &text, &size);
        if (r >= 0)
                r = file_write_atomic_at(rt->dir_fd, RECORD, text, size);
        int n = snprintf(line, sizeof(line), "%d %lu %d %s", (int)running->process.pid,
                         (unsigned long)running->process.start_time, running->ram_fd,
                         running->live ? "live" : "loading");
        /* Last: it says that the rest is there. */
        if (r >= 0)
                r = file_write_atomic_at(rt->dir_fd, PROCESS, line, (size_t)n);
        return r < 0 ? problem_errno(p, r, "system", "writing down the machine") : 0;
}

int runtime_note_stopped(const Runtime *rt, Problem *p) {
        int r = file_write_atomic_at(rt->dir_fd, STOPPED, "", 0);

        return r < 0 ? problem_errno(p, r, "system", "noting that the machine is stopped") : 0;
}

bool runtime_is_stopped(const Runtime *rt) {
        return faccessat(rt->dir_fd, STOPPED, F_OK, 0) >= 0;
}

void runtime_drop_stopped(const Runtime *rt) {
        (void)unlinkat(rt->dir_fd, STOPPED, 0);
}

void runtime_forget(const Runtime *rt) {
        runtime_drop_stopped(rt);
        (void)unlinkat(rt->dir_fd, PROCESS, 0);
        (void)unlinkat(rt->dir_fd, RECORD, 0);
        (void)unlinkat(rt->dir_fd, SOCKET, 0);
}

static int find_process(const char *line, Running *ret) {
        _cleanup_free_ char *copy = strdup(line);
        uint32_t pid = 0, ram = 0;
        uint64_t start = 0;
        char *words[4], *save = NULL;

        if (!copy)
                return -ENOMEM;
        for (size_t i = 0; i < ELEMENTSOF(words); i++) {
                words[i] = strtok_r(i == 0 ? copy : NULL, " ", &save);
                if (!words[i])
                        return -EBADMSG;
        }
        ret->live = streq(words[3], "live");
        if (parse_u32(words[0], &pid) < 0 || parse_u64(words[1], &start) < 0 || parse_u32(words[2], &ram) < 0 ||
            pid == 0 || pid > INT32_MAX || ram > INT32_MAX || (!ret->live && !streq(words[3], "loading")))
                return -EBADMSG;
        ret->ram_fd = (int)ram;
        return process_find((pid_t)pid, start, &ret->process);
}

/* The memory of a process we did not get it from: through its descriptor table. */
static int open_memory(Running *running) {
        char path[64];

        snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)running->process.pid, running->ram_fd);
        running->ram_fd = open(path, O_RDWR | O_CLOEXEC);
        return running->ram_fd < 0 ? -errno : 0;
}

static int load(const Runtime *rt, Running *running, Problem *p) {
        _cleanup_free_ char *line = NULL, *text = NULL;
        size_t line_size, size;

        int r = file_read_at(rt->dir_fd, PROCESS, PROCESS_FILE_MAX, &line, &line_size);
        if (r >= 0)
                r = find_process(line, running);
        if (r == -ENOENT || r == -ESRCH)
                return -ENOENT;
        if (r >= 0)
                r = file_read_at(rt->dir_fd, RECORD, SPEC_SIZE_MAX, &text, &size);
        if (r < 0)
                return problem_errno(p, r, "system", "reading what the last adapter wrote down");
        r = spec_decode(text, size, &running->spec, p);
        if (r < 0)
                return r;
        r = open_memory(running);
        return r < 0 ? problem_errno(p, r, "system", "opening the memory of process %d", (int)running->process.pid)
                     : 0;
}

int runtime_load(const Runtime *rt, Running *ret, Problem *p) {
        Running running = { .process = PROCESS_NONE, .ram_fd = -1 };

        int r = load(rt, &running, p);
        if (r < 0) {
                /* Until it was opened it is a number in another table. */
                bool there = running.process.pidfd >= 0;
                running.ram_fd = -1;
                running_done(&running);
                return r == -ENOENT && there ? -EIO : r;
        }
        *ret = running;
        return 0;
}

void running_done(Running *running) {
        spec_done(&running->spec);
        process_close(&running->process);
        fd_close(running->ram_fd);
        *running = (Running){ .process = PROCESS_NONE, .ram_fd = -1 };
}
