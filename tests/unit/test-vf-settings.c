/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/vf-settings.h"

#include <json-c/json.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const VfSettings all = {
        .vf = 3,
        .known = VF_SETTINGS_ALL,
        .mac = { 0x02, 0x00, 0xab, 0x00, 0x00, 0x01 },
        .vlan = 100,
        .vlan_proto = VLAN_PROTO_8021AD,
        .vlan_qos = 5,
        .min_rate = 10,
        .max_rate = 4000000000,
        .spoof_check = true,
        .link_state = VF_LINK_DISABLE,
        .trust = true,
};

static void assert_format(const VfSettings *v, VfSetting s, const char *want) {
        char text[VF_SETTING_TEXT_SIZE];

        vf_setting_format(v, s, text);
        assert_string_equal(text, want);
}

static void words(void **state) {
        VfSettings v = all;

        for (VfSetting s = 0; s < _VF_SETTING_MAX; s++)
                assert_int_equal(vf_setting_from_string(vf_setting_to_string(s)), s);
        assert_format(&v, VF_SETTING_MAC, "02:00:ab:00:00:01");
        assert_format(&v, VF_SETTING_VLAN, "100 qos 5 802.1ad");
        assert_format(&v, VF_SETTING_RATE, "10 to 4000000000 Mbit/s");
        assert_format(&v, VF_SETTING_SPOOF_CHECK, "on");
        assert_format(&v, VF_SETTING_LINK_STATE, "disable");
        assert_format(&v, VF_SETTING_RSS_QUERY, "off");
        assert_format(&v, VF_SETTING_TRUST, "on");
        assert_format(&v, _VF_SETTING_MAX, "unknown");
        v.vlan_proto = VLAN_PROTO_8021Q;
        assert_format(&v, VF_SETTING_VLAN, "100 qos 5");
        v.vlan_proto = 0x9100;
        assert_format(&v, VF_SETTING_VLAN, "100 qos 5 protocol 0x9100");
        v.vlan = v.vlan_qos = 0;
        assert_format(&v, VF_SETTING_VLAN, "none");
        v.max_rate = 0;
        assert_format(&v, VF_SETTING_RATE, "from 10 Mbit/s");
        v.min_rate = 0;
        assert_format(&v, VF_SETTING_RATE, "no limit");
        v.max_rate = 7;
        assert_format(&v, VF_SETTING_RATE, "to 7 Mbit/s");
        v.known = 0;
        for (VfSetting s = 0; s < _VF_SETTING_MAX; s++)
                assert_format(&v, s, "unknown");
}

/* One setting changed, each in each of its parts. */
static void changes(void **state) {
        static const struct {
                VfSettings now;
                uint32_t changed;
        } rows[] = {
                { { .vlan = 1 }, VF_SETTING_BIT(VF_SETTING_VLAN) },
                { { .vlan_qos = 1 }, VF_SETTING_BIT(VF_SETTING_VLAN) },
                { { .vlan_proto = VLAN_PROTO_8021Q }, 0 }, /* of no VLAN */
                { { .mac = { 1 } }, VF_SETTING_BIT(VF_SETTING_MAC) },
                { { .mac = { 0, 0, 0, 0, 0, 1 } }, VF_SETTING_BIT(VF_SETTING_MAC) },
                { { .min_rate = 1 }, VF_SETTING_BIT(VF_SETTING_RATE) },
                { { .max_rate = 1 }, VF_SETTING_BIT(VF_SETTING_RATE) },
                { { .spoof_check = true }, VF_SETTING_BIT(VF_SETTING_SPOOF_CHECK) },
                { { .link_state = VF_LINK_ENABLE }, VF_SETTING_BIT(VF_SETTING_LINK_STATE) },
                { { .rss_query = true }, VF_SETTING_BIT(VF_SETTING_RSS_QUERY) },
                { { .trust = true }, VF_SETTING_BIT(VF_SETTING_TRUST) },
                { { .trust = true, .spoof_check = true },
                  VF_SETTING_BIT(VF_SETTING_TRUST) | VF_SETTING_BIT(VF_SETTING_SPOOF_CHECK) },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                VfSettings want = { .known = VF_SETTINGS_ALL }, now = rows[i].now;

                now.known = VF_SETTINGS_ALL;
                assert_int_equal(vf_settings_changed(&want, &now), rows[i].changed);
                assert_int_equal(vf_settings_changed(&now, &want), rows[i].changed);
                assert_int_equal(vf_settings_changed(&now, &now), 0);
                /* What is not known on one side is not compared. */
                now.known &= ~rows[i].changed;
                assert_int_equal(vf_settings_changed(&want, &now), 0);
                assert_int_equal(vf_settings_changed(&now, &want), 0);
        }
        /* With a VLAN the protocol counts. */
        VfSettings other = all;
        other.vlan_proto = VLAN_PROTO_8021Q;
        assert_int_equal(vf_settings_changed(&all, &other), VF_SETTING_BIT(VF_SETTING_VLAN));
}

