/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The first byte says which text of the module liveupdate_vfio follows. What is
 * understood is in order and within its bounds; what is not is -EBADMSG.
 */
#include "core/shim-text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok) {
        if (!ok)
                abort();
}

static void list(ShimDirection direction, const char *text, size_t size) {
        ShimList l = {};

        int r = shim_parse_list(direction, text, size, &l);
        must(r == 0 || (r == -EBADMSG && !l.items));
        for (size_t i = 0; i < l.n; i++) {
                const ShimDevice *d = &l.items[i];

                must(shim_kind_to_string(d->kind) && shim_dma_to_string(d->dma) && shim_state_to_string(d->state));
                must((d->state >= SHIM_WAITING) == (direction == SHIM_INCOMING));
                must(d->class_code <= 0xffffff && d->address.slot < 32 && d->address.function < 8);
                must(i == 0 || address_compare(l.items[i - 1].address, d->address) < 0);
                must(shim_list_find(&l, d->address) == d);
        }
        shim_list_done(&l);
}

static void held(const char *text, size_t size) {
        ShimHeld *items = NULL;
        size_t n = 0;

        int r = shim_parse_held(text, size, &items, &n);
        must(r == 0 || (r == -EBADMSG && !items));
        for (size_t i = 0; i < n; i++)
                must(items[i].size == 1 || items[i].size == 2 || items[i].size == 4);
        free(items);
}

static void policies(const char *text, size_t size) {
        ShimSetting *items = NULL;
        size_t n = 0;

        int r = shim_parse_policies(text, size, &items, &n);
        must(r == 0 || (r == -EBADMSG && !items));
        for (size_t i = 0; i < n; i++)
                must(items[i].policy != SHIM_POLICY_DEFAULT && shim_policy_to_string(items[i].policy));
        free(items);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        char compatible[SHIM_COMPATIBLE_SIZE] = "";
        unsigned features = 0;
        int r;

        if (size == 0)
                return 0;
        /* In memory that ends with it. */
        _cleanup_free_ char *text = malloc(MAX_OF(size - 1, (size_t)1));
        if (!text)
                return 0;
        memcpy(text, data + 1, size - 1);
        switch (data[0]) {
        case 'o':
                list(SHIM_OUTGOING, text, size - 1);
                break;
        case 'i':
                list(SHIM_INCOMING, text, size - 1);
                break;
        case 'h':
                held(text, size - 1);
                break;
        case 'p':
                policies(text, size - 1);
                break;
        case 'f':
                r = shim_parse_features(text, size - 1, &features);
                must(r == 0 || (r == -EBADMSG && features == 0));
                break;
        default:
                r = shim_parse_compatible(text, size - 1, compatible);
                must(r == 0 || (r == -EBADMSG && !*compatible));
        }
        return 0;
}
