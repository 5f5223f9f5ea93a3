/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The real kexec port: four system calls and what their errors mean. The errnos are
 * those of kernel/kexec_file.c (kexec_file_load), arch/x86/kernel/kexec-bzimage64.c and
 * kernel/kexec_core.c (kernel_kexec) in Linux 7.3.
 */
#include "kexec-internal.h"

#include "common/fd.h"
#include "next-boot.h"

#include <fcntl.h>
#include <linux/kexec.h>
#include <linux/reboot.h>
#include <sys/syscall.h>

/* Of the log since the jump; a kernel that shuts down and comes back says some hundred. */
enum { LOG_RECORDS_MAX = 10000 };

/* A short text file below the root, its end of line taken off; "" if it is not there. */
static void read_text(const char *root, const char *path, char *buf, size_t size) {
        _cleanup_free_ char *text = NULL;
        char full[512];

        *buf = '\0';
        if ((size_t)snprintf(full, sizeof(full), "%s%s", root, path) >= sizeof(full))
                return;
        if (file_read_at(AT_FDCWD, full, 4096, &text, NULL) < 0)
                return;
        (void)snprintf(buf, size, "%.*s", (int)strcspn(text, "\n"), text);
}

int kexec_load_failed(int error, bool disabled, const char *lockdown, Refusal *refusal) {
        const char *name = strerrorname_np(-error) ?: "unknown";

        switch (-error) {
        case EADDRNOTAVAIL:
                return refuse(refusal, REASON_SCRATCH_TOO_SMALL, "kexec_file_load", "%s", name);
        case EBUSY:
                return refuse(refusal, REASON_LOAD_KEXEC_BUSY, "kexec_file_load", "%s", name);
        case ENOSYS:
                return refuse(refusal, REASON_KEXEC_DISABLED, "kexec_file_load",
                              "the running kernel was built without CONFIG_KEXEC_FILE");
        case EPERM:
        case EACCES:
                if (disabled)
                        return refuse(refusal, REASON_KEXEC_DISABLED, "kexec_file_load",
                                      "kernel.kexec_load_disabled is 1");
                if (!str_empty(lockdown) && !streq(lockdown, "none"))
                        return refuse(refusal, REASON_LOAD_REFUSED, "kexec_file_load",
                                      "%s; lockdown is '%s': the image must bear a signature the kernel trusts", name,
                                      lockdown);
                return refuse(refusal, REASON_KEXEC_DISABLED, "kexec_file_load",
                              "%s: no CAP_SYS_BOOT, kernel.kexec_load_limit_reboot used up, or a security module",
                              name);
        case EKEYREJECTED:
        case ENOKEY:
        case ENOPKG:
        case EBADMSG:
        case ELIBBAD:
        case ENODATA:
                return refuse(refusal, REASON_LOAD_REFUSED, "kexec_file_load",
                              "%s: the signature of the image was not accepted", name);
        case ETXTBSY:
                return refuse(refusal, REASON_LOAD_REFUSED, "kexec_file_load",
                              "%s: the image or the initrd is open for writing", name);
        case ENOEXEC:
        case EINVAL:
                return refuse(refusal, REASON_LOAD_REFUSED, "kexec_file_load", "%s", name);
        default:
                return refuse_errno(refusal, error, "kexec_file_load", NULL);
        }
}

/* EINVAL and EBUSY are kexec's own words, but a handler's freeze may say them too: with
 * an image there, EINVAL is from freeze. EBUSY is taken as kexec's: to try again is
 * right in both cases. */
int kexec_jump_failed(int error, bool loaded, const char *culprit, Refusal *refusal) {
        const char *name = strerrorname_np(-error) ?: "unknown";

        if (!loaded && error == -EINVAL)
                return refuse(refusal, REASON_NO_IMAGE, "reboot", "%s", name);
        if (error == -EBUSY)
                return refuse(refusal, REASON_LOAD_KEXEC_BUSY, "reboot", "%s", name);
        if (error == -EPERM)
                return refuse(refusal, REASON_REBOOT_FAILED, "reboot", "%s: no CAP_SYS_BOOT", name);
        return refuse(refusal, REASON_FREEZE_FAILED, "reboot", "%s%s%s", name, *culprit ? "; " : "", culprit);
}

/* kernel/liveupdate/luo_file.c, luo_file_freeze(): which file it was is only in the log. */
bool kexec_freeze_culprit(const char *record, char *buf, size_t size) {
        static const char before[] = "Freeze failed for token[", between[] = "] handler[";
        const char *token = strstr(record, before), *handler;

        if (!token)
                return false;
        token += sizeof(before) - 1;
        handler = strstr(token, between);
        if (!handler)
                return false;
        (void)snprintf(buf, size, "token %.*s, handler %.*s", (int)(handler - token), token,
                       (int)strcspn(handler + sizeof(between) - 1, "]"), handler + sizeof(between) - 1);
        return true;
}

