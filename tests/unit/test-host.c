/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The facts about the running kernel, from a root directory made for each test. */
#include "common/fd.h"
#include "support/bzimage.h"
#include "sys/host.h"

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>

#include <cmocka.h>

static char root[64];

static int make_root(void **state) {
        (void)snprintf(root, sizeof(root), "/tmp/test-host-XXXXXX");
        return mkdtemp(root) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        return remove(path);
}

static int remove_root(void **state) {
        return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Puts a file, and the directories above it, below the root. */
static void put_file(const char *path, const void *data, size_t size) {
        char full[512];

        (void)snprintf(full, sizeof(full), "%s/%s", root, path);
        for (char *p = strchr(full + strlen(root) + 1, '/'); p; p = strchr(p + 1, '/')) {
                *p = '\0';
                assert_true(mkdir(full, 0700) == 0 || errno == EEXIST);
                *p = '/';
        }
        _cleanup_close_ int fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        assert_int_equal(fd_write_all(fd, data, size), 0);
}

static void put_text(const char *path, const char *text) {
        put_file(path, text, strlen(text));
}

static void put_kernel(const char *path, const KernelSpec *spec) {
        _cleanup_bytes_ Bytes image = bzimage_build(spec);

        put_file(path, image.data, image.size);
}

#define KHO "sys/kernel/debug/kho/"

static const char fdt[] =
        "\xd0\x0d\xfe\xed\0\0\0\x80\0\0\0\x38\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
        "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" /* the reserve map */
        "\0\0\0\1\0\0\0\0\0\0\0\3\0\0\0\7\0\0\0\x15kho-v4\0\0\0\0\0\2\0\0\0\x09";

static void put_running(const char *cmdline) {
        const KernelSpec spec = kernel_spec();

        put_text("proc/sys/kernel/osrelease", "7.3.4\n");
        put_text("proc/sys/kernel/version", spec.version);
        put_text("proc/sys/kernel/random/boot_id", "01234567-89ab-cdef-0123-456789abcdef\n");
        put_text("proc/cmdline", cmdline);
}

static void put_debugfs(const char *fdt_path, uint8_t next_update) {
        char luo[32] = "luo-v5";

        luo[8] = (char)next_update;
        put_file(fdt_path, fdt, sizeof(fdt) - 1);
        put_file(KHO "out/sub_fdts/LUO", luo, sizeof(luo));
        put_text(KHO "out/scratch_len", "0x2800000\n0x10000000\n");
        put_text(KHO "out/scratch_phys", "0x1000000\n0x140000000\n");
}

static HostFacts read_facts(void) {
        HostFacts f;

        assert_int_equal(host_read_facts(root, &f), 0);
        assert_int_equal(host_complete_facts(root, &f), 0);
        return f;
}

static void test_all_sources(void **state) {
        const KernelSpec spec = kernel_spec();

        put_running("BOOT_IMAGE=/vmlinuz root=/dev/vda1 kho=on\n");
        put_debugfs(KHO "out/fdt", 1);
        put_kernel("usr/lib/modules/7.3.4/vmlinuz", &spec);
        HostFacts f = read_facts();
        assert_string_equal(f.release, "7.3.4");
        assert_string_equal(f.version, spec.version);
        assert_string_equal(f.boot_id, "01234567-89ab-cdef-0123-456789abcdef");
        assert_string_equal(f.cmdline, "BOOT_IMAGE=/vmlinuz root=/dev/vda1 kho=on");
        assert_string_equal(f.abi.kho, "kho-v4");
        assert_string_equal(f.abi.luo, "luo-v5");
        assert_string_equal(f.abi.memfd, "memfd-v2");
        assert_string_equal(f.image_path, "/usr/lib/modules/7.3.4/vmlinuz");
        assert_true(f.update_number_known);
        assert_int_equal(f.update_number, 0);
        assert_int_equal(f.n_scratch, 2);
        assert_int_equal(f.scratch[0], 0x2800000);
        assert_int_equal(f.scratch_address[1], 0x140000000);
        assert_true(f.debugfs);
        host_facts_done(&f);
}

/* After a handover there is no out/fdt, and in/sub_fdts/LUO is somebody else's memory. */
static void test_after_handover(void **state) {
        put_running("kho=on");
        put_debugfs(KHO "in/fdt", 3);
        put_text(KHO "in/sub_fdts/LUO", "luo-v9\0\0\x63\0\0\0\0\0\0\0");
        HostFacts f = read_facts();
        assert_string_equal(f.abi.kho, "kho-v4");
        assert_string_equal(f.abi.luo, "luo-v5");
        assert_string_equal(f.abi.memfd, "");
        assert_string_equal(f.image_path, "");
        assert_true(f.update_number_known);
        assert_int_equal(f.update_number, 2);
        host_facts_done(&f);
}

static void test_nothing_there(void **state) {
        HostFacts f = read_facts();

        assert_true(*f.release); /* uname(2) */
        assert_string_equal(f.cmdline, "");
        assert_string_equal(f.abi.kho, "");
        assert_string_equal(f.abi.luo, "");
        assert_string_equal(f.abi.memfd, "");
        assert_false(f.update_number_known);
        assert_int_equal(f.n_scratch, 0);
        assert_false(f.debugfs);
        host_facts_done(&f);
        assert_int_equal(host_read_facts("/nonexistent/root", &f), -ENOENT);
}

static void test_image_alone(void **state) {
        static const struct {
                const char *cmdline, *path;
        } rows[] = {
                { "quiet", "lib/modules/7.3.4/vmlinuz" },
                { "quiet", "boot/vmlinuz-7.3.4" },
                { "BOOT_IMAGE=/boot/kernels/a.img quiet", "boot/kernels/a.img" },
                { "BOOT_IMAGE=(hd0,gpt2)/kernels/b.img", "boot/kernels/b.img" },
        };
        const KernelSpec spec = kernel_spec();

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                char want[128];

                assert_int_equal(make_root(NULL), 0);
                put_running(rows[i].cmdline);
                put_kernel(rows[i].path, &spec);
                HostFacts f = read_facts();
                (void)snprintf(want, sizeof(want), "/%s", rows[i].path);
                assert_string_equal(f.image_path, want);
                assert_string_equal(f.abi.kho, "kho-v4");
                assert_string_equal(f.abi.luo, "luo-v5");
                assert_string_equal(f.abi.memfd, "memfd-v2");
                assert_false(f.debugfs);
                host_facts_done(&f);
                if (i + 1 < ELEMENTSOF(rows))
                        assert_int_equal(remove_root(NULL), 0);
        }
}

