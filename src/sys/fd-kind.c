/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fd-kind.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "common/macro.h"

#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x0020
#endif

/* The kernel's own idea of a memfd (memfd_luo_can_preserve(), mm/memfd_luo.c): memory of
 * tmpfs without a name. One that was retrieved has lost its name in /proc, too. */
static bool is_memfd(int fd) {
        struct stat st;

        return fcntl(fd, F_GET_SEALS) >= 0 && fstat(fd, &st) >= 0 && S_ISREG(st.st_mode) && st.st_nlink == 0;
}

const char *fd_kind(int fd) {
        static const struct {
                const char *prefix;
                const char *kind;
        } kinds[] = {
                { "/dev/iommu", "iommufd" },
                { "/dev/vfio/devices/", "vfio" },
                { "anon_inode:[vfio-device]", "vfio" },
        };
        char path[32], target[256];

        if (is_memfd(fd))
                return "memfd";
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        ssize_t n = readlink(path, target, sizeof(target) - 1);
        if (n < 0)
                return "other";
        target[n] = '\0';
        for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
                if (strncmp(target, kinds[i].prefix, strlen(kinds[i].prefix)) == 0)
                        return kinds[i].kind;
        return "other";
}

bool fd_comes_back_readonly(int fd) {
        int seals = fcntl(fd, F_GET_SEALS);

        return seals >= 0 && (seals & F_SEAL_EXEC) && !(seals & F_SEAL_WRITE);
}

bool fd_on_hugepages(int fd) {
        struct statfs s;

        return fstatfs(fd, &s) >= 0 && s.f_type == HUGETLBFS_MAGIC;
}
