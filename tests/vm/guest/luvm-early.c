/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client that is started in the initrd: retrieves a memfd of the session that it was given,
 * says so in the kernel's log, with the time stamp counter, and stays. Linked statically, and
 * with system calls alone, for as PID 1 it is the floor: nothing can have a descriptor back
 * earlier than an init that asks at once.
 *
 *   luvm-early TOKEN   the session is descriptor 3
 *   luvm-early stamp   prints the time stamp counter
 *   as PID 1           takes token 1 of session vm-a itself, then becomes /init.next
 */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <x86intrin.h>

#include "common/macro.h"
#include "sys/liveupdate-abi.h"

enum { SESSION_FD = 3 };

static int retrieve(int session, uint64_t token, const char *who) {
        struct luo_abi_name name = { .size = sizeof(name) };
        struct luo_abi_fd arg = { .size = sizeof(arg), .fd = -1, .token = token };
        struct stat st;

        if (ioctl(session, LUO_IOC_GET_NAME, &name) < 0 || ioctl(session, LUO_IOC_RETRIEVE_FD, &arg) < 0 ||
            fstat(arg.fd, &st) < 0) {
                fprintf(stderr, "<3>luvm-early: %s: %s\n", who, strerror(errno));
                return -1;
        }
        fprintf(stderr, "<6>luvm-early: %s of %s, session %.63s: %lld bytes at tick %llu\n", who,
                getenv("LISTEN_FDNAMES") ?: "nobody", (const char *)name.name, (long long)st.st_size,
                (unsigned long long)__rdtsc());
        return 0;
}

static int be_init(char **argv) {
        struct luo_abi_session arg = { .size = sizeof(arg), .fd = -1, .name = "vm-a" };

        (void)mkdir("/dev", 0755);
        (void)mount("dev", "/dev", "devtmpfs", 0, NULL);
        int log = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
        if (log >= 0)
                (void)dup2(log, STDERR_FILENO);
        int device = open("/dev/liveupdate", O_RDWR | O_CLOEXEC);
        if (device < 0 || ioctl(device, LUO_IOC_RETRIEVE_SESSION, &arg) < 0)
                fprintf(stderr, "<3>luvm-early: %s\n", strerror(errno));
        else
                (void)retrieve(arg.fd, 1, "init");
        execv("/init.next", argv);
        return 1;
}

int main(int argc, char **argv) {
        if (getpid() == 1)
                return be_init(argv);
        if (argc != 2)
                return 2;
        if (streq(argv[1], "stamp"))
                return printf("%llu\n", (unsigned long long)__rdtsc()) < 0;
        if (retrieve(SESSION_FD, strtoull(argv[1], NULL, 10), argv[0]) < 0)
                return 1;
        for (;;)
                (void)pause();
}
