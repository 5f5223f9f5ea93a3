/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model.h"

static void pair_list_done(PairList *l) {
        for (size_t i = 0; i < l->n; i++) {
                free(l->items[i].key);
                free(l->items[i].value);
        }
        free(l->items);
        *l = (PairList){};
}

void waiting_list_done(WaitingList *l) {
        for (size_t i = 0; i < l->n; i++) {
                free(l->items[i].path);
                free(l->items[i].name);
                free(l->items[i].phase);
                free(l->items[i].answer);
                free(l->items[i].reason);
        }
        free(l->items);
        *l = (WaitingList){};
}

void string_list_done(StringList *l) {
        for (size_t i = 0; i < l->n; i++)
                free(l->items[i]);
        free(l->items);
        *l = (StringList){};
}

int string_list_add(StringList *l, const char *s) {
        char **place = array_append(&l->items, l->n, sizeof(char *));

        if (!place || !(*place = strdup(s)))
                return -ENOMEM;
        l->n++;
        return 0;
}

static int by_bytes(const void *a, const void *b) {
        return strcmp(*(char *const *)a, *(char *const *)b);
}

void string_list_sort(StringList *l) {
        if (l->n > 1)
                qsort(l->items, l->n, sizeof(char *), by_bytes);
}

bool string_list_has(const StringList *sorted, const char *s) {
        return sorted->n > 0 && bsearch(&s, sorted->items, sorted->n, sizeof(char *), by_bytes);
}

void manager_info_done(ManagerInfo *m) {
        free(m->state);
        free(m->job);
        waiting_list_done(&m->waiting);
        pair_list_done(&m->abi);
        free(m->kernel_release);
        free(m->kernel_version);
        pair_list_done(&m->next_kernel);
        string_list_done(&m->capabilities);
        string_list_done(&m->held);
        free(m->notice);
        free(m->version);
        *m = (ManagerInfo){};
}

void job_summary_list_done(JobSummaryList *l) {
        for (size_t i = 0; i < l->n; i++) {
                free(l->items[i].path);
                free(l->items[i].kind);
                free(l->items[i].state);
                free(l->items[i].code);
                free(l->items[i].sentence);
        }
        free(l->items);
        *l = (JobSummaryList){};
}

void timeline_steps_done(TimelineSteps *l) {
        for (size_t i = 0; i < l->n; i++)
                free(l->items[i].name);
        free(l->items);
        *l = (TimelineSteps){};
}

void reported_spans_done(ReportedSpans *l) {
        for (size_t i = 0; i < l->n; i++) {
                free(l->items[i].participant);
                free(l->items[i].name);
        }
        free(l->items);
        *l = (ReportedSpans){};
}

void job_info_done(JobInfo *j) {
        free(j->path);
        free(j->kind);
        free(j->state);
        free(j->step);
        free(j->update_id);
        free(j->code);
        free(j->subject);
        free(j->sentence);
        free(j->from_release);
        free(j->from_version);
        free(j->to_release);
        free(j->to_version);
        timeline_steps_done(&j->timeline);
        reported_spans_done(&j->reports);
        free(j->clock);
        *j = (JobInfo){};
}

void session_list_done(SessionList *l) {
        for (size_t i = 0; i < l->n; i++) {
                free(l->items[i].path);
                free(l->items[i].name);
                free(l->items[i].direction);
                free(l->items[i].state);
        }
        free(l->items);
        *l = (SessionList){};
}

const char *pair_list_get(const PairList *l, const char *key) {
        for (size_t i = 0; i < l->n; i++)
                if (streq(l->items[i].key, key))
                        return l->items[i].value;
        return NULL;
}

bool register_counts_any(const RegisterCounts *c) {
        return c->equal > 0 || c->expected > 0 || c->against > 0 || c->missing > 0;
}

const JobSummary *job_summary_last_ended(const JobSummaryList *l) {
        for (size_t i = l->n; i > 0; i--)
                if (!streq(l->items[i - 1].state, "running"))
                        return &l->items[i - 1];
        return NULL;
}

void *array_append(void *items, size_t n, size_t size) {
        char **array = items;

        /* The room is always a power of two: 1, 2, 4, … */
        if ((n & (n - 1)) == 0) {
                char *bigger = reallocarray(*array, n == 0 ? 1 : n * 2, size);
                if (!bigger)
                        return NULL;
                *array = bigger;
        }
        return memset(*array + n * size, 0, size);
}
