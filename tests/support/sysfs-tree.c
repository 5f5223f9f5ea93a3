/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The model. Writing is quick enough for tens of thousands of functions because files
 * with the same contents are one file with many names: they are linked from a pool
 * below the root, and replaced, never written into, when one of them changes.
 */
#include "sysfs-internal.h"

#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>

static SysfsTree *new_tree(const char *root, bool keep) {
        SysfsTree *t = calloc(1, sizeof(*t));

        MUST(t);
        t->keep = keep;
        t->root = strdup(root);
        MUST(t->root);
        t->root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        MUST(t->root_fd >= 0);
        make_directories(t->root_fd, "bus/pci/devices");
        make_directories(t->root_fd, "bus/pci/drivers");
        make_directories(t->root_fd, "bus/pci/slots");
        make_directories(t->root_fd, "kernel/iommu_groups");
        make_directories(t->root_fd, "devices");
        make_directories(t->root_fd, ".pool");
        t->pool_fd = openat(t->root_fd, ".pool", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        MUST(t->pool_fd >= 0);
        return t;
}

SysfsTree *sysfs_new(const char *dir) {
        char path[512];

        if (!dir)
                dir = getenv("TMPDIR");
        (void)snprintf(path, sizeof(path), "%s/sysfs-XXXXXX", dir ? dir : "/tmp");
        MUST(mkdtemp(path));
        return new_tree(path, false);
}

SysfsTree *sysfs_new_at(const char *path) {
        MUST(mkdir(path, 0700) == 0);
        return new_tree(path, true);
}

const char *sysfs_root(const SysfsTree *t) {
        return t->root;
}

void sysfs_free(SysfsTree *t) {
        if (!t->keep)
                remove_tree(t->root);
        fd_close(t->root_fd);
        fd_close(t->pool_fd);
        for (size_t i = 0; i < t->n; i++)
                free(t->nodes[i]);
        free(t->nodes);
        free(t->root);
        free(t);
}

static SysfsNode *new_node(SysfsTree *t, SysfsNode *parent) {
        SysfsNode *n = calloc(1, sizeof(*n));

        MUST(n && !t->written);
        if (t->n == t->n_allocated) {
                t->n_allocated = MAX_OF(2 * t->n_allocated, (size_t)64);
                t->nodes = reallocarray(t->nodes, t->n_allocated, sizeof(SysfsNode *));
                MUST(t->nodes);
        }
        t->nodes[t->n++] = n;
        *n = (SysfsNode){ .tree = t, .parent = parent, .group = -1, .numa_node = -1, .power_state = "D0" };
        if (!parent)
                return n;
        if (parent->last_child)
                parent->last_child->next = n;
        else
                parent->children = n;
        parent->last_child = n;
        return n;
}

SysfsNode *sysfs_domain(SysfsTree *t, uint32_t domain, uint8_t bus) {
        SysfsNode *n = new_node(t, NULL);

        n->host = true;
        n->address.domain = domain;
        n->secondary = bus;
        return n;
}

static unsigned next_slot(const SysfsNode *above) {
        unsigned slot = 0;

        for (const SysfsNode *n = above->children; n; n = n->next)
                if (!n->pf)
                        slot = MAX_OF(slot, n->slot + 1);
        MUST(slot < 32);
        return slot;
}

static SysfsNode *new_function(SysfsNode *above) {
        unsigned slot = next_slot(above);
        SysfsNode *n = new_node(above->tree, above);

        n->slot = slot;
        n->vendor = 0x1af4;
        n->subsystem_vendor = 0x1af4;
        n->subsystem_device = 0x0001;
        n->bus_master = true;
        n->reset_method = "flr bus";
        return n;
}

static SysfsNode *new_bridge(SysfsNode *above, Port port, uint16_t device) {
        SysfsNode *n = new_function(above);

        n->port = port;
        n->vendor = 0x1b36;
        n->device = device;
        n->subsystem_vendor = n->subsystem_device = 0;
        n->class_code = 0x060400;
        n->msi = n->msi_on = true;
        n->driver = "pcieport";
        n->reset_method = "pm";
        return n;
}

SysfsNode *sysfs_root_port(SysfsNode *host) {
        SysfsNode *n = new_bridge(host, PORT_ROOT, 0x000c);

        n->acs = true;
        n->acs_control = 0x1d; /* what the kernel sets with an IOMMU: SV, RR, CR and UF */
        return n;
}

SysfsNode *sysfs_upstream(SysfsNode *above) {
        return new_bridge(above, PORT_UPSTREAM, 0x8232);
}

SysfsNode *sysfs_downstream(SysfsNode *upstream) {
        SysfsNode *n = new_bridge(upstream, PORT_DOWNSTREAM, 0x8233);

        n->acs = true;
        n->acs_control = 0x1d;
        return n;
}

SysfsNode *sysfs_pcie_to_pci(SysfsNode *above) {
        SysfsNode *n = new_bridge(above, PORT_PCIE_TO_PCI, 0x000e);

        n->driver = NULL;
        return n;
}

SysfsNode *sysfs_conventional_bridge(SysfsNode *above) {
        SysfsNode *n = new_bridge(above, PORT_CONVENTIONAL, 0x0001);

        n->conventional = true;
        n->msi = n->msi_on = false;
        n->driver = NULL;
        return n;
}

static void make_endpoint(SysfsNode *n) {
        n->device = 0x1041;
        n->class_code = 0x020000;
        n->msix = n->msix_on = true;
        n->driver = "virtio-pci";
        n->conventional =
                n->parent->port == PORT_CONVENTIONAL || n->parent->port == PORT_PCIE_TO_PCI || n->parent->conventional;
}

SysfsNode *sysfs_function(SysfsNode *above) {
        SysfsNode *n = new_function(above);

        make_endpoint(n);
        return n;
}

SysfsNode *sysfs_beside(SysfsNode *function) {
        SysfsNode *n = new_function(function->parent);
        unsigned last = 0;

        n->slot = function->slot;
        for (SysfsNode *f = function->parent->children; f; f = f->next)
                if (f != n && !f->pf && f->slot == n->slot) {
                        f->multifunction = true;
                        last = MAX_OF(last, f->function);
                }
        MUST(last < 7);
        n->function = last + 1;
        n->multifunction = true;
        make_endpoint(n);
        return n;
}

SysfsNode *sysfs_pf(SysfsNode *above, unsigned total, unsigned n_vfs) {
        SysfsNode *pf = sysfs_function(above), *vf;

        MUST(n_vfs <= total && total <= UINT16_MAX);
        pf->vendor = 0x8086;
        pf->device = 0x1592;
        pf->driver = "vfio-pci";
        pf->sriov = pf->ari = pf->ats = true;
        pf->serial = 0x0011223344556677;
        pf->total_vfs = (uint16_t)total;
        pf->n_vfs = (uint16_t)n_vfs;
        pf->vf_offset = pf->vf_stride = 1;
        for (unsigned i = 0; i < n_vfs; i++) {
                vf = new_node(above->tree, above);
                vf->pf = pf;
                vf->vf_index = i;
                vf->vendor = vf->subsystem_vendor = 0x8086;
                vf->device = 0x1889;
                vf->class_code = 0x020000;
                vf->driver = "vfio-pci";
                vf->reset_method = "flr";
                vf->ari = vf->ats = vf->msix = true;
                if (i == 0)
                        pf->first_vf = vf;
        }
        return pf;
}

SysfsNode *sysfs_vf(SysfsNode *pf, unsigned index) {
        SysfsNode *vf = pf->first_vf;

        MUST(index < pf->n_vfs);
        while (index-- > 0)
                vf = vf->next;
        return vf;
}

void sysfs_group(SysfsNode *first, ...) {
        SysfsTree *t = first->tree;
        va_list ap;

        va_start(ap, first);
        for (SysfsNode *n = first; n; n = va_arg(ap, SysfsNode *))
                n->group = t->n_groups;
        va_end(ap);
        t->n_groups++;
}

void sysfs_no_iommu(SysfsTree *t) {
        t->no_iommu = true;
}

/* ---- numbers ---- */

static unsigned routing_id(Address a) {
        return (unsigned)a.bus << 8 | (unsigned)a.slot << 3 | a.function;
}

static Address from_routing_id(uint32_t domain, unsigned id) {
        MUST(id <= 0xffff);
        return (Address){ domain, (uint8_t)(id >> 8), (uint8_t)(id >> 3 & 0x1f), (uint8_t)(id & 7) };
}

/* The buses below bus are numbered from *last on, which becomes the highest in use. */
static void number_bus(SysfsNode *above, unsigned *last) {
        for (SysfsNode *n = above->children; n; n = n->next) {
                n->address = from_routing_id(above->address.domain, n->pf ? 0 : (unsigned)above->secondary << 8);
                if (n->pf) {
                        n->address =
                                from_routing_id(above->address.domain, routing_id(n->pf->address) + n->pf->vf_offset +
                                                                               n->vf_index * n->pf->vf_stride);
                        *last = MAX_OF(*last, (unsigned)n->address.bus);
                } else {
                        n->address.slot = (uint8_t)n->slot;
                        n->address.function = (uint8_t)n->function;
                }
                if (n->group < 0 && !above->tree->no_iommu)
                        n->group = above->tree->n_groups++;
        }
        for (SysfsNode *n = above->children; n; n = n->next) {
                if (n->port == PORT_NONE)
                        continue;
                MUST(*last < 0xff);
                n->secondary = (uint8_t)++ * last;
                number_bus(n, last);
                n->subordinate = (uint8_t)*last;
        }
}

void sysfs_write(SysfsTree *t) {
        unsigned last;

        for (size_t i = 0; i < t->n; i++) {
                SysfsNode *n = t->nodes[i];

                if (!n->host)
                        continue;
                last = n->secondary;
                number_bus(n, &last);
                n->subordinate = (uint8_t)last;
        }
        t->written = true;
        for (size_t i = 0; i < t->n; i++) /* parents come before their children */
                write_node(t->nodes[i]);
}
