/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The PCI port over trees that look like sysfs, from a flat one to one full of nonsense. */
#include "support/sysfs-tree.h"
#include "sys/pci-scan.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>

#include <cmocka.h>

#define _cleanup_tree_ _cleanup_(sysfs_freep)
#define _cleanup_topology_ _cleanup_(topology_done)

static void scan(SysfsTree *t, Topology *ret) {
        assert_int_equal(topology_scan(sysfs_root(t), NULL, ret), 0);
}

static Function *find(Topology *t, const SysfsNode *n) {
        uint32_t i = topology_find(t, n->address);

        assert_int_not_equal(i, TOPOLOGY_NONE);
        return &t->items[i];
}

/* What a node and its function have in common. */
static void check(Topology *t, const SysfsNode *n) {
        const Function *f = find(t, n);
        const SysfsNode *above = n->pf ? n->pf->parent : n->parent;

        assert_false(f->removed);
        assert_int_equal(f->vendor, n->vendor);
        assert_int_equal(f->device, n->device);
        assert_int_equal(f->subsystem_vendor, n->subsystem_vendor);
        assert_int_equal(f->subsystem_device, n->subsystem_device);
        assert_int_equal(f->class_code, n->class_code);
        assert_int_equal(f->revision, 1);
        assert_int_equal(f->port, n->port);
        assert_int_equal(f->header_type, n->port != PORT_NONE);
        assert_int_equal(f->secondary, n->port != PORT_NONE ? n->secondary : 0);
        assert_int_equal(f->subordinate, n->port != PORT_NONE ? n->subordinate : 0);
        assert_int_equal(f->multifunction, n->multifunction);
        assert_int_equal(f->bus_master, n->bus_master);
        assert_int_equal(f->has_pcie, !n->conventional);
        assert_int_equal(f->group, n->group);
        assert_int_equal(f->numa_node, n->numa_node);
        assert_true(f->serial == n->serial);
        if (n->driver)
                assert_string_equal(f->driver, n->driver);
        else
                assert_null(f->driver);
        if (above->host)
                assert_int_equal(f->parent, TOPOLOGY_NONE);
        else
                assert_int_equal(f->parent, topology_find(t, above->address));
}

static void check_all(Topology *t, SysfsNode *above, size_t *count) {
        for (SysfsNode *n = above->children; n; n = n->next) {
                check(t, n);
                (*count)++;
                check_all(t, n, count);
        }
}

/* All of the domains' functions, and nothing else; no notes. */
static void check_tree(Topology *t, SysfsNode *const *hosts, size_t n) {
        size_t count = 0;

        for (size_t i = 0; i < n; i++)
                check_all(t, hosts[i], &count);
        assert_int_equal(t->n, count);
        if (t->n_notes > 0)
                fail_msg("%s", t->notes[0]);
}

static bool noted(const Topology *t, const char *words) {
        for (size_t i = 0; i < t->n_notes; i++)
                if (strstr(t->notes[i], words))
                        return true;
        return false;
}

static void test_flat(void **state) {
        _cleanup_tree_ SysfsTree *tree = sysfs_new(NULL);
        _cleanup_topology_ Topology t = {};
        SysfsNode *host = sysfs_domain(tree, 0, 0), *a = sysfs_function(host), *b = sysfs_function(host);

        b->driver = NULL;
        b->numa_node = 1;
        b->serial = UINT64_C(0xfedcba9876543210);
        b->bus_master = false;
        sysfs_write(tree);
        scan(tree, &t);
        check_tree(&t, &host, 1);
        assert_int_equal(find(&t, a)->address.slot, 0);
        assert_int_equal(find(&t, b)->address.slot, 1);
        assert_string_equal(find(&t, a)->group_type, "DMA-FQ");
        assert_string_equal(find(&t, a)->reset_methods, "flr bus");
        assert_null(find(&t, a)->driver_override);
        assert_null(find(&t, a)->vfio_cdev);
        assert_int_equal(find(&t, a)->power, POWER_D0);
        assert_int_equal(find(&t, a)->native, NATIVE_UNKNOWN);
}