/* The kernel log from here on; -1 where it cannot be read, which costs only the detail. */
static int open_log(const KexecReal *k) {
        char path[512];

        if ((size_t)snprintf(path, sizeof(path), "%s/dev/kmsg", k->root) >= sizeof(path))
                return -1;
        int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        if (fd >= 0)
                (void)lseek(fd, 0, SEEK_END);
        return fd;
}

/* One record a read; -EPIPE says that records were overwritten meanwhile. */
static void read_culprit(int fd, char *buf, size_t size) {
        char record[8192];

        for (size_t i = 0; fd >= 0 && i < LOG_RECORDS_MAX; i++) {
                ssize_t n = read(fd, record, sizeof(record) - 1);
                if (n == 0 || (n < 0 && errno != EPIPE && errno != EINTR))
                        return;
                record[n > 0 ? n : 0] = '\0';
                if (kexec_freeze_culprit(record, buf, size))
                        return;
        }
}

static int file_load(int kernel_fd, int initrd_fd, const char *cmdline, unsigned long flags) {
        if (syscall(SYS_kexec_file_load, kernel_fd, initrd_fd, (unsigned long)strlen(cmdline) + 1, cmdline, flags) < 0)
                return -errno;
        return 0;
}

/* "[none] integrity confidentiality": the mode in brackets is active. */
static void active_lockdown(const char *root, char *buf, size_t size) {
        char text[128], *open, *close;

        read_text(root, "/sys/kernel/security/lockdown", text, sizeof(text));
        open = strchr(text, '[');
        close = open ? strchr(open, ']') : NULL;
        *buf = '\0';
        if (close)
                (void)snprintf(buf, size, "%.*s", (int)(close - open - 1), open + 1);
}

static int load_failed(const KexecReal *k, int error, Refusal *refusal) {
        char disabled[8], lockdown[32];

        read_text(k->root, "/proc/sys/kernel/kexec_load_disabled", disabled, sizeof(disabled));
        active_lockdown(k->root, lockdown, sizeof(lockdown));
        return kexec_load_failed(error, streq(disabled, "1"), lockdown, refusal);
}

static int kexec_real_next_boot(void *self, const KernelImage *image, NextBoot *ret, Refusal *refusal) {
        const KexecReal *k = self;

        if (!k->config) {
                *ret = (NextBoot){};
                return 0;
        }
        return next_boot_read(k->root, k->config, image->verdict.release, image->initrd_fd, image->verdict.initrd_size,
                              ret, refusal);
}

static int kexec_real_load(void *self, const KernelImage *image, Refusal *refusal) {
        unsigned long flags = image->initrd_fd < 0 ? KEXEC_FILE_NO_INITRAMFS : 0;
        int r;

        if (image->kernel_fd < 0 || !image->cmdline)
                return refuse(refusal, REASON_NO_IMAGE, "kexec_file_load", NULL);
        r = file_load(image->kernel_fd, image->initrd_fd, image->cmdline, flags);
        return r < 0 ? load_failed(self, r, refusal) : 0;
}

static int kexec_real_unload(void *self, Refusal *refusal) {
        int r = file_load(-1, -1, "", KEXEC_FILE_UNLOAD);

        return r < 0 ? load_failed(self, r, refusal) : 0;
}

static int kexec_real_loaded(void *self) {
        static const char *const paths[] = { "/sys/kernel/kexec/loaded", "/sys/kernel/kexec_loaded" };
        const KexecReal *k = self;
        char text[8];

        for (size_t i = 0; i < ELEMENTSOF(paths); i++) {
                read_text(k->root, paths[i], text, sizeof(text));
                if (streq(text, "1"))
                        return 1;
                if (*text)
                        return 0;
        }
        return 0; /* a kernel without kexec has nothing loaded */
}

static int kexec_real_jump(void *self, Refusal *refusal) {
        _cleanup_close_ int log = open_log(self);
        char culprit[128] = "";

        (void)syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_KEXEC, NULL);
        /* It returned, so it failed. */
        int error = errno > 0 ? -errno : -EIO;

        read_culprit(log, culprit, sizeof(culprit));
        return kexec_jump_failed(error, kexec_real_loaded(self) > 0, culprit, refusal);
}

static const KexecOps kexec_real_ops = {
        .judge = kexec_real_judge,
        .next_boot = kexec_real_next_boot,
        .load = kexec_real_load,
        .unload = kexec_real_unload,
        .loaded = kexec_real_loaded,
        .jump = kexec_real_jump,
};

Kexec kexec_real(KexecReal *k, const HostFacts *host) {
        *k = (KexecReal){ .host = host, .root = "" };
        return (Kexec){ .ops = &kexec_real_ops, .self = k };
}
