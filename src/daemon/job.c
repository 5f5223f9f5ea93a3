/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "job.h"

static const char *const kinds[_JOB_KIND_MAX] = {
        [JOB_LOAD] = "load",       [JOB_UNLOAD] = "unload", [JOB_PREPARE] = "prepare", [JOB_FREEZE] = "freeze",
        [JOB_EXECUTE] = "execute", [JOB_UPDATE] = "update", [JOB_CANCEL] = "cancel",   [JOB_FINISH] = "finish",
};
DEFINE_STRING_TABLE(job_kind, JobKind, kinds);

static const char *const states[_JOB_STATE_MAX] = {
        [JOB_RUNNING] = "running",
        [JOB_DONE] = "done",
        [JOB_FAILED] = "failed",
        [JOB_CANCELLED] = "cancelled",
};
DEFINE_STRING_TABLE(job_state, JobState, states);

JobReport *job_report_new(const Timeline *t, uint64_t since) {
        JobReport *r = calloc(1, sizeof(*r));

        if (r)
                *r = (JobReport){ .n_refs = 1, .clock = t->clock, .frequency_hz = t->frequency_hz, .since = since };
        return r;
}

JobReport *job_report_ref(JobReport *r) {
        if (r)
                r->n_refs++;
        return r;
}

JobReport *job_report_unref(JobReport *r) {
        if (r && --r->n_refs == 0) {
                report_done(&r->report);
                free(r);
        }
        return NULL;
}

Job *job_free(Job *j) {
        if (j)
                job_report_unref(j->report);
        free(j);
        return NULL;
}

void job_list_done(JobList *l) {
        for (size_t i = 0; i < l->n; i++)
                job_free(l->items[i]);
        free(l->items);
        *l = (JobList){};
}

Job *job_list_add(JobList *l, JobKind kind, uint32_t uid, uint64_t start_usec) {
        if (l->n == l->room) {
                size_t room = MAX_OF(l->room * 2, (size_t)16);
                Job **bigger = reallocarray(l->items, room, sizeof(*bigger));
                if (!bigger)
                        return NULL;
                l->items = bigger;
                l->room = room;
        }
        Job *j = calloc(1, sizeof(*j));
        if (!j)
                return NULL;
        if (l->next == 0)
                l->next = 1;
        *j = (Job){ .number = l->next++, .kind = kind, .uid = uid, .start_usec = start_usec, .step = "" };
        l->items[l->n++] = j;
        return j;
}

Job *job_list_find(const JobList *l, uint64_t number) {
        size_t low = 0, high = l->n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                if (l->items[middle]->number < number)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low < l->n && l->items[low]->number == number ? l->items[low] : NULL;
}

Job *job_list_take_surplus(JobList *l, size_t max) {
        if (l->n <= max)
                return NULL;
        for (size_t i = 0; i < l->n; i++) {
                Job *j = l->items[i];
                if (j->state == JOB_RUNNING)
                        continue;
                memmove(&l->items[i], &l->items[i + 1], (l->n - i - 1) * sizeof(*l->items));
                l->n--;
                return j;
        }
        return NULL;
}