static void test_no_devices(void **state) {
        _cleanup_tree_ SysfsTree *tree = sysfs_new(NULL);
        _cleanup_topology_ Topology t = {};

        scan(tree, &t);
        assert_int_equal(t.n, 0);
}

static void test_no_bus(void **state) {
        Topology t = { .n = 7 };

        assert_int_equal(topology_scan("/dev/null/nowhere", NULL, &t), -ENOTDIR);
        assert_int_equal(topology_scan("/nowhere", NULL, &t), -ENOENT);
        assert_int_equal(t.n, 7);
}

static void test_three_level_switch(void **state) {
        _cleanup_tree_ SysfsTree *tree = sysfs_new(NULL);
        _cleanup_topology_ Topology t = {};
        SysfsNode *host = sysfs_domain(tree, 0, 0), *down = sysfs_root_port(host), *up = NULL, *leaf;

        for (int level = 0; level < 3; level++) {
                up = sysfs_upstream(down);
                (void)sysfs_function(sysfs_downstream(up));
                down = sysfs_downstream(up);
        }
        leaf = sysfs_function(down);
        down->ari_forwarding = true;
        down->acs_control = 0x5f;
        sysfs_write(tree);
        scan(tree, &t);
        check_tree(&t, &host, 1);
        assert_int_equal(t.n, 1 + 3 * 3 + 3 + 1);
        assert_true(find(&t, down)->ari_forwarding);
        assert_true(find(&t, down)->has_acs);
        assert_int_equal(find(&t, down)->acs_control, 0x5f);
        assert_false(find(&t, down->parent)->ari_forwarding);
        assert_false(find(&t, host->children)->ari_forwarding);
        assert_false(find(&t, up)->has_acs);
        assert_false(find(&t, up)->ari_forwarding);
        /* leaf, 3 * (downstream, upstream), root port */
        uint32_t i = topology_find(&t, leaf->address), depth = 0;
        for (; t.items[i].parent != TOPOLOGY_NONE; i = t.items[i].parent)
                depth++;
        assert_int_equal(depth, 7);
        assert_int_equal(t.items[i].port, PORT_ROOT);
}

/* 255 VFs, 2 apart, from 128 behind the PF: they reach over three buses. */
static void test_pf_with_255_vfs(void **state) {
        _cleanup_tree_ SysfsTree *tree = sysfs_new(NULL);
        _cleanup_topology_ Topology t = {};
        SysfsNode *host = sysfs_domain(tree, 0, 0), *port = sysfs_root_port(host), *pf = sysfs_pf(port, 255, 255);
        unsigned n = 0;

        port->ari_forwarding = true;
        pf->vf_offset = 128;
        pf->vf_stride = 2;
        sysfs_vf(pf, 254)->vfio = "vfio254";
        sysfs_write(tree);
        assert_int_equal(sysfs_vf(pf, 0)->address.bus, pf->address.bus);
        assert_int_equal(sysfs_vf(pf, 254)->address.bus, pf->address.bus + 2);
        scan(tree, &t);
        check_tree(&t, &host, 1);

        const Function *f = find(&t, pf);
        assert_true(f->is_pf && !f->is_vf && f->has_ari && f->has_ats && !f->ats_enabled);
        assert_int_equal(f->num_vfs, 255);
        assert_int_equal(f->total_vfs, 255);
        assert_int_equal(f->vf_offset, 128);
        assert_int_equal(f->vf_stride, 2);
        for (uint32_t i = f->first_vf; i != TOPOLOGY_NONE; i = t.items[i].next_vf) {
                assert_true(t.items[i].is_vf && !t.items[i].is_pf);
                assert_int_equal(address_compare(t.items[i].physfn, pf->address), 0);
                assert_int_equal(address_compare(t.items[i].address, sysfs_vf(pf, n)->address), 0);
                n++;
        }
        assert_int_equal(n, 255);
        assert_string_equal(find(&t, sysfs_vf(pf, 254))->vfio_cdev, "vfio254");
        assert_null(find(&t, sysfs_vf(pf, 253))->vfio_cdev);
}

