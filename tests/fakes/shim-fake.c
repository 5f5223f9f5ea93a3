/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shim-fake.h"

#include "common/fd.h"

#include <fcntl.h>
#include <sys/stat.h>

static bool same(Address a, Address b) {
        return address_compare(a, b) == 0;
}

/* ---- the module ---- */

static int fake_facts(void *self, ShimFacts *ret) {
        const ShimFake *f = self;

        if (!f->loaded)
                return -ENODEV;
        *ret = (ShimFacts){ .features = f->features };
        memcpy(ret->compatible, f->compatible, sizeof(ret->compatible));
        return 0;
}

static int fake_set_policy(void *self, Address address, ShimPolicy policy) {
        ShimFake *f = self;

        if (!f->loaded)
                return -ENODEV;
        if (f->policy_error < 0)
                return f->policy_error;
        for (size_t i = 0; i < f->n_known; i++)
                if (same(f->known[i].address, address) && luo_fake_is_preserved(f->luo, f->known[i].fd))
                        return -EBUSY;
        if (f->policy_ignored)
                return 0;
        for (size_t i = 0; i < f->n_policies; i++)
                if (same(f->policies[i].address, address)) {
                        f->policies[i].policy = policy;
                        return 0;
                }
        if (f->n_policies == SHIM_FAKE_MAX)
                return -ENOSPC;
        f->policies[f->n_policies++] = (ShimSetting){ address, policy };
        return 0;
}

static int fake_get_policies(void *self, ShimSetting **ret, size_t *ret_n) {
        const ShimFake *f = self;

        if (!f->loaded)
                return -ENODEV;
        *ret = calloc(SHIM_FAKE_MAX, sizeof(**ret));
        if (!*ret)
                return -ENOMEM;
        memcpy(*ret, f->policies, f->n_policies * sizeof(**ret));
        *ret_n = f->n_policies;
        return 0;
}

static int add(ShimList *l, const ShimDevice *d) {
        ShimDevice *items = reallocarray(l->items, l->n + 1, sizeof(*items));

        if (!items)
                return -ENOMEM;
        l->items = items;
        items[l->n++] = *d;
        return 0;
}

static int compare(const void *a, const void *b) {
        return address_compare(((const ShimDevice *)a)->address, ((const ShimDevice *)b)->address);
}

static ShimDevice describe(const ShimFake *f, Address address, ShimState state) {
        ShimPolicy policy = shim_fake_policy(f, address);

        return (ShimDevice){
                .address = address,
                .kind = SHIM_FUNCTION,
                .state = state,
                .dma = policy == SHIM_POLICY_CONTINUE   ? SHIM_DMA_RUNS
                       : policy == SHIM_POLICY_IDENTITY ? SHIM_DMA_IDENTITY
                                                        : SHIM_DMA_STOP,
        };
}

static int fake_list(void *self, ShimDirection direction, ShimList *ret) {
        const ShimFake *f = self;
        ShimList l = {};
        int r = f->loaded ? 0 : -ENODEV;

        for (size_t i = 0; r >= 0 && direction == SHIM_INCOMING && i < f->n_incoming; i++)
                r = add(&l, &f->incoming[i]);
        for (size_t i = 0; r >= 0 && direction == SHIM_OUTGOING && i < f->n_known; i++)
                if (luo_fake_is_preserved(f->luo, f->known[i].fd)) {
                        ShimDevice d = describe(f, f->known[i].address, SHIM_PRESERVED);
                        r = add(&l, &d);
                }
        if (l.n > 0)
                qsort(l.items, l.n, sizeof(*l.items), compare);
        if (r < 0)
                shim_list_done(&l);
        else
                *ret = l;
        return r;
}

static int fake_held(void *self, ShimHeld **ret, size_t *ret_n) {
        *ret = NULL;
        *ret_n = 0;
        return ((const ShimFake *)self)->loaded ? 0 : -ENODEV;
}

static int fake_other(void *self, _unused_ const char *release, char ret[static SHIM_COMPATIBLE_SIZE]) {
        const ShimFake *f = self;

        if (f->next_error < 0)
                return f->next_error;
        memcpy(ret, f->next, sizeof(f->next));
        return 0;
}

