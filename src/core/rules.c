/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading goes section by section: the first line of a section makes the rule, further
 * lines add to the last one made, and what was dropped is taken out at the end of the
 * buffer. A pattern is a value and a mask over one number each, but for drivers.
 */
#include "rules.h"

static const char *const dma_table[_DMA_MAX] = {
        [DMA_AUTO] = "auto",
        [DMA_KEEP] = "keep",
        [DMA_KEEP_IDENTITY] = "keep-identity",
        [DMA_STOP] = "stop",
};

DEFINE_STRING_TABLE(dma, Dma, dma_table);

static const char *const preservation_table[_PRESERVATION_MAX] = {
        [PRESERVATION_CONSERVATIVE] = "conservative",
        [PRESERVATION_MINIMAL] = "minimal",
};

DEFINE_STRING_TABLE(preservation, Preservation, preservation_table);

typedef enum MatchKind { MATCH_ADDRESS, MATCH_ID, MATCH_CLASS, MATCH_DRIVER, _MATCH_MAX } MatchKind;

struct RuleMatch {
        MatchKind kind;
        uint64_t value, mask; /* of what match_number() makes */
        char *driver;
};

void rules_done(Rules *rules) {
        for (size_t i = 0; i < rules->n; i++) {
                Rule *rule = &rules->items[i];

                for (size_t j = 0; j < rule->n_matches; j++)
                        free(rule->matches[j].driver);
                free(rule->matches);
                free(rule->origin);
        }
        free(rules->items);
        *rules = (Rules){};
}

/* ---- matching ---- */

static uint64_t address_number(uint64_t domain, uint64_t bus, uint64_t slot, uint64_t function) {
        return domain << 24 | bus << 16 | slot << 8 | function;
}

static uint64_t match_number(MatchKind kind, const Function *f) {
        switch (kind) {
        case MATCH_ADDRESS:
                return address_number(f->address.domain, f->address.bus, f->address.slot, f->address.function);
        case MATCH_ID:
                return (uint64_t)f->vendor << 16 | f->device;
        case MATCH_CLASS:
                return f->class_code;
        case MATCH_DRIVER:
        case _MATCH_MAX:
                break;
        }
        return 0;
}

static bool match_fits(const RuleMatch *m, const Function *f) {
        if (m->kind == MATCH_DRIVER)
                return (f->driver && streq(f->driver, m->driver)) ||
                       (f->native_driver && streq(f->native_driver, m->driver));
        return (match_number(m->kind, f) & m->mask) == m->value;
}

static bool rule_fits(const Rule *rule, const Function *f) {
        bool wanted[_MATCH_MAX] = {}, found[_MATCH_MAX] = {};

        for (size_t i = 0; i < rule->n_matches; i++) {
                const RuleMatch *m = &rule->matches[i];

                wanted[m->kind] = true;
                found[m->kind] = found[m->kind] || match_fits(m, f);
        }
        for (size_t i = 0; i < _MATCH_MAX; i++)
                if (wanted[i] && !found[i])
                        return false;
        return true;
}

DevicePolicy rules_apply(const Rules *rules, const Function *f) {
        DevicePolicy p = {};

        for (size_t i = 0; rules && i < rules->n; i++) {
                const Rule *rule = &rules->items[i];

                if (!rule_fits(rule, f))
                        continue;
                if (rule->has_action) {
                        p.deny = rule->deny;
                        p.action_origin = rule->origin;
                }
                if (rule->has_dma) {
                        p.dma = rule->dma;
                        p.dma_origin = rule->origin;
                }
                if (rule->has_preservation) {
                        p.preservation = rule->preservation;
                        p.preservation_origin = rule->origin;
                }
        }
        return p;
}

/* ---- patterns ---- */

/* min to max hexadecimal digits up to the character `end`, or '*'. *s then points
 * behind `end`, if that is not the end of the text. */
static bool take_part(const char **s, char end, size_t min, size_t max, uint64_t limit, uint64_t *ret, bool *ret_any) {
        const char *p = *s;
        uint64_t v = 0;
        size_t n = 0;

        *ret_any = *p == '*';
        if (*ret_any)
                p++;
        for (; !*ret_any && n < max; n++, p++) {
                if (*p >= '0' && *p <= '9')
                        v = v << 4 | (uint64_t)(*p - '0');
                else if (*p >= 'a' && *p <= 'f')
                        v = v << 4 | (uint64_t)(*p - 'a' + 10);
                else if (*p >= 'A' && *p <= 'F')
                        v = v << 4 | (uint64_t)(*p - 'A' + 10);
                else
                        break;
        }
        if (*p != end || (!*ret_any && (n < min || v > limit)))
                return false;
        *s = end ? p + 1 : p;
        *ret = v;
        return true;
}

