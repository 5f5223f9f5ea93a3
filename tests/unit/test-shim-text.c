/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/shim-text.h"

#define LIST(direction, text, ret) shim_parse_list(direction, text, strlen(text), ret)

static void test_lists(void **state) {
        static const char out[] = "0000:02:00.0 8086:10d3 020000 function stop preserved      \n"
                                  "0000:01:00.0 1b36:0010 010802 pf continue frozen           \n";
        static const char in[] = "0000:01:00.1 1b36:0010 010802 vf identity retrieved vfio-pci    \n"
                                 "10000:01:00.0 1b36:0010 010802 pf stop missing -\n";
        ShimList l = {};

        assert_int_equal(LIST(SHIM_OUTGOING, out, &l), 0);
        assert_int_equal(l.n, 2);
        assert_int_equal(l.items[0].address.bus, 1); /* sorted */
        assert_int_equal(l.items[0].kind, SHIM_KIND_PF);
        assert_int_equal(l.items[0].dma, SHIM_DMA_RUNS);
        assert_int_equal(l.items[0].state, SHIM_FROZEN);
        assert_int_equal(l.items[1].vendor, 0x8086);
        assert_int_equal(l.items[1].device, 0x10d3);
        assert_int_equal(l.items[1].class_code, 0x020000);
        assert_string_equal(l.items[1].driver, "");
        shim_list_done(&l);

        assert_int_equal(LIST(SHIM_INCOMING, in, &l), 0);
        assert_int_equal(l.n, 2);
        const ShimDevice *d = shim_list_find(&l, (Address){ 0, 1, 0, 1 });
        assert_non_null(d);
        assert_int_equal(d->dma, SHIM_DMA_IDENTITY);
        assert_string_equal(d->driver, "vfio-pci");
        d = shim_list_find(&l, (Address){ 0x10000, 1, 0, 0 });
        assert_non_null(d);
        assert_int_equal(d->state, SHIM_MISSING);
        assert_string_equal(d->driver, "");
        assert_null(shim_list_find(&l, (Address){ 0, 1, 0, 2 }));
        shim_list_done(&l);

        assert_int_equal(LIST(SHIM_INCOMING, "", &l), 0);
        assert_int_equal(l.n, 0);
        assert_null(shim_list_find(&l, (Address){}));
}

#define TWICE                                                     \
        "0000:02:00.0 8086:10d3 020000 function stop preserved\n" \
        "0000:02:00.0 8086:10d3 020000 function stop preserved\n"

static void test_bad_lists(void **state) {
        static const char *const out[] = {
                "0000:02:00.0 8086:10d3 020000 function stop preserved", /* no end */
                "0000:02:00.0 8086:10d3 020000 function stop waiting\n",
                "0000:02:00.0 8086:10d3 020000 function stop preserved vfio-pci\n",
                "0000:02:00.0 8086:10d3 020000 bridge stop preserved\n",
                "0000:02:00.0 8086:10d3 020000 function maybe preserved\n",
                "0000:02:00.0 8086-10d3 020000 function stop preserved\n",
                "0000:02:00.0 8086:10D3 020000 function stop preserved\n",
                "0000:02:00.0 8086:10d3 2000 function stop preserved\n",
                "0000:02:20.0 8086:10d3 020000 function stop preserved\n",
                "0000:02:00.0 8086:10d3 020000 function stop preserved\n\n",
                "0000:02:00.0\t8086:10d3 020000 function stop preserved\n",
                TWICE,
        };
        static const char nul[] = "0000:02:00.0 8086:10d3 020000\0function stop preserved\n";
        char longest[512];
        ShimList l = {};

        for (size_t i = 0; i < ELEMENTSOF(out); i++)
                assert_int_equal(LIST(SHIM_OUTGOING, out[i], &l), -EBADMSG);
        assert_int_equal(shim_parse_list(SHIM_OUTGOING, nul, sizeof(nul) - 1, &l), -EBADMSG);
        (void)snprintf(longest, sizeof(longest), "%-400s\n", "0000:02:00.0 8086:10d3 020000 function stop preserved");
        assert_int_equal(LIST(SHIM_OUTGOING, longest, &l), -EBADMSG);
        assert_int_equal(LIST(SHIM_INCOMING,
                              "0000:02:00.0 8086:10d3 020000 function stop waiting "
                              "a-driver-whose-name-is-longer-than-any-driver\n",
                              &l),
                         -EBADMSG);
        assert_null(l.items);
}