/* The same release, but installed over the running kernel: its strings prove nothing. */
static void test_image_of_another_build(void **state) {
        KernelSpec spec = kernel_spec();

        spec.version = "#2 SMP PREEMPT_DYNAMIC Tue Jan  6 10:00:00 UTC 2026";
        put_running("quiet");
        put_kernel("usr/lib/modules/7.3.4/vmlinuz", &spec);
        HostFacts f = read_facts();
        assert_string_equal(f.image_path, "");
        assert_non_null(strstr(f.image_problem, "another build"));
        assert_string_equal(f.abi.memfd, "");
        host_facts_done(&f);
}

/* debugfs is this kernel's own word and wins over an image. */
static void test_debugfs_wins(void **state) {
        KernelSpec spec = kernel_spec();

        (void)snprintf(spec.abi.luo, sizeof(spec.abi.luo), "luo-v7");
        put_running("quiet");
        put_debugfs(KHO "out/fdt", 1);
        put_kernel("boot/vmlinuz-7.3.4", &spec);
        HostFacts f = read_facts();
        assert_string_equal(f.abi.luo, "luo-v5");
        assert_string_equal(f.abi.memfd, "memfd-v2");
        host_facts_done(&f);
}

static void test_nonsense(void **state) {
        static const char *const lengths[] = { "", "40\n", "0x\n", "0x10", "0x10 \n", "0x11112222333344445\n" };

        put_running("quiet");
        put_text(KHO "out/fdt", "not a tree");
        put_text(KHO "out/sub_fdts/LUO", "luo-v5");
        put_text("boot/vmlinuz-7.3.4", "not a kernel");
        for (size_t i = 0; i < ELEMENTSOF(lengths); i++) {
                put_text(KHO "out/scratch_len", lengths[i]);
                HostFacts f = read_facts();
                assert_int_equal(f.n_scratch, 0);
                assert_string_equal(f.abi.kho, "");
                assert_string_equal(f.abi.luo, "");
                assert_false(f.update_number_known);
                assert_true(f.debugfs);
                assert_non_null(strstr(f.image_problem, "/boot/vmlinuz-7.3.4"));
                host_facts_done(&f);
        }
        /* Sizes without addresses are still sizes. */
        put_text(KHO "out/scratch_len", "0x2000000\n0x0\n");
        put_text(KHO "out/scratch_phys", "0x1000000\n");
        HostFacts f = read_facts();
        assert_int_equal(f.n_scratch, 2);
        assert_int_equal(f.scratch[0], 0x2000000);
        assert_true(f.scratch_address[0] >= UINT64_C(1) << 32);
        assert_true(f.scratch_address[1] > f.scratch_address[0] + f.scratch[0]);
        host_facts_done(&f);
}

#define T(f) cmocka_unit_test_setup_teardown(f, make_root, remove_root)

int main(void) {
        const struct CMUnitTest tests[] = {
                T(test_all_sources),
                T(test_after_handover),
                T(test_nothing_there),
                cmocka_unit_test_teardown(test_image_alone, remove_root),
                T(test_image_of_another_build),
                T(test_debugfs_wins),
                T(test_nonsense),
        };

        return cmocka_run_group_tests_name("host", tests, NULL, NULL);
}
