/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parser of configuration spaces alone: what it asks for, and where it ends. */
#include "support/sysfs-tree.h"
#include "sys/pci-config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

typedef struct Bytes {
        const uint8_t *data;
        size_t size;
        size_t read; /* how much was asked for */
} Bytes;

static bool read_bytes(void *userdata, unsigned offset, void *buf, unsigned size) {
        Bytes *b = userdata;

        assert_true(offset + size <= CONFIG_SPACE_SIZE);
        b->read += size;
        if (offset + size > b->size)
                return false;
        memcpy(buf, b->data + offset, size);
        return true;
}

static const char *parse(Bytes *b, Function *ret) {
        *ret = (Function){};
        return config_space_parse(&(ConfigReader){ read_bytes, b }, ret);
}

static void full_config(uint8_t config[static 4096]) {
        static const Address a = { .bus = 1 };
        SysfsNode n = { .address = a, .vendor = 0x8086, .class_code = 0x020000 };

        n.serial = 1;
        n.acs = n.ari = n.ats = n.pri = n.pasid = n.msi = n.msix = n.sriov = true;
        n.total_vfs = n.n_vfs = 4;
        assert_int_equal(sysfs_config(&n, config), 4096);
}

/* Few registers are asked for, since each may be slow and some are dangerous. */
static void test_frugal(void **state) {
        uint8_t config[4096];
        Bytes b = { config, sizeof(config), 0 };
        Function f;

        full_config(config);
        assert_null(parse(&b, &f));
        assert_true(f.has_acs && f.has_ari && f.has_ats && f.has_pri && f.has_pasid && f.has_msi && f.has_msix);
        assert_false(f.ats_enabled || f.pri_enabled || f.pasid_enabled || f.msi_enabled || f.msix_enabled);
        assert_in_range(b.read, 64, 256);
}

static void test_truncated(void **state) {
        uint8_t config[4096];
        Function f;

        full_config(config);
        for (size_t size = 0; size <= sizeof(config); size++) {
                Bytes b = { config, size, 0 };
                const char *problem = parse(&b, &f);

                assert_true(size >= 64 || problem);
                assert_true(size < 1024 || !problem);
        }
}

static void test_circles(void **state) {
        uint8_t config[4096];
        Bytes b = { config, sizeof(config), 0 };
        Function f;

        full_config(config);
        config[0x41] = 0x40;
        assert_string_equal(parse(&b, &f), "its list of capabilities runs in a circle");
        full_config(config);
        config[0x81] = 0x50;
        assert_string_equal(parse(&b, &f), "its list of capabilities runs in a circle");
        assert_true(f.has_pcie && f.is_pf); /* what is behind was still found */
        full_config(config);
        config[0x41] = 0x10;
        assert_string_equal(parse(&b, &f), "its list of capabilities points into the header");
        full_config(config);
        config[0x41] = 0xf0;
        config[0xf0] = 0xff;
        assert_string_equal(parse(&b, &f), "its list of capabilities points to where nothing answers");
        full_config(config);
        config[0x102] = 0x01;
        config[0x103] = 0x10;
        assert_string_equal(parse(&b, &f), "its list of extended capabilities runs in a circle");
        full_config(config);
        config[0x102] = 0x01;
        config[0x103] = 0x08;
        assert_string_equal(parse(&b, &f), "its list of extended capabilities points out of the extended space");
}

/* NumVFs holds a number before the VFs are enabled, and after. */
static void test_vfs_not_enabled(void **state) {
        uint8_t config[4096];
        Bytes b = { config, sizeof(config), 0 };
        unsigned at = 0x100;
        Function f;

        full_config(config);
        assert_null(parse(&b, &f));
        assert_int_equal(f.num_vfs, 4);
        while (config[at] != 0x10)
                at = (unsigned)config[at + 3] << 4 | config[at + 2] >> 4;
        config[at + 8] &= 0xfe;
        assert_null(parse(&b, &f));
        assert_int_equal(f.num_vfs, 0);
        config[at + 8] |= 1;
        config[at + 0x10] = 5;
        assert_non_null(strstr(parse(&b, &f), "more VFs"));
}

/* An SR-IOV capability whose registers would lie behind the end. */
static void test_end(void **state) {
        uint8_t config[4096];
        Bytes b = { config, sizeof(config), 0 };
        Function f;

        full_config(config);
        config[0x102] = 0xc1;
        config[0x103] = 0xff;
        memcpy(config + 0xffc, "\x10\x00\x01\x00", 4);
        assert_string_equal(parse(&b, &f), "a capability cannot be read");
        assert_false(f.is_pf);
}

static void test_contradictions(void **state) {
        uint8_t config[4096];
        Bytes b = { config, sizeof(config), 0 };
        Function f;

        full_config(config);
        config[0x82] = 0x42; /* a root port with the header of a device */
        assert_non_null(strstr(parse(&b, &f), "its port type is a bridge's"));
        assert_int_equal(f.port, PORT_NONE);
        full_config(config);
        config[0x0e] = 1;
        assert_non_null(strstr(parse(&b, &f), "its header is a bridge's"));
        assert_int_equal(f.port, PORT_CONVENTIONAL);
        full_config(config);
        config[0x0e] = 0x55;
        assert_non_null(strstr(parse(&b, &f), "unknown type"));
}

/* Random bytes, from a generator of our own: each ends, and none reads outside. */
static void test_random(void **state) {
        uint64_t x = 88172645463325252;
        uint8_t config[4096];
        unsigned problems = 0;
        Function f;

        for (unsigned round = 0; round < 20000; round++) {
                Bytes b = { config, sizeof(config), 0 };

                for (size_t i = 0; i < sizeof(config); i += sizeof(x)) {
                        x ^= x << 13;
                        x ^= x >> 7;
                        x ^= x << 17;
                        memcpy(config + i, &x, sizeof(x));
                }
                config[0x06] |= 0x10;
                config[0x0e] &= 0x81;
                problems += parse(&b, &f) != NULL;
        }
        assert_in_range(problems, 1000, 20000);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_frugal),  cmocka_unit_test(test_truncated),
                cmocka_unit_test(test_circles), cmocka_unit_test(test_vfs_not_enabled),
                cmocka_unit_test(test_end),     cmocka_unit_test(test_contradictions),
                cmocka_unit_test(test_random),
        };

        return cmocka_run_group_tests_name("pci-config", tests, NULL, NULL);
}