static void compare_lists(void **state) {
        VfSettings b[] = { all, all, all, all, all }, a[] = { all, all, all, all };
        VfList before = { .items = b, .n = 5, .total = 6 }, after = { .items = a, .n = 4, .total = 8 };
        _cleanup_free_ VfDifference *d = NULL;
        size_t n = 99;

        /* before: 0 1 2 4 9 (of 6), after: 0 2 6 7 (of 8) */
        b[0].vf = 0, b[1].vf = 1, b[2].vf = 2, b[3].vf = 4, b[4].vf = 9;
        a[0].vf = 0, a[1].vf = 2, a[2].vf = 6, a[3].vf = 7;
        a[0].trust = false;
        a[0].mac[5] = 9;
        a[0].known &= ~VF_SETTING_BIT(VF_SETTING_RATE);
        b[2].known = VF_SETTING_BIT(VF_SETTING_MAC);
        assert_int_equal(vf_list_compare(&before, &after, &d, &n), 0);

        static const struct {
                VfDifferenceKind kind;
                uint32_t vf;
                VfSetting setting;
        } want[] = {
                { VF_DIFFERENCE_CHANGED, 0, VF_SETTING_MAC },     { VF_DIFFERENCE_UNREADABLE, 0, VF_SETTING_RATE },
                { VF_DIFFERENCE_CHANGED, 0, VF_SETTING_TRUST },   { VF_DIFFERENCE_UNREADABLE, 1, _VF_SETTING_MAX },
                { VF_DIFFERENCE_UNREADABLE, 4, _VF_SETTING_MAX }, { VF_DIFFERENCE_NEW, 6, _VF_SETTING_MAX },
                { VF_DIFFERENCE_NEW, 7, _VF_SETTING_MAX },        { VF_DIFFERENCE_GONE, 9, _VF_SETTING_MAX },
        };
        assert_int_equal(n, ELEMENTSOF(want));
        for (size_t i = 0; i < n; i++) {
                assert_int_equal(d[i].kind, want[i].kind);
                assert_int_equal(d[i].vf, want[i].vf);
                assert_int_equal(d[i].setting, want[i].setting);
                assert_non_null(vf_difference_to_string(d[i].kind));
        }
        assert_ptr_equal(d[0].before, &b[0]);
        assert_ptr_equal(d[0].after, &a[0]);
        assert_null(d[3].after);
        assert_null(d[5].before);
        assert_ptr_equal(d[7].before, &b[4]);
}

static void equal_lists(void **state) {
        VfSettings items[] = { all, all };
        VfList l = { .items = items, .n = 2, .total = 2 }, none = {};
        VfDifference *d = NULL;
        size_t n = 99;

        items[1].vf = 4;
        assert_int_equal(vf_list_compare(&l, &l, &d, &n), 0);
        assert_int_equal(n, 0);
        free(d);
        assert_int_equal(vf_list_compare(&none, &none, &d, &n), 0);
        assert_int_equal(n, 0);
        free(d);
        assert_int_equal(vf_list_compare(&l, &none, &d, &n), 0);
        assert_int_equal(n, 2);
        assert_int_equal(d[1].kind, VF_DIFFERENCE_GONE);
        free(d);
        /* The kernel described 256 of 300: a further one is neither new nor gone. */
        items[0].vf = 255, items[1].vf = 256;
        VfList short_one = { .items = items, .n = 1, .total = 300 },
               long_one = { .items = items, .n = 2, .total = 300 };
        assert_int_equal(vf_list_compare(&short_one, &long_one, &d, &n), 0);
        assert_int_equal(n, 0);
        free(d);
}