static void test_shared_group(void **state) {
        _cleanup_tree_ SysfsTree *tree = sysfs_new(NULL);
        _cleanup_topology_ Topology t = {};
        SysfsNode *host = sysfs_domain(tree, 0, 0), *port = sysfs_root_port(host), *a = sysfs_function(port),
                  *b = sysfs_beside(a), *c = sysfs_beside(a), *alone = sysfs_function(host);

        sysfs_group(a, b, c, NULL);
        a->group_type = "identity";
        sysfs_write(tree);
        scan(tree, &t);
        check_tree(&t, &host, 1);
        assert_int_equal(find(&t, c)->address.function, 2);
        assert_true(find(&t, b)->multifunction);
        assert_int_equal(find(&t, a)->next_in_group, topology_find(&t, b->address));
        assert_int_equal(find(&t, b)->next_in_group, topology_find(&t, c->address));
        assert_int_equal(find(&t, c)->next_in_group, topology_find(&t, a->address));
        assert_int_equal(find(&t, alone)->next_in_group, topology_find(&t, alone->address));
        assert_string_equal(find(&t, c)->group_type, "identity");
}

static void test_no_iommu(void **state) {
        _cleanup_tree_ SysfsTree *tree = sysfs_new(NULL);
        _cleanup_topology_ Topology t = {};
        SysfsNode *host = sysfs_domain(tree, 0, 0), *a = sysfs_function(host);

        sysfs_no_iommu(tree);
        sysfs_write(tree);
        scan(tree, &t);
        check_tree(&t, &host, 1);
        assert_int_equal(find(&t, a)->group, -1);
        assert_null(find(&t, a)->group_type);
}

static void test_pcie_to_pci(void **state) {
        _cleanup_tree_ SysfsTree *tree = sysfs_new(NULL);
        _cleanup_topology_ Topology t = {};
        SysfsNode *host = sysfs_domain(tree, 0, 0), *bridge = sysfs_pcie_to_pci(sysfs_root_port(host)),
                  *old = sysfs_conventional_bridge(bridge), *a = sysfs_function(bridge), *b = sysfs_function(old);

        sysfs_write(tree);
        scan(tree, &t);
        check_tree(&t, &host, 1);
        assert_int_equal(find(&t, bridge)->port, PORT_PCIE_TO_PCI);
        assert_int_equal(find(&t, old)->port, PORT_CONVENTIONAL);
        assert_false(find(&t, a)->has_pcie);
        assert_int_equal(find(&t, b)->parent, topology_find(&t, old->address));
}

static void test_domains(void **state) {
        _cleanup_tree_ SysfsTree *tree = sysfs_new(NULL);
        _cleanup_topology_ Topology t = {};
        SysfsNode *hosts[] = { sysfs_domain(tree, 0, 0), sysfs_domain(tree, 0, 0x80), sysfs_domain(tree, 1, 0),
                               sysfs_domain(tree, 0x10001, 0), sysfs_domain(tree, 0xfffffffe, 0xfe) };

        for (size_t i = 0; i < ELEMENTSOF(hosts); i++)
                (void)sysfs_function(sysfs_root_port(hosts[i]));
        sysfs_write(tree);
        scan(tree, &t);
        check_tree(&t, hosts, ELEMENTSOF(hosts));
}

