/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VF settings as a part of the manifest. What decodes obeys the rules that encoding
 * enforces: numbers ascend, values are ones that rtnetlink can carry.
 */
#include "vf-settings.h"

#include <json-c/json.h>
#include <stdarg.h>

static inline void json_freep(json_object **o) {
        json_object_put(*o);
}

/* ---- encoding ---- */

/* Puts value (which it takes over, NULL means: no memory) into the object or array o. */
static int put(json_object *o, const char *key, json_object *value) {
        int r = -1;

        if (value)
                r = key ? json_object_object_add(o, key, value) : json_object_array_add(o, value);
        if (r < 0) {
                json_object_put(value);
                return -ENOMEM;
        }
        return 0;
}

static int put_numbers(json_object *o, const char *key, const uint32_t *values, size_t n) {
        json_object *list = json_object_new_array_ext((int)n);

        int r = put(o, key, list);
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = put(list, NULL, json_object_new_int64(values[i]));
        return r;
}

static int put_setting(json_object *o, const VfSettings *v, VfSetting s) {
        const char *key = vf_setting_to_string(s);
        char text[VF_SETTING_TEXT_SIZE];

        switch (s) {
        case VF_SETTING_MAC:
                vf_setting_format(v, s, text);
                return put(o, key, json_object_new_string(text));
        case VF_SETTING_VLAN:
                return put_numbers(o, key, (uint32_t[]){ v->vlan, v->vlan_qos, v->vlan_proto }, 3);
        case VF_SETTING_RATE:
                return put_numbers(o, key, (uint32_t[]){ v->min_rate, v->max_rate }, 2);
        case VF_SETTING_SPOOF_CHECK:
                return put(o, key, json_object_new_boolean(v->spoof_check));
        case VF_SETTING_LINK_STATE:
                return put(o, key, json_object_new_string(vf_link_to_string(v->link_state)));
        case VF_SETTING_RSS_QUERY:
                return put(o, key, json_object_new_boolean(v->rss_query));
        case VF_SETTING_TRUST:
                return put(o, key, json_object_new_boolean(v->trust));
        case _VF_SETTING_MAX:
                break;
        }
        return -EINVAL;
}

static int encode_vf(json_object *list, const VfSettings *v) {
        json_object *o = json_object_new_object();

        int r = put(list, NULL, o);
        if (r >= 0)
                r = put(o, "vf", json_object_new_int64(v->vf));
        for (VfSetting s = 0; r >= 0 && s < _VF_SETTING_MAX; s++)
                if (v->known & VF_SETTING_BIT(s))
                        r = put_setting(o, v, s);
        return r;
}

int vf_list_encode(const VfList *l, struct json_object **ret) {
        _cleanup_(json_freep) json_object *root = json_object_new_object();
        json_object *list;

        if (!root)
                return -ENOMEM;
        if (!vf_list_valid(l))
                return -EINVAL;
        int r = put(root, "total", json_object_new_int64(l->total));
        if (r < 0)
                return r;
        list = json_object_new_array();
        r = put(root, "vfs", list);
        for (size_t i = 0; r >= 0 && i < l->n; i++)
                r = encode_vf(list, &l->items[i]);
        if (r >= 0)
                *ret = TAKE_PTR(root);
        return r;
}

/* ---- decoding ---- */

typedef struct Decoder {
        Refusal *refusal;
        size_t index; /* in "vfs" */
} Decoder;

static _printf_(3, 4) int bad(const Decoder *d, const char *key, const char *format, ...) {
        char text[96];
        va_list ap;

        va_start(ap, format);
        (void)vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        return refuse(d->refusal, REASON_MANIFEST_INVALID, NULL, "VF settings, entry %zu, %s: %s", d->index, key,
                      text);
}

static int to_number(const Decoder *d, const char *key, json_object *o, uint32_t max, uint32_t *ret) {
        if (!json_object_is_type(o, json_type_int))
                return bad(d, key, "is not a number");
        int64_t v = json_object_get_int64(o);
        if (v < 0 || v > max)
                return bad(d, key, "is out of range");
        *ret = (uint32_t)v;
        return 0;
}

static int get_number(const Decoder *d, json_object *o, const char *key, uint32_t max, uint32_t *ret) {
        json_object *value;

        if (!json_object_object_get_ex(o, key, &value))
                return bad(d, key, "is missing");
        return to_number(d, key, value, max, ret);
}

/* Further elements are a later version's. */
static int to_numbers(const Decoder *d, const char *key, json_object *o, const uint32_t *max, uint32_t *ret,
                      size_t n) {
        int r = 0;

        if (!json_object_is_type(o, json_type_array) || json_object_array_length(o) < n)
                return bad(d, key, "is not a list of %zu numbers", n);
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = to_number(d, key, json_object_array_get_idx(o, i), max[i], &ret[i]);
        return r;
}

