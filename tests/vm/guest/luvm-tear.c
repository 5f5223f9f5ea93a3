/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 *   luvm-tear SESSION TOKEN flip OFFSET
 *   luvm-tear SESSION TOKEN cut SIZE FILE
 *   luvm-tear SESSION TOKEN paste FILE
 *
 * Damages a memfd that came over from another kernel, and mends it: flips the lowest bit
 * of a byte, cuts it to SIZE and keeps the rest in FILE, appends that again. The session
 * is claimed for it, and left to whoever claims it next.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "common/names.h"

static int fail(const char *what, int r) {
        fprintf(stderr, "luvm-tear: %s: %s\n", what, strerror(-r));
        return 1;
}

static int retrieve(const char *session, uint64_t token, int *ret) {
        sd_bus_message *claimed = NULL, *reply = NULL;
        sd_bus *bus = NULL;
        const char *path;
        int fd;

        int r = sd_bus_open_system(&bus);
        if (r >= 0)
                r = sd_bus_call_method(bus, LIVEUPDATE_BUS_NAME, LIVEUPDATE_PATH, LIVEUPDATE_MANAGER_INTERFACE,
                                       "ClaimSession", NULL, &claimed, "sa{sv}", session, 0);
        if (r >= 0)
                r = sd_bus_message_read(claimed, "o", &path);
        if (r >= 0)
                r = sd_bus_call_method(bus, LIVEUPDATE_BUS_NAME, path, LIVEUPDATE_SESSION_INTERFACE, "RetrieveFd",
                                       NULL, &reply, "ta{sv}", token, 0);
        if (r >= 0)
                r = sd_bus_message_read(reply, "h", &fd);
        if (r >= 0) {
                *ret = fcntl(fd, F_DUPFD_CLOEXEC, 3);
                r = *ret < 0 ? -errno : 0;
        }
        sd_bus_message_unref(claimed);
        sd_bus_message_unref(reply);
        sd_bus_flush_close_unref(bus);
        return r;
}

static int flip(int fd, off_t offset) {
        char byte;

        if (pread(fd, &byte, 1, offset) != 1)
                return -EIO;
        byte ^= 1;
        return pwrite(fd, &byte, 1, offset) == 1 ? 0 : -EIO;
}

static int copy(int from, off_t at, int to, off_t to_at) {
        char buf[65536];
        ssize_t n;

        while ((n = pread(from, buf, sizeof(buf), at)) > 0) {
                if (pwrite(to, buf, (size_t)n, to_at) != n)
                        return -EIO;
                at += n;
                to_at += n;
        }
        return n < 0 ? -errno : 0;
}

static int cut(int fd, off_t size, const char *path) {
        int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        int r = file < 0 ? -errno : copy(fd, size, file, 0);
        if (r >= 0 && ftruncate(fd, size) < 0)
                r = -errno;
        return r;
}

static int paste(int fd, const char *path) {
        int file = open(path, O_RDONLY | O_CLOEXEC);
        struct stat st;

        return file < 0 || fstat(fd, &st) < 0 ? -errno : copy(file, 0, fd, st.st_size);
}

int main(int argc, char **argv) {
        int fd = -1;

        if (argc < 5)
                return fail("a session, a token and what to do are needed", -EINVAL);
        int r = retrieve(argv[1], strtoull(argv[2], NULL, 10), &fd);
        if (r < 0)
                return fail("retrieving the file", r);
        if (strcmp(argv[3], "flip") == 0)
                r = flip(fd, strtoll(argv[4], NULL, 10));
        else if (strcmp(argv[3], "cut") == 0 && argc > 5)
                r = cut(fd, strtoll(argv[4], NULL, 10), argv[5]);
        else
                r = strcmp(argv[3], "paste") == 0 ? paste(fd, argv[4]) : -EINVAL;
        return r < 0 ? fail(argv[3], r) : 0;
}