static void test_states(void **state) {
        _cleanup_tree_ SysfsTree *tree = sysfs_new(NULL);
        _cleanup_topology_ Topology t = {};
        SysfsNode *host = sysfs_domain(tree, 0, 0), *a = sysfs_function(host), *b = sysfs_function(host),
                  *pf = sysfs_pf(sysfs_root_port(host), 8, 0);

        a->ats = a->ats_on = a->pri = a->pasid = a->acs = a->msi = true;
        a->msix_on = false;
        a->msi_on = true;
        a->power_state = "D3cold"; /* the register has one value for both D3 */
        a->driver = "vfio-pci";
        a->driver_override = "vfio-pci";
        a->vfio = "vfio0";
        b->power_state = NULL; /* an old kernel: then the register speaks */
        b->reset_method = "";
        sysfs_write(tree);
        scan(tree, &t);
        check_tree(&t, &host, 1);

        const Function *f = find(&t, a);
        assert_true(f->has_ats && f->ats_enabled && f->has_pri && f->pri_enabled && f->has_pasid && f->pasid_enabled);
        assert_true(f->has_msi && f->msi_enabled && f->has_msix && !f->msix_enabled && f->has_acs);
        assert_int_equal(f->power, POWER_D3COLD);
        assert_string_equal(f->driver_override, "vfio-pci");
        assert_string_equal(f->vfio_cdev, "vfio0");
        f = find(&t, b);
        assert_true(!f->has_ats && !f->has_pri && !f->has_pasid && !f->has_msi && f->msix_enabled);
        assert_int_equal(f->power, POWER_D0);
        assert_null(f->reset_methods);
        f = find(&t, pf);
        assert_true(f->is_pf);
        assert_int_equal(f->num_vfs, 0);
        assert_int_equal(f->total_vfs, 8);
        assert_int_equal(f->first_vf, TOPOLOGY_NONE);
}

/* Without CONFIG_VFIO_DEVICE_CDEV the VFIO device has a directory, but no device node. */
static void test_vfio_without_cdev(void **state) {
        _cleanup_tree_ SysfsTree *tree = sysfs_new(NULL);
        _cleanup_topology_ Topology t = {};
        SysfsNode *host = sysfs_domain(tree, 0, 0), *a = sysfs_function(host);

        a->vfio = "vfio3";
        sysfs_write(tree);
        sysfs_unset(a, "vfio-dev/vfio3/dev");
        scan(tree, &t);
        assert_null(find(&t, a)->vfio_cdev);
}

/* The kernel gives 64 bytes of configuration space to who is not root. */
static void test_short_config(void **state) {
        _cleanup_tree_ SysfsTree *tree = sysfs_new(NULL);
        _cleanup_topology_ Topology t = {};
        SysfsNode *host = sysfs_domain(tree, 0, 0), *pf = sysfs_pf(sysfs_root_port(host), 16, 2);
        uint8_t config[4096];

        sysfs_write(tree);
        (void)sysfs_config(pf, config);
        sysfs_set_bytes(pf, "config", config, 64);
        scan(tree, &t);

        const Function *f = find(&t, pf);
        assert_true(f->bus_master && f->is_pf);
        assert_int_equal(f->total_vfs, 16);
        assert_int_equal(f->num_vfs, 2);
        assert_int_equal(f->first_vf, topology_find(&t, sysfs_vf(pf, 0)->address));
        assert_true(noted(&t, "a capability cannot be read"));
        assert_int_equal(config_read(sysfs_root(tree), pf->address, config, sizeof(config)), 64);
}

static void test_config_read(void **state) {
        _cleanup_tree_ SysfsTree *tree = sysfs_new(NULL);
        SysfsNode *host = sysfs_domain(tree, 0, 0), *a = sysfs_function(sysfs_root_port(host)),
                  *old = sysfs_function(sysfs_conventional_bridge(host));
        uint8_t is[4096], should_be[4096];

        sysfs_write(tree);
        assert_int_equal(config_read(sysfs_root(tree), a->address, is, sizeof(is)), sysfs_config(a, should_be));
        assert_memory_equal(is, should_be, 4096);
        assert_int_equal(config_read(sysfs_root(tree), old->address, is, sizeof(is)), 256);
        (void)sysfs_config(old, should_be);
        assert_memory_equal(is, should_be, 256);
        assert_int_equal(config_read(sysfs_root(tree), a->address, is, 1000), 256);
        sysfs_unset(a, "config");
        assert_int_equal(config_read(sysfs_root(tree), a->address, is, sizeof(is)), -EIO);
        sysfs_unplug(a, false);
        assert_int_equal(config_read(sysfs_root(tree), a->address, is, sizeof(is)), -ENODEV);
}

