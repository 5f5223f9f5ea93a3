/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The real kexec port as far as it goes without touching the machine's own kexec: the
 * verdict on crafted images against a crafted host, and what the errors of the system
 * calls mean. load() and jump() run in the VM.
 */
#include "support/bzimage.h"
#include "sys/kexec.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>

#include <cmocka.h>

static char running_cmdline[] = "BOOT_IMAGE=/vmlinuz root=/dev/vda1 kho=on liveupdate=on";

static HostFacts host_like_kernel_spec(void) {
        return (HostFacts){
                .release = "7.3.3",
                .cmdline = running_cmdline,
                .abi = { .kho = "kho-v4", .luo = "luo-v5", .memfd = "memfd-v2" },
                .image_path = "/boot/vmlinuz-7.3.3",
                .scratch = { 64 << 20, 128 << 20 },
                .scratch_address = { 16 << 20, UINT64_C(1) << 32 },
                .n_scratch = 2,
                .debugfs = true,
        };
}

typedef struct Request {
        HostFacts host;
        KernelSpec spec;
        Bytes initrd; /* .data NULL: none given */
        const char *cmdline;
} Request;

static Request good_request(void) {
        return (Request){ .host = host_like_kernel_spec(), .spec = kernel_spec(), .cmdline = "quiet" };
}

static int judge_bytes(const Request *q, const Bytes *image, KernelImage *ret, Refusal *refusal) {
        _cleanup_close_ int kernel = bytes_to_fd(image, image->size);
        _cleanup_close_ int initrd = q->initrd.data ? bytes_to_fd(&q->initrd, q->initrd.size) : -1;
        KexecReal real;
        Kexec k = kexec_real(&real, &q->host);

        return kexec_judge(&k, kernel, initrd, q->cmdline, ret, refusal);
}

static int judge_spec(const Request *q, KernelImage *ret, Refusal *refusal) {
        _cleanup_bytes_ Bytes image = bzimage_build(&q->spec);

        return judge_bytes(q, &image, ret, refusal);
}

static void assert_judged(const Request *q, Reason reason, const char *detail) {
        KernelImage image = KERNEL_IMAGE_INIT;
        Refusal why = {};

        assert_int_equal(judge_spec(q, &image, &why), reason_errno(reason));
        assert_int_equal(why.reason, reason);
        if (!strstr(why.detail, detail))
                fail_msg("'%s' does not contain '%s'", why.detail, detail);
        assert_int_equal(image.kernel_fd, -1);
        assert_null(image.cmdline);
}

static void assert_contents(int fd, const char *want) {
        char text[64] = "";

        assert_int_equal(pread(fd, text, sizeof(text), 0), strlen(want));
        assert_string_equal(text, want);
        assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
}

static void test_accepted(void **state) {
        Request q = good_request();
        KernelImage image = KERNEL_IMAGE_INIT;
        Refusal why = {};

        q.initrd = bytes_of("initrd", 6);
        assert_int_equal(judge_spec(&q, &image, &why), 0);
        assert_int_equal(why.reason, REASON_NONE);
        assert_true(image.kernel_fd >= 0);
        assert_contents(image.initrd_fd, "initrd");
        assert_string_equal(image.cmdline, "quiet kho=on liveupdate=on");
        assert_string_equal(image.verdict.release, "7.3.4");
        assert_string_equal(image.verdict.version, q.spec.version);
        assert_string_equal(image.verdict.abi.luo, "luo-v5");
        assert_int_equal(image.verdict.memory_size, 16 << 20);
        assert_int_equal(image.verdict.initrd_size, 6);
        assert_true(image.verdict.image_size > 1024);
        assert_false(image.verdict.uki);
        kernel_image_done(&image);
        bytes_done(&q.initrd);
}

