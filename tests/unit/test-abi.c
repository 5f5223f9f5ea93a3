/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/abi.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static KernelAbi scan_in_steps(const char *data, size_t size, size_t step) {
        AbiScanner s = {};

        for (size_t at = 0; at < size; at += step)
                abi_scanner_feed(&s, data + at, MIN_OF(step, size - at));
        return s.found;
}

static void assert_abi(KernelAbi abi, const char *kho, const char *luo, const char *memfd) {
        assert_string_equal(abi.kho, kho);
        assert_string_equal(abi.luo, luo);
        assert_string_equal(abi.memfd, memfd);
}

#define SCAN(literal) scan_in_steps(literal, sizeof(literal) - 1, 1000)

static void test_whole_strings(void **state) {
        assert_abi(SCAN("\0kho-v4\0luo-v5\0memfd-v2\0"), "kho-v4", "luo-v5", "memfd-v2");
        assert_abi(SCAN("luo-v5\0"), "", "luo-v5", "");
        assert_abi(SCAN("\377luo-v123456789\0"), "", "luo-v123456789", "");
        assert_abi(SCAN("\0memfd-v10\0x-\0-"), "", "", "memfd-v10");
}

/* The sign of the patch for SR-IOV. */
static void test_iov(void **state) {
        assert_string_equal(SCAN("\0pci-iov-keep-v1\0luo-v5\0").iov, "pci-iov-keep-v1");
        assert_string_equal(SCAN("\0luo-v5\0").iov, "");
        assert_string_equal(SCAN("\0xpci-iov-keep-v1\0pci-iov-keep-v1x\0pci-iov-keep-v\0iov-keep-v1\0").iov, "");
        for (size_t step = 1; step < 20; step++)
                assert_string_equal(scan_in_steps("text \0pci-iov-keep-v12\0more", 27, step).iov, "pci-iov-keep-v12");
}

static void test_not_whole(void **state) {
        assert_abi(SCAN("\0old kho-v4\0xluo-v5\0_memfd-v2\0"), "", "", "");
        assert_abi(SCAN("\0kho-v4 is needed\0luo-v5'\0memfd-v2"), "", "", "");
        assert_abi(SCAN("\0luo-v\0luo-v5a\0luo-v1234567890\0luo-5\0luov5\0LUO-v5\0"), "", "", "");
        assert_abi(SCAN("\0luo-session-v2\0memfd-luo-v2\0vfio-pci-v1\0"), "", "", "");
        assert_abi(SCAN("-v4\0-v\0-"), "", "", "");
        assert_abi(SCAN(""), "", "", "");
}

static void test_highest_wins(void **state) {
        assert_abi(SCAN("\0luo-v5\0luo-v10\0luo-v9\0"), "", "luo-v10", "");
        assert_abi(SCAN("\0luo-v10\0luo-v5\0"), "", "luo-v10", "");
}

/* The same bytes in pieces of each size, so that each string is cut at each place. */
static void test_pieces(void **state) {
        char data[700];

        memset(data, 'x', sizeof(data));
        memcpy(data + 101, "\0kho-v4", 8);
        memcpy(data + 302, "\0luo-v123456789", 16);
        memcpy(data + 590, "\0memfd-v2", 10);
        memcpy(data + 650, "luo-v999999999", 15); /* text before it */
        for (size_t step = 1; step <= sizeof(data); step++)
                assert_abi(scan_in_steps(data, sizeof(data), step), "kho-v4", "luo-v123456789", "memfd-v2");
}

/* One cut, anywhere. */
static void test_one_boundary(void **state) {
        static const char data[] = "noise\0memfd-v2\0noise that goes on for longer than what the scanner keeps of it";

        for (size_t cut = 0; cut <= sizeof(data); cut++) {
                AbiScanner s = {};

                abi_scanner_feed(&s, data, cut);
                abi_scanner_feed(&s, data + cut, sizeof(data) - cut);
                assert_abi(s.found, "", "", "memfd-v2");
        }
}

/* As fdt_create() and its likes write it: header, empty reserve map, the structure. */
static size_t build_fdt(unsigned char *buf, const char *compatible) {
        static const unsigned char header[56] = { 0xd0, 0x0d, 0xfe, 0xed, 0, 0, 0, 200, 0, 0, 0, 56 };
        size_t n = strlen(compatible) + 1, at = sizeof(header);

        memset(buf, 0, 256);
        memcpy(buf, header, sizeof(header));
        buf[at + 3] = 1; /* FDT_BEGIN_NODE, name "" */
        at += 8;
        buf[at + 3] = 4; /* FDT_NOP */
        at += 4;
        buf[at + 3] = 3; /* FDT_PROP: the address of the memory map */
        buf[at + 7] = 8;
        at += 12 + 8;
        buf[at + 3] = 3;
        buf[at + 7] = (unsigned char)n;
        buf[at + 11] = 21;
        memcpy(buf + at + 12, compatible, n);
        at += 12 + ((n + 3) & ~(size_t)3);
        buf[at + 3] = 2; /* FDT_END_NODE */
        return at + 4;
}