/* ---- comings and goings ---- */

static void test_vanishing(void **state) {
        _cleanup_tree_ SysfsTree *tree = sysfs_new(NULL);
        _cleanup_topology_ Topology t = {};
        SysfsNode *host = sysfs_domain(tree, 0, 0), *dir_gone = sysfs_function(host),
                  *files_gone = sysfs_function(host), *stays = sysfs_function(host);
        static const char *const attributes[] = { "vendor", "device", "class", "config", "subsystem_vendor" };

        sysfs_write(tree);
        sysfs_unplug(dir_gone, true);
        for (size_t i = 0; i < ELEMENTSOF(attributes); i++)
                sysfs_unset(files_gone, attributes[i]);
        scan(tree, &t);
        assert_int_equal(t.n, 3);
        check(&t, stays);
        assert_true(find(&t, dir_gone)->removed);
        assert_true(find(&t, files_gone)->removed);
        /* Only the address is true. */
        assert_null(find(&t, files_gone)->driver);
        assert_int_equal(find(&t, files_gone)->group, -1);
        assert_true(noted(&t, "0000:00:00.0 went away"));
        assert_true(noted(&t, "0000:00:01.0 went away"));
}

typedef struct Race {
        SysfsNode *victims[8];
        atomic_bool stop;
        atomic_uint rounds;
} Race;

static void *plug_and_unplug(void *userdata) {
        Race *race = userdata;

        while (!atomic_load(&race->stop)) {
                for (size_t i = 0; i < ELEMENTSOF(race->victims); i++)
                        sysfs_unplug(race->victims[i], false);
                for (size_t i = 0; i < ELEMENTSOF(race->victims); i++)
                        sysfs_plug(race->victims[i]);
                atomic_fetch_add(&race->rounds, 1);
        }
        return NULL;
}

/* Devices go and come while others are scanned: the others are whole each time. */
static void test_race(void **state) {
        _cleanup_tree_ SysfsTree *tree = sysfs_new(NULL);
        SysfsNode *host = sysfs_domain(tree, 0, 0), *port = sysfs_root_port(host), *stay[8];
        Race race = {};
        pthread_t thread;

        for (size_t i = 0; i < ELEMENTSOF(stay); i++) {
                stay[i] = sysfs_function(host);
                race.victims[i] = sysfs_function(port);
        }
        sysfs_write(tree);
        assert_int_equal(pthread_create(&thread, NULL, plug_and_unplug, &race), 0);
        for (unsigned i = 0; i < 300 || atomic_load(&race.rounds) < 20; i++) {
                _cleanup_topology_ Topology t = {};

                scan(tree, &t);
                assert_in_range(t.n, 9, 17);
                for (size_t j = 0; j < ELEMENTSOF(stay); j++)
                        check(&t, stay[j]);
        }
        atomic_store(&race.stop, true);
        (void)pthread_join(thread, NULL);
}