static void there_and_back(void **state) {
        VfSettings items[] = { { .vf = 0 }, all, { .vf = 4, .known = VF_SETTING_BIT(VF_SETTING_LINK_STATE) } };
        VfList l = { .items = items, .n = 3, .total = 255 };
        _cleanup_(vf_list_done) VfList back = {};
        json_object *o = NULL;
        VfDifference *d = NULL;
        size_t n = 99;

        assert_int_equal(vf_list_encode(&l, &o), 0);
        const char *text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN);
        assert_string_equal(text, "{\"total\":255,\"vfs\":[{\"vf\":0},"
                                  "{\"vf\":3,\"mac\":\"02:00:ab:00:00:01\",\"vlan\":[100,5,34984],"
                                  "\"rate\":[10,4000000000],\"spoof-check\":true,\"link-state\":\"disable\","
                                  "\"rss-query\":false,\"trust\":true},{\"vf\":4,\"link-state\":\"auto\"}]}");
        assert_int_equal(vf_list_decode(o, &back, NULL), 0);
        assert_int_equal(back.total, 255);
        assert_int_equal(back.n, 3);
        for (size_t i = 0; i < back.n; i++)
                assert_int_equal(back.items[i].known, items[i].known);
        assert_int_equal(vf_list_compare(&l, &back, &d, &n), 0);
        assert_int_equal(n, 0);
        free(d);
        json_object_put(o);
}

static void empty_list(void **state) {
        VfList l = { .total = 2 }, back = { .total = 9 };
        json_object *o = NULL;

        assert_int_equal(vf_list_encode(&l, &o), 0);
        assert_int_equal(vf_list_decode(o, &back, NULL), 0);
        assert_int_equal(back.total, 2);
        assert_int_equal(back.n, 0);
        assert_null(back.items);
        json_object_put(o);
}

static void not_encoded(void **state) {
        static const VfSettings bad[][2] = {
                { { .vf = 1 }, { .vf = 1 } },
                { { .vf = 2 }, { .vf = 1 } },
                { { .vf = 1 }, { .vf = 65536 } },
                { { .vf = 1 }, { .vf = 2, .known = VF_SETTING_BIT(_VF_SETTING_MAX) } },
                { { .vf = 1 }, { .vf = 2, .vlan = 4096 } },
                { { .vf = 1 }, { .vf = 2, .vlan_qos = 8 } },
                { { .vf = 1 }, { .vf = 2, .link_state = _VF_LINK_MAX } },
        };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                VfList l = { .items = (VfSettings *)bad[i], .n = 2, .total = 2 };
                json_object *o = NULL;

                assert_int_equal(vf_list_encode(&l, &o), -EINVAL);
                assert_null(o);
        }
        json_object *o = NULL;
        assert_int_equal(vf_list_encode(&(VfList){ .total = 65536 }, &o), -EINVAL);
        assert_null(o);
}

static void later_versions(void **state) {
        json_object *o = json_tokener_parse(
                "{\"total\":1,\"x\":{},\"vfs\":[{\"vf\":0,\"guid\":7,\"vlan\":[1,2,33024,4],\"rate\":[0,1,2]}]}");
        _cleanup_(vf_list_done) VfList l = {};

        assert_non_null(o);
        assert_int_equal(vf_list_decode(o, &l, NULL), 0);
        assert_int_equal(l.n, 1);
        assert_int_equal(l.items[0].known, VF_SETTING_BIT(VF_SETTING_VLAN) | VF_SETTING_BIT(VF_SETTING_RATE));
        assert_format(&l.items[0], VF_SETTING_VLAN, "1 qos 2");
        assert_format(&l.items[0], VF_SETTING_RATE, "to 1 Mbit/s");
        json_object_put(o);
}

