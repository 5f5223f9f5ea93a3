/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vf-settings.h"

static const char *const setting_table[_VF_SETTING_MAX] = {
        [VF_SETTING_MAC] = "mac",
        [VF_SETTING_VLAN] = "vlan",
        [VF_SETTING_RATE] = "rate",
        [VF_SETTING_SPOOF_CHECK] = "spoof-check",
        [VF_SETTING_LINK_STATE] = "link-state",
        [VF_SETTING_RSS_QUERY] = "rss-query",
        [VF_SETTING_TRUST] = "trust",
};
DEFINE_STRING_TABLE(vf_setting, VfSetting, setting_table);

static const char *const link_table[_VF_LINK_MAX] = {
        [VF_LINK_AUTO] = "auto",
        [VF_LINK_ENABLE] = "enable",
        [VF_LINK_DISABLE] = "disable",
};
DEFINE_STRING_TABLE(vf_link, VfLink, link_table);

static const char *const difference_table[_VF_DIFFERENCE_MAX] = {
        [VF_DIFFERENCE_CHANGED] = "changed",
        [VF_DIFFERENCE_UNREADABLE] = "unreadable",
        [VF_DIFFERENCE_GONE] = "gone",
        [VF_DIFFERENCE_NEW] = "new",
};
DEFINE_STRING_TABLE(vf_difference, VfDifferenceKind, difference_table);

void vf_list_done(VfList *l) {
        free(l->items);
        *l = (VfList){};
}

int vf_list_copy(const VfList *from, VfList *ret) {
        VfSettings *items = from->n > 0 ? reallocarray(NULL, from->n, sizeof(*items)) : NULL;

        if (from->n > 0) {
                if (!items)
                        return -ENOMEM;
                memcpy(items, from->items, from->n * sizeof(*items));
        }
        *ret = (VfList){ .items = items, .n = from->n, .total = from->total };
        return 0;
}

static bool settings_valid(const VfSettings *v) {
        return v->vf <= VF_NUMBER_MAX && (v->known & ~VF_SETTINGS_ALL) == 0 && v->vlan <= 4095 && v->vlan_qos <= 7 &&
               (unsigned)v->link_state < _VF_LINK_MAX;
}

bool vf_list_valid(const VfList *l) {
        for (size_t i = 0; i < l->n; i++)
                if (!settings_valid(&l->items[i]) || (i > 0 && l->items[i].vf <= l->items[i - 1].vf))
                        return false;
        return l->total <= VF_NUMBER_MAX;
}

/* Without a VLAN, of which protocol it is means nothing. */
static bool vlan_equal(const VfSettings *a, const VfSettings *b) {
        if (a->vlan != b->vlan || a->vlan_qos != b->vlan_qos)
                return false;
        return (a->vlan == 0 && a->vlan_qos == 0) || a->vlan_proto == b->vlan_proto;
}

static bool setting_equal(const VfSettings *a, const VfSettings *b, VfSetting setting) {
        switch (setting) {
        case VF_SETTING_MAC:
                return memcmp(a->mac, b->mac, sizeof(a->mac)) == 0;
        case VF_SETTING_VLAN:
                return vlan_equal(a, b);
        case VF_SETTING_RATE:
                return a->min_rate == b->min_rate && a->max_rate == b->max_rate;
        case VF_SETTING_SPOOF_CHECK:
                return a->spoof_check == b->spoof_check;
        case VF_SETTING_LINK_STATE:
                return a->link_state == b->link_state;
        case VF_SETTING_RSS_QUERY:
                return a->rss_query == b->rss_query;
        case VF_SETTING_TRUST:
                return a->trust == b->trust;
        case _VF_SETTING_MAX:
                break;
        }
        return true;
}

uint32_t vf_settings_changed(const VfSettings *want, const VfSettings *now) {
        uint32_t changed = 0;

        for (VfSetting s = 0; s < _VF_SETTING_MAX; s++)
                if ((want->known & now->known & VF_SETTING_BIT(s)) && !setting_equal(want, now, s))
                        changed |= VF_SETTING_BIT(s);
        return changed;
}

static void format_vlan(const VfSettings *v, char *buf, size_t size) {
        if (v->vlan == 0 && v->vlan_qos == 0)
                (void)snprintf(buf, size, "none");
        else if (v->vlan_proto == VLAN_PROTO_8021Q)
                (void)snprintf(buf, size, "%u qos %u", v->vlan, v->vlan_qos);
        else if (v->vlan_proto == VLAN_PROTO_8021AD)
                (void)snprintf(buf, size, "%u qos %u 802.1ad", v->vlan, v->vlan_qos);
        else
                (void)snprintf(buf, size, "%u qos %u protocol 0x%04x", v->vlan, v->vlan_qos, v->vlan_proto);
}

