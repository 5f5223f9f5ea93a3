/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A scan of a tree whose attributes say what the input says: records of a function, an
 * attribute, a length and that many bytes, which become the attribute's contents, or
 * where it points to. Whatever they say, the scan succeeds, finds every function, and
 * its links and texts are sound. The input is also taken for a configuration space.
 */
#include "common/fd.h"
#include "common/utf8.h"
#include "support/sysfs-tree.h"
#include "sys/pci-config.h"
#include "sys/pci-scan.h"

#include <fcntl.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { N_NODES = 6, RECORDS_MAX = 64 };

static SysfsTree *tree;
static SysfsNode *nodes[N_NODES]; /* a parent comes before its children */
static ModulesIndex *modules;

static const char *const attributes[] = {
        "config",       "vendor",          "device",       "class",          "revision",         "subsystem_vendor",
        "numa_node",    "power_state",     "modalias",     "physfn",         "iommu_group",      "driver",
        "reset_method", "driver_override", "sriov_numvfs", "sriov_totalvfs", "iommu_group/type",
};

static void claim(bool holds) {
        if (!holds)
                abort();
}

static void clean_up(void) {
        modules = modules_free(modules);
        sysfs_free(tree);
}

static void make_modules(void) {
        static const char modinfo[] =
                "virtio_pci.alias=pci:v00001AF4d*sv*sd*bc*sc*i*\0nvme.alias=pci:v*d*bc01sc08i02*";
        char path[600];
        int dir_fd;

        for (const char *const *dir =
                     (const char *const[]){ "usr", "usr/lib", "usr/lib/modules", "usr/lib/modules/1", NULL };
             *dir; dir++) {
                (void)snprintf(path, sizeof(path), "%s/%s", sysfs_root(tree), *dir);
                claim(mkdir(path, 0700) == 0);
        }
        dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        claim(file_write_atomic_at(dir_fd, "modules.builtin.modinfo", modinfo, sizeof(modinfo)) == 0);
        fd_close(dir_fd);
        claim(modules_open(sysfs_root(tree), "1", &modules) == 0);
}

static void make_tree(void) {
        SysfsNode *host, *pf;

        tree = sysfs_new(NULL);
        host = sysfs_domain(tree, 0, 0);
        nodes[0] = sysfs_root_port(host);
        pf = sysfs_pf(nodes[0], 4, 1);
        pf->vfio = "vfio0";
        nodes[1] = pf;
        nodes[2] = sysfs_vf(pf, 0);
        nodes[3] = sysfs_pcie_to_pci(host);
        nodes[4] = sysfs_function(nodes[3]);
        nodes[5] = sysfs_function(host);
        sysfs_write(tree);
        make_modules();
        atexit(clean_up);
}

static void apply(SysfsNode *n, const char *attribute, const uint8_t *data, size_t size) {
        char target[512];

        if (streq(attribute, "iommu_group/type")) {
                sysfs_set_group_type(n, data, size);
                return;
        }
        if (!streq(attribute, "driver") && !streq(attribute, "physfn") && !streq(attribute, "iommu_group")) {
                sysfs_set_bytes(n, attribute, data, size);
                return;
        }
        (void)snprintf(target, sizeof(target), "%.*s", (int)MIN_OF(size, sizeof(target) - 1), (const char *)data);
        if (*target)
                sysfs_set_link(n, attribute, target);
        else
                sysfs_unset(n, attribute);
}

static void reset(const bool touched[static N_NODES]) {
        for (size_t i = 0; i < N_NODES; i++)
                if (touched[i]) {
                        sysfs_set_group_type(nodes[i], "DMA\n", 4);
                        sysfs_unplug(nodes[i], false);
                        sysfs_plug(nodes[i]);
                }
}

static void check_index(const Topology *t, uint32_t i) {
        claim(i == TOPOLOGY_NONE || i < t->n);
}

static void check_text(const char *s) {
        claim(!s || (*s && utf8_printable(s, strlen(s))));
}

static void check_topology(const Topology *t) {
        for (size_t i = 0; i < t->n; i++) {
                const Function *f = &t->items[i];
                const char *texts[] = { f->driver,     f->driver_override, f->reset_methods,
                                        f->group_type, f->vfio_cdev,       f->native_driver };
                const uint32_t links[] = { f->parent, f->pf, f->first_vf, f->next_vf, f->next_in_group };

                for (size_t j = 0; j < ELEMENTSOF(texts); j++)
                        check_text(texts[j]);
                for (size_t j = 0; j < ELEMENTSOF(links); j++)
                        check_index(t, links[j]);
                claim(f->group >= -1 && f->numa_node >= -1 && (unsigned)f->power < _POWER_MAX &&
                      (unsigned)f->port < _PORT_MAX);
                if (i > 0)
                        claim(address_compare(t->items[i - 1].address, f->address) < 0);
        }
        for (size_t i = 0; i < t->n_notes; i++)
                check_text(t->notes[i]);
}

typedef struct Bytes {
        const uint8_t *data;
        size_t size;
} Bytes;

static bool read_bytes(void *userdata, unsigned offset, void *buf, unsigned size) {
        const Bytes *b = userdata;

        claim(offset + size <= CONFIG_SPACE_SIZE);
        if (offset + size > b->size)
                return false;
        memcpy(buf, b->data + offset, size);
        return true;
}

static void try_config(const uint8_t *data, size_t size) {
        Bytes b = { data, size };
        Function f = {};

        (void)config_space_parse(&(ConfigReader){ read_bytes, &b }, &f);
        claim((unsigned)f.port < _PORT_MAX && (f.port == PORT_NONE || f.header_type > 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(topology_done) Topology t = {};
        bool touched[N_NODES] = {};
        size_t n;

        if (!tree)
                make_tree();
        try_config(data, size);
        for (unsigned records = 0; size >= 4 && records < RECORDS_MAX; records++) {
                size_t node = data[0] % N_NODES, attribute = data[1] % ELEMENTSOF(attributes);

                n = MIN_OF((size_t)data[2] << 8 | data[3], size - 4);
                apply(nodes[node], attributes[attribute], data + 4, n);
                touched[node] = true;
                data += 4 + n;
                size -= 4 + n;
        }
        claim(topology_scan(sysfs_root(tree), modules, &t) == 0);
        claim(t.n == N_NODES);
        check_topology(&t);
        claim(topology_scan_one(sysfs_root(tree), modules, nodes[1]->address, &t) == 0);
        claim(topology_link(&t) == 0 && t.n == N_NODES);
        check_topology(&t);
        reset(touched);
        return 0;
}
