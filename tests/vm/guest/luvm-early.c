/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client that is started in the initrd: retrieves a memfd of the session that it was given,
 * says so in the kernel's log, and stays.
 *
 *   luvm-early TOKEN
 */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>

#include "common/macro.h"
#include "sys/luo.h"

enum { SESSION_FD = 3 };

int main(int argc, char **argv) {
        char name[LUO_NAME_LENGTH];
        LuoDevice device;
        struct timespec now;
        struct stat st;
        int fd, r;

        if (argc != 2)
                return 2;
        Luo luo = luo_device(&device, NULL, 0);
        r = luo_get_name(&luo, SESSION_FD, name);
        if (r >= 0)
                r = luo_retrieve_fd(&luo, SESSION_FD, strtoull(argv[1], NULL, 10), &fd);
        if (r < 0 || fstat(fd, &st) < 0) {
                fprintf(stderr, "<3>luvm-early: %s\n", strerror(r < 0 ? -r : errno));
                return 1;
        }
        (void)clock_gettime(CLOCK_BOOTTIME, &now);
        fprintf(stderr, "<6>luvm-early: %s of %s, session %s: %lld bytes at %lld ms\n", argv[0],
                getenv("LISTEN_FDNAMES"), name, (long long)st.st_size,
                (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000);
        for (;;)
                (void)pause();
}
