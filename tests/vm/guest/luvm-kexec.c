/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The smallest live update there is, for the harness's own test: no daemon, no bus, one
 * session with one memfd. It shows that a failing case fails for the daemon's sake and
 * not because kernel or VM cannot do it.
 *
 *   luvm-kexec jump SESSION TOKEN FILE KERNEL INITRD CMDLINE
 *       preserves a memfd with FILE's contents, loads the kernel, and jumps
 *   luvm-kexec retrieve SESSION TOKEN
 *       writes the memfd's contents to standard output and finishes the session
 *   luvm-kexec unload
 *       takes the loaded image away behind the daemon's back, so that its jump fails
 *
 * The session stays open from PRESERVE_FD to reboot(2): closing it would drop the file.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <linux/kexec.h>
#include <linux/reboot.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "common/macro.h"
#include "sys/liveupdate-abi.h"

_printf_(1, 2) static _Noreturn void die(const char *format, ...) {
        int saved = errno;
        va_list ap;

        va_start(ap, format);
        fputs("luvm-kexec: ", stderr);
        vfprintf(stderr, format, ap);
        va_end(ap);
        fprintf(stderr, ": %s\n", strerror(saved));
        exit(EXIT_FAILURE);
}

static int open_or_die(const char *path, int flags) {
        int fd = open(path, flags | O_CLOEXEC);

        if (fd < 0)
                die("open %s", path);
        return fd;
}

static void copy_or_die(int to, int from) {
        char buffer[65536];
        ssize_t n;

        while ((n = read(from, buffer, sizeof(buffer))) > 0)
                for (ssize_t done = 0, k; done < n; done += k) {
                        k = write(to, buffer + done, (size_t)(n - done));
                        if (k < 0)
                                die("write");
                }
        if (n < 0)
                die("read");
}

/* The device has one opener at a time, so it is open for this one call. */
static int session_or_die(unsigned long request, const char *name) {
        struct luo_abi_session session = { .size = sizeof(session), .fd = -1 };
        _cleanup_close_ int device = open_or_die(LUO_DEVICE_PATH, O_RDWR);

        if (strlen(name) >= sizeof(session.name)) {
                errno = ENAMETOOLONG;
                die("session %s", name);
        }
        strcpy((char *)session.name, name);
        if (ioctl(device, request, &session) < 0)
                die("session %s", name);
        return session.fd;
}

static uint64_t token_or_die(const char *text) {
        char *end;
        uint64_t token;

        errno = 0;
        token = strtoull(text, &end, 0);
        if (errno != 0 || end == text || *end != '\0') {
                errno = errno ?: EINVAL;
                die("token %s", text);
        }
        return token;
}

static int preserve(const char *name, uint64_t token, const char *path) {
        struct luo_abi_fd file = { .size = sizeof(file), .token = token };
        _cleanup_close_ int from = open_or_die(path, O_RDONLY);
        int session = session_or_die(LUO_IOC_CREATE_SESSION, name);

        file.fd = memfd_create("luvm", MFD_CLOEXEC);
        if (file.fd < 0)
                die("memfd_create");
        copy_or_die(file.fd, from);
        if (ioctl(session, LUO_IOC_PRESERVE_FD, &file) < 0)
                die("PRESERVE_FD");
        return session;
}

static int jump(char **args) {
        int kernel = open_or_die(args[3], O_RDONLY), initrd = open_or_die(args[4], O_RDONLY);
        const char *cmdline = args[5];

        (void)preserve(args[0], token_or_die(args[1]), args[2]);
        if (syscall(SYS_kexec_file_load, kernel, initrd, strlen(cmdline) + 1, cmdline, 0UL) < 0)
                die("kexec_file_load %s", args[3]);
        (void)syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_KEXEC, NULL);
        die("reboot");
}

static int retrieve(char **args) {
        struct luo_abi_fd file = { .size = sizeof(file), .fd = -1, .token = token_or_die(args[1]) };
        struct luo_abi_finish finish = { .size = sizeof(finish) };
        int session = session_or_die(LUO_IOC_RETRIEVE_SESSION, args[0]);

        if (ioctl(session, LUO_IOC_RETRIEVE_FD, &file) < 0)
                die("RETRIEVE_FD");
        if (lseek(file.fd, 0, SEEK_SET) < 0)
                die("lseek");
        copy_or_die(STDOUT_FILENO, file.fd);
        if (ioctl(session, LUO_IOC_FINISH, &finish) < 0)
                die("FINISH");
        return EXIT_SUCCESS;
}

static int unload(void) {
        if (syscall(SYS_kexec_file_load, -1, -1, 0UL, NULL, (unsigned long)KEXEC_FILE_UNLOAD) < 0)
                die("unload");
        return EXIT_SUCCESS;
}

int main(int argc, char **argv) {
        if (argc == 8 && strcmp(argv[1], "jump") == 0)
                return jump(argv + 2);
        if (argc == 4 && strcmp(argv[1], "retrieve") == 0)
                return retrieve(argv + 2);
        if (argc == 2 && strcmp(argv[1], "unload") == 0)
                return unload();
        fputs("usage: luvm-kexec jump SESSION TOKEN FILE KERNEL INITRD CMDLINE\n"
              "       luvm-kexec retrieve SESSION TOKEN\n"
              "       luvm-kexec unload\n",
              stderr);
        return 2;
}
