/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * luvm-session FILE: a service that knows nothing of liveupdated and has a session from
 * systemd itself (LUOSession=, systemd 262 or later). In it is a memfd with a number, which each
 * kernel raises by one; without it the number begins at one. Writes the number to FILE, tells systemd,
 * and waits to be stopped.
 *
 * systemd hands out the session that came in and a new one in the same way, so the kernel is
 * asked which one it is. One that came in is finished and given back, the memfd is left in the
 * descriptor store, and the service ends: with Restart=always it has a new session next time.
 * Without a session, because somebody had the device open, it fails, to be started again.
 */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <systemd/sd-daemon.h>

#include "common/fd.h"
#include "common/macro.h"
#include "sys/liveupdate-abi.h"

#define MEMORY "memory"

enum { TOKEN = 1 };

struct Given {
        int session;
        int memory; /* of the kernel before */
        char *name; /* of the session, in the store */
};

static bool is_session(int fd) {
        struct luo_abi_name name = { .size = sizeof(name) };

        return ioctl(fd, LUO_IOC_GET_NAME, &name) >= 0;
}

static struct Given find(void) {
        struct Given given = { .session = -1, .memory = -1 };
        char **names = NULL;
        int n = sd_listen_fds_with_names(true, &names);

        for (int i = 0; i < n; i++)
                if (streq(names[i], MEMORY))
                        given.memory = SD_LISTEN_FDS_START + i;
                else if (is_session(SD_LISTEN_FDS_START + i)) {
                        given.session = SD_LISTEN_FDS_START + i;
                        given.name = names[i];
                }
        return given;
}

/* The session came in: what was in it stays in the store, and the session goes. */
static int take_back(const struct Given *given, int memory) {
        struct luo_abi_finish arg = { .size = sizeof(arg) };

        if (ioctl(given->session, LUO_IOC_FINISH, &arg) < 0 ||
            sd_pid_notify_with_fds(0, false, "FDSTORE=1\nFDNAME=" MEMORY, &memory, 1) < 0 ||
            sd_notifyf(false, "FDSTOREREMOVE=1\nFDNAME=%s", given->name) < 0 || sd_notify(false, "READY=1") < 0)
                return 1;
        return sd_notify_barrier(false, UINT64_MAX) < 0;
}

/* The session is new: systemd keeps it open until the jump, and with it what is in it. */
static int put_in(const struct Given *given, const char *path) {
        struct luo_abi_fd arg = { .size = sizeof(arg), .fd = given->memory, .token = TOKEN };
        uint64_t number = 0;
        char text[32];

        if (arg.fd < 0 && memfd_new("luvm-session", sizeof(number), &arg.fd) < 0)
                return 1;
        if (pread(arg.fd, &number, sizeof(number), 0) != sizeof(number))
                return 1;
        number++;
        if (pwrite(arg.fd, &number, sizeof(number), 0) != sizeof(number) ||
            ioctl(given->session, LUO_IOC_PRESERVE_FD, &arg) < 0)
                return 1;
        /* A file can be in one session only, and systemd would put this one into its own. */
        (void)sd_notify(false, "FDSTOREREMOVE=1\nFDNAME=" MEMORY);
        int n = snprintf(text, sizeof(text), "%llu\n", (unsigned long long)number);
        int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        if (file < 0 || fd_write_all(file, text, (size_t)n) < 0)
                return 1;
        (void)sd_notify(false, "READY=1");
        for (;;)
                (void)pause();
}

int main(int argc, char **argv) {
        struct luo_abi_fd arg = { .size = sizeof(arg), .fd = -1, .token = TOKEN };
        struct Given given = find();

        if (argc != 2 || given.session < 0)
                return 1;
        if (ioctl(given.session, LUO_IOC_RETRIEVE_FD, &arg) >= 0)
                return take_back(&given, arg.fd);
        return put_in(&given, argv[1]);
}
