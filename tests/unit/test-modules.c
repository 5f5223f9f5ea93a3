/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Native drivers, from a directory of modules made for each test. The binary indexes are
 * written here in libkmod's format (the comment at the top of its libkmod-index.c), as a
 * trie whose nodes have one character each.
 */
#include "common/fd.h"
#include "sys/modules.h"

#include <elf.h>
#include <endian.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>

#include <cmocka.h>

#define E1000E "pci:v00008086d000010D3sv00008086sd0000A01Fbc02sc00i00"
#define NVME "pci:v0000144Dd0000A808sv0000144Dsd0000A801bc01sc08i02"
#define VIRTIO "pci:v00001AF4d00001041sv00001AF4sd00001100bc02sc00i00"
#define NOBODY "pci:v0000DEADd0000BEEFsv00000000sd00000000bcFFsc00i00"

typedef struct Entry {
        const char *key, *value;
} Entry;

static char root[64], dir[128];

static int make_root(void **state) {
        (void)snprintf(root, sizeof(root), "/tmp/test-modules-XXXXXX");
        if (!mkdtemp(root))
                return -1;
        (void)snprintf(dir, sizeof(dir), "%s/usr", root);
        if (mkdir(dir, 0700) < 0 || mkdir(strcat(dir, "/lib"), 0700) < 0 || mkdir(strcat(dir, "/modules"), 0700) < 0)
                return -1;
        return mkdir(strcat(dir, "/7.3.4"), 0700);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        return remove(path);
}

