/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A machine's record: what is written comes back; what is torn or strange is refused. */
/* cmocka.h wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "qemu/spec.h"

static void make(Spec *s) {
        *s = (Spec){ .name = strdup("vm-a"),
                     .program = strdup("/usr/bin/qemu"),
                     .version = strdup("7.2.22"),
                     .directory = strdup("/srv"),
                     .machine = strdup("pc-q35-7.2,accel=tcg"),
                     .ram_id = strdup("ram"),
                     .ram_size = UINT64_C(1) << 40,
                     .agent = strdup("/run/\"agent\""),
                     .paused = true };
        assert_int_equal(strv_add(&s->args, "-append"), 0);
        assert_int_equal(strv_add(&s->args, "größer \\ \n"), 0);
        assert_int_equal(strv_add(&s->devices, "d/child<e1000e>"), 0);
        assert_int_equal(spec_add_disk(s, "/srv/a.img", 8 << 20), 0);
        s->state_size = 380000;
        s->state_crc = 0xffffffff;
}

static void test_round_trip(void **state) {
        _cleanup_(spec_done) Spec a = { 0 }, b = { 0 };
        _cleanup_free_ char *text = NULL, *again = NULL;
        size_t size, again_size;
        Problem p;

        make(&a);
        assert_int_equal(spec_encode(&a, &text, &size), 0);
        assert_int_equal(spec_decode(text, size, &b, &p), 0);
        assert_true(strv_equal(&a.args, &b.args));
        assert_int_equal(b.n_disks, 1);
        assert_true(b.paused);
        assert_true(b.state_size == 380000);
        assert_true(b.state_crc == 0xffffffff);
        assert_int_equal(spec_encode(&b, &again, &again_size), 0);
        assert_string_equal(text, again);
}

/* What would not be read in the next kernel is refused in this one. */
static void test_record_that_nobody_reads(void **state) {
        _cleanup_(spec_done) Spec a = { 0 };
        Problem p;

        make(&a);
        assert_int_equal(spec_check_record(&a, &p), 0);
        assert_int_equal(spec_add_disk(&a,
                                       "/srv/gr\xf6\xdf"
                                       "er.img",
                                       0),
                         0);
        assert_int_equal(spec_check_record(&a, &p), -EINVAL);
        assert_string_equal(p.code, "command-line");
        assert_non_null(strstr(p.text, "not UTF-8"));
        spec_done(&a);
        make(&a);
        while (a.args.n < SPEC_ITEMS_MAX)
                assert_int_equal(strv_add(&a.args, "-d"), 0);
        assert_int_equal(spec_check_record(&a, &p), 0);
        assert_int_equal(strv_add(&a.args, "-d"), 0);
        assert_int_equal(spec_check_record(&a, &p), -EINVAL);
        assert_non_null(strstr(p.text, "too long"));
        spec_done(&a);
        make(&a);
        _cleanup_free_ char *word = malloc(SPEC_SIZE_MAX + 1);
        assert_non_null(word);
        memset(word, 'x', SPEC_SIZE_MAX);
        word[SPEC_SIZE_MAX] = '\0';
        assert_int_equal(strv_add(&a.args, word), 0);
        assert_int_equal(spec_check_record(&a, &p), -EINVAL);
        assert_non_null(strstr(p.text, "too long"));
}

static void test_every_prefix_is_refused(void **state) {
        _cleanup_(spec_done) Spec a = { 0 }, b = { 0 };
        _cleanup_free_ char *text = NULL;
        Problem p;
        size_t size;

        make(&a);
        assert_int_equal(spec_encode(&a, &text, &size), 0);
        for (size_t n = 0; n < size; n++) {
                assert_int_equal(spec_decode(text, n, &b, &p), -EINVAL);
                assert_null(b.name);
        }
}

static void test_every_byte(void **state) {
        _cleanup_(spec_done) Spec a = { 0 };
        _cleanup_free_ char *text = NULL;
        Problem p;
        size_t size;

        make(&a);
        assert_int_equal(spec_encode(&a, &text, &size), 0);
        for (size_t n = 0; n < size; n++)
                for (int bit = 0; bit < 8; bit++) {
                        Spec b = { 0 };
                        text[n] = (char)(text[n] ^ 1 << bit);
                        /* It may still be a record, of another machine; never a crash. */
                        if (spec_decode(text, size, &b, &p) == 0)
                                assert_non_null(b.name);
                        spec_done(&b);
                        text[n] = (char)(text[n] ^ 1 << bit);
                }
}

static void assert_refused(const char *text, const char *code) {
        Spec s = { 0 };
        Problem p = { 0 };

        assert_int_equal(spec_decode(text, strlen(text), &s, &p), -EINVAL);
        assert_string_equal(p.code, code);
}

#define HEAD                                                                    \
        "{\"name\":\"a\",\"program\":\"/q\",\"qemu\":\"7.2\",\"directory\":\"/" \
        "\",\"machine\":\"m\",\"ram\":\"r\",\"ram-size\":4096,"

static void test_strange(void **state) {
        _cleanup_(spec_done) Spec s = { 0 };
        static const char good[] = HEAD "\"version\":1}";
        Problem p;

        assert_int_equal(spec_decode(good, strlen(good), &s, &p), 0);
        assert_refused("", "record-damaged");
        assert_refused("[]", "record-damaged");
        assert_refused(HEAD "\"version\":2}", "record-version");
        assert_refused(HEAD "\"args\":[]}", "record-damaged");
        assert_refused(HEAD "\"version\":1,\"more\":1}", "record-damaged");
        assert_refused(HEAD "\"version\":1,\"args\":[1]}", "record-damaged");
        assert_refused(HEAD "\"version\":1,\"ram-size\":0}", "record-damaged");
        assert_refused(HEAD "\"version\":1,\"ram-size\":-1}", "record-damaged");
        assert_refused(HEAD "\"version\":1,\"program\":\"q\"}", "record-damaged");
        assert_refused(HEAD "\"version\":1,\"name\":\"a\\u0000b\"}", "record-damaged");
        assert_refused(HEAD "\"version\":1,\"disks\":[[\"a\"]]}", "record-damaged");
        assert_refused(HEAD "\"version\":1,\"name\":\"\xff\"}", "record-damaged");
}

static void test_seal(void **state) {
        _cleanup_(spec_done) Spec a = { 0 }, b = { 0 };
        _cleanup_free_ char *text = NULL;
        Problem p = { 0 };
        size_t size;

        make(&a);
        assert_int_equal(spec_seal(&a, &text, &size), 0);
        for (size_t n = 0; n < size; n++) {
                assert_int_equal(spec_unseal(text, n, &b, &p), -EINVAL);
                assert_string_equal(p.code, "record-damaged");
        }
        for (size_t i = 0; i < 8 * size; i++) {
                text[i / 8] ^= (char)(1 << i % 8);
                assert_int_equal(spec_unseal(text, size, &b, &p), -EINVAL);
                assert_null(b.name);
                text[i / 8] ^= (char)(1 << i % 8);
        }
        assert_int_equal(spec_unseal(text, size, &b, &p), 0);
        assert_true(strv_equal(&a.args, &b.args));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_round_trip),
                cmocka_unit_test(test_record_that_nobody_reads),
                cmocka_unit_test(test_every_prefix_is_refused),
                cmocka_unit_test(test_every_byte),
                cmocka_unit_test(test_strange),
                cmocka_unit_test(test_seal),
        };
        return cmocka_run_group_tests_name("qemu-spec", tests, NULL, NULL);
}
