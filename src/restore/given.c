/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "given.h"

#include "common/fd.h"
#include "core/module-list.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/syscall.h>

enum { LIST_SIZE_MAX = 1024 * 1024, CMDLINE_SIZE_MAX = 64 * 1024 };

static bool is_there(const char *module) {
        char path[PATH_MAX], name[MODULE_NAME_SIZE];

        if (!module_name_normalize(module, name))
                return false;
        (void)snprintf(path, sizeof(path), "/sys/module/%s", name);
        return access(path, F_OK) >= 0;
}

static int insert(const ModuleLine *l, const char *cmdline) {
        _cleanup_free_ char *more = NULL, *options = NULL;
        _cleanup_close_ int fd = -1;
        char path[PATH_MAX];

        if (is_there(l->module))
                return 0;
        if (module_cmdline_forbids(cmdline, l->module))
                return -ENOENT;
        (void)snprintf(path, sizeof(path), GIVEN_DIR "/%s.ko", l->module);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        int r = module_cmdline_options(cmdline, l->module, &more);
        if (r >= 0 && asprintf(&options, "%s%s", l->options, more) < 0)
                r = -ENOMEM;
        if (r < 0)
                return r;
        if (syscall(SYS_finit_module, fd, options, 0) < 0)
                return errno == EEXIST ? 0 : -errno;
        return 1;
}

int given_load(const char *name) {
        _cleanup_free_ char *list = NULL, *cmdline = NULL;
        bool known = false;
        ModuleLine l;
        int loaded = 0;

        int r = file_read_at(AT_FDCWD, GIVEN_DIR "/" GIVEN_MODULES, LIST_SIZE_MAX, &list, NULL);
        if (r >= 0)
                r = file_read_at(AT_FDCWD, "/proc/cmdline", CMDLINE_SIZE_MAX, &cmdline, NULL);
        if (r < 0)
                return r;
        for (char *cursor = list; module_list_next(&cursor, &l);) {
                if (!module_name_equal(l.wanted, name))
                        continue;
                known = true;
                r = insert(&l, cmdline);
                if (r < 0)
                        return r;
                loaded |= r;
        }
        return known ? loaded : is_there(name) ? 0 : -ENOENT;
}

void given_remove(void) {
        DIR *dir = opendir(GIVEN_DIR);
        struct dirent *e;

        if (!dir)
                return;
        while ((e = readdir(dir)))
                if (*e->d_name != '.')
                        (void)unlinkat(dirfd(dir), e->d_name, 0);
        (void)closedir(dir);
        (void)rmdir(GIVEN_DIR);
}