static int fake_identify(void *self, int fd, Address *ret) {
        const ShimFake *f = self;
        struct stat a, b;

        if (fstat(fd, &a) < 0)
                return -errno;
        for (size_t i = 0; i < f->n_known; i++)
                if (fstat(f->known[i].fd, &b) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev) {
                        if (f->unidentified)
                                return -ENODATA;
                        *ret = f->known[i].address;
                        return 0;
                }
        return -ENOTTY;
}

static const ShimOps shim_ops = {
        .facts = fake_facts,
        .set_policy = fake_set_policy,
        .get_policies = fake_get_policies,
        .list = fake_list,
        .held = fake_held,
        .other_compatible = fake_other,
        .identify = fake_identify,
};

/* ---- VFIO ---- */

static int fake_bind(void *self, Address address, bool rebind, HoldDriver *ret, Refusal *refusal) {
        ShimFake *f = self;

        if (f->fail == HOLD_STEP_BIND)
                return refuse(refusal, REASON_NOT_VFIO_DRIVER, "", "a fault");
        if (f->in_use && !rebind)
                return refuse(refusal, REASON_DRIVER_IN_USE, "", "e1000e");
        f->n_bound++;
        *ret = (HoldDriver){ .changed = true };
        return 0;
}

static void fake_unbind(void *self, _unused_ Address address, const HoldDriver *before) {
        ShimFake *f = self;

        f->n_bound -= before->changed;
}

static int fake_open(void *self, Address address, int *ret_fd, Refusal *refusal) {
        ShimFake *f = self;

        if (f->fail == HOLD_STEP_OPEN)
                return refuse(refusal, REASON_NO_VFIO_CDEV, "", "a fault");
        f->n_opened++;
        *ret_fd = shim_fake_device(f, address);
        return *ret_fd < 0 ? refuse_errno(refusal, *ret_fd, "", "open") : 0;
}

static int fake_attach(void *self, _unused_ Address address, _unused_ int device_fd, int *ret_iommu_fd,
                       Refusal *refusal) {
        ShimFake *f = self;

        if (f->fail == HOLD_STEP_ATTACH)
                return refuse_errno(refusal, -EPERM, "", "BIND_IOMMUFD");
        f->n_attached++;
        *ret_iommu_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        return *ret_iommu_fd < 0 ? refuse_errno(refusal, -errno, "", "open") : 0;
}

static const HoldOps hold_ops = {
        .bind = fake_bind,
        .unbind = fake_unbind,
        .open = fake_open,
        .attach = fake_attach,
};

/* ---- for tests ---- */

void shim_fake_init(ShimFake *f, LuoFake *luo) {
        *f = (ShimFake){
                .luo = luo,
                .loaded = true,
                .features = SHIM_VFIO | SHIM_DMA_CONTINUE | SHIM_VF,
                .compatible = "fake-v1",
                .next = "fake-v1",
        };
}

void shim_fake_done(ShimFake *f) {
        for (size_t i = 0; i < f->n_known; i++)
                fd_close(f->known[i].fd);
        f->n_known = 0;
}

Shim shim_fake_port(ShimFake *f) {
        return (Shim){ .ops = &shim_ops, .self = f };
}

HoldPort shim_fake_hold_port(ShimFake *f) {
        return (HoldPort){ .ops = &hold_ops, .self = f };
}

int shim_fake_device(ShimFake *f, Address address) {
        int fd, r = f->n_known < SHIM_FAKE_MAX ? memfd_new("vfio", 4096, &fd) : -ENOSPC;

        if (r < 0)
                return r;
        f->known[f->n_known].address = address;
        f->known[f->n_known++].fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        return fd;
}

ShimPolicy shim_fake_policy(const ShimFake *f, Address address) {
        for (size_t i = 0; i < f->n_policies; i++)
                if (same(f->policies[i].address, address))
                        return f->policies[i].policy;
        return SHIM_POLICY_DEFAULT;
}

void shim_fake_carry(ShimFake *f) {
        f->n_incoming = 0;
        for (size_t i = 0; i < f->n_known; i++) {
                if (!luo_fake_is_preserved(f->luo, f->known[i].fd))
                        continue;
                ShimDevice *d = &f->incoming[f->n_incoming++];
                *d = describe(f, f->known[i].address, SHIM_WAITING);
                (void)snprintf(d->driver, sizeof(d->driver), "vfio-pci");
        }
}

ShimDevice *shim_fake_incoming(ShimFake *f, Address address) {
        for (size_t i = 0; i < f->n_incoming; i++)
                if (same(f->incoming[i].address, address))
                        return &f->incoming[i];
        return NULL;
}
