/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines of words; the words are copied out of a line, which is bounded. */
#include "shim-text.h"

#include "common/parse.h"

enum { LINE_MAX_SIZE = 256, WORDS_MAX = 8 };

static const char *const shim_policy_table[_SHIM_POLICY_MAX] = {
        [SHIM_POLICY_DEFAULT] = "default",
        [SHIM_POLICY_STOP] = "stop",
        [SHIM_POLICY_CONTINUE] = "continue",
        [SHIM_POLICY_IDENTITY] = "continue-identity",
};

DEFINE_STRING_TABLE(shim_policy, ShimPolicy, shim_policy_table);

static const char *const shim_kind_table[_SHIM_KIND_MAX] = {
        [SHIM_FUNCTION] = "function",
        [SHIM_KIND_PF] = "pf",
        [SHIM_KIND_VF] = "vf",
};

DEFINE_STRING_TABLE(shim_kind, ShimKind, shim_kind_table);

static const char *const shim_dma_table[_SHIM_DMA_MAX] = {
        [SHIM_DMA_STOP] = "stop",
        [SHIM_DMA_RUNS] = "continue",
        [SHIM_DMA_IDENTITY] = "identity",
};

DEFINE_STRING_TABLE(shim_dma, ShimDma, shim_dma_table);

static const char *const shim_state_table[_SHIM_STATE_MAX] = {
        [SHIM_PRESERVED] = "preserved", [SHIM_FROZEN] = "frozen",     [SHIM_WAITING] = "waiting",
        [SHIM_MISSING] = "missing",     [SHIM_MISMATCH] = "mismatch", [SHIM_RETRIEVED] = "retrieved",
        [SHIM_BOUND] = "bound",         [SHIM_FAILED] = "failed",     [SHIM_FINISHED] = "finished",
};

DEFINE_STRING_TABLE(shim_state, ShimState, shim_state_table);

void shim_list_done(ShimList *l) {
        free(l->items);
        *l = (ShimList){};
}

static int compare_devices(const void *a, const void *b) {
        return address_compare(((const ShimDevice *)a)->address, ((const ShimDevice *)b)->address);
}

const ShimDevice *shim_list_find(const ShimList *l, Address address) {
        ShimDevice key = { .address = address };

        return l->n > 0 ? bsearch(&key, l->items, l->n, sizeof(*l->items), compare_devices) : NULL;
}

/* ---- words ---- */

typedef struct Line {
        char text[LINE_MAX_SIZE];
        char *words[WORDS_MAX];
        size_t n;
} Line;

static bool is_word(const char *s) {
        for (; *s; s++)
                if ((unsigned char)*s <= ' ' || (unsigned char)*s >= 0x7f)
                        return false;
        return true;
}

/* Takes the line at *at. 1, 0 at the end, -EBADMSG: it has no end, too many bytes or
 * words, or others than printable ASCII between blanks. */
