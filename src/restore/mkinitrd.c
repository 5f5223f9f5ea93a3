/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * liveupdate-mkinitrd: builds a restore-only initrd (docs/boot.md) from the host's own and
 * what the restore step needs. Run by liveupdatectl load, with the rights of who called that,
 * or by hand.
 *
 * What comes out is, in this order: the host's archives for the kernel itself, unchanged; a
 * plain cpio archive with liveupdate-first as /init, kernel modules, clients, settings; and
 * in that, as the last file, the rest of the host's initrd, compressed once. Everything is
 * read and checked before the output is touched for the first time, but for the modules and
 * programs themselves.
 */
#include "common/fd.h"
#include "common/log.h"
#include "given.h"
#include "host-initrd.h"
#include "libraries.h"
#include "settings.h"
#include "sys/config-files.h"
#include "sys/image.h"
#include "sys/zstd-stream.h"

#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <sys/stat.h>

enum { EXIT_PROBLEM = 1, EXIT_USAGE = 2, EXIT_NOT_USEFUL = 3, LEVEL = 3 };
#define INITRD_MAX ((size_t)2 << 30)
/* What is smaller the kernel unpacks in less time than a restore-only initrd is worth. */
#define INITRD_LARGE ((off_t)16 << 20)

typedef struct Options {
        const char *kernel, *release, *initrd, *output, *first;
        bool if_useful;
} Options;

static int write_frame(void *userdata, const void *data, size_t size) {
        return zstd_writer_write(userdata, data, size);
}

/* The host's archives: those for the kernel itself, and the others in one frame. */
static int pack(Tree *t, const char *path, Buffer *early, Buffer *frame) {
        _cleanup_(zstd_writer_freep) ZstdWriter *w = NULL;
        Refusal refusal = {};
        uint64_t size;

        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0)
                return problem(t->problem, -errno, "The host's initrd %s cannot be read: %s.", path, strerror(errno));
        int r = image_fd_check(fd, "initrd", &size, &refusal);
        if (r < 0)
                return problem(t->problem, r, "The host's initrd %s cannot be read: %s.", path, refusal.detail);
        r = zstd_writer_new(LEVEL, buffer_append, frame, &w);
        if (r < 0)
                return problem(t->problem, r, "The host's initrd cannot be compressed: %s.", strerror(-r));
        r = host_initrd_read(fd, size, write_frame, w, early, t->problem);
        if (r < 0)
                return r;
        r = zstd_writer_finish(w);
        return r < 0 ? problem(t->problem, r, "The host's initrd cannot be compressed: %s.", strerror(-r)) : 0;
}

static int find_release(const Options *o, char *problem_text, char ret[static 128]) {
        KernelFile file = KERNEL_FILE_INIT;
        Refusal refusal = {};

        if (o->release) {
                if (snprintf(ret, 128, "%s", o->release) >= 128)
                        return problem(problem_text, -EINVAL, "The kernel release is too long.");
                return 0;
        }
        _cleanup_close_ int fd = open(o->kernel, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0)
                return problem(problem_text, -errno, "The kernel %s cannot be read: %s.", o->kernel, strerror(errno));
        int r = kernel_file_open_kernel(fd, &file, &refusal);
        if (r < 0)
                return problem(problem_text, r, "The kernel cannot be read: %s.",
                               *refusal.detail ? refusal.detail : strerror(-r));
        (void)snprintf(ret, 128, "%s", file.header.release);
        kernel_file_done(&file);
        if (!*ret)
                return problem(problem_text, -ENODATA,
                               "The kernel does not say its release, which its modules are looked for with; give it "
                               "with --kernel-release=.");
        return 0;
}

/* /init, of this program's directory unless the command line says otherwise. */
static int add_first(Tree *t, const Options *o) {
        static const char target[] = GIVEN_DIR "/" GIVEN_PROGRAM;
        _cleanup_free_ char *data = NULL;
        char path[PATH_MAX];
        size_t size;

        ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
        path[MAX_OF(n, 0)] = '\0';
        char *slash = strrchr(path, '/');
        size_t at = slash ? (size_t)(slash - path) + 1 : 0;
        (void)snprintf(path + at, sizeof(path) - at, "liveupdate-first");
        if (o->first)
                (void)snprintf(path, sizeof(path), "%s", o->first);
        int r = file_read_at(AT_FDCWD, path, TREE_FILE_MAX, &data, &size);
        if (r < 0)
                return problem(t->problem, r, "%s cannot be read: %s.", path, strerror(-r));
        r = tree_put(t, target, S_IFREG | 0755, data, size);
        if (r >= 0)
                r = tree_put(t, "/init", S_IFLNK | 0777, target, strlen(target));
        return r < 0 ? r : libraries_add(t, path);
}

static void warn(_unused_ void *userdata, const char *message) {
        log_warning("%s", message);
}

