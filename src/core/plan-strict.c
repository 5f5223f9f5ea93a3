/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Strict mode: whether the update may begin. What the request excepts by name is sorted
 * once, so a long list of exceptions costs no more than the plan did.
 */
#include "plan.h"

typedef struct Exceptions {
        Address *addresses;
        const char **names;
        size_t n_addresses, n_names;
} Exceptions;

static void exceptions_done(Exceptions *e) {
        free(e->addresses);
        free(e->names);
}

static int compare_addresses(const void *a, const void *b) {
        return address_compare(*(const Address *)a, *(const Address *)b);
}

static int compare_names(const void *a, const void *b) {
        return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int exceptions_make(Exceptions *e, const char *const *words, size_t n) {
        e->addresses = calloc(MAX_OF(n, (size_t)1), sizeof(*e->addresses));
        e->names = calloc(MAX_OF(n, (size_t)1), sizeof(*e->names));
        if (!e->addresses || !e->names)
                return -ENOMEM;
        /* A word can be both: "01:00.0" is a session's name too. */
        for (size_t i = 0; i < n; i++) {
                if (address_parse(words[i], &e->addresses[e->n_addresses]) >= 0)
                        e->n_addresses++;
                e->names[e->n_names++] = words[i];
        }
        qsort(e->addresses, e->n_addresses, sizeof(*e->addresses), compare_addresses);
        qsort(e->names, e->n_names, sizeof(*e->names), compare_names);
        return 0;
}

static bool names_have(const Exceptions *e, const char *name) {
        return bsearch(&name, e->names, e->n_names, sizeof(*e->names), compare_names);
}

static int excepted(const Exceptions *e, const PlanSubject *s) {
        _cleanup_free_ char *session = NULL;

        if (s->kind == PLAN_REQUESTED)
                return bsearch(&s->address, e->addresses, e->n_addresses, sizeof(*e->addresses), compare_addresses) !=
                       NULL;
        if (s->kind != PLAN_FILE)
                return 0;
        if (names_have(e, s->name))
                return 1;
        session = strdup(s->name);
        if (!session)
                return -ENOMEM;
        char *slash = strrchr(session, '/');
        if (slash)
                *slash = '\0';
        return names_have(e, session);
}

/* How many subjects stand in the way; the first of them. */
static int find_hindrances(const Plan *p, const Exceptions *e, const PlanSubject **ret_first, size_t *ret_n) {
        for (size_t i = 0; i < p->n_subjects; i++) {
                const PlanSubject *s = &p->subjects[i];

                if (s->verdict != VERDICT_CANNOT || s->kind == PLAN_DEPENDED)
                        continue;
                int r = excepted(e, s);
                if (r < 0)
                        return r;
                if (r > 0)
                        continue;
                if (*ret_n == 0)
                        *ret_first = s;
                (*ret_n)++;
        }
        return 0;
}

static int refuse_for(const Plan *p, const PlanSubject *s, size_t n, Refusal *refusal) {
        const PlanItem *item = &p->items[s->first_item];
        char text[PLAN_SUBJECT_TEXT_SIZE], more[48] = "";

        while (item->verdict != VERDICT_CANNOT)
                item++;
        if (n > 1)
                (void)snprintf(more, sizeof(more), "%s%zu more cannot go", item->detail ? "; " : "", n - 1);
        plan_subject_text(s, text);
        return refuse(refusal, item->reason, text, "%s%s", item->detail ?: "", more);
}

int plan_allows(const Plan *p, const char *const *exceptions, size_t n, Refusal *refusal) {
        const PlanSubject *first = NULL;
        size_t n_hindrances = 0;
        Exceptions e = {};

        int r = exceptions_make(&e, exceptions, n);
        if (r >= 0)
                r = find_hindrances(p, &e, &first, &n_hindrances);
        exceptions_done(&e);
        if (r < 0)
                return refuse_errno(refusal, r, NULL, "looking at the plan");
        return first ? refuse_for(p, first, n_hindrances, refusal) : 0;
}