static int to_bool(const Decoder *d, const char *key, json_object *o, bool *ret) {
        if (!json_object_is_type(o, json_type_boolean))
                return bad(d, key, "is not true or false");
        *ret = json_object_get_boolean(o);
        return 0;
}

static int hex_digit(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int to_mac(const Decoder *d, const char *key, json_object *o, uint8_t *ret) {
        const char *s = json_object_is_type(o, json_type_string) ? json_object_get_string(o) : "";
        uint8_t mac[VF_MAC_SIZE];

        if (strlen(s) != 3 * VF_MAC_SIZE - 1)
                return bad(d, key, "is not a MAC address");
        for (size_t i = 0; i < VF_MAC_SIZE; i++) {
                int high = hex_digit(s[3 * i]), low = hex_digit(s[3 * i + 1]);

                if (high < 0 || low < 0 || (i + 1 < VF_MAC_SIZE && s[3 * i + 2] != ':'))
                        return bad(d, key, "is not a MAC address");
                mac[i] = (uint8_t)(high << 4 | low);
        }
        memcpy(ret, mac, sizeof(mac));
        return 0;
}

static int to_setting(const Decoder *d, json_object *o, VfSetting s, VfSettings *v) {
        const char *key = vf_setting_to_string(s);
        uint32_t n[3];
        int r = 0;

        switch (s) {
        case VF_SETTING_MAC:
                return to_mac(d, key, o, v->mac);
        case VF_SETTING_VLAN:
                r = to_numbers(d, key, o, (uint32_t[]){ 4095, 7, UINT16_MAX }, n, 3);
                if (r >= 0) {
                        v->vlan = (uint16_t)n[0];
                        v->vlan_qos = (uint8_t)n[1];
                        v->vlan_proto = (uint16_t)n[2];
                }
                return r;
        case VF_SETTING_RATE:
                r = to_numbers(d, key, o, (uint32_t[]){ UINT32_MAX, UINT32_MAX }, n, 2);
                if (r >= 0) {
                        v->min_rate = n[0];
                        v->max_rate = n[1];
                }
                return r;
        case VF_SETTING_LINK_STATE:
                if (json_object_is_type(o, json_type_string))
                        r = vf_link_from_string(json_object_get_string(o));
                if (!json_object_is_type(o, json_type_string) || r < 0)
                        return bad(d, key, "is not auto, enable or disable");
                v->link_state = (VfLink)r;
                return 0;
        case VF_SETTING_SPOOF_CHECK:
                return to_bool(d, key, o, &v->spoof_check);
        case VF_SETTING_RSS_QUERY:
                return to_bool(d, key, o, &v->rss_query);
        case VF_SETTING_TRUST:
                return to_bool(d, key, o, &v->trust);
        case _VF_SETTING_MAX:
                break;
        }
        return 0;
}

static int decode_vf(const Decoder *d, json_object *o, VfSettings *v) {
        json_object *value;

        if (!json_object_is_type(o, json_type_object))
                return bad(d, "vfs", "is not an object");
        int r = get_number(d, o, "vf", VF_NUMBER_MAX, &v->vf);
        for (VfSetting s = 0; r >= 0 && s < _VF_SETTING_MAX; s++)
                if (json_object_object_get_ex(o, vf_setting_to_string(s), &value)) {
                        r = to_setting(d, value, s, v);
                        v->known |= VF_SETTING_BIT(s);
                }
        return r;
}

int vf_list_decode(struct json_object *o, VfList *ret, Refusal *refusal) {
        _cleanup_(vf_list_done) VfList l = {};
        Decoder d = { .refusal = refusal };
        json_object *list;

        if (!json_object_is_type(o, json_type_object))
                return bad(&d, "all", "is not an object");
        int r = get_number(&d, o, "total", VF_NUMBER_MAX, &l.total);
        if (r < 0)
                return r;
        if (!json_object_object_get_ex(o, "vfs", &list) || !json_object_is_type(list, json_type_array))
                return bad(&d, "vfs", "is not a list");
        size_t n = json_object_array_length(list);
        if (n > VF_NUMBER_MAX + 1)
                return bad(&d, "vfs", "is too long");
        l.items = n > 0 ? calloc(n, sizeof(*l.items)) : NULL;
        if (n > 0 && !l.items)
                return refuse_errno(refusal, -ENOMEM, NULL, "reading VF settings");
        for (; l.n < n; l.n++) {
                VfSettings *v = &l.items[l.n];

                d.index = l.n;
                r = decode_vf(&d, json_object_array_get_idx(list, l.n), v);
                if (r < 0)
                        return r;
                if (l.n > 0 && v->vf <= v[-1].vf)
                        return bad(&d, "vf", "does not ascend");
        }
        *ret = l;
        l = (VfList){};
        return 0;
}
