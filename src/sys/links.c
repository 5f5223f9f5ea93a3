/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "links.h"

#include "common/fd.h"
#include "common/parse.h"

#include <dirent.h>
#include <endian.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <sys/socket.h>
#include <sys/time.h>

struct Links {
        struct nl_sock *sock;
        bool connected;
};

int links_open(Links **ret) {
        _cleanup_(links_closep) Links *l = calloc(1, sizeof(*l));

        if (!l)
                return -ENOMEM;
        l->sock = nl_socket_alloc();
        if (!l->sock)
                return -ENOMEM;
        *ret = TAKE_PTR(l);
        return 0;
}

Links *links_close(Links *l) {
        if (!l)
                return NULL;
        nl_socket_free(l->sock);
        free(l);
        return NULL;
}

/* ---- one request, one answer ---- */

static inline void message_freep(struct nl_msg **m) {
        nlmsg_free(*m);
}

static inline void callbacks_putp(struct nl_cb **cb) {
        if (*cb)
                nl_cb_put(*cb);
}

typedef struct Answer {
        bool done;
        int error; /* the kernel's, exactly; libnl's own numbers lose some */
        VfList *vfs;
} Answer;

static int on_ack(struct nl_msg *m, void *userdata) {
        ((Answer *)userdata)->done = true;
        return NL_STOP;
}

static int on_error(struct sockaddr_nl *from, struct nlmsgerr *e, void *userdata) {
        Answer *a = userdata;

        a->done = true;
        a->error = e->error < 0 ? e->error : -EIO;
        return NL_STOP;
}

static int on_link(struct nl_msg *m, void *userdata) {
        Answer *a = userdata;

        if (a->vfs && a->error >= 0 && nlmsg_hdr(m)->nlmsg_type == RTM_NEWLINK) {
                vf_list_done(a->vfs);
                a->error = links_parse(nlmsg_hdr(m), a->vfs);
        }
        return NL_OK;
}

static int ensure_connected(Links *l) {
        /* The kernel answers in the call that asks. Only a bug could make this wait. */
        const struct timeval patience = { .tv_sec = 10 };

        if (l->connected)
                return 0;
        errno = 0;
        if (nl_connect(l->sock, NETLINK_ROUTE) < 0)
                return errno > 0 ? -errno : -EIO;
        (void)setsockopt(nl_socket_get_fd(l->sock), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        l->connected = true;
        return 0;
}

/* Sends m and waits for its acknowledgement. What was left unread of an answer would be
 * taken for the next one's, so after trouble the next request has a new socket. */
static int request(Links *l, struct nl_msg *m, VfList *ret_vfs) {
        _cleanup_(callbacks_putp) struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);
        Answer a = { .vfs = ret_vfs };

        if (!cb)
                return -ENOMEM;
        (void)nl_cb_set(cb, NL_CB_ACK, NL_CB_CUSTOM, on_ack, &a);
        (void)nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, on_link, &a);
        (void)nl_cb_err(cb, NL_CB_CUSTOM, on_error, &a);
        int r = ensure_connected(l);
        if (r < 0)
                return r;
        r = nl_send_auto(l->sock, m);
        while (r >= 0 && !a.done)
                r = nl_recvmsgs(l->sock, cb);
        if (!a.done) {
                nl_close(l->sock);
                l->connected = false;
                return r == -NLE_NOMEM ? -ENOMEM : -EIO;
        }
        return a.error;
}

static int new_request(int type, int ifindex, struct nl_msg **ret) {
        _cleanup_(message_freep) struct nl_msg *m = nlmsg_alloc_simple(type, NLM_F_REQUEST);
        struct ifinfomsg info = { .ifi_family = AF_UNSPEC, .ifi_index = ifindex };

        if (!m || nlmsg_append(m, &info, sizeof(info), NLMSG_ALIGNTO) < 0)
                return -ENOMEM;
        *ret = TAKE_PTR(m);
        return 0;
}

/* ---- reading ---- */

/* The attribute's structure, copied out of it; each begins with the VF's number. */
static bool take(struct nlattr *attr, void *ret, size_t size) {
        if (!attr || (size_t)nla_len(attr) < size)
                return false;
        memcpy(ret, nla_data(attr), size);
        return true;
}