static void not_decoded(void **state) {
        static const char *const rows[] = {
                "[]",
                "7",
                "{}",
                "{\"total\":1}",
                "{\"vfs\":[]}",
                "{\"total\":-1,\"vfs\":[]}",
                "{\"total\":65536,\"vfs\":[]}",
                "{\"total\":1.0,\"vfs\":[]}",
                "{\"total\":\"1\",\"vfs\":[]}",
                "{\"total\":1,\"vfs\":{}}",
                "{\"total\":1,\"vfs\":[7]}",
                "{\"total\":1,\"vfs\":[null]}",
                "{\"total\":1,\"vfs\":[{}]}",
                "{\"total\":1,\"vfs\":[{\"vf\":65536}]}",
                "{\"total\":1,\"vfs\":[{\"vf\":1},{\"vf\":1}]}",
                "{\"total\":1,\"vfs\":[{\"vf\":2},{\"vf\":1}]}",
                "{\"total\":1,\"vfs\":[{\"vf\":0,\"mac\":7}]}",
                "{\"total\":1,\"vfs\":[{\"vf\":0,\"mac\":null}]}",
                "{\"total\":1,\"vfs\":[{\"vf\":0,\"mac\":\"\"}]}",
                "{\"total\":1,\"vfs\":[{\"vf\":0,\"mac\":\"02:00:00:00:00:0\"}]}",
                "{\"total\":1,\"vfs\":[{\"vf\":0,\"mac\":\"02:00:00:00:00:011\"}]}",
                "{\"total\":1,\"vfs\":[{\"vf\":0,\"mac\":\"02:00:00:00:00:0g\"}]}",
                "{\"total\":1,\"vfs\":[{\"vf\":0,\"mac\":\"02-00-00-00-00-01\"}]}",
                "{\"total\":1,\"vfs\":[{\"vf\":0,\"vlan\":1}]}",
                "{\"total\":1,\"vfs\":[{\"vf\":0,\"vlan\":[1,2]}]}",
                "{\"total\":1,\"vfs\":[{\"vf\":0,\"vlan\":[4096,0,33024]}]}",
                "{\"total\":1,\"vfs\":[{\"vf\":0,\"vlan\":[1,8,33024]}]}",
                "{\"total\":1,\"vfs\":[{\"vf\":0,\"vlan\":[1,0,65536]}]}",
                "{\"total\":1,\"vfs\":[{\"vf\":0,\"vlan\":[1,0,\"802.1Q\"]}]}",
                "{\"total\":1,\"vfs\":[{\"vf\":0,\"rate\":[1]}]}",
                "{\"total\":1,\"vfs\":[{\"vf\":0,\"rate\":[1,4294967296]}]}",
                "{\"total\":1,\"vfs\":[{\"vf\":0,\"rate\":[-1,0]}]}",
                "{\"total\":1,\"vfs\":[{\"vf\":0,\"spoof-check\":1}]}",
                "{\"total\":1,\"vfs\":[{\"vf\":0,\"link-state\":\"up\"}]}",
                "{\"total\":1,\"vfs\":[{\"vf\":0,\"link-state\":1}]}",
                "{\"total\":1,\"vfs\":[{\"vf\":0,\"rss-query\":\"on\"}]}",
                "{\"total\":1,\"vfs\":[{\"vf\":0},{\"vf\":1,\"trust\":null}]}",
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                json_object *o = json_tokener_parse(rows[i]);
                VfList l = { .total = 9 };
                Refusal why = {};

                assert_non_null(o);
                assert_true(vf_list_decode(o, &l, &why) < 0);
                assert_int_equal(why.reason, REASON_MANIFEST_INVALID);
                assert_true(why.detail[0] != '\0');
                assert_int_equal(l.total, 9);
                assert_null(l.items);
                json_object_put(o);
        }
        assert_int_equal(vf_list_decode(NULL, &(VfList){}, NULL), -EBADMSG);
}

/* No more than there can be, before anything is made of it. */
static void too_long(void **state) {
        json_object *o = json_object_new_object(), *list = json_object_new_array();
        VfList l = {};
        Refusal why = {};

        json_object_object_add(o, "total", json_object_new_int(7));
        json_object_object_add(o, "vfs", list);
        for (int i = 0; i <= VF_NUMBER_MAX; i++) {
                json_object *vf = json_object_new_object();

                json_object_object_add(vf, "vf", json_object_new_int(i));
                json_object_array_add(list, vf);
        }
        assert_int_equal(vf_list_decode(o, &l, &why), 0);
        assert_int_equal(l.n, VF_NUMBER_MAX + 1);
        vf_list_done(&l);
        json_object_array_add(list, NULL);
        assert_int_equal(vf_list_decode(o, &l, &why), -EBADMSG);
        assert_non_null(strstr(why.detail, "too long"));
        json_object_put(o);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(words),       cmocka_unit_test(changes),        cmocka_unit_test(compare_lists),
                cmocka_unit_test(equal_lists), cmocka_unit_test(there_and_back), cmocka_unit_test(empty_list),
                cmocka_unit_test(not_encoded), cmocka_unit_test(later_versions), cmocka_unit_test(not_decoded),
                cmocka_unit_test(too_long),
        };

        return cmocka_run_group_tests_name("vf-settings", tests, NULL, NULL);
}
