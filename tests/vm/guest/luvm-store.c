/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * luvm-store FILE: a service that knows nothing of liveupdated and relies on systemd's own
 * descriptor store across kernels (FileDescriptorStorePreserve=yes, systemd 261 or later).
 * In it is a memfd with a number, which each start raises by one; a start without it begins
 * at one. Writes the number to FILE, tells systemd, and waits to be stopped.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <systemd/sd-daemon.h>

#include "common/fd.h"
#include "common/macro.h"

#define NAME "number"

static int find(void) {
        char **names = NULL;
        int n = sd_listen_fds_with_names(true, &names);

        for (int i = 0; i < n; i++)
                if (streq(names[i], NAME))
                        return SD_LISTEN_FDS_START + i;
        return -1;
}

static int make(int *ret) {
        int r = memfd_new("luvm-store", sizeof(uint64_t), ret);

        return r < 0 ? r : sd_pid_notify_with_fds(0, false, "FDSTORE=1\nFDNAME=" NAME, ret, 1);
}

int main(int argc, char **argv) {
        uint64_t number = 0;
        char text[32];
        int fd = find();

        if (argc != 2 || (fd < 0 && make(&fd) < 0) || pread(fd, &number, sizeof(number), 0) != sizeof(number))
                return 1;
        number++;
        int n = snprintf(text, sizeof(text), "%llu\n", (unsigned long long)number);
        int file = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        if (pwrite(fd, &number, sizeof(number), 0) != sizeof(number) || file < 0 ||
            fd_write_all(file, text, (size_t)n) < 0)
                return 1;
        (void)sd_notify(false, "READY=1");
        for (;;)
                (void)pause();
}
