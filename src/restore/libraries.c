/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "libraries.h"

#include "common/fd.h"

#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <sys/wait.h>

enum { OUTPUT_MAX = 1024 * 1024 };

static ssize_t read_at(int fd, void *buf, size_t size, off_t offset) {
        ssize_t n;

        do
                n = pread(fd, buf, size, offset);
        while (n < 0 && errno == EINTR);
        return n;
}

/* The loader that the program names; "" if it is linked statically. Only the kind of ELF that
 * this program is itself: all else the next kernel's user space could not start. */
static int read_loader(Tree *t, int fd, const char *path, char ret[static PATH_MAX]) {
        Elf64_Ehdr head;
        Elf64_Phdr p;

        *ret = '\0';
        if (read_at(fd, &head, sizeof(head), 0) != sizeof(head) || memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 ||
            head.e_ident[EI_CLASS] != ELFCLASS64 || head.e_phentsize != sizeof(p))
                return problem(t->problem, -ENOEXEC,
                               "%s is not a 64-bit ELF program; a script needs more than can be found out.", path);
        for (unsigned i = 0; i < head.e_phnum; i++) {
                if (read_at(fd, &p, sizeof(p), (off_t)(head.e_phoff + i * sizeof(p))) != sizeof(p))
                        return problem(t->problem, -ENOEXEC, "%s is cut short.", path);
                if (p.p_type != PT_INTERP)
                        continue;
                if (p.p_filesz == 0 || p.p_filesz > PATH_MAX ||
                    read_at(fd, ret, p.p_filesz, (off_t)p.p_offset) != (ssize_t)p.p_filesz ||
                    ret[p.p_filesz - 1] != '\0' || *ret != '/')
                        return problem(t->problem, -ENOEXEC, "%s names no dynamic loader.", path);
                return 0;
        }
        return 0;
}

static int read_pipe(int fd, char **ret) {
        _cleanup_free_ char *text = malloc(OUTPUT_MAX + 1);
        size_t n = 0;

        if (!text)
                return -ENOMEM;
        for (ssize_t k = 1; k > 0 && n < OUTPUT_MAX;) {
                k = read(fd, text + n, OUTPUT_MAX - n);
                if (k < 0 && errno == EINTR)
                        k = 1;
                else if (k < 0)
                        return -errno;
                else
                        n += (size_t)k;
        }
        text[n] = '\0';
        *ret = TAKE_PTR(text);
        return 0;
}

/* LOADER --list PROGRAM, which does not run the program. */
static int run_loader(const char *loader, const char *path, char **ret) {
        char *argv[] = { (char *)loader, (char *)"--list", (char *)path, NULL };
        char *env[] = { (char *)"LC_ALL=C", NULL };
        posix_spawn_file_actions_t actions;
        int fds[2], status = 0;
        pid_t pid;

        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        _cleanup_close_ int from = fds[0];
        int r = -posix_spawn_file_actions_init(&actions);
        if (r < 0) {
                fd_close(fds[1]);
                return r;
        }
        r = -posix_spawn_file_actions_adddup2(&actions, fds[1], STDOUT_FILENO);
        if (r >= 0)
                r = -posix_spawn(&pid, loader, &actions, NULL, argv, env);
        (void)posix_spawn_file_actions_destroy(&actions);
        fd_close(fds[1]);
        if (r < 0)
                return r;
        r = read_pipe(from, ret);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                ;
        return r < 0 ? r : status == 0 ? 0 : -ELIBBAD;
}

/* "\tNAME => PATH (0x…)", "\tPATH (0x…)"; without a path it is the kernel's own. */
static int add_lines(Tree *t, char *text, const char *path) {
        char *save = NULL;
        int r = 0;

        for (char *line = strtok_r(text, "\n", &save); line && r >= 0; line = strtok_r(NULL, "\n", &save)) {
                char *arrow = strstr(line, " => "), *file = arrow ? arrow + 4 : line + strspn(line, " \t");

                if (strncmp(file, "not found", 9) == 0)
                        return problem(t->problem, -ENOENT, "%s needs the library%.*s, which is not there.", path,
                                       (int)(arrow - line), line);
                char *end = strstr(file, " (0x");
                if (end)
                        *end = '\0';
                if (*file == '/')
                        r = tree_add(t, file);
        }
        return r;
}

int libraries_add(Tree *t, const char *path) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        _cleanup_free_ char *text = NULL;
        char loader[PATH_MAX];

        if (fd < 0)
                return problem(t->problem, -errno, "%s cannot be read: %s.", path, strerror(errno));
        int r = read_loader(t, fd, path, loader);
        if (r < 0 || !*loader)
                return r;
        r = run_loader(loader, path, &text);
        if (r < 0 && !text)
                return problem(t->problem, r, "%s cannot be asked for the libraries of %s: %s.", loader, path,
                               strerror(-r));
        int k = add_lines(t, text, path);
        if (k >= 0 && r < 0)
                return problem(t->problem, r, "%s fails to find the libraries of %s.", loader, path);
        return k < 0 ? k : tree_add(t, loader);
}

int libraries_add_program(Tree *t, const char *path) {
        int r = libraries_add(t, path);

        return r < 0 ? r : tree_add(t, path);
}