static int next_line(const char *text, size_t size, size_t *at, Line *l) {
        const char *start = text + *at, *end = memchr(start, '\n', size - *at);
        char *save;

        if (*at >= size)
                return 0;
        if (!end || (size_t)(end - start) >= sizeof(l->text) || memchr(start, '\0', (size_t)(end - start)))
                return -EBADMSG;
        memcpy(l->text, start, (size_t)(end - start));
        l->text[end - start] = '\0';
        l->n = 0;
        for (char *word = strtok_r(l->text, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
                if (l->n == WORDS_MAX || !is_word(word))
                        return -EBADMSG;
                l->words[l->n++] = word;
        }
        *at += (size_t)(end - start) + 1;
        return 1;
}

/* min to max hexadecimal digits, and nothing else. */
static bool take_hex(const char *s, size_t min, size_t max, uint32_t *ret) {
        uint32_t v = 0;
        size_t n = 0;

        for (; s[n]; n++) {
                int digit = s[n] >= '0' && s[n] <= '9'   ? s[n] - '0'
                            : s[n] >= 'a' && s[n] <= 'f' ? s[n] - 'a' + 10
                                                         : -1;
                if (digit < 0 || n == max)
                        return false;
                v = v << 4 | (uint32_t)digit;
        }
        if (n < min)
                return false;
        *ret = v;
        return true;
}

static bool take_ids(char *s, uint16_t *ret_vendor, uint16_t *ret_device) {
        char *colon = strchr(s, ':');
        uint32_t vendor, device;

        if (!colon)
                return false;
        *colon = '\0';
        if (!take_hex(s, 4, 4, &vendor) || !take_hex(colon + 1, 4, 4, &device))
                return false;
        *ret_vendor = (uint16_t)vendor;
        *ret_device = (uint16_t)device;
        return true;
}

static bool take_enum(int v, int first, int last, int *ret) {
        *ret = v;
        return v >= first && v <= last;
}

static bool take_name(const char *s, char ret[static SHIM_WORD_SIZE]) {
        if (strlen(s) >= SHIM_WORD_SIZE)
                return false;
        memcpy(ret, s, strlen(s) + 1);
        return true;
}

/* ---- lines ---- */

/* A list that grows; full at each power of two. */
static int grow(void **items, size_t n, size_t size) {
        if (n >= SHIM_FUNCTIONS_MAX)
                return -EBADMSG;
        if ((n & (n - 1)) != 0)
                return 0;
        void *p = reallocarray(*items, MAX_OF(2 * n, (size_t)1), size);
        if (!p)
                return -ENOMEM;
        *items = p;
        return 0;
}

/* ADDRESS VENDOR:DEVICE CLASS KIND DMA STATE [DRIVER] */
static int parse_device(ShimDirection direction, Line *l, ShimDevice *ret) {
        bool incoming = direction == SHIM_INCOMING;
        ShimDevice d = {};
        int kind, dma, state;

        if (l->n != (incoming ? 7 : 6) || address_parse(l->words[0], &d.address) < 0 ||
            !take_ids(l->words[1], &d.vendor, &d.device) || !take_hex(l->words[2], 6, 6, &d.class_code) ||
            !take_enum(shim_kind_from_string(l->words[3]), 0, _SHIM_KIND_MAX - 1, &kind) ||
            !take_enum(shim_dma_from_string(l->words[4]), 0, _SHIM_DMA_MAX - 1, &dma) ||
            !take_enum(shim_state_from_string(l->words[5]), incoming ? SHIM_WAITING : SHIM_PRESERVED,
                       incoming ? SHIM_FINISHED : SHIM_FROZEN, &state))
                return -EBADMSG;
        if (incoming && !streq(l->words[6], "-") && !take_name(l->words[6], d.driver))
                return -EBADMSG;
        d.kind = (ShimKind)kind;
        d.dma = (ShimDma)dma;
        d.state = (ShimState)state;
        *ret = d;
        return 0;
}

static int sort_list(ShimList *l) {
        if (l->n > 0)
                qsort(l->items, l->n, sizeof(*l->items), compare_devices);
        for (size_t i = 1; i < l->n; i++)
                if (address_compare(l->items[i - 1].address, l->items[i].address) == 0)
                        return -EBADMSG;
        return 0;
}

int shim_parse_list(ShimDirection direction, const char *text, size_t size, ShimList *ret) {
        ShimList list = {};
        size_t at = 0;
        Line line;
        int r;

        while ((r = next_line(text, size, &at, &line)) > 0) {
                void *items = list.items;
                r = grow(&items, list.n, sizeof(*list.items));
                list.items = items;
                if (r >= 0)
                        r = parse_device(direction, &line, &list.items[list.n]);
                if (r < 0)
                        break;
                list.n++;
        }
        if (r >= 0)
                r = sort_list(&list);
        if (r < 0) {
                shim_list_done(&list);
                return r;
        }
        *ret = list;
        return 0;
}

/* ADDRESS REGISTER SIZE MASK VALUE OVERRIDDEN REASON */
static int parse_held(const Line *l, ShimHeld *ret) {
        uint32_t offset, size;
        ShimHeld h = {};

        if (l->n != 7 || address_parse(l->words[0], &h.address) < 0 || !take_hex(l->words[1], 1, 4, &offset) ||
            !take_hex(l->words[2], 1, 2, &size) || !take_hex(l->words[3], 1, 8, &h.mask) ||
            !take_hex(l->words[4], 1, 8, &h.value) || parse_u64(l->words[5], &h.overridden) < 0 ||
            !take_name(l->words[6], h.reason))
                return -EBADMSG;
        if (size != 1 && size != 2 && size != 4)
                return -EBADMSG;
        h.offset = (uint16_t)offset;
        h.size = (uint8_t)size;
        *ret = h;
        return 0;
}

int shim_parse_held(const char *text, size_t size, ShimHeld **ret, size_t *ret_n) {
        _cleanup_free_ ShimHeld *items = NULL;
        size_t n = 0, at = 0;
        Line line;
        int r;

        while ((r = next_line(text, size, &at, &line)) > 0) {
                void *p = items;
                r = grow(&p, n, sizeof(*items));
                items = p;
                if (r >= 0)
                        r = parse_held(&line, &items[n]);
                if (r < 0)
                        break;
                n++;
        }
        if (r < 0)
                return r;
        *ret = TAKE_PTR(items);
        *ret_n = n;
        return 0;
}

int shim_parse_policies(const char *text, size_t size, ShimSetting **ret, size_t *ret_n) {
        _cleanup_free_ ShimSetting *items = NULL;
        size_t n = 0, at = 0;
        Line line;
        int r;

        while ((r = next_line(text, size, &at, &line)) > 0) {
                void *p = items;
                int policy;

                r = grow(&p, n, sizeof(*items));
                items = p;
                if (r < 0)
                        return r;
                if (line.n != 2 || address_parse(line.words[0], &items[n].address) < 0 ||
                    !take_enum(shim_policy_from_string(line.words[1]), SHIM_POLICY_STOP, _SHIM_POLICY_MAX - 1,
                               &policy))
                        return -EBADMSG;
                items[n++].policy = (ShimPolicy)policy;
        }
        if (r < 0)
                return r;
        *ret = TAKE_PTR(items);
        *ret_n = n;
        return 0;
}

/* The one line of a text. */
static int only_line(const char *text, size_t size, Line *l) {
        size_t at = 0;

        int r = next_line(text, size, &at, l);
        return r < 0 ? r : r == 0 || at != size ? -EBADMSG : 0;
}

int shim_parse_features(const char *text, size_t size, unsigned *ret) {
        static const struct {
                const char *word;
                ShimFeature feature;
        } words[] = { { "vfio", SHIM_VFIO }, { "dma-continue", SHIM_DMA_CONTINUE }, { "vf", SHIM_VF } };
        unsigned features = 0;
        Line l;

        int r = only_line(text, size, &l);
        if (r < 0)
                return r;
        for (size_t i = 0; i < l.n; i++)
                for (size_t j = 0; j < ELEMENTSOF(words); j++)
                        if (streq(l.words[i], words[j].word))
                                features |= words[j].feature;
        *ret = features;
        return 0;
}

int shim_parse_compatible(const char *text, size_t size, char ret[static SHIM_COMPATIBLE_SIZE]) {
        Line l;

        int r = only_line(text, size, &l);
        if (r < 0)
                return r;
        if (l.n != 1 || strlen(l.words[0]) >= SHIM_COMPATIBLE_SIZE)
                return -EBADMSG;
        memcpy(ret, l.words[0], strlen(l.words[0]) + 1);
        return 0;
}