static int parse_address_pattern(const char *s, RuleMatch *m) {
        uint64_t domain = 0, bus, slot, function;
        bool any_domain = false, any_bus, any_slot, any_function;
        const char *colon = strchr(s, ':');

        /* With one colon there is no domain, and it is 0, as in "3b:00.0". */
        if (colon && strchr(colon + 1, ':') && !take_part(&s, ':', 4, 8, UINT32_MAX, &domain, &any_domain))
                return -EINVAL;
        if (!take_part(&s, ':', 2, 2, 0xff, &bus, &any_bus) || !take_part(&s, '.', 2, 2, 31, &slot, &any_slot) ||
            !take_part(&s, '\0', 1, 1, 7, &function, &any_function))
                return -EINVAL;
        m->value = address_number(domain, bus, slot, function);
        m->mask = address_number(any_domain ? 0 : UINT32_MAX, any_bus ? 0 : 0xff, any_slot ? 0 : 0xff,
                                 any_function ? 0 : 0xff);
        return 0;
}

static int parse_id_pattern(const char *s, RuleMatch *m) {
        uint64_t vendor, device;
        bool any_vendor, any_device;

        if (!take_part(&s, ':', 4, 4, 0xffff, &vendor, &any_vendor) ||
            !take_part(&s, '\0', 4, 4, 0xffff, &device, &any_device))
                return -EINVAL;
        m->value = vendor << 16 | device;
        m->mask = (any_vendor ? 0 : UINT64_C(0xffff0000)) | (any_device ? 0 : UINT64_C(0xffff));
        return 0;
}

static int parse_class_pattern(const char *s, RuleMatch *m) {
        size_t n;
        bool any;

        if (strncmp(s, "0x", 2) == 0)
                s += 2;
        n = strlen(s);
        if ((n != 2 && n != 4 && n != 6) || !take_part(&s, '\0', n, n, 0xffffff, &m->value, &any) || any)
                return -EINVAL;
        m->value <<= 4 * (6 - n);
        m->mask = (UINT64_C(0xffffff) << 4 * (6 - n)) & 0xffffff;
        return 0;
}

