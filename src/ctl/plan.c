/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan.h"

static int by_subject(const void *a, const void *b) {
        const PlanRow *x = a, *y = b;
        int c;

        if ((c = strcmp(x->kind, y->kind)) != 0 || (c = strcmp(x->subject, y->subject)) != 0)
                return c;
        return (x->place > y->place) - (x->place < y->place);
}

static int by_first(const void *a, const void *b) {
        const PlanRow *x = a, *y = b;

        return x->first != y->first ? (x->first > y->first) - (x->first < y->first)
                                    : (x->place > y->place) - (x->place < y->place);
}

static bool same_subject(const PlanRow *a, const PlanRow *b) {
        return streq(a->kind, b->kind) && streq(a->subject, b->subject);
}

static int badness(const char *verdict) {
        return streq(verdict, "goes") ? 0 : streq(verdict, "limited") ? 1 : 2;
}

static bool is_excepted(const PlanRow *row, const StringList *exceptions) {
        char name[256];

        if (badness(row->verdict) < 2)
                return false;
        if (streq(row->kind, "device"))
                return string_list_has(exceptions, row->subject);
        if (!streq(row->kind, "session"))
                return false;
        if (string_list_has(exceptions, row->subject))
                return true;
        /* SESSION/TOKEN */
        const char *slash = strrchr(row->subject, '/');
        size_t n = slash ? (size_t)(slash - row->subject) : 0;
        if (n == 0 || n >= sizeof(name))
                return false;
        memcpy(name, row->subject, n);
        name[n] = '\0';
        return string_list_has(exceptions, name);
}

void plan_arrange(PlanRows *rows, const StringList *exceptions) {
        PlanRow *items = rows->items;

        for (size_t i = 0; i < rows->n; i++)
                items[i].place = i;
        if (rows->n > 1)
                qsort(items, rows->n, sizeof(PlanRow), by_subject);
        for (size_t i = 0; i < rows->n; i++)
                items[i].first = i > 0 && same_subject(&items[i], &items[i - 1]) ? items[i - 1].first : items[i].place;
        if (rows->n > 1)
                qsort(items, rows->n, sizeof(PlanRow), by_first);
        for (size_t i = 0; i < rows->n; i++)
                items[i].excepted = exceptions && is_excepted(&items[i], exceptions);
}

void plan_drop_sessions(PlanRows *rows) {
        size_t kept = 0;

        for (size_t i = 0; i < rows->n; i++)
                if (streq(rows->items[i].kind, "session"))
                        plan_row_done(&rows->items[i]);
                else
                        rows->items[kept++] = rows->items[i];
        rows->n = kept;
}

PlanSummary plan_summary(const PlanRows *rows) {
        PlanSummary s = {};

        for (size_t i = 0, next; i < rows->n; i = next) {
                int worst = 0;
                bool excepted = false;

                for (next = i; next < rows->n && rows->items[next].first == rows->items[i].first; next++) {
                        worst = MAX_OF(worst, badness(rows->items[next].verdict));
                        excepted = excepted || rows->items[next].excepted;
                }
                s.goes += worst == 0;
                s.limited += worst == 1;
                s.cannot += worst == 2;
                s.excepted += excepted;
                s.hindrances += worst == 2 && !excepted && !streq(rows->items[i].kind, "depended");
        }
        return s;
}

const char *plan_verdict(const PlanSummary *s) {
        return s->hindrances > 0 ? "cannot" : s->limited > 0 || s->cannot > 0 ? "limited" : "goes";
}

VerificationSummary verification_summary(const Verification *v) {
        VerificationSummary s = {};

        for (size_t i = 0; i < v->n; i++) {
                const char *verdict = v->items[i].verdict;
                bool expected = streq(verdict, "expected"), missing = streq(verdict, "missing"),
                     restored = streq(verdict, "restored");

                s.expected += expected;
                s.missing += missing;
                s.restored += restored;
                s.against += !expected && !missing && !restored;
        }
        return s;
}

void plan_index_done(PlanIndex *index) {
        free(index->items);
        *index = (PlanIndex){};
}

/* The worst of a subject first. */
static int by_subject_and_badness(const void *a, const void *b) {
        const PlanRow *x = *(const PlanRow *const *)a, *y = *(const PlanRow *const *)b;
        int c = strcmp(x->subject, y->subject);

        return c != 0 ? c : badness(y->verdict) - badness(x->verdict);
}

int plan_index(const PlanRows *rows, PlanIndex *ret) {
        PlanIndex index = { .items = calloc(rows->n + 1, sizeof(PlanRow *)) };

        if (!index.items)
                return -ENOMEM;
        for (size_t i = 0; i < rows->n; i++)
                index.items[index.n++] = &rows->items[i];
        if (index.n > 1)
                qsort(index.items, index.n, sizeof(PlanRow *), by_subject_and_badness);
        *ret = index;
        return 0;
}

/* The first that is not before this subject. */
static const PlanRow *lower_bound(const PlanIndex *index, const char *subject) {
        size_t low = 0, high = index->n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                if (strcmp(index->items[middle]->subject, subject) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low < index->n ? index->items[low] : NULL;
}

const char *plan_index_verdict(const PlanIndex *index, const char *subject) {
        const PlanRow *row = lower_bound(index, subject);

        return row && streq(row->subject, subject) ? row->verdict : NULL;
}

bool plan_index_has(const PlanIndex *index, const char *exception) {
        const PlanRow *row;
        char prefix[256];

        if (plan_index_verdict(index, exception))
                return true;
        (void)snprintf(prefix, sizeof(prefix), "%s/", exception);
        row = lower_bound(index, prefix);
        return row && strncmp(row->subject, prefix, strlen(prefix)) == 0;
}