/* These share their layout: a VF and an on or off, where the kernel leaves all bits set
 * if the driver said nothing (rtnl_fill_vfinfo() in net/core/rtnetlink.c). */
static void take_switch(struct nlattr *attr, VfSetting setting, VfSettings *v, bool *ret) {
        struct ifla_vf_spoofchk s;

        if (!take(attr, &s, sizeof(s)) || s.setting == UINT32_MAX)
                return;
        *ret = s.setting != 0;
        v->known |= VF_SETTING_BIT(setting);
}

static void take_vlan(struct nlattr *list, VfSettings *v) {
        struct ifla_vf_vlan_info info;
        struct nlattr *attr;

        if (!list)
                return;
        attr = nla_find(nla_data(list), nla_len(list), IFLA_VF_VLAN_INFO);
        if (!take(attr, &info, sizeof(info)) || info.vlan > 4095 || info.qos > 7)
                return;
        v->vlan = (uint16_t)info.vlan;
        v->vlan_qos = (uint8_t)info.qos;
        v->vlan_proto = be16toh(info.vlan_proto) ?: VLAN_PROTO_8021Q;
        v->known |= VF_SETTING_BIT(VF_SETTING_VLAN);
}

static int parse_vf(struct nlattr *info, bool ethernet, VfSettings *ret) {
        struct nlattr *tb[IFLA_VF_MAX + 1];
        struct ifla_vf_link_state link;
        struct ifla_vf_rate rate;
        struct ifla_vf_mac mac;
        VfSettings v = {};

        if (nla_parse_nested(tb, IFLA_VF_MAX, info, NULL) < 0 || !take(tb[IFLA_VF_MAC], &mac, sizeof(mac)) ||
            mac.vf > VF_NUMBER_MAX)
                return -EBADMSG;
        v.vf = mac.vf;
        if (ethernet) {
                memcpy(v.mac, mac.mac, sizeof(v.mac));
                v.known |= VF_SETTING_BIT(VF_SETTING_MAC);
        }
        take_vlan(tb[IFLA_VF_VLAN_LIST], &v);
        if (take(tb[IFLA_VF_RATE], &rate, sizeof(rate))) {
                v.min_rate = rate.min_tx_rate;
                v.max_rate = rate.max_tx_rate;
                v.known |= VF_SETTING_BIT(VF_SETTING_RATE);
        }
        if (take(tb[IFLA_VF_LINK_STATE], &link, sizeof(link)) && link.link_state < _VF_LINK_MAX) {
                v.link_state = (VfLink)link.link_state;
                v.known |= VF_SETTING_BIT(VF_SETTING_LINK_STATE);
        }
        take_switch(tb[IFLA_VF_SPOOFCHK], VF_SETTING_SPOOF_CHECK, &v, &v.spoof_check);
        take_switch(tb[IFLA_VF_RSS_QUERY_EN], VF_SETTING_RSS_QUERY, &v, &v.rss_query);
        take_switch(tb[IFLA_VF_TRUST], VF_SETTING_TRUST, &v, &v.trust);
        *ret = v;
        return 0;
}

static int parse_list(struct nlattr *list, bool ethernet, VfList *ret) {
        _cleanup_(vf_list_done) VfList l = {};
        struct nlattr *info;
        size_t room = 0;
        int rest;

        nla_for_each_nested(info, list, rest) room++;
        l.items = room > 0 ? calloc(room, sizeof(*l.items)) : NULL;
        if (room > 0 && !l.items)
                return -ENOMEM;
        nla_for_each_nested(info, list, rest) {
                if (nla_type(info) != IFLA_VF_INFO)
                        continue;
                int r = parse_vf(info, ethernet, &l.items[l.n]);
                if (r < 0)
                        return r;
                /* The kernel counts up; the list's users rely on it. */
                if (l.n > 0 && l.items[l.n].vf <= l.items[l.n - 1].vf)
                        return -EBADMSG;
                l.n++;
        }
        ret->items = TAKE_PTR(l.items);
        ret->n = l.n;
        return 0;
}

