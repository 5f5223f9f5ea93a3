/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kexec-fake.h"

#include <fcntl.h>

static bool fails(KexecFake *k) {
        return (k->before && k->before(k->before_userdata)) || ++k->n_calls == k->fail_at;
}

static int fake_judge(void *self, int kernel_fd, int initrd_fd, const char *cmdline, KernelImage *ret,
                      Refusal *refusal) {
        KexecFake *k = self;

        if (fails(k))
                return refuse_errno(refusal, -ENOMEM, "kernel", "judging");
        if (k->verdict != REASON_NONE)
                return refuse(refusal, k->verdict, "kernel", "a fake verdict");
        *ret = (KernelImage){
                .kernel_fd = fcntl(kernel_fd, F_DUPFD_CLOEXEC, 3),
                .initrd_fd = initrd_fd < 0 ? -1 : fcntl(initrd_fd, F_DUPFD_CLOEXEC, 3),
                .cmdline = strdup(cmdline),
                .verdict = { .release = "7.3.4-next" },
        };
        return 0;
}

static int fake_next_boot(void *self, _unused_ const KernelImage *image, NextBoot *ret, Refusal *refusal) {
        KexecFake *k = self;

        if (fails(k))
                return refuse(refusal, REASON_INITRD_DAMAGED, "initrd", "a fault");
        *ret = k->boot;
        return 0;
}

static int fake_load(void *self, _unused_ const KernelImage *image, Refusal *refusal) {
        KexecFake *k = self;

        if (fails(k))
                return refuse(refusal, REASON_LOAD_REFUSED, "kernel", "a fault");
        k->loaded = true;
        return 0;
}

static int fake_unload(void *self, Refusal *refusal) {
        KexecFake *k = self;

        if (fails(k))
                return refuse_errno(refusal, -EBUSY, "kernel", "unloading");
        k->loaded = false;
        return 0;
}

static int fake_loaded(void *self) {
        KexecFake *k = self;

        return fails(k) ? -EIO : k->loaded;
}

static int fake_jump(void *self, Refusal *refusal) {
        KexecFake *k = self;

        if (fails(k))
                return refuse(refusal, REASON_REBOOT_FAILED, "reboot", "a fault");
        if (!k->loaded)
                return refuse(refusal, REASON_NO_IMAGE, "", "");
        int r = luo_fake_kexec(k->luo);
        if (r < 0)
                return refuse(refusal, REASON_FREEZE_FAILED, "reboot", "%s", strerror(-r));
        k->loaded = false;
        k->jumped = true;
        return 0;
}

static const KexecOps ops = {
        .judge = fake_judge,
        .next_boot = fake_next_boot,
        .load = fake_load,
        .unload = fake_unload,
        .loaded = fake_loaded,
        .jump = fake_jump,
};

Kexec kexec_fake_port(KexecFake *k) {
        return (Kexec){ .ops = &ops, .self = k };
}