static int remove_root(void **state) {
        return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void put(const char *name, const void *data, size_t size) {
        _cleanup_close_ int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        assert_true(dir_fd >= 0);
        assert_int_equal(file_write_atomic_at(dir_fd, name, data, size), 0);
}

/* ---- binary indexes ---- */

typedef struct Index {
        uint8_t data[64 * 1024];
        size_t size;
} Index;

static void put32(Index *x, uint32_t v) {
        v = htobe32(v);
        assert_true(x->size + sizeof(v) <= sizeof(x->data));
        memcpy(x->data + x->size, &v, sizeof(v));
        x->size += sizeof(v);
}

static void put_bytes(Index *x, const void *data, size_t size) {
        assert_true(x->size + size <= sizeof(x->data));
        memcpy(x->data + x->size, data, size);
        x->size += size;
}

/* The node of all entries that have the first `depth` characters of prefix. */
static uint32_t put_node(Index *x, const Entry *entries, size_t n, const char *prefix, size_t depth) {
        uint32_t children[128] = {}, at, values = 0;
        int first = 128, last = 0;

        for (size_t i = 0; i < n; i++) {
                int c = strncmp(entries[i].key, prefix, depth) == 0 ? entries[i].key[depth] : 0;

                values += strncmp(entries[i].key, prefix, depth) == 0 && !c;
                if (c == 0 || children[c])
                        continue;
                children[c] = put_node(x, entries, n, entries[i].key, depth + 1);
                first = MIN_OF(first, c);
                last = MAX_OF(last, c);
        }
        at = (uint32_t)x->size;
        if (last > 0) {
                at |= 0x20000000;
                put_bytes(x, (char[]){ (char)first, (char)last }, 2);
                for (int c = first; c <= last; c++)
                        put32(x, children[c]);
        }
        if (values == 0)
                return at;
        put32(x, values);
        for (size_t i = 0; i < n; i++)
                if (strncmp(entries[i].key, prefix, depth) == 0 && !entries[i].key[depth]) {
                        put32(x, (uint32_t)i); /* priority */
                        put_bytes(x, entries[i].value, strlen(entries[i].value) + 1);
                }
        return at | 0x40000000;
}

static void put_index(const char *name, const Entry *entries, size_t n) {
        static Index x;
        uint32_t node;

        x.size = 0;
        put32(&x, 0xb007f457);
        put32(&x, 0x00020001);
        put32(&x, 0);
        node = htobe32(put_node(&x, entries, n, "", 0));
        memcpy(x.data + 8, &node, sizeof(node));
        put(name, x.data, x.size);
}

/* What depmod makes, with these aliases of modules; builtin: modules.builtin. */
static void put_depmod(const Entry *aliases, size_t n, const Entry *builtin, size_t n_builtin) {
        static const Entry none[] = { { "none", "" } };
        Entry dep[16];

        put_index("modules.alias.bin", aliases, n);
        put_index("modules.symbols.bin", none, 1);
        put_index("modules.builtin.bin", builtin ? builtin : none, builtin ? n_builtin : 1);
        for (size_t i = 0; i < n; i++)
                dep[i] = (Entry){ aliases[i].value, "kernel/some.ko:" };
        put_index("modules.dep.bin", n > 0 ? dep : none, MAX_OF(n, (size_t)1));
}

#define MODINFO(text) put("modules.builtin.modinfo", text, sizeof(text))

static void expect(ModulesIndex *m, const char *modalias, Native native, const char *driver) {
        const char *is = "untouched";
        Native n = _NATIVE_MAX;

        assert_int_equal(modules_native(m, modalias, &n, &is), 0);
        assert_int_equal(n, native);
        if (driver)
                assert_string_equal(is, driver);
        else
                assert_null(is);
}

static ModulesIndex *open_index(void) {
        ModulesIndex *m = NULL;

        assert_int_equal(modules_open(root, "7.3.4", &m), 0);
        return m;
}

/* ---- tests ---- */

static void test_absent(void **state) {
        ModulesIndex *m = NULL;

        assert_int_equal(modules_open(root, "7.3.5", &m), -ENOENT);
        assert_int_equal(modules_open(root, "", &m), -EINVAL);
        assert_int_equal(modules_open(root, "..", &m), -EINVAL);
        assert_int_equal(modules_open(root, "a/b", &m), -EINVAL);
        assert_null(m);
}

/* Without any list nothing is known, and nothing is claimed. */
static void test_empty(void **state) {
        _cleanup_(modules_freep) ModulesIndex *m = open_index();

        expect(m, E1000E, NATIVE_UNKNOWN, NULL);
        expect(m, "", NATIVE_UNKNOWN, NULL);
        expect(m, "[", NATIVE_UNKNOWN, NULL);
}

static void test_module(void **state) {
        static const Entry aliases[] = {
                { "pci:v00008086d000010D3sv*sd*bc*sc*i*", "e1000e" },
                { "pci:v*d*sv*sd*bc01sc08i02*", "nvme" },
        };

        put_depmod(aliases, ELEMENTSOF(aliases), NULL, 0);
        MODINFO("ahci.license=GPL");
        _cleanup_(modules_freep) ModulesIndex *m = open_index();
        expect(m, E1000E, NATIVE_MODULE, "e1000e");
        expect(m, NVME, NATIVE_MODULE, "nvme");
        expect(m, NOBODY, NATIVE_NONE, NULL);
}

static void test_builtin(void **state) {
        put_depmod(NULL, 0, NULL, 0);
        MODINFO("nvme.license=GPL v2\0"
                "nvme.alias=pci:v*d*sv*sd*bc01sc08i02*\0"
                "e1000e.alias=pci:v00008086d000010D3sv*sd*bc*sc*i*\0"
                "e1000e.alias=pci:v00008086d000010D4sv*sd*bc*sc*i*\0"
                "serio.alias=serio:ty*pr*id*ex*\0"
                "no dot at all\0"
                "virtio_pci.alias=pci:v00001AF4d*sv*sd*bc*sc*i*");
        _cleanup_(modules_freep) ModulesIndex *m = open_index();
        expect(m, E1000E, NATIVE_BUILTIN, "e1000e");
        expect(m, NVME, NATIVE_BUILTIN, "nvme");
        expect(m, VIRTIO, NATIVE_BUILTIN, "virtio_pci");
        expect(m, NOBODY, NATIVE_NONE, NULL);
}

/* The one linked first registers first, whether its alias is general or not. */
static void test_builtin_order(void **state) {
        MODINFO("first.alias=pci:v00008086d000010D3sv*sd*bc*sc*i*\0"
                "second.alias=pci:v*d*sv*sd*bc02sc00i00*\0"
                "third.alias=pci:v00001AF4d00001041sv*sd*bc*sc*i*");
        _cleanup_(modules_freep) ModulesIndex *m = open_index();
        expect(m, E1000E, NATIVE_BUILTIN, "first");
        expect(m, VIRTIO, NATIVE_BUILTIN, "second");
}

/* libkmod alone would say that the module is the one. */
static void test_builtin_before_module(void **state) {
        static const Entry aliases[] = { { "pci:v00008086d000010D3sv*sd*bc*sc*i*", "other" } };

        put_depmod(aliases, ELEMENTSOF(aliases), NULL, 0);
        MODINFO("e1000e.alias=pci:v00008086d000010D3sv*sd*bc*sc*i*");
        _cleanup_(modules_freep) ModulesIndex *m = open_index();
        expect(m, E1000E, NATIVE_BUILTIN, "e1000e");
}

/* depmod's index of built-in aliases, where there is no modinfo. */
static void test_builtin_index(void **state) {
        static const Entry aliases[] = { { "pci:v*d*sv*sd*bc01sc08i02*", "nvme" } },
                           builtin[] = { { "pci:v00008086d000010D3sv*sd*bc*sc*i*", "e1000e" } };

        put_depmod(aliases, ELEMENTSOF(aliases), NULL, 0);
        _cleanup_(modules_freep) ModulesIndex *without = open_index();
        expect(without, E1000E, NATIVE_UNKNOWN, NULL); /* it could be built in */
        expect(without, NVME, NATIVE_MODULE, "nvme");
        put_index("modules.builtin.alias.bin", builtin, ELEMENTSOF(builtin));
        _cleanup_(modules_freep) ModulesIndex *m = open_index();
        expect(m, E1000E, NATIVE_BUILTIN, "e1000e");
        expect(m, NVME, NATIVE_MODULE, "nvme");
        expect(m, NOBODY, NATIVE_NONE, NULL);
}

/* An alias file of an older build can name a module that was built in since. */
static void test_module_that_is_builtin(void **state) {
        static const Entry aliases[] = { { "pci:v*d*sv*sd*bc01sc08i02*", "nvme" } },
                           builtin[] = { { "nvme", "kernel/drivers/nvme/host/nvme.ko" } };

        put_depmod(aliases, ELEMENTSOF(aliases), builtin, ELEMENTSOF(builtin));
        _cleanup_(modules_freep) ModulesIndex *m = open_index();
        expect(m, NVME, NATIVE_BUILTIN, "nvme");
}

/* Remembered answers stay right while the table grows. */
static void test_many(void **state) {
        char modalias[80];

        MODINFO("even.alias=pci:v000010*[02468ACE]d*");
        _cleanup_(modules_freep) ModulesIndex *m = open_index();
        for (unsigned round = 0; round < 2; round++)
                for (unsigned i = 0; i < 1000; i++) {
                        (void)snprintf(modalias, sizeof(modalias), "pci:v%08Xd00000001", 0x1000 + i % 256);
                        if (i >= 256)
                                (void)snprintf(modalias, sizeof(modalias), "pci:v00002000d%08X", i);
                        if (i < 256 && i % 2 == 0)
                                expect(m, modalias, NATIVE_BUILTIN, "even");
                        else
                                expect(m, modalias, NATIVE_UNKNOWN, NULL);
                }
}

static void test_damaged(void **state) {
        put("modules.builtin.modinfo", "e1000e.alias=pci:v00008086d000010D3sv*", 38); /* no NUL at its end */
        put("modules.alias.bin", "\xb0\x07\xf4", 3);
        put("modules.builtin.alias.bin", "no index at all", 15);
        _cleanup_(modules_freep) ModulesIndex *m = open_index();
        expect(m, E1000E, NATIVE_BUILTIN, "e1000e");
        expect(m, NVME, NATIVE_UNKNOWN, NULL);
}

/* ---- what a module says of itself ---- */

/* A relocatable object with a section .modinfo and nothing else. */
static void put_module(const char *name, const char *modinfo, size_t size) {
        static const char names[] = "\0.modinfo\0.shstrtab";
        uint8_t file[2048] = {};
        Elf64_Ehdr *h = (void *)file;
        Elf64_Shdr *sections;

        memcpy(h->e_ident, ELFMAG, SELFMAG);
        h->e_ident[EI_CLASS] = ELFCLASS64;
        h->e_ident[EI_DATA] = __BYTE_ORDER == __LITTLE_ENDIAN ? ELFDATA2LSB : ELFDATA2MSB;
        h->e_ident[EI_VERSION] = EV_CURRENT;
        h->e_type = ET_REL;
        h->e_machine = EM_X86_64;
        h->e_version = EV_CURRENT;
        h->e_ehsize = sizeof(*h);
        h->e_shentsize = sizeof(*sections);
        h->e_shnum = 3;
        h->e_shstrndx = 2;
        h->e_shoff = 1024;
        sections = (void *)(file + h->e_shoff);
        sections[1] = (Elf64_Shdr){ .sh_name = 1, .sh_type = SHT_PROGBITS, .sh_offset = 128, .sh_size = size };
        sections[2] = (Elf64_Shdr){ .sh_name = 10, .sh_type = SHT_STRTAB, .sh_offset = 64, .sh_size = sizeof(names) };
        memcpy(file + 64, names, sizeof(names));
        memcpy(file + 128, modinfo, size);
        put(name, file, h->e_shoff + 3 * sizeof(*sections));
}

static int info_of(const char *release, const char *module, char *buf, size_t size) {
        return modules_info(root, release, module, "liveupdate_compatible", buf, size);
}

static void test_info(void **state) {
        static const Entry dep[] = { { "bare", "bare.ko:" }, { "gone", "gone.ko:" }, { "shim", "shim.ko:" } };
        static const char with[] = "license=GPL\0liveupdate_compatible=some-abi-v7\0name=shim",
                          without[] = "license=GPL";
        char buf[16] = "as it was";

        put_depmod(NULL, 0, NULL, 0);
        put_index("modules.dep.bin", dep, ELEMENTSOF(dep));
        put_module("shim.ko", with, sizeof(with));
        put_module("bare.ko", without, sizeof(without));
        assert_int_equal(info_of("7.3.4", "shim", buf, sizeof(buf)), 0);
        assert_string_equal(buf, "some-abi-v7");
        assert_int_equal(info_of("7.3.4", "shim", buf, 11), -EBADMSG);
        assert_int_equal(info_of("7.3.4", "bare", buf, sizeof(buf)), -ENODATA);
        assert_int_equal(info_of("7.3.4", "other", buf, sizeof(buf)), -ENOENT);
        assert_int_equal(info_of("7.3.5", "shim", buf, sizeof(buf)), -ENOENT);
        assert_int_equal(info_of("../7.3.4", "shim", buf, sizeof(buf)), -EINVAL);
        assert_true(info_of("7.3.4", "gone", buf, sizeof(buf)) < 0);
        assert_string_equal(buf, "some-abi-v7");
}

#define test(name) cmocka_unit_test_setup_teardown(name, make_root, remove_root)

int main(void) {
        const struct CMUnitTest tests[] = {
                test(test_absent),        test(test_empty),
                test(test_module),        test(test_builtin),
                test(test_builtin_order), test(test_builtin_before_module),
                test(test_builtin_index), test(test_module_that_is_builtin),
                test(test_many),          test(test_damaged),
                test(test_info),
        };

        return cmocka_run_group_tests_name("modules", tests, NULL, NULL);
}