/* Longer than a page, and in no order. */
static void test_many(void **state) {
        enum { N = 4096 };
        _cleanup_free_ char *text = malloc((size_t)N * 96 + 1);
        ShimList l = {};

        assert_non_null(text);
        for (unsigned i = 0; i < N; i++) {
                unsigned k = (i * 2731) % N;
                (void)sprintf(text + (size_t)i * 96,
                              "%04x:%02x:%02x.%x 8086:10d3 020000 function stop preserved%42s\n", 0, k >> 8,
                              k >> 3 & 31, k & 7, "");
                assert_int_equal(strlen(text), (size_t)(i + 1) * 96);
        }
        assert_int_equal(shim_parse_list(SHIM_OUTGOING, text, (size_t)N * 96, &l), 0);
        assert_int_equal(l.n, N);
        for (unsigned i = 0; i < N; i++)
                assert_ptr_equal(shim_list_find(&l, (Address){ 0, (uint8_t)(i >> 8), i >> 3 & 31, i & 7 }),
                                 &l.items[i]);
        shim_list_done(&l);
}

static void test_held(void **state) {
        static const char text[] = "0000:00:1c.0 004 2 0004 0004 12 dma-continue     \n"
                                   "0000:01:00.0 04 2 4 0 18446744073709551615 dma-stop\n";
        static const char *const bad[] = {
                "0000:00:1c.0 004 3 0004 0004 12 dma-continue\n",
                "0000:00:1c.0 004 2 0004 0004 0c dma-continue\n",
                "0000:00:1c.0 00004 2 0004 0004 12 dma-continue\n",
                "0000:00:1c.0 004 2 0004 0004 12\n",
        };
        ShimHeld *h = NULL;
        size_t n = 0;

        assert_int_equal(shim_parse_held(text, sizeof(text) - 1, &h, &n), 0);
        assert_int_equal(n, 2);
        assert_int_equal(h[0].offset, 4);
        assert_int_equal(h[0].size, 2);
        assert_int_equal(h[0].mask, 4);
        assert_int_equal(h[0].value, 4);
        assert_int_equal(h[0].overridden, 12);
        assert_string_equal(h[0].reason, "dma-continue");
        assert_int_equal(h[1].value, 0);
        assert_true(h[1].overridden == UINT64_MAX);
        free(h);
        h = NULL;
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_int_equal(shim_parse_held(bad[i], strlen(bad[i]), &h, &n), -EBADMSG);
        assert_null(h);
}

static void test_policies(void **state) {
        static const char text[] = "0000:01:00.0 continue\n0000:02:00.0 continue-identity\n0000:03:00.0 stop\n";
        static const char *const bad[] = { "0000:01:00.0 default\n", "0000:01:00.0\n", "01:00 stop\n",
                                           "0000:01:00.0 stop it\n" };
        ShimSetting *s = NULL;
        size_t n = 7;

        assert_int_equal(shim_parse_policies(text, sizeof(text) - 1, &s, &n), 0);
        assert_int_equal(n, 3);
        assert_int_equal(s[0].policy, SHIM_POLICY_CONTINUE);
        assert_int_equal(s[1].policy, SHIM_POLICY_IDENTITY);
        assert_int_equal(s[2].policy, SHIM_POLICY_STOP);
        assert_int_equal(s[2].address.bus, 3);
        free(s);
        s = NULL;
        assert_int_equal(shim_parse_policies("", 0, &s, &n), 0);
        assert_int_equal(n, 0);
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_int_equal(shim_parse_policies(bad[i], strlen(bad[i]), &s, &n), -EBADMSG);
        assert_null(s);
}

static void test_words(void **state) {
        char compatible[SHIM_COMPATIBLE_SIZE] = "as it was";
        unsigned features = 99;

        assert_int_equal(shim_parse_features("vfio dma-continue\n", 18, &features), 0);
        assert_int_equal(features, SHIM_VFIO | SHIM_DMA_CONTINUE);
        assert_int_equal(shim_parse_features("vfio vf unheard-of\n", 19, &features), 0);
        assert_int_equal(features, SHIM_VFIO | SHIM_VF);
        assert_int_equal(shim_parse_features("vfio", 4, &features), -EBADMSG);
        assert_int_equal(shim_parse_features("vfio\nvf\n", 8, &features), -EBADMSG);
        assert_int_equal(shim_parse_features("", 0, &features), -EBADMSG);
        assert_int_equal(features, SHIM_VFIO | SHIM_VF);

        assert_int_equal(shim_parse_compatible("two words\n", 10, compatible), -EBADMSG);
        assert_int_equal(shim_parse_compatible("\n", 1, compatible), -EBADMSG);
        assert_int_equal(
                shim_parse_compatible("a-name-that-is-longer-than-luo-has-room-for-in-its-own\n", 55, compatible),
                -EBADMSG);
        assert_string_equal(compatible, "as it was");
        assert_int_equal(shim_parse_compatible("liveupdated-vfio-pci-v1\n", 24, compatible), 0);
        assert_string_equal(compatible, "liveupdated-vfio-pci-v1");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_lists), cmocka_unit_test(test_bad_lists), cmocka_unit_test(test_many),
                cmocka_unit_test(test_held),  cmocka_unit_test(test_policies),  cmocka_unit_test(test_words),
        };

        return cmocka_run_group_tests_name("shim-text", tests, NULL, NULL);
}