/* Each thing that can be wrong, and only that. */
static void test_refused(void **state) {
        Request q = good_request();

        q.spec.abi.kho[0] = '\0';
        assert_judged(&q, REASON_IMAGE_NO_KHO, "KHO");
        q = good_request();
        q.spec.abi.luo[0] = '\0';
        assert_judged(&q, REASON_IMAGE_NO_LUO, "LUO");
        q = good_request();
        q.spec.abi.memfd[0] = '\0';
        assert_judged(&q, REASON_IMAGE_NO_MEMFD, "memfd");
        q = good_request();
        q.spec.abi.kho[5] = '3';
        assert_judged(&q, REASON_IMAGE_KHO_ABI, "running kho-v4, next kho-v3");
        q = good_request();
        q.spec.abi.luo[5] = '6';
        assert_judged(&q, REASON_IMAGE_LUO_ABI, "running luo-v5, next luo-v6");
        q = good_request();
        q.spec.abi.memfd[7] = '3';
        assert_judged(&q, REASON_IMAGE_MEMFD_ABI, "running memfd-v2, next memfd-v3");
        q = good_request();
        q.spec.compression = COMPRESSION_LZO;
        assert_judged(&q, REASON_IMAGE_UNSUPPORTED_COMPRESSION, "lzo");
        q = good_request();
        q.spec.relocatable = false;
        assert_judged(&q, REASON_IMAGE_NOT_A_KERNEL, "relocatable");
        q = good_request();
        q.spec.size_difference = 1;
        assert_judged(&q, REASON_IMAGE_TRUNCATED, "it should have");
        q = good_request();
        q.cmdline = "quiet\nkho=off";
        assert_judged(&q, REASON_CMDLINE_INVALID, "0x0a");
        q = good_request();
        q.spec.cmdline_size = 40;
        assert_judged(&q, REASON_CMDLINE_TOO_LONG, "takes 9");
        q = good_request();
        q.spec.memory_size = 200 << 20;
        assert_judged(&q, REASON_SCRATCH_TOO_SMALL,
                      "needs 200 MiB in one piece, the initrd 0 MiB; the areas have 64, 128");
}

/* The order of the checks: what is wrong with the file comes before what this host lacks. */
static void test_first_refusal(void **state) {
        Request q = good_request();

        q.cmdline = "\x01";
        q.spec.memory_size = 200 << 20;
        q.spec.abi.luo[5] = '6';
        q.spec.size_difference = 1;
        assert_judged(&q, REASON_IMAGE_TRUNCATED, "");
        q.spec.size_difference = 0;
        assert_judged(&q, REASON_IMAGE_LUO_ABI, "");
        q.spec.abi.luo[5] = '5';
        assert_judged(&q, REASON_CMDLINE_INVALID, "");
        q.cmdline = "quiet";
        assert_judged(&q, REASON_SCRATCH_TOO_SMALL, "");
}

static void test_running_unknown(void **state) {
        Request q = good_request();

        q.host.abi.memfd[0] = '\0';
        q.host.image_path[0] = '\0';
        assert_judged(&q, REASON_RUNNING_ABI_UNKNOWN, "memfd ABI string was not found; no image of it: none in");
        (void)snprintf(q.host.image_problem, sizeof(q.host.image_problem), "/boot/vmlinuz-7.3.3: another build");
        assert_judged(&q, REASON_RUNNING_ABI_UNKNOWN, "/boot/vmlinuz-7.3.3: another build");
        q.host.debugfs = false;
        q.host.abi.kho[0] = '\0';
        assert_judged(&q, REASON_RUNNING_ABI_UNKNOWN, "KHO ABI string was not found, debugfs kho is not there");
        q = good_request();
        q.host.abi.memfd[0] = '\0';
        assert_judged(&q, REASON_RUNNING_ABI_UNKNOWN, "not in /boot/vmlinuz-7.3.3");
}

static void test_scratch_unknown(void **state) {
        Request q = good_request();
        KernelImage image = KERNEL_IMAGE_INIT;

        q.host.n_scratch = 0;
        q.spec.memory_size = 200 << 20;
        assert_int_equal(judge_spec(&q, &image, NULL), 0);
        kernel_image_done(&image);
}

static void test_initrd_size(void **state) {
        Request q = good_request();
        _cleanup_bytes_ Bytes kernel = bzimage_build(&q.spec);
        _cleanup_close_ int kernel_fd = bytes_to_fd(&kernel, kernel.size), initrd = bytes_to_fd(&kernel, 0);
        KernelImage image = KERNEL_IMAGE_INIT;
        KexecReal real;
        Kexec k = kexec_real(&real, &q.host);
        Refusal why = {};

        assert_int_equal(kexec_judge(&k, kernel_fd, initrd, "", &image, NULL), 0);
        assert_int_equal(image.initrd_fd, -1); /* empty is none */
        kernel_image_done(&image);
        assert_int_equal(ftruncate(initrd, INT64_C(140) << 20), 0);
        assert_int_equal(kexec_judge(&k, kernel_fd, initrd, "", &image, &why), reason_errno(REASON_SCRATCH_TOO_SMALL));
        assert_non_null(strstr(why.detail, "the initrd 140 MiB"));
        assert_string_equal(why.subject, "initrd");
        _cleanup_close_ int dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_int_equal(kexec_judge(&k, kernel_fd, dir, "", &image, &why), reason_errno(REASON_INVALID_ARGUMENT));
        assert_string_equal(why.subject, "initrd");
        assert_int_equal(image.kernel_fd, -1);
}

