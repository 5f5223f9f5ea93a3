/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * liveupdate-first: /init of a restore-only initrd (docs/boot.md). The restore step comes
 * first, and the clients that are started early; then the host's own initrd is unpacked,
 * which the kernel has been spared until now, and its /init takes over: the same process,
 * with the same arguments, in the root that it would have found.
 *
 * Whatever happens in the step, the host's initrd has its turn. If that is damaged, what was
 * unpacked of it stays, as it would with the kernel, and its /init gets its chance.
 */
#include "common/log.h"
#include "given.h"
#include "run.h"
#include "sys/clock.h"
#include "unpack.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define HOST_INIT "/init"

enum { NICE_LEAST = 19, MIB = 1024 * 1024 };

static int map_initrd(void **ret, size_t *ret_size) {
        _cleanup_close_ int fd = open(GIVEN_DIR "/" GIVEN_INITRD, O_RDONLY | O_CLOEXEC);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (st.st_size == 0)
                return -ENODATA;
        void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED)
                return -errno;
        *ret = p;
        *ret_size = (size_t)st.st_size;
        return 0;
}

static void tell(int r, const Unpacked *u, uint64_t usec) {
        if (r == -EBADMSG)
                log_error(
                        "The host's initrd is torn or damaged behind the first %llu bytes; the boot goes on with the "
                        "%llu files before that.",
                        (unsigned long long)u->n_bytes, (unsigned long long)u->n_files);
        else if (r < 0)
                log_errno(r, "The host's initrd cannot be unpacked; the boot goes on with the first %llu files of it",
                          (unsigned long long)u->n_files);
        else
                log_info("The host's initrd is unpacked: %llu files, %llu MiB, %llu ms.",
                         (unsigned long long)u->n_files, (unsigned long long)(u->n_bytes / MIB),
                         (unsigned long long)(usec / USEC_PER_MSEC));
        if (u->n_failed > 0)
                log_warning("%llu files of the host's initrd could not be made, the first: %s: %s",
                            (unsigned long long)u->n_failed, u->first_failed, strerror(u->first_errno));
}

/* With the least priority: the clients have been waited for long enough. */
static void unpack_host(void) {
        uint64_t start = clock_monotonic_usec();
        Unpacked done = {};
        size_t size = 0;
        void *data = NULL;

        int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        int r = root_fd < 0 ? -errno : map_initrd(&data, &size);
        if (r < 0) {
                log_errno(r, "The host's initrd cannot be read");
                fd_close(root_fd);
                return;
        }
        (void)unlink(HOST_INIT); /* which leads to this program */
        (void)setpriority(PRIO_PROCESS, 0, NICE_LEAST);
        r = unpack(root_fd, data, size, &done);
        (void)setpriority(PRIO_PROCESS, 0, 0);
        tell(r, &done, clock_monotonic_usec() - start);
        (void)munmap(data, size);
        fd_close(root_fd);
}

int main(int argc, char **argv) {
        Run run = { .early = true, .name = argv[0], .timeout_usec = 30 * USEC_PER_SEC, .load = given_load };

        if (getpid() != 1) {
                fprintf(stderr, "liveupdate-first is /init of the initrds that liveupdatectl load --restore-initrd "
                                "makes; there is no other use for it.\n");
                return 2;
        }
        int console = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
        (void)restore_run(&run);
        given_remove_modules();
        unpack_host();
        given_remove();
        if (access(HOST_INIT, X_OK) < 0)
                log_errno(-errno, "There is no " HOST_INIT " of the host's initrd to go on with; start this kernel "
                                  "again with an initrd that is whole");
        if (console >= 0) {
                (void)dup2(console, STDERR_FILENO);
                fd_close(console);
        } else
                (void)close(STDERR_FILENO);
        execv(HOST_INIT, argv);
        return 1; /* the kernel panics, as it does without an initrd's /init */
}
