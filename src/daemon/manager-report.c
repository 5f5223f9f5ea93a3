/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What participants report of their own part of the timeline. A report belongs to the
 * last update, also when that is over: a guest goes on only when the update was put back,
 * or when its session is finished. Whoever reports reads CLOCK_MONOTONIC, which begins
 * anew in each kernel, so that a span is translated to the timeline's clock here and now,
 * in the kernel in which it was measured; what was reported crosses in the manifest.
 *
 * What was reported to a daemon that crashed is lost, unless it came in the manifest.
 */
#include "manager-internal.h"

void report_begin(Manager *m, const Timeline *t, Report *before) {
        uint64_t since = manager_ticks(m);

        for (size_t i = 0; i < _STEP_MAX; i++)
                if (t->steps[i] != 0)
                        since = MIN_OF(since, t->steps[i]);
        JobReport *fresh = job_report_new(t, since);
        if (fresh && before) {
                fresh->report = *before;
                *before = (Report){};
        }
        job_report_unref(m->report);
        m->report = fresh;
}

/* Both clocks run at the same pace within a kernel, and now is known on both. */
static int to_ticks(const Manager *m, const JobReport *report, const ReportedSpan *from, const char *participant,
                    ReportSpan *to, Refusal *refusal) {
        uint64_t now = manager_now(m), ticks = manager_ticks(m), end;

        if (__builtin_add_overflow(from->begin_usec, from->length_usec, &end) || end > now)
                return refuse(refusal, REASON_INVALID_ARGUMENT, participant,
                              "span %.15s ends in the future of CLOCK_MONOTONIC", from->name);
        unsigned __int128 ago = (unsigned __int128)(now - from->begin_usec) * report->frequency_hz / USEC_PER_SEC;
        if (ago > ticks || ticks - (uint64_t)ago < report->since)
                return refuse(refusal, REASON_INVALID_ARGUMENT, participant, "span %.15s began before the update did",
                              from->name);
        to->begin = ticks - (uint64_t)ago;
        to->length = (uint64_t)((unsigned __int128)from->length_usec * report->frequency_hz / USEC_PER_SEC);
        return 0;
}

static bool clock_runs(const Manager *m) {
        const Ports *p = m->ports;

        return m->report->frequency_hz > 0 && p->clock->kind(p->clock_self) == (ClockKind)m->report->clock;
}

int manager_report(Manager *m, const Participant *p, const ReportedSpan *spans, size_t n, Refusal *refusal) {
        ReportSpan list[REPORT_SPANS_MAX] = {};
        int r = 0;

        if (!m->report)
                return refuse(refusal, REASON_WRONG_STATE, p->name, "there was no update to report on");
        if (!clock_runs(m))
                return refuse(refusal, REASON_WRONG_STATE, p->name, "the timeline's clock is that of another kernel");
        if (n > ELEMENTSOF(list))
                return refuse(refusal, REASON_LIMIT, p->name, "more than %d spans in one update", REPORT_SPANS_MAX);
        for (size_t i = 0; i < n && r >= 0; i++) {
                ReportSpan *to = &list[i];
                if (!report_name_valid(spans[i].name))
                        return refuse(refusal, REASON_INVALID_ARGUMENT, p->name,
                                      "'%.15s' is no name of a span, which is 1 to %d of a-z and -", spans[i].name,
                                      REPORT_NAME_MAX);
                strcpy(to->name, spans[i].name);
                (void)snprintf(to->participant, sizeof(to->participant), "%s", p->name);
                to->uid = p->uid;
                r = to_ticks(m, m->report, &spans[i], p->name, to, refusal);
        }
        return r < 0 ? r : report_add(&m->report->report, list, n, refusal);
}