static int add_parts(Tree *t, const Options *o, const char *release) {
        static const char *const directories[] = { "/dev", "/proc", "/sys" };
        Config config;
        int r = 0;

        for (size_t i = 0; i < ELEMENTSOF(directories) && r >= 0; i++)
                r = tree_directory(t, directories[i]);
        if (r >= 0)
                r = add_first(t, o);
        if (r >= 0)
                r = settings_add_files(t);
        if (r >= 0)
                r = settings_add_clients(t);
        if (r < 0)
                return r;
        r = config_init(&config);
        if (r >= 0)
                r = config_files_load("", &config, warn, NULL);
        if (r < 0)
                return problem(t->problem, r, "The settings cannot be read: %s.", strerror(-r));
        r = settings_add_modules(t, &config, release);
        config_done(&config);
        return r;
}

static int write_all(Tree *t, const Options *o, const char *release, const Buffer *early, const Buffer *frame) {
        static const char zeros[4];

        _cleanup_close_ int fd = open(o->output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0600);
        if (fd < 0)
                return problem(t->problem, -errno, "%s cannot be written: %s.", o->output, strerror(errno));
        t->out_fd = fd;
        int r = fd_write_all(fd, early->data, early->size);
        if (r >= 0) /* the kernel looks for archives at multiples of four */
                r = fd_write_all(fd, zeros, -early->size & 3);
        if (r < 0)
                return problem(t->problem, r, "%s cannot be written: %s.", o->output, strerror(-r));
        r = add_parts(t, o, release);
        if (r >= 0)
                r = tree_put(t, GIVEN_DIR "/" GIVEN_INITRD, S_IFREG | 0600, frame->data, frame->size);
        return r < 0 ? r : tree_finish(t);
}

/* 1, 0, or a negative errno: only clients of early.d gain anything by it, and only as much
 * time as the kernel needs for the host's initrd. */
static int is_useful(Tree *t, const Options *o) {
        struct stat st;

        if (stat(o->initrd, &st) < 0)
                return problem(t->problem, -errno, "The host's initrd %s cannot be read: %s.", o->initrd,
                               strerror(errno));
        return st.st_size < INITRD_LARGE ? 0 : settings_any_client(t);
}

static int build(Tree *t, const Options *o) {
        _cleanup_buffer_ Buffer early = { .max = INITRD_MAX }, frame = { .max = INITRD_MAX };
        char release[128];

        int r = find_release(o, t->problem, release);
        if (r >= 0)
                r = pack(t, o->initrd, &early, &frame);
        return r < 0 ? r : write_all(t, o, release, &early, &frame);
}

static void help(void) {
        puts("liveupdate-mkinitrd --kernel=FILE --initrd=FILE --output=FILE [OPTIONS...]\n\n"
             "Builds a restore-only initrd: what came in through a live update is restored, and the\n"
             "clients of early.d are started, before the host's own initrd is unpacked and goes on.\n"
             "liveupdatectl load does this by itself; see its --restore-initrd.\n\n"
             "  -h --help                Show this help\n"
             "     --version             Show the version\n"
             "     --kernel=FILE         The next kernel, whose release names its modules\n"
             "     --kernel-release=REL  Its release, if the file does not say\n"
             "     --initrd=FILE         The host's own initrd for that kernel\n"
             "     --output=FILE         Where the new initrd goes\n"
             "     --first=FILE          Take this for liveupdate-first\n"
             "     --if-useful           Only if early.d has clients and the host's initrd is of 16 MiB\n"
             "                           or more; else exit with status 3");
}

static int parse_arguments(int argc, char **argv, Options *o) {
        static const struct option options[] = {
                { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, 'v' },
                { "kernel", required_argument, NULL, 'k' },
                { "kernel-release", required_argument, NULL, 'r' },
                { "initrd", required_argument, NULL, 'i' },
                { "output", required_argument, NULL, 'o' },
                { "first", required_argument, NULL, 'f' },
                { "if-useful", no_argument, NULL, 'u' },
                {},
        };
        int c;

        while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0) {
                const char **value = c == 'k'   ? &o->kernel
                                     : c == 'r' ? &o->release
                                     : c == 'i' ? &o->initrd
                                     : c == 'o' ? &o->output
                                     : c == 'f' ? &o->first
                                                : NULL;
                if (value)
                        *value = optarg;
                else if (c == 'u')
                        o->if_useful = true;
                else {
                        if (c == 'h')
                                help();
                        else if (c == 'v')
                                puts("liveupdate-mkinitrd " PROJECT_VERSION);
                        return c == '?' ? -EINVAL : 0;
                }
        }
        if (optind < argc || !o->initrd || !o->output || (!o->kernel && !o->release)) {
                fprintf(stderr, "liveupdate-mkinitrd needs --initrd=, --output= and one of --kernel= and "
                                "--kernel-release=, and nothing else; see --help.\n");
                return -EINVAL;
        }
        return 1;
}

int main(int argc, char **argv) {
        Tree t = { .out_fd = -1, .root = "" };
        Options o = {};

        int r = parse_arguments(argc, argv, &o);
        if (r <= 0)
                return r < 0 ? EXIT_USAGE : 0;
        r = o.if_useful ? is_useful(&t, &o) : 1;
        bool useful = r != 0;
        if (r > 0)
                r = build(&t, &o);
        if (r < 0)
                fprintf(stderr, "%s\n", *t.problem ? t.problem : strerror(-r));
        tree_done(&t);
        return r < 0 ? EXIT_PROBLEM : useful ? 0 : EXIT_NOT_USEFUL;
}