static void test_scan_one(void **state) {
        _cleanup_tree_ SysfsTree *tree = sysfs_new(NULL);
        _cleanup_topology_ Topology t = {};
        SysfsNode *host = sysfs_domain(tree, 0, 0), *port = sysfs_root_port(host), *pf = sysfs_pf(port, 4, 2),
                  *other = sysfs_function(host);

        sysfs_write(tree);
        sysfs_unplug(sysfs_vf(pf, 1), false);
        scan(tree, &t);
        assert_int_equal(t.n, 4);

        /* A new one. */
        sysfs_plug(sysfs_vf(pf, 1));
        assert_int_equal(topology_scan_one(sysfs_root(tree), NULL, sysfs_vf(pf, 1)->address, &t), 0);
        assert_int_equal(topology_link(&t), 0);
        check_tree(&t, &host, 1);
        /* One that changed, and nothing else is looked at. */
        sysfs_set_link(other, "driver", "../../../bus/pci/drivers/vfio-pci");
        sysfs_set(port, "numa_node", "5\n");
        assert_int_equal(topology_scan_one(sysfs_root(tree), NULL, other->address, &t), 0);
        assert_int_equal(topology_link(&t), 0);
        assert_int_equal(t.n, 5);
        assert_string_equal(find(&t, other)->driver, "vfio-pci");
        assert_int_equal(find(&t, port)->numa_node, -1);
        /* One that went, and one that never was. */
        sysfs_unplug(other, false);
        assert_int_equal(topology_scan_one(sysfs_root(tree), NULL, other->address, &t), -ENODEV);
        assert_int_equal(topology_scan_one(sysfs_root(tree), NULL, (Address){ .domain = 9 }, &t), -ENODEV);
        assert_int_equal(topology_link(&t), 0);
        assert_int_equal(t.n, 4);
        assert_int_equal(topology_find(&t, other->address), TOPOLOGY_NONE);
}

/* ---- nonsense ---- */

static const char *const attributes[] = {
        "vendor",           "device",   "class",          "revision",    "subsystem_vendor",
        "subsystem_device", "config",   "numa_node",      "power_state", "reset_method",
        "driver_override",  "driver",   "iommu_group",    "physfn",      "iommu_group/type",
        "modalias",         "vfio-dev", "sriov_totalvfs",
};

static size_t nonsense(unsigned kind, uint8_t buf[static 8192]) {
        static const char *const words[] = { "",         "\n",     "-1\n",  "0x",    "99999999999999999999\n",
                                             "nan\n",    "\0",     "(null", "../..", "\xff\xfe\n",
                                             "%s%n%s\n", "0x10000" };
        size_t n = strlen(words[kind % ELEMENTSOF(words)]);

        if (kind < ELEMENTSOF(words)) {
                memcpy(buf, words[kind], n + 1);
                return kind == 6 ? 1 : n;
        }
        memset(buf, kind == ELEMENTSOF(words) ? 'a' : 0xff, 8192);
        return kind == ELEMENTSOF(words) ? 8192 : kind == ELEMENTSOF(words) + 1 ? 4096 : 512;
}

enum { NONSENSE_KINDS = 15 };

/* In each attribute each kind of nonsense, as a file; the other function stays whole. */
static void test_nonsense_files(void **state) {
        _cleanup_tree_ SysfsTree *tree = sysfs_new(NULL);
        SysfsNode *host = sysfs_domain(tree, 0, 0), *a, *pf = sysfs_pf(sysfs_root_port(host), 4, 1);
        static uint8_t buf[8192];

        a = sysfs_vf(pf, 0);
        sysfs_write(tree);
        for (size_t i = 0; i < ELEMENTSOF(attributes); i++) {
                if (streq(attributes[i], "iommu_group/type")) /* behind a link; see below */
                        continue;
                for (unsigned kind = 0; kind < NONSENSE_KINDS; kind++) {
                        _cleanup_topology_ Topology t = {};

                        sysfs_set_bytes(a, attributes[i], buf, nonsense(kind, buf));
                        scan(tree, &t);
                        assert_int_equal(t.n, 3);
                        assert_false(find(&t, a)->removed);
                        check(&t, pf);
                }
                sysfs_unplug(a, false);
                sysfs_plug(a);
        }
}