int links_parse(struct nlmsghdr *h, VfList *ret) {
        struct nlattr *tb[IFLA_MAX + 1];
        VfList l = {};

        if (nlmsg_parse(h, sizeof(struct ifinfomsg), tb, IFLA_MAX, NULL) < 0)
                return -EBADMSG;
        const struct ifinfomsg *info = nlmsg_data(h);
        if (tb[IFLA_NUM_VF] && nla_len(tb[IFLA_NUM_VF]) >= (int)sizeof(uint32_t))
                l.total = nla_get_u32(tb[IFLA_NUM_VF]);
        if (tb[IFLA_VFINFO_LIST]) {
                int r = parse_list(tb[IFLA_VFINFO_LIST], info->ifi_type == ARPHRD_ETHER, &l);
                if (r < 0)
                        return r;
        }
        *ret = l;
        return 0;
}

int links_read_vfs(Links *l, int ifindex, VfList *ret) {
        _cleanup_(message_freep) struct nl_msg *m = NULL;
        _cleanup_(vf_list_done) VfList vfs = {};

        if (ifindex <= 0)
                return -EINVAL;
        int r = new_request(RTM_GETLINK, ifindex, &m);
        if (r < 0)
                return r;
        if (nla_put_u32(m, IFLA_EXT_MASK, RTEXT_FILTER_VF | RTEXT_FILTER_SKIP_STATS) < 0)
                return -ENOMEM;
        r = request(l, m, &vfs);
        if (r < 0)
                return r;
        *ret = vfs;
        vfs = (VfList){};
        return 0;
}

/* ---- setting ---- */

static int put_vlan(struct nl_msg *m, const VfSettings *v) {
        struct ifla_vf_vlan_info info = {
                .vf = v->vf,
                .vlan = v->vlan,
                .qos = v->vlan_qos,
                .vlan_proto = htobe16(v->vlan_proto ?: VLAN_PROTO_8021Q),
        };
        struct nlattr *list = nla_nest_start(m, IFLA_VF_VLAN_LIST);

        if (!list || nla_put(m, IFLA_VF_VLAN_INFO, sizeof(info), &info) < 0)
                return -ENOMEM;
        nla_nest_end(m, list);
        return 0;
}

static int put_mac(struct nl_msg *m, const VfSettings *v) {
        struct ifla_vf_mac mac = { .vf = v->vf };

        memcpy(mac.mac, v->mac, sizeof(v->mac));
        return nla_put(m, IFLA_VF_MAC, sizeof(mac), &mac);
}

static int put_rate(struct nl_msg *m, const VfSettings *v) {
        struct ifla_vf_rate rate = { .vf = v->vf, .min_tx_rate = v->min_rate, .max_tx_rate = v->max_rate };

        return nla_put(m, IFLA_VF_RATE, sizeof(rate), &rate);
}

/* A VF and a number: the layout that the four other settings share. */
static int put_number(struct nl_msg *m, int type, const VfSettings *v, uint32_t number) {
        struct ifla_vf_link_state s = { .vf = v->vf, .link_state = number };

        return nla_put(m, type, sizeof(s), &s);
}

static int put_setting(struct nl_msg *m, const VfSettings *v, VfSetting setting) {
        switch (setting) {
        case VF_SETTING_MAC:
                return put_mac(m, v);
        case VF_SETTING_VLAN:
                return put_vlan(m, v);
        case VF_SETTING_RATE:
                return put_rate(m, v);
        case VF_SETTING_SPOOF_CHECK:
                return put_number(m, IFLA_VF_SPOOFCHK, v, v->spoof_check);
        case VF_SETTING_LINK_STATE:
                return put_number(m, IFLA_VF_LINK_STATE, v, v->link_state);
        case VF_SETTING_RSS_QUERY:
                return put_number(m, IFLA_VF_RSS_QUERY_EN, v, v->rss_query);
        case VF_SETTING_TRUST:
                return put_number(m, IFLA_VF_TRUST, v, v->trust);
        case _VF_SETTING_MAX:
                break;
        }
        return -EINVAL;
}