static void test_fdt(void **state) {
        unsigned char buf[256];
        char kho[ABI_STRING_MAX] = "untouched";
        size_t size = build_fdt(buf, "kho-v4"), needed = size - 4 - 1; /* end of node, padding */

        for (size_t n = 0; n < needed; n++) {
                assert_int_equal(abi_from_fdt(buf, n, kho), -EBADMSG);
                assert_string_equal(kho, "untouched");
        }
        /* Cut after the property, as debugfs may show it. */
        for (size_t n = needed; n <= size; n++)
                assert_int_equal(abi_from_fdt(buf, n, kho), 0);
        assert_string_equal(kho, "kho-v4");
        size = build_fdt(buf, "kho-vX");
        assert_int_equal(abi_from_fdt(buf, size, kho), -EBADMSG);
        size = build_fdt(buf, "kho-v4");
        buf[8] = 0xff; /* structure block outside */
        assert_int_equal(abi_from_fdt(buf, size, kho), -EBADMSG);
        buf[0] = 0;
        assert_int_equal(abi_from_fdt(buf, size, kho), -EBADMSG);
}

static void test_luo_state(void **state) {
        static const char blob[] = "luo-v5\0\0\x07\0\0\0\0\0\0\0pointers", longer[] = "luo-v10\0\x01\x02\0\0\0\0\0\0";
        char luo[ABI_STRING_MAX] = "untouched";
        uint64_t number = 99;

        for (size_t n = 0; n < 16; n++)
                assert_int_equal(abi_from_luo_state(blob, n, luo, &number), -EBADMSG);
        assert_string_equal(luo, "untouched");
        assert_int_equal(number, 99);
        assert_int_equal(abi_from_luo_state(blob, 16, luo, &number), 0);
        assert_string_equal(luo, "luo-v5");
        assert_int_equal(number, 7);
        assert_int_equal(abi_from_luo_state(longer, 16, luo, &number), 0);
        assert_string_equal(luo, "luo-v10");
        assert_int_equal(number, 0x201);
        assert_int_equal(abi_from_luo_state("kho-v4\0\0\0\0\0\0\0\0\0\0", 16, luo, &number), -EBADMSG);
}

static void test_compatible(void **state) {
        static const struct {
                KernelAbi running, next;
                Reason reason;
                const char *detail;
        } rows[] = {
                { { "kho-v4", "luo-v5", "memfd-v2" }, { "kho-v4", "luo-v5", "memfd-v2" }, REASON_NONE, "" },
                { { "kho-v4", "luo-v5", "memfd-v2" }, { "", "luo-v5", "memfd-v2" }, REASON_IMAGE_NO_KHO, "KHO" },
                { { "kho-v4", "luo-v5", "memfd-v2" }, { "kho-v4", "", "memfd-v2" }, REASON_IMAGE_NO_LUO, "LUO" },
                { { "kho-v4", "luo-v5", "memfd-v2" }, { "kho-v4", "luo-v5", "" }, REASON_IMAGE_NO_MEMFD, "memfd" },
                { { "kho-v4", "luo-v5", "memfd-v2" },
                  { "kho-v5", "luo-v5", "memfd-v2" },
                  REASON_IMAGE_KHO_ABI,
                  "running kho-v4, next kho-v5" },
                { { "kho-v4", "luo-v5", "memfd-v2" },
                  { "kho-v4", "luo-v6", "memfd-v2" },
                  REASON_IMAGE_LUO_ABI,
                  "running luo-v5, next luo-v6" },
                { { "kho-v4", "luo-v5", "memfd-v2" },
                  { "kho-v4", "luo-v5", "memfd-v1" },
                  REASON_IMAGE_MEMFD_ABI,
                  "running memfd-v2, next memfd-v1" },
                { { "", "luo-v5", "memfd-v2" },
                  { "kho-v4", "luo-v5", "memfd-v2" },
                  REASON_RUNNING_ABI_UNKNOWN,
                  "KHO" },
                { { "kho-v4", "", "memfd-v2" },
                  { "kho-v4", "luo-v5", "memfd-v2" },
                  REASON_RUNNING_ABI_UNKNOWN,
                  "LUO" },
                { { "kho-v4", "luo-v5", "" },
                  { "kho-v4", "luo-v5", "memfd-v2" },
                  REASON_RUNNING_ABI_UNKNOWN,
                  "memfd" },
                /* What the image lacks is said before what is not known. */
                { { "", "", "" }, { "", "", "" }, REASON_IMAGE_NO_KHO, "KHO" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                Refusal why = {};
                int r = abi_compatible(&rows[i].running, &rows[i].next, &why);

                assert_int_equal(r, reason_errno(rows[i].reason));
                assert_int_equal(why.reason, rows[i].reason);
                assert_non_null(strstr(why.detail, rows[i].detail));
                assert_int_equal(abi_compatible(&rows[i].running, &rows[i].next, NULL), r);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_whole_strings), cmocka_unit_test(test_iov),
                cmocka_unit_test(test_not_whole),     cmocka_unit_test(test_highest_wins),
                cmocka_unit_test(test_pieces),        cmocka_unit_test(test_one_boundary),
                cmocka_unit_test(test_fdt),           cmocka_unit_test(test_luo_state),
                cmocka_unit_test(test_compatible),
        };

        return cmocka_run_group_tests_name("abi", tests, NULL, NULL);
}
