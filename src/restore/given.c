/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "given.h"

#include "common/fd.h"
#include "core/module-list.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

enum { LIST_SIZE_MAX = 1024 * 1024, CMDLINE_SIZE_MAX = 64 * 1024 };

/* Of the running kernel; file: "" or "/NAME". */
static void ko_path(const char *file, char buf[static PATH_MAX]) {
        struct utsname u;

        (void)uname(&u);
        (void)snprintf(buf, PATH_MAX, GIVEN_KO_DIR_BEFORE "%s" GIVEN_KO_DIR_BEHIND "%s", u.release, file);
}

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
        char file[MODULE_NAME_SIZE + 8], path[PATH_MAX];

        if (is_there(l->module))
                return 0;
        if (module_cmdline_forbids(cmdline, l->module))
                return -ENOENT;
        if ((size_t)snprintf(file, sizeof(file), "/%s.ko", l->module) >= sizeof(file))
                return -ENAMETOOLONG;
        ko_path(file, path);
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

static void remove_directory(const char *path) {
        DIR *dir = opendir(path);
        struct dirent *e;

        if (!dir)
                return;
        while ((e = readdir(dir)))
                if (*e->d_name != '.')
                        (void)unlinkat(dirfd(dir), e->d_name, 0);
        (void)closedir(dir);
        (void)rmdir(path);
}

void given_remove_modules(void) {
        char path[PATH_MAX];

        ko_path("", path);
        remove_directory(path);
}

void given_remove(void) {
        remove_directory(GIVEN_DIR);
}