static void format_rate(const VfSettings *v, char *buf, size_t size) {
        if (v->min_rate == 0 && v->max_rate == 0)
                (void)snprintf(buf, size, "no limit");
        else if (v->max_rate == 0)
                (void)snprintf(buf, size, "from %u Mbit/s", v->min_rate);
        else if (v->min_rate == 0)
                (void)snprintf(buf, size, "to %u Mbit/s", v->max_rate);
        else
                (void)snprintf(buf, size, "%u to %u Mbit/s", v->min_rate, v->max_rate);
}

void vf_setting_format(const VfSettings *v, VfSetting setting, char buf[static VF_SETTING_TEXT_SIZE]) {
        const size_t size = VF_SETTING_TEXT_SIZE;
        const char *word = "unknown";

        if (setting < _VF_SETTING_MAX && (v->known & VF_SETTING_BIT(setting)))
                switch (setting) {
                case VF_SETTING_MAC:
                        (void)snprintf(buf, size, "%02x:%02x:%02x:%02x:%02x:%02x", v->mac[0], v->mac[1], v->mac[2],
                                       v->mac[3], v->mac[4], v->mac[5]);
                        return;
                case VF_SETTING_VLAN:
                        format_vlan(v, buf, size);
                        return;
                case VF_SETTING_RATE:
                        format_rate(v, buf, size);
                        return;
                case VF_SETTING_SPOOF_CHECK:
                        word = v->spoof_check ? "on" : "off";
                        break;
                case VF_SETTING_LINK_STATE:
                        word = vf_link_to_string(v->link_state) ?: word;
                        break;
                case VF_SETTING_RSS_QUERY:
                        word = v->rss_query ? "on" : "off";
                        break;
                case VF_SETTING_TRUST:
                        word = v->trust ? "on" : "off";
                        break;
                case _VF_SETTING_MAX:
                        break;
                }
        (void)snprintf(buf, size, "%s", word);
}

/* ---- comparison ---- */

typedef struct Differences {
        VfDifference *items;
        size_t n, n_allocated;
} Differences;

static int add(Differences *d, VfDifferenceKind kind, VfSetting setting, const VfSettings *before,
               const VfSettings *after) {
        if (d->n >= d->n_allocated) {
                size_t more = MAX_OF(d->n_allocated * 2, (size_t)8);
                void *p = reallocarray(d->items, more, sizeof(*d->items));
                if (!p)
                        return -ENOMEM;
                d->items = p;
                d->n_allocated = more;
        }
        d->items[d->n++] = (VfDifference){
                .kind = kind,
                .vf = before ? before->vf : after->vf,
                .setting = setting,
                .before = before,
                .after = after,
        };
        return 0;
}

static int compare_vf(Differences *d, const VfSettings *before, const VfSettings *after) {
        uint32_t changed = vf_settings_changed(before, after);
        uint32_t lost = before->known & ~after->known;

        for (VfSetting s = 0; s < _VF_SETTING_MAX; s++) {
                int r = 0;

                if (changed & VF_SETTING_BIT(s))
                        r = add(d, VF_DIFFERENCE_CHANGED, s, before, after);
                else if (lost & VF_SETTING_BIT(s))
                        r = add(d, VF_DIFFERENCE_UNREADABLE, s, before, after);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* One that is in one list only. It need not be gone or new: the kernel may have stopped
 * short of it (see VfList). */
static int compare_alone(Differences *d, const VfList *other, const VfSettings *before, const VfSettings *after) {
        uint32_t vf = before ? before->vf : after->vf;

        if (before)
                return add(d, vf < other->total ? VF_DIFFERENCE_UNREADABLE : VF_DIFFERENCE_GONE, _VF_SETTING_MAX,
                           before, NULL);
        return vf < other->total ? 0 : add(d, VF_DIFFERENCE_NEW, _VF_SETTING_MAX, NULL, after);
}

int vf_list_compare(const VfList *before, const VfList *after, VfDifference **ret, size_t *ret_n) {
        Differences d = {};
        int r = 0;

        for (size_t i = 0, j = 0; r >= 0 && (i < before->n || j < after->n);) {
                const VfSettings *b = i < before->n ? &before->items[i] : NULL;
                const VfSettings *a = j < after->n ? &after->items[j] : NULL;

                if (a && b && a->vf == b->vf) {
                        r = compare_vf(&d, b, a);
                        i++, j++;
                } else if (b && (!a || b->vf < a->vf)) {
                        r = compare_alone(&d, after, b, NULL);
                        i++;
                } else {
                        r = compare_alone(&d, before, NULL, a);
                        j++;
                }
        }
        if (r < 0) {
                free(d.items);
                return r;
        }
        *ret = d.items;
        *ret_n = d.n;
        return 0;
}
