/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What needs no VFs and no rights; the rest is the VM case "netlink". */
#include "sys/links.h"

#include "common/fd.h"

#include <endian.h>
#include <fcntl.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>

#include <cmocka.h>

static const Address pf = { .domain = 0, .bus = 3, .slot = 0, .function = 1 };

static int remove_root(void **state) {
        char command[64];

        (void)snprintf(command, sizeof(command), "rm -rf '%s'", (char *)*state);
        int r = system(command);
        free(*state);
        return r;
}

static int make_root(void **state) {
        char *root = strdup("/tmp/test-links-XXXXXX");

        if (!root || !mkdtemp(root))
                return -1;
        *state = root;
        return 0;
}

static void make_path(const char *root, const char *path) {
        char whole[256];

        (void)snprintf(whole, sizeof(whole), "%s/%s", root, path);
        for (char *p = whole + strlen(root) + 1; (p = strchr(p, '/')); p++) {
                *p = '\0';
                (void)mkdir(whole, 0700);
                *p = '/';
        }
}

/* An attribute of an interface of the PF, with its directories. */
static void add(const char *root, const char *interface, const char *name, const char *value) {
        char path[200];

        (void)snprintf(path, sizeof(path), "bus/pci/devices/0000:03:00.1/net/%s/%s", interface, name);
        make_path(root, path);
        _cleanup_close_ int dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(dir >= 0);
        assert_int_equal(file_write_atomic_at(dir, path, value, strlen(value)), 0);
}

static void no_interface(void **state) {
        int index = 77;

        assert_int_equal(links_pf_ifindex(*state, pf, &index), -ENODEV);
        assert_int_equal(links_pf_ifindex("/nowhere", pf, &index), -ENODEV);
        make_path(*state, "bus/pci/devices/0000:03:00.1/net/");
        assert_int_equal(links_pf_ifindex(*state, pf, &index), -ENODEV);
        assert_int_equal(index, 77);
}

static void nonsense(void **state) {
        int index = 77;

        add(*state, "a", "ifindex", "");
        add(*state, "b", "ifindex", "0\n");
        add(*state, "c", "ifindex", "-3\n");
        add(*state, "d", "ifindex", "4294967295\n");
        add(*state, "e", "ifindex", "99999999999999999999999999\n");
        add(*state, "f", "mtu", "1500\n");
        add(*state, "g", "ifindex", "12x\n");
        assert_int_equal(links_pf_ifindex(*state, pf, &index), -ENODEV);
        assert_int_equal(index, 77);
        add(*state, "h", "ifindex", "12\n");
        add(*state, "h", "dev_port", "many\n");
        assert_int_equal(links_pf_ifindex(*state, pf, &index), 0);
        assert_int_equal(index, 12);
}

static void first_port(void **state) {
        int index = 0;

        add(*state, "port2", "ifindex", "4\n");
        add(*state, "port2", "dev_port", "1\n");
        add(*state, "port1", "ifindex", "9\n");
        add(*state, "port1", "dev_port", "0\n");
        assert_int_equal(links_pf_ifindex(*state, pf, &index), 0);
        assert_int_equal(index, 9);
        add(*state, "other", "ifindex", "8\n");
        assert_int_equal(links_pf_ifindex(*state, pf, &index), 0);
        assert_int_equal(index, 8);
}

static void representors(void **state) {
        int index = 0;

        add(*state, "eth0", "ifindex", "5\n");
        add(*state, "eth0", "phys_port_name", "pf0vf0\n");
        add(*state, "eth1", "ifindex", "6\n");
        add(*state, "eth1", "phys_port_name", "pf0\n");
        add(*state, "eth2", "ifindex", "7\n");
        add(*state, "eth2", "phys_port_name", "p0\n");
        add(*state, "eth3", "ifindex", "4\n");
        add(*state, "eth3", "phys_port_name", "p0s1\n");
        assert_int_equal(links_pf_ifindex(*state, pf, &index), 0);
        assert_int_equal(index, 7);
}

/* ---- the kernel's answer ---- */

typedef struct Message {
        char *data; /* on the heap, of the exact size */
        size_t n;
} Message;

/* Adds an attribute and returns where it is. */
static size_t put(Message *m, unsigned type, const void *data, size_t size) {
        struct nlattr a = { .nla_len = (uint16_t)(NLA_HDRLEN + size), .nla_type = (uint16_t)type };
        size_t at = m->n;

        m->data = realloc(m->data, m->n + NLA_ALIGN(a.nla_len));
        assert_non_null(m->data);
        memset(m->data + m->n, 0, NLA_ALIGN(a.nla_len));
        memcpy(m->data + m->n, &a, sizeof(a));
        if (size > 0)
                memcpy(m->data + m->n + NLA_HDRLEN, data, size);
        m->n += NLA_ALIGN(a.nla_len);
        return at;
}

/* All that was added since is inside of it. */
static void nest_end(Message *m, size_t at) {
        uint16_t n = (uint16_t)(m->n - at);

        memcpy(m->data + at, &n, sizeof(n));
}