static int apply_setting(Links *l, int ifindex, const VfSettings *v, VfSetting setting) {
        _cleanup_(message_freep) struct nl_msg *m = NULL;
        struct nlattr *list, *info;

        int r = new_request(RTM_SETLINK, ifindex, &m);
        if (r < 0)
                return r;
        if (!(list = nla_nest_start(m, IFLA_VFINFO_LIST)) || !(info = nla_nest_start(m, IFLA_VF_INFO)) ||
            put_setting(m, v, setting) < 0)
                return -ENOMEM;
        nla_nest_end(m, info);
        nla_nest_end(m, list);
        return request(l, m, NULL);
}

int links_apply_vf(Links *l, int ifindex, const VfSettings *want, uint32_t settings, VfOutcome *ret) {
        VfOutcome outcome = {};
        int first = 0;

        if (ifindex <= 0)
                return -EINVAL;
        for (VfSetting s = 0; s < _VF_SETTING_MAX; s++) {
                if (!(want->known & settings & VF_SETTING_BIT(s)))
                        continue;
                int r = apply_setting(l, ifindex, want, s);
                outcome.errors[s] = r < 0 ? r : 0;
                if (r < 0 && r != -EOPNOTSUPP && first == 0)
                        first = r;
                if (r == -ENODEV || r == -EPERM)
                        break;
        }
        *ret = outcome;
        return first;
}

/* ---- from the PF to its interface ---- */

static inline void closedirp(DIR **d) {
        if (*d)
                (void)closedir(*d);
}

/* A small attribute without its newline; -errno as the driver gives it. */
static int read_attribute(int dirfd, const char *interface, const char *name, char *buf, size_t size) {
        _cleanup_free_ char *text = NULL;
        char path[NAME_MAX + 32];

        if (snprintf(path, sizeof(path), "%s/%s", interface, name) >= (int)sizeof(path))
                return -ENAMETOOLONG;
        int r = file_read_at(dirfd, path, 4096, &text, NULL);
        if (r < 0)
                return r;
        text[strcspn(text, "\n")] = '\0';
        return snprintf(buf, size, "%s", text) < (int)size ? 0 : -EINVAL;
}

/* "p0" is a physical port; "pf0vf3" stands for a VF, "pf0" for the PF seen from a card
 * (Documentation/networking/switchdev.rst). Most drivers have no such name. */
static bool is_uplink(int dirfd, const char *interface) {
        char name[32];

        if (read_attribute(dirfd, interface, "phys_port_name", name, sizeof(name)) < 0 || name[0] == '\0')
                return true;
        return name[0] == 'p' && name[1] >= '0' && name[1] <= '9' && name[1 + strspn(name + 1, "0123456789")] == '\0';
}

static int read_number(int dirfd, const char *interface, const char *name, uint32_t *ret) {
        char text[16];

        int r = read_attribute(dirfd, interface, name, text, sizeof(text));
        return r < 0 ? r : parse_u32(text, ret);
}

int links_pf_ifindex(const char *sysfs_root, Address pf, int *ret) {
        _cleanup_(closedirp) DIR *d = NULL;
        char address[ADDRESS_TEXT_SIZE], path[PATH_MAX];
        uint32_t best_index = 0, best_port = 0;
        const struct dirent *e;

        address_format(pf, address);
        if (snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/net", sysfs_root, address) >= (int)sizeof(path))
                return -ENAMETOOLONG;
        d = opendir(path);
        if (!d)
                return errno == ENOENT ? -ENODEV : -errno;
        while ((e = readdir(d))) {
                uint32_t index, port = 0;

                /* One that goes while it is looked at is none. */
                if (e->d_name[0] == '.' || read_number(dirfd(d), e->d_name, "ifindex", &index) < 0 || index == 0 ||
                    index > INT_MAX || !is_uplink(dirfd(d), e->d_name))
                        continue;
                if (read_number(dirfd(d), e->d_name, "dev_port", &port) < 0)
                        port = 0;
                if (best_index == 0 || port < best_port || (port == best_port && index < best_index)) {
                        best_index = index;
                        best_port = port;
                }
        }
        if (best_index == 0)
                return -ENODEV;
        *ret = (int)best_index;
        return 0;
}
