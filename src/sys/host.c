/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each source is a function that fills its fields or leaves them; a source that is
 * missing or says nonsense is not an error, because what it would have told is then
 * unknown, and judging the next kernel says so.
 */
#include "host.h"

#include "common/fd.h"
#include "image.h"

#include <fcntl.h>
#include <sys/utsname.h>

enum {
        TEXT_MAX = 64 * 1024,
        BLOB_MAX = 1024 * 1024,
};

#define KHO "sys/kernel/debug/kho/"

/* Below the root, whether path begins with a slash or not. */
static int read_file(int root_fd, const char *path, size_t max, char **ret, size_t *ret_size) {
        while (*path == '/')
                path++;
        return file_read_at(root_fd, path, max, ret, ret_size);
}

/* The first line of a file into a buffer. */
static int read_line(int root_fd, const char *path, char *buf, size_t size) {
        _cleanup_free_ char *text = NULL;
        int r = read_file(root_fd, path, TEXT_MAX, &text, NULL);

        if (r < 0)
                return r;
        text[strcspn(text, "\n")] = '\0';
        if (strlen(text) >= size)
                return -EFBIG;
        memcpy(buf, text, strlen(text) + 1);
        return 0;
}

static int read_uname(int root_fd, HostFacts *f) {
        struct utsname u;

        if (uname(&u) < 0)
                return -errno;
        (void)snprintf(f->release, sizeof(f->release), "%s", u.release);
        (void)snprintf(f->version, sizeof(f->version), "%s", u.version);
        /* What these say is the same, but they can be below another root. */
        (void)read_line(root_fd, "proc/sys/kernel/osrelease", f->release, sizeof(f->release));
        (void)read_line(root_fd, "proc/sys/kernel/version", f->version, sizeof(f->version));
        return 0;
}

static int read_cmdline(int root_fd, HostFacts *f) {
        _cleanup_free_ char *text = NULL;
        int r = read_file(root_fd, "proc/cmdline", TEXT_MAX, &text, NULL);

        if (r == -ENOMEM)
                return r;
        if (r < 0) {
                text = strdup("");
                if (!text)
                        return -ENOMEM;
        }
        for (size_t n = strlen(text); n > 0 && text[n - 1] == '\n'; n--)
                text[n - 1] = '\0';
        f->cmdline = TAKE_PTR(text);
        return 0;
}

static void read_kho_string(int root_fd, HostFacts *f) {
        static const char *const paths[] = { KHO "out/fdt", KHO "in/fdt" };

        for (size_t i = 0; i < ELEMENTSOF(paths) && !*f->abi.kho; i++) {
                _cleanup_free_ char *blob = NULL;
                size_t size;

                if (read_file(root_fd, paths[i], BLOB_MAX, &blob, &size) < 0)
                        continue;
                f->debugfs = true;
                (void)abi_from_fdt(blob, size, f->abi.kho);
        }
}

static void read_luo_state(int root_fd, HostFacts *f) {
        _cleanup_free_ char *blob = NULL;
        uint64_t next;
        size_t size;

        if (read_file(root_fd, KHO "out/sub_fdts/LUO", BLOB_MAX, &blob, &size) < 0)
                return;
        f->debugfs = true;
        if (abi_from_luo_state(blob, size, f->abi.luo, &next) < 0 || next == 0)
                return;
        f->update_number = next - 1;
        f->update_number_known = true;
}

/* Lines of "0x…"; the number of them, or a negative errno if anything else is there. */
static int read_hex_lines(int root_fd, const char *path, uint64_t *ret, size_t max) {
        _cleanup_free_ char *text = NULL;
        size_t n = 0;
        int r = read_file(root_fd, path, TEXT_MAX, &text, NULL);

        if (r < 0)
                return r;
        for (char *p = text; *p;) {
                char *end;

                if (n == max || strncmp(p, "0x", 2) != 0)
                        return -EBADMSG;
                errno = 0;
                ret[n++] = strtoull(p, &end, 16);
                if (errno != 0 || end < p + 3 || *end != '\n')
                        return -EBADMSG;
                p = end + 1;
        }
        return (int)n;
}

static void read_scratch(int root_fd, HostFacts *f) {
        int n = read_hex_lines(root_fd, KHO "out/scratch_len", f->scratch, SCRATCH_AREAS_MAX), n_address;

        if (n >= 0)
                f->debugfs = true;
        if (n <= 0)
                return;
        n_address = read_hex_lines(root_fd, KHO "out/scratch_phys", f->scratch_address, SCRATCH_AREAS_MAX);
        for (int i = 0; n_address != n && i < n; i++)
                f->scratch_address[i] = (uint64_t)(i + 1) << 44;
        f->n_scratch = (size_t)n;
}

