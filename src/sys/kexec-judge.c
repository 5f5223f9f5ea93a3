/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The verdict on the next kernel. The checks go from the cheap to the dear and from what
 * is wrong with the file to what does not suit this host, so that the first refusal is
 * the one to act on: a kernel at all, whole, loadable by kexec; decompresses; hands over
 * as the running kernel does; command line; room in the scratch areas.
 */
#include "kexec-internal.h"

#include "core/cmdline.h"
#include "image.h"

#include <fcntl.h>
#include <unistd.h>

void kernel_image_done(KernelImage *image) {
        image->kernel_fd = fd_close(image->kernel_fd);
        image->initrd_fd = fd_close(image->initrd_fd);
        free(image->cmdline);
        image->cmdline = NULL;
}

/* The initrd given, or the one of the UKI; an empty one is none. */
static int take_initrd(int initrd_fd, KernelFile *file, KernelImage *image, Refusal *refusal) {
        uint64_t size = 0;
        int r;

        if (initrd_fd >= 0) {
                r = image_fd_check(initrd_fd, "initrd", &size, refusal);
                if (r < 0)
                        return r;
        }
        if (size > 0) {
                image->initrd_fd = fcntl(initrd_fd, F_DUPFD_CLOEXEC, 3);
                if (image->initrd_fd < 0)
                        return refuse_errno(refusal, -errno, "initrd", "duplicating the descriptor");
        } else if (file->initrd_fd >= 0) {
                r = image_fd_check(file->initrd_fd, "initrd", &size, refusal);
                if (r < 0)
                        return r;
                image->initrd_fd = TAKE_FD(file->initrd_fd);
        }
        image->verdict.initrd_size = size;
        return 0;
}

static int check_abi(const HostFacts *host, const KernelAbi *next, Refusal *refusal) {
        Refusal why = {};
        int r = abi_compatible(&host->abi, next, &why);

        if (r >= 0)
                return 0;
        if (why.reason != REASON_RUNNING_ABI_UNKNOWN) {
                if (refusal)
                        *refusal = why;
                return r;
        }
        /* The memfd string is in the image only, the others also in debugfs. */
        return refuse(refusal, REASON_RUNNING_ABI_UNKNOWN, why.subject, "%s%s; %s%s", why.detail,
                      host->debugfs ? "" : ", debugfs kho is not there",
                      *host->image_path ? "not in " : "no image of it: ",
                      *host->image_path      ? host->image_path
                      : *host->image_problem ? host->image_problem
                                             : "none in /usr/lib/modules or /boot");
}

static int make_cmdline(const HostFacts *host, const KernelFile *file, const char *requested, char **ret,
                        Refusal *refusal) {
        _cleanup_free_ char *running = NULL;

        if (str_empty(requested))
                requested = file->cmdline;
        if (str_empty(requested)) {
                int r = cmdline_strip_boot(host->cmdline ?: "", &running);

                if (r < 0)
                        return refuse_errno(refusal, r, "command line", NULL);
                requested = running;
        }
        return cmdline_finalize(requested, file->header.cmdline_size, ret, refusal);
}

static int check_scratch(const HostFacts *host, const KernelFile *file, uint64_t initrd_size, Refusal *refusal) {
        ScratchArea areas[SCRATCH_AREAS_MAX];

        if (host->n_scratch == 0) /* not known; the kernel will say when it loads the image */
                return 0;
        for (size_t i = 0; i < host->n_scratch; i++)
                areas[i] = (ScratchArea){ .address = host->scratch_address[i], .size = host->scratch[i] };
        return image_fits_scratch(&file->header, initrd_size, areas, host->n_scratch, refusal);
}

static int judge(const HostFacts *host, int initrd_fd, const char *cmdline, KernelFile *file, KernelImage *image,
                 Refusal *refusal) {
        KernelVerdict *v = &image->verdict;
        int r;

        memcpy(v->release, file->header.release, sizeof(v->release));
        memcpy(v->version, file->header.version, sizeof(v->version));
        v->image_size = file->size;
        v->memory_size = file->header.memory_size;
        v->uki = file->uki;
        r = take_initrd(initrd_fd, file, image, refusal);
        if (r >= 0)
                r = kernel_file_abi(file, &v->abi, refusal);
        if (r >= 0)
                r = check_abi(host, &v->abi, refusal);
        if (r >= 0)
                r = make_cmdline(host, file, cmdline, &image->cmdline, refusal);
        if (r >= 0)
                r = check_scratch(host, file, v->initrd_size, refusal);
        if (r >= 0)
                image->kernel_fd = TAKE_FD(file->kernel_fd);
        return r;
}

int kexec_real_judge(void *self, int kernel_fd, int initrd_fd, const char *cmdline, KernelImage *ret,
                     Refusal *refusal) {
        const KexecReal *k = self;
        KernelFile file = KERNEL_FILE_INIT;
        KernelImage image = KERNEL_IMAGE_INIT;
        int r;

        r = kernel_file_open(kernel_fd, &file, refusal);
        if (r < 0)
                return r;
        r = judge(k->host, initrd_fd, cmdline, &file, &image, refusal);
        kernel_file_done(&file);
        if (r < 0) {
                kernel_image_done(&image);
                return r;
        }
        *ret = image;
        return 0;
}