static void put_two(Message *m, unsigned type, uint32_t vf, uint32_t value) {
        put(m, type, (uint32_t[]){ vf, value }, 8);
}

/* The largest description there is, with the attributes nobody reads. */
static void put_vf(Message *m, uint32_t vf, uint32_t switches) {
        struct ifla_vf_mac mac = { .vf = vf, .mac = { 2, 0, 0, 0, (uint8_t)(vf >> 8), (uint8_t)vf } };
        struct ifla_vf_vlan_info vlan = { .vf = vf, .vlan = vf, .qos = 3, .vlan_proto = htobe16(VLAN_PROTO_8021AD) };
        size_t info = put(m, IFLA_VF_INFO, NULL, 0);

        put(m, IFLA_VF_MAC, &mac, sizeof(mac));
        put(m, IFLA_VF_BROADCAST, &mac, 32);
        put(m, IFLA_VF_VLAN, (uint32_t[]){ vf, 1, 1 }, 12);
        put(m, IFLA_VF_RATE, (uint32_t[]){ vf, 5, 9 }, 12);
        put_two(m, IFLA_VF_TX_RATE, vf, 9);
        put_two(m, IFLA_VF_SPOOFCHK, vf, switches);
        put_two(m, IFLA_VF_LINK_STATE, vf, VF_LINK_ENABLE);
        put_two(m, IFLA_VF_RSS_QUERY_EN, vf, switches);
        put_two(m, IFLA_VF_TRUST, vf, switches);
        size_t list = put(m, IFLA_VF_VLAN_LIST, NULL, 0);
        put(m, IFLA_VF_VLAN_INFO, &vlan, sizeof(vlan));
        nest_end(m, list);
        nest_end(m, info);
}

static void start(Message *m, uint16_t type, uint32_t total) {
        struct nlmsghdr h = { .nlmsg_type = RTM_NEWLINK };
        struct ifinfomsg info = { .ifi_index = 2, .ifi_type = type };

        *m = (Message){ .data = calloc(1, sizeof(h) + sizeof(info)), .n = sizeof(h) + sizeof(info) };
        assert_non_null(m->data);
        memcpy(m->data, &h, sizeof(h));
        memcpy(m->data + sizeof(h), &info, sizeof(info));
        put(m, IFLA_IFNAME, "eth0", 5);
        put(m, IFLA_NUM_VF, &total, sizeof(total));
}

static int parse(Message *m, VfList *ret) {
        uint32_t n = (uint32_t)m->n;

        memcpy(m->data, &n, sizeof(n));
        return links_parse((struct nlmsghdr *)m->data, ret);
}

/* What Linux 7.3 says of a PF with 400 VFs. */
static void many_vfs(void **state) {
        _cleanup_(vf_list_done) VfList vfs = {};
        Message m;

        start(&m, ARPHRD_ETHER, 400);
        size_t list = put(&m, IFLA_VFINFO_LIST, NULL, 0);
        for (uint32_t vf = 0; vf < 256; vf++)
                put_vf(&m, vf, vf % 2);
        nest_end(&m, list);
        put(&m, IFLA_EXT_MASK, &(uint32_t){ 9 }, 4);
        assert_int_equal(parse(&m, &vfs), 0);
        assert_int_equal(vfs.total, 400);
        assert_int_equal(vfs.n, 256);
        for (uint32_t vf = 0; vf < 256; vf++) {
                const VfSettings *v = &vfs.items[vf];

                assert_int_equal(v->vf, vf);
                assert_int_equal(v->known, VF_SETTINGS_ALL);
                assert_int_equal(v->mac[5], vf);
                assert_int_equal(v->vlan, vf);
                assert_int_equal(v->vlan_qos, 3);
                assert_int_equal(v->vlan_proto, VLAN_PROTO_8021AD);
                assert_int_equal(v->min_rate, 5);
                assert_int_equal(v->max_rate, 9);
                assert_int_equal(v->link_state, VF_LINK_ENABLE);
                assert_int_equal(v->spoof_check, vf % 2);
                assert_int_equal(v->rss_query, vf % 2);
                assert_int_equal(v->trust, vf % 2);
        }
        free(m.data);
}

/* A driver that says little, of an interface whose addresses are not of six bytes. */
static void little_known(void **state) {
        _cleanup_(vf_list_done) VfList vfs = {};
        Message m;

        start(&m, ARPHRD_INFINIBAND, 1);
        size_t list = put(&m, IFLA_VFINFO_LIST, NULL, 0);
        put(&m, 99, NULL, 0);
        put_vf(&m, 0, UINT32_MAX);
        nest_end(&m, list);
        assert_int_equal(parse(&m, &vfs), 0);
        assert_int_equal(vfs.n, 1);
        assert_int_equal(vfs.items[0].known, VF_SETTING_BIT(VF_SETTING_VLAN) | VF_SETTING_BIT(VF_SETTING_RATE) |
                                                     VF_SETTING_BIT(VF_SETTING_LINK_STATE));
        free(m.data);
}