/* What is given wins, then the UKI's, then the running kernel's. */
static void test_precedence(void **state) {
        Request q = good_request();
        _cleanup_bytes_ Bytes kernel = bzimage_build(&q.spec), initrd = bytes_of("inner", 5);
        _cleanup_bytes_ Bytes uki = uki_build(&kernel, NULL, &initrd, "from=uki");
        KernelImage image = KERNEL_IMAGE_INIT;

        q.cmdline = NULL;
        assert_int_equal(judge_bytes(&q, &uki, &image, NULL), 0);
        assert_true(image.verdict.uki);
        assert_int_equal(image.verdict.initrd_size, 5);
        assert_contents(image.initrd_fd, "inner");
        assert_string_equal(image.cmdline, "from=uki kho=on liveupdate=on");
        kernel_image_done(&image);

        q.cmdline = "from=caller";
        q.initrd = bytes_of("given", 5);
        assert_int_equal(judge_bytes(&q, &uki, &image, NULL), 0);
        assert_contents(image.initrd_fd, "given");
        assert_string_equal(image.cmdline, "from=caller kho=on liveupdate=on");
        kernel_image_done(&image);
        bytes_done(&q.initrd);

        q.cmdline = "";
        assert_int_equal(judge_bytes(&q, &kernel, &image, NULL), 0);
        assert_string_equal(image.cmdline, "root=/dev/vda1 kho=on liveupdate=on");
        kernel_image_done(&image);
}

/* A verdict leaves no descriptor behind, whatever it is. */
static void test_no_leak(void **state) {
        Request q = good_request();
        _cleanup_bytes_ Bytes kernel = bzimage_build(&q.spec), initrd = bytes_of("inner", 5);
        _cleanup_bytes_ Bytes uki = uki_build(&kernel, NULL, &initrd, "from=uki");
        int before = open("/dev/null", O_RDONLY | O_CLOEXEC);

        fd_close(before);
        for (int i = 0; i < 4; i++) {
                KernelImage image = KERNEL_IMAGE_INIT;

                q.host.abi.memfd[7] = i & 1 ? '9' : '2';
                q.host.n_scratch = i & 2 ? 2 : 0;
                (void)judge_bytes(&q, &uki, &image, NULL);
                kernel_image_done(&image);
        }
        int after = open("/dev/null", O_RDONLY | O_CLOEXEC);
        assert_int_equal(after, before);
        fd_close(after);
}