static int parse_driver_pattern(const char *s, RuleMatch *m) {
        if (strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.+") != strlen(s))
                return -EINVAL;
        m->driver = strdup(s);
        return m->driver ? 0 : -ENOMEM;
}

/* ---- lines ---- */

static const struct {
        const char *key;
        int (*parse)(const char *s, RuleMatch *m);
        const char *wanted;
} match_keys[_MATCH_MAX] = {
        [MATCH_ADDRESS] = { "Address", parse_address_pattern, "an address such as 0000:3b:00.0 or 0000:3b:*.*" },
        [MATCH_ID] = { "Id", parse_id_pattern, "vendor:device such as 8086:10d3 or 8086:*" },
        [MATCH_CLASS] = { "Class", parse_class_pattern, "2, 4 or 6 hexadecimal digits such as 02 or 010802" },
        [MATCH_DRIVER] = { "Driver", parse_driver_pattern, "the name of a driver" },
};

typedef struct Parser {
        Rules *rules;
        size_t section; /* that the last rule was made for */
} Parser;

static int rule_add_match(Rule *rule, const RuleMatch *m) {
        /* Doubling: full at each power of two. */
        if ((rule->n_matches & (rule->n_matches - 1)) == 0) {
                size_t n = MAX_OF(rule->n_matches * 2, (size_t)1);
                RuleMatch *matches = reallocarray(rule->matches, n, sizeof(*matches));
                if (!matches)
                        return -ENOMEM;
                rule->matches = matches;
        }
        rule->matches[rule->n_matches++] = *m;
        return 0;
}

/* The rule of this section, made when it is first asked for; NULL: no memory. */
static Rule *rule_of(Parser *p, const IniFile *f, size_t nth) {
        Rules *rules = p->rules;
        char *origin;

        if (p->section == nth)
                return &rules->items[rules->n - 1];
        if (rules->n == rules->n_allocated) {
                size_t n = MAX_OF(rules->n_allocated * 2, (size_t)8);
                Rule *items = reallocarray(rules->items, n, sizeof(*items));
                if (!items)
                        return NULL;
                rules->items = items;
                rules->n_allocated = n;
        }
        if (asprintf(&origin, "%.256s:%zu", f->filename, f->line) < 0)
                return NULL;
        rules->items[rules->n++] = (Rule){ .origin = origin };
        p->section = nth;
        return &rules->items[rules->n - 1];
}

static void drop(Rule *rule, const IniFile *f, const char *name, const char *value, const char *wanted) {
        ini_file_complain(f, "%s=%.64s is not %s; the rule is ignored", name, value, wanted);
        rule->dropped = true;
}

/* A list of patterns, separated by spaces. */
static int on_match(Rule *rule, const IniFile *f, MatchKind kind, const char *value) {
        _cleanup_free_ char *copy = strdup(value);
        char *save, *word;
        size_t n = 0;

        if (!copy)
                return -ENOMEM;
        for (word = strtok_r(copy, " \t", &save); word; word = strtok_r(NULL, " \t", &save), n++) {
                RuleMatch m = { .kind = kind };

                if (rule->n_matches >= RULE_MATCHES_MAX) {
                        ini_file_complain(f, "the rule has more than %d patterns; the rule is ignored",
                                          RULE_MATCHES_MAX);
                        rule->dropped = true;
                        return 0;
                }
                int r = match_keys[kind].parse(word, &m);
                if (r >= 0)
                        r = rule_add_match(rule, &m);
                if (r == -ENOMEM) {
                        free(m.driver);
                        return r;
                }
                if (r < 0)
                        drop(rule, f, match_keys[kind].key, word, match_keys[kind].wanted);
        }
        if (n == 0)
                drop(rule, f, match_keys[kind].key, "", match_keys[kind].wanted);
        return 0;
}

static void on_setting(Rule *rule, const IniFile *f, const char *name, const char *value) {
        if (streq(name, "Action")) {
                rule->has_action = true;
                rule->deny = streq(value, "deny");
                if (!rule->deny && !streq(value, "allow"))
                        drop(rule, f, name, value, "allow or deny");
        } else if (streq(name, "Dma")) {
                int v = dma_from_string(value);

                rule->has_dma = true;
                if (v < 0)
                        drop(rule, f, name, value, "auto, keep, keep-identity or stop");
                else
                        rule->dma = (Dma)v;
        } else if (streq(name, "Preserve")) {
                int v = preservation_from_string(value);

                rule->has_preservation = true;
                if (v < 0)
                        drop(rule, f, name, value, "conservative or minimal");
                else
                        rule->preservation = (Preservation)v;
        } else {
                /* It may have been meant as a match. */
                ini_file_complain(f, "unknown key %s= in a rule; the rule is ignored", name);
                rule->dropped = true;
        }
}

static int on_value(void *userdata, const IniFile *f, const char *section, size_t nth, const char *name,
                    const char *value) {
        Parser *p = userdata;

        Rule *rule = rule_of(p, f, nth);
        if (!rule)
                return -ENOMEM;
        if (!streq(section, "Rule")) {
                if (!rule->dropped && *section)
                        ini_file_complain(f, "unknown section [%s], not [Rule]; it is ignored", section);
                else if (!rule->dropped)
                        ini_file_complain(f, "%s= stands before the first [Rule]; it is ignored", name);
                rule->dropped = true;
                return 0;
        }
        for (MatchKind kind = 0; kind < _MATCH_MAX; kind++)
                if (streq(match_keys[kind].key, name))
                        return on_match(rule, f, kind, value);
        on_setting(rule, f, name, value);
        return 0;
}

/* A line of the section could not be read: it may have been a match. */
static int on_fault(void *userdata, const IniFile *f, size_t nth) {
        Rule *rule = rule_of(userdata, f, nth);

        if (!rule)
                return -ENOMEM;
        rule->dropped = true;
        return 0;
}

/* Takes out what has a mistake or would be too many, among those from `first` on. */
static void sweep(Rules *rules, size_t first, const IniFile *f) {
        size_t kept = first;

        for (size_t i = first; i < rules->n; i++) {
                Rule *rule = &rules->items[i];

                if (!rule->dropped && kept < RULES_MAX) {
                        rules->items[kept++] = *rule;
                        continue;
                }
                if (!rule->dropped)
                        ini_file_complain(f, "more than %d rules; that of %s is ignored", RULES_MAX, rule->origin);
                for (size_t j = 0; j < rule->n_matches; j++)
                        free(rule->matches[j].driver);
                free(rule->matches);
                free(rule->origin);
                rules->n_dropped++;
        }
        rules->n = kept;
}

int rules_parse(Rules *rules, const char *filename, const char *buf, size_t size, config_warn_t warn, void *userdata) {
        Parser p = { .rules = rules, .section = SIZE_MAX };
        IniFile f = {
                .filename = filename,
                .on_value = on_value,
                .on_fault = on_fault,
                .userdata = &p,
                .warn = warn,
                .warn_userdata = userdata,
        };
        size_t first = rules->n;

        int r = ini_file_parse(&f, buf, size);
        sweep(rules, first, &f);
        return r;
}