static void bad_answers(void **state) {
        VfList vfs = { .total = 7 };
        Message m;

        for (uint32_t second = 0; second < 2; second++) {
                start(&m, ARPHRD_ETHER, 2);
                size_t list = put(&m, IFLA_VFINFO_LIST, NULL, 0);
                put_vf(&m, 1, 1);
                put_vf(&m, second, 1);
                nest_end(&m, list);
                assert_int_equal(parse(&m, &vfs), -EBADMSG);
                free(m.data);
        }
        start(&m, ARPHRD_ETHER, 1);
        size_t list = put(&m, IFLA_VFINFO_LIST, NULL, 0);
        size_t info = put(&m, IFLA_VF_INFO, NULL, 0);
        put(&m, IFLA_VF_MAC, "too short", 9);
        nest_end(&m, info);
        nest_end(&m, list);
        assert_int_equal(parse(&m, &vfs), -EBADMSG);
        free(m.data);
        assert_int_equal(vfs.total, 7);
        assert_null(vfs.items);
}

/* Cut anywhere, it may say less, but nothing outside it is read. */
static void cut_answers(void **state) {
        Message m;

        start(&m, ARPHRD_ETHER, 2);
        size_t whole, list = put(&m, IFLA_VFINFO_LIST, NULL, 0);
        put_vf(&m, 0, 1);
        put_vf(&m, 1, 1);
        nest_end(&m, list);
        whole = m.n;
        for (m.n = sizeof(struct nlmsghdr); m.n <= whole; m.n++) {
                _cleanup_(vf_list_done) VfList vfs = {};
                Message part = { .data = malloc(m.n), .n = m.n };

                assert_non_null(part.data);
                memcpy(part.data, m.data, m.n);
                int r = parse(&part, &vfs);
                assert_true(r == 0 || r == -EBADMSG);
                assert_int_equal(vfs.n, m.n == whole ? 2 : 0);
                free(part.data);
        }
        free(m.data);
}

/* ---- a socket ---- */

/* The loopback interface is 1 in every network namespace. */
static void loopback(void **state) {
        _cleanup_(links_closep) Links *l = NULL;
        _cleanup_(vf_list_done) VfList vfs = {};

        assert_int_equal(links_open(&l), 0);
        assert_int_equal(links_read_vfs(l, 1, &vfs), 0);
        assert_null(vfs.items);
        assert_int_equal(vfs.n, 0);
        assert_int_equal(vfs.total, 0);
}

static void no_such_link(void **state) {
        _cleanup_(links_closep) Links *l = NULL;
        VfList vfs = { .total = 7 };

        assert_int_equal(links_open(&l), 0);
        /* The same socket goes on after an error. */
        assert_int_equal(links_read_vfs(l, INT32_MAX, &vfs), -ENODEV);
        assert_int_equal(links_read_vfs(l, INT32_MAX, &vfs), -ENODEV);
        assert_int_equal(links_read_vfs(l, 0, &vfs), -EINVAL);
        assert_int_equal(links_read_vfs(l, -1, &vfs), -EINVAL);
        assert_int_equal(vfs.total, 7);
        assert_int_equal(links_read_vfs(l, 1, &vfs), 0);
        assert_int_equal(vfs.total, 0);
}

/* Without the right to it, or the interface, nothing further is tried. */
static void cannot_set(void **state) {
        const VfSettings want = { .known = VF_SETTINGS_ALL };
        _cleanup_(links_closep) Links *l = NULL;
        VfOutcome outcome = { .errors = { 1 } };

        assert_int_equal(links_open(&l), 0);
        int r = links_apply_vf(l, INT32_MAX, &want, VF_SETTINGS_ALL, &outcome);
        assert_true(r == -ENODEV || r == -EPERM);
        assert_int_equal(outcome.errors[VF_SETTING_MAC], r);
        for (VfSetting s = VF_SETTING_MAC + 1; s < _VF_SETTING_MAX; s++)
                assert_int_equal(outcome.errors[s], 0);
        /* Nothing is asked for, or nothing of it known. */
        assert_int_equal(links_apply_vf(l, INT32_MAX, &want, 0, &outcome), 0);
        assert_int_equal(links_apply_vf(l, INT32_MAX, &(VfSettings){}, VF_SETTINGS_ALL, &outcome), 0);
        assert_int_equal(outcome.errors[VF_SETTING_MAC], 0);
        assert_int_equal(links_apply_vf(l, 0, &want, VF_SETTINGS_ALL, &outcome), -EINVAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(no_interface, make_root, remove_root),
                cmocka_unit_test_setup_teardown(nonsense, make_root, remove_root),
                cmocka_unit_test_setup_teardown(first_port, make_root, remove_root),
                cmocka_unit_test_setup_teardown(representors, make_root, remove_root),
                cmocka_unit_test(many_vfs),
                cmocka_unit_test(little_known),
                cmocka_unit_test(bad_answers),
                cmocka_unit_test(cut_answers),
                cmocka_unit_test(loopback),
                cmocka_unit_test(no_such_link),
                cmocka_unit_test(cannot_set),
        };

        return cmocka_run_group_tests_name("links", tests, NULL, NULL);
}