static void test_load_errors(void **state) {
        static const struct {
                int error;
                bool disabled;
                const char *lockdown;
                Reason reason;
                const char *detail;
        } rows[] = {
                { -EADDRNOTAVAIL, false, "", REASON_SCRATCH_TOO_SMALL, "EADDRNOTAVAIL" },
                { -EBUSY, false, "", REASON_LOAD_KEXEC_BUSY, "EBUSY" },
                { -ENOEXEC, false, "", REASON_LOAD_REFUSED, "ENOEXEC" },
                { -EINVAL, false, "", REASON_LOAD_REFUSED, "EINVAL" },
                { -EKEYREJECTED, false, "", REASON_LOAD_REFUSED, "signature" },
                { -ENODATA, false, "", REASON_LOAD_REFUSED, "signature" },
                { -EPERM, true, "integrity", REASON_KEXEC_DISABLED, "kexec_load_disabled" },
                { -EPERM, false, "integrity", REASON_LOAD_REFUSED, "lockdown is 'integrity'" },
                { -EPERM, false, "none", REASON_KEXEC_DISABLED, "CAP_SYS_BOOT" },
                { -EPERM, false, "", REASON_KEXEC_DISABLED, "CAP_SYS_BOOT" },
                { -ENOSYS, false, "", REASON_KEXEC_DISABLED, "CONFIG_KEXEC_FILE" },
                { -ETXTBSY, false, "", REASON_LOAD_REFUSED, "open for writing" },
                { -ENOMEM, false, "", REASON_SYSTEM, "" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                Refusal why = {};
                int r = kexec_load_failed(rows[i].error, rows[i].disabled, rows[i].lockdown, &why);

                assert_true(r < 0);
                assert_int_equal(why.reason, rows[i].reason);
                assert_non_null(strstr(why.detail, rows[i].detail));
        }
}

static void test_jump_errors(void **state) {
        static const struct {
                int error;
                bool loaded;
                Reason reason;
        } rows[] = {
                { -EINVAL, false, REASON_NO_IMAGE },      { -EINVAL, true, REASON_FREEZE_FAILED },
                { -EBUSY, true, REASON_LOAD_KEXEC_BUSY }, { -EPERM, true, REASON_REBOOT_FAILED },
                { -ENOMEM, true, REASON_FREEZE_FAILED },  { -ENOSPC, true, REASON_FREEZE_FAILED },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                Refusal why = {};

                assert_int_equal(kexec_jump_failed(rows[i].error, rows[i].loaded, "", &why),
                                 reason_errno(rows[i].reason));
                assert_int_equal(why.reason, rows[i].reason);
                assert_true(*why.detail);
        }
}

static void test_freeze_culprit(void **state) {
        char text[128] = "nothing";
        Refusal why = {};

        assert_false(kexec_freeze_culprit("", text, sizeof(text)));
        assert_false(kexec_freeze_culprit("4,1,2,-;luo_file: Freeze failed", text, sizeof(text)));
        assert_false(kexec_freeze_culprit("4,1,2,-;luo_file: Freeze failed for token[0x1", text, sizeof(text)));
        assert_string_equal(text, "nothing");
        assert_true(kexec_freeze_culprit(
                "4,512,73,-;luo_file: Freeze failed for token[0x1f] handler[memfd-v2] err[-EIO]\n", text,
                sizeof(text)));
        assert_string_equal(text, "token 0x1f, handler memfd-v2");
        assert_true(kexec_freeze_culprit("Freeze failed for token[0x1f] handler[memfd-v2", text, 12));
        assert_string_equal(text, "token 0x1f,");
        (void)kexec_jump_failed(-EIO, true, "token 0x1f, handler memfd-v2", &why);
        assert_int_equal(why.reason, REASON_FREEZE_FAILED);
        assert_string_equal(why.detail, "EIO; token 0x1f, handler memfd-v2");
}

static void test_loaded(void **state) {
        static const struct {
                const char *newer, *older;
                int loaded;
        } rows[] = { { NULL, NULL, 0 },  { "1\n", NULL, 1 }, { "0\n", NULL, 0 },
                     { NULL, "1\n", 1 }, { NULL, "0\n", 0 }, { "0\n", "1\n", 0 } };
        char root[] = "/tmp/test-kexec-XXXXXX", path[128];
        static const char *const dirs[] = { "/sys", "/sys/kernel", "/sys/kernel/kexec" };
        static const char *const files[] = { "/sys/kernel/kexec/loaded", "/sys/kernel/kexec_loaded" };
        HostFacts host = host_like_kernel_spec();
        KexecReal real;
        Kexec k = kexec_real(&real, &host);

        assert_non_null(mkdtemp(root));
        real.root = root;
        for (size_t i = 0; i < ELEMENTSOF(dirs); i++) {
                (void)snprintf(path, sizeof(path), "%s%s", root, dirs[i]);
                assert_int_equal(mkdir(path, 0700), 0);
        }
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                const char *texts[] = { rows[i].newer, rows[i].older };

                for (size_t j = 0; j < ELEMENTSOF(files); j++) {
                        FILE *f;

                        (void)snprintf(path, sizeof(path), "%s%s", root, files[j]);
                        (void)unlink(path);
                        if (!texts[j])
                                continue;
                        f = fopen(path, "we");
                        assert_non_null(f);
                        fputs(texts[j], f);
                        assert_int_equal(fclose(f), 0);
                }
                assert_int_equal(kexec_loaded(&k), rows[i].loaded);
        }
        for (size_t j = 0; j < ELEMENTSOF(files); j++) {
                (void)snprintf(path, sizeof(path), "%s%s", root, files[j]);
                (void)unlink(path);
        }
        for (size_t i = ELEMENTSOF(dirs); i-- > 0;) {
                (void)snprintf(path, sizeof(path), "%s%s", root, dirs[i]);
                assert_int_equal(rmdir(path), 0);
        }
        assert_int_equal(rmdir(root), 0);
}

static void test_load_nothing(void **state) {
        const KernelImage none = KERNEL_IMAGE_INIT;
        HostFacts host = host_like_kernel_spec();
        KexecReal real;
        Kexec k = kexec_real(&real, &host);
        Refusal why = {};

        assert_int_equal(kexec_load_image(&k, &none, &why), reason_errno(REASON_NO_IMAGE));
        assert_int_equal(why.reason, REASON_NO_IMAGE);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_accepted),        cmocka_unit_test(test_refused),
                cmocka_unit_test(test_first_refusal),   cmocka_unit_test(test_running_unknown),
                cmocka_unit_test(test_scratch_unknown), cmocka_unit_test(test_initrd_size),
                cmocka_unit_test(test_precedence),      cmocka_unit_test(test_no_leak),
                cmocka_unit_test(test_load_errors),     cmocka_unit_test(test_jump_errors),
                cmocka_unit_test(test_freeze_culprit),  cmocka_unit_test(test_freeze_culprit),
                cmocka_unit_test(test_loaded),          cmocka_unit_test(test_load_nothing),
        };

        return cmocka_run_group_tests_name("kexec", tests, NULL, NULL);
}
