/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See luo-fake-memfd.h. As in the kernel, the copy is made by memfd_alloc_file("",
 * MFD_ALLOW_SEALING), hence executable, and gets its seals added afterwards: what
 * F_SEAL_EXEC then implies, the running kernel does by itself.
 */
#include "luo-fake-memfd.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/vfs.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

enum { COPY_STEP = 256 * 1024 };

int fake_memfd_can_preserve(int fd, struct stat *ret) {
        struct statfs fs;
        struct stat st;
        int flags = fcntl(fd, F_GETFL);

        /* fget() does not find O_PATH descriptors. */
        if (flags < 0 || (flags & O_PATH))
                return -EBADF;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode) || st.st_nlink > 0)
                return -ENOENT;
        if (fstatfs(fd, &fs) < 0 || fs.f_type != TMPFS_MAGIC)
                return -ENOENT;
        *ret = st;
        return 0;
}

int fake_memfd_seals(int fd) {
        int seals = fcntl(fd, F_GET_SEALS);

        return seals < 0 ? -errno : seals;
}

static int new_memfd(void) {
        /* MFD_EXEC is of Linux 6.3; before it, memfds were executable anyway. */
        int fd = memfd_create("", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);

        if (fd < 0 && errno == EINVAL)
                fd = memfd_create("", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        return fd < 0 ? -errno : fd;
}

static int copy_range(int from, int to, off_t begin, off_t end) {
        _cleanup_free_ char *buffer = malloc(COPY_STEP);

        if (!buffer)
                return -ENOMEM;
        while (begin < end) {
                ssize_t n = pread(from, buffer, (size_t)MIN_OF(end - begin, (off_t)COPY_STEP), begin);
                if (n < 0)
                        return -errno;
                if (n == 0)
                        return 0;
                n = pwrite(to, buffer, (size_t)n, begin);
                if (n < 0)
                        return -errno;
                begin += n;
        }
        return 0;
}

/* Holes stay holes: in the kernel they become zeroed pages, which reads the same. */
static int copy_contents(int from, int to, off_t size) {
        off_t position = 0;
        int r;

        while (position < size) {
                off_t data = lseek(from, position, SEEK_DATA);
                if (data < 0)
                        return errno == ENXIO ? 0 : -errno;
                off_t hole = lseek(from, data, SEEK_HOLE);
                if (hole < 0)
                        return -errno;
                r = copy_range(from, to, data, MIN_OF(hole, size));
                if (r < 0)
                        return r;
                position = hole;
        }
        return 0;
}

int fake_memfd_copy(int fd, uint64_t size, int seals, int *ret_fd) {
        _cleanup_close_ int copy = -1;
        off_t position;
        int r;

        copy = new_memfd();
        if (copy < 0)
                return copy;
        if (ftruncate(copy, (off_t)size) < 0)
                return -errno;

        /* Looking for data moves the position that all holders of fd share. */
        position = lseek(fd, 0, SEEK_CUR);
        if (position < 0)
                return -errno;
        r = copy_contents(fd, copy, (off_t)size);
        if (lseek(fd, position, SEEK_SET) < 0 || lseek(copy, position, SEEK_SET) < 0)
                return -errno;
        if (r < 0)
                return r;

        if (seals != 0 && fcntl(copy, F_ADD_SEALS, seals) < 0)
                return -errno;
        *ret_fd = TAKE_FD(copy);
        return 0;
}