static void test_nonsense_noted(void **state) {
        _cleanup_tree_ SysfsTree *tree = sysfs_new(NULL);
        _cleanup_topology_ Topology t = {};
        SysfsNode *host = sysfs_domain(tree, 0, 0), *a = sysfs_function(host), *b = sysfs_function(host),
                  *c = sysfs_function(host), *d = sysfs_function(host);
        static uint8_t ones[4096];

        memset(ones, 0xff, sizeof(ones));
        sysfs_write(tree);
        sysfs_set(a, "numa_node", "zwei\n");
        sysfs_set(a, "power_state", "asleep\n");
        sysfs_set_bytes(a, "driver_override", "x\0y\n", 4);
        sysfs_set_link(a, "iommu_group", "../group-without-number");
        sysfs_set_link(a, "physfn", "../somebody");
        sysfs_set_link(b, "driver", "../drivers/");
        sysfs_set_link(b, "iommu_group", "../99999999999");
        sysfs_set(b, "vendor", "0xffff\n");
        sysfs_set_bytes(b, "config", ones, sizeof(ones));
        sysfs_make_unreadable(c, "class");
        sysfs_make_unreadable(c, "config");
        sysfs_make_unreadable(c, "reset_method");
        sysfs_set(c, "driver", "a file\n");
        sysfs_set_link(d, "physfn", "../0000:00:00.0");
        sysfs_add_entry(tree, "0000:00:zz.0");
        sysfs_add_entry(tree, "0000:0A:00.0");
        sysfs_add_entry(tree, "0000:0b:00.0");
        scan(tree, &t);
        assert_int_equal(t.n, 5);
        assert_true(noted(&t, "0000:00:00.0: numa_node is not a number it can be: \"zwei\"."));
        assert_true(noted(&t, "0000:00:00.0: power_state is \"asleep\"."));
        assert_true(noted(&t, "0000:00:00.0: driver_override is not text."));
        assert_true(noted(&t, "0000:00:00.0: iommu_group points to \"group-without-number\""));
        assert_true(noted(&t, "0000:00:00.0: physfn points to \"somebody\""));
        assert_true(noted(&t, "0000:00:00.0 is a VF, but its PF"));
        assert_true(noted(&t, "0000:00:01.0: driver points to nothing that has a name."));
        assert_true(noted(&t, "0000:00:01.0: iommu_group points to \"99999999999\""));
        assert_true(noted(&t, "0000:00:01.0: its vendor is ffff"));
        assert_true(noted(&t, "0000:00:01.0: it does not answer"));
        assert_true(noted(&t, "0000:00:02.0: vendor, device or class cannot be read."));
        assert_true(noted(&t, "0000:00:02.0: its configuration space cannot be read."));
        assert_true(noted(&t, "0000:00:02.0: reset_method cannot be read"));
        assert_true(noted(&t, "0000:00:02.0: driver cannot be read"));
        assert_true(noted(&t, "0000:00:03.0 is a VF, but 0000:00:00.0 cannot be its PF"));
        assert_true(noted(&t, "\"0000:00:zz.0\" is among the devices"));
        assert_true(noted(&t, "\"0000:0A:00.0\" is among the devices"));
        assert_true(noted(&t, "0000:0b:00.0: its directory cannot be opened"));
        /* The values stay those of somebody who was not asked. */
        assert_int_equal(find(&t, a)->numa_node, -1);
        assert_int_equal(find(&t, a)->group, -1);
        assert_null(find(&t, a)->driver_override);
        assert_null(find(&t, b)->driver);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_flat),
                cmocka_unit_test(test_no_devices),
                cmocka_unit_test(test_no_bus),
                cmocka_unit_test(test_three_level_switch),
                cmocka_unit_test(test_pf_with_255_vfs),
                cmocka_unit_test(test_shared_group),
                cmocka_unit_test(test_no_iommu),
                cmocka_unit_test(test_pcie_to_pci),
                cmocka_unit_test(test_domains),
                cmocka_unit_test(test_states),
                cmocka_unit_test(test_vfio_without_cdev),
                cmocka_unit_test(test_short_config),
                cmocka_unit_test(test_config_read),
                cmocka_unit_test(test_vanishing),
                cmocka_unit_test(test_race),
                cmocka_unit_test(test_scan_one),
                cmocka_unit_test(test_nonsense_files),
                cmocka_unit_test(test_nonsense_noted),
        };

        return cmocka_run_group_tests_name("pci-scan", tests, NULL, NULL);
}