static int image_problem(HostFacts *f, const char *path, const char *problem) {
        (void)snprintf(f->image_problem, sizeof(f->image_problem), "/%.90s: %.60s", path, problem);
        return -ENODATA;
}

static void complete(char *to, const char *from) {
        if (!*to)
                memcpy(to, from, ABI_STRING_MAX);
}

/* 0 if the image at path is the running kernel's and the ABI is completed from it. */
static int try_image(int root_fd, const char *path, HostFacts *f) {
        _cleanup_close_ int fd = -1;
        KernelFile file = KERNEL_FILE_INIT;
        Refusal refusal = {};
        KernelAbi abi;
        int r;

        while (*path == '/')
                path++;
        fd = openat(root_fd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0)
                return -errno;
        r = kernel_file_open_kernel(fd, &file, &refusal);
        if (r < 0)
                return image_problem(f, path, refusal.detail);
        if (!streq(file.header.release, f->release) || !streq(file.header.version, f->version))
                r = image_problem(f, path, "it is another build than the running kernel");
        else if (kernel_file_abi(&file, &abi, &refusal) < 0)
                r = image_problem(f, path, refusal.detail);
        else {
                complete(f->abi.kho, abi.kho);
                complete(f->abi.luo, abi.luo);
                complete(f->abi.memfd, abi.memfd);
                (void)snprintf(f->image_path, sizeof(f->image_path), "/%s", path);
                *f->image_problem = '\0';
        }
        kernel_file_done(&file);
        return r;
}

/* The path in BOOT_IMAGE=, without the boot loader's name of the device "(hd0,gpt2)". */
static void boot_image_path(const char *cmdline, char *buf, size_t size) {
        const char *p = strstr(cmdline, "BOOT_IMAGE=");
        size_t n;

        *buf = '\0';
        if (!p || (p > cmdline && p[-1] != ' '))
                return;
        p += strlen("BOOT_IMAGE=");
        n = strcspn(p, " ");
        if (*p == '(') {
                size_t device = strcspn(p, ") ");

                if (p[device] != ')')
                        return;
                p += device + 1;
                n -= device + 1;
        }
        for (; n > 0 && *p == '/'; n--) /* all paths are below the root */
                p++;
        if (n > 0 && n < size)
                (void)snprintf(buf, size, "%.*s", (int)n, p);
}

static void read_image(int root_fd, HostFacts *f) {
        char boot_image[192], path[240];
        const struct {
                const char *before, *middle, *after;
        } places[] = {
                { "usr/lib/modules/", f->release, "/vmlinuz" },
                { "lib/modules/", f->release, "/vmlinuz" },
                { "boot/vmlinuz-", f->release, "" },
                { "", boot_image, "" },
                { "boot/", boot_image, "" },
        };

        boot_image_path(f->cmdline, boot_image, sizeof(boot_image));
        for (size_t i = 0; i < ELEMENTSOF(places); i++) {
                if (!*places[i].middle)
                        continue;
                if ((size_t)snprintf(path, sizeof(path), "%s%s%s", places[i].before, places[i].middle,
                                     places[i].after) >= sizeof(path))
                        continue;
                if (try_image(root_fd, path, f) >= 0)
                        return;
        }
}

int host_read_facts(const char *root, HostFacts *ret) {
        _cleanup_close_ int root_fd = open(*root ? root : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        HostFacts *f;
        int r;

        if (root_fd < 0)
                return -errno;
        f = calloc(1, sizeof(*f));
        if (!f)
                return -ENOMEM;
        r = read_uname(root_fd, f);
        if (r >= 0)
                r = read_cmdline(root_fd, f);
        if (r >= 0) {
                (void)read_line(root_fd, "proc/sys/kernel/random/boot_id", f->boot_id, sizeof(f->boot_id));
                read_kho_string(root_fd, f);
                read_luo_state(root_fd, f);
                read_scratch(root_fd, f);
                *ret = *f;
        }
        free(f);
        return r;
}

int host_complete_facts(const char *root, HostFacts *facts) {
        _cleanup_close_ int root_fd = open(*root ? root : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);

        if (root_fd < 0)
                return -errno;
        read_image(root_fd, facts);
        return 0;
}

void host_facts_done(HostFacts *facts) {
        free(facts->cmdline);
        facts->cmdline = NULL;
}
