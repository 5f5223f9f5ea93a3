/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report.h"

void report_done(Report *r) {
        free(r->items);
        *r = (Report){};
}

bool report_name_valid(const char *name) {
        size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz-");

        return n > 0 && n <= REPORT_NAME_MAX && name[n] == '\0';
}

static int check_span(const ReportSpan *s, Refusal *refusal) {
        uint64_t end;

        if (!report_name_valid(s->name))
                return refuse(refusal, REASON_INVALID_ARGUMENT, s->participant,
                              "'%.15s' is no name of a span, which is 1 to %d of a-z and -", s->name, REPORT_NAME_MAX);
        if (__builtin_add_overflow(s->begin, s->length, &end))
                return refuse(refusal, REASON_INVALID_ARGUMENT, s->participant, "span %s does not end", s->name);
        return 0;
}

/* All of spans are of one participant. */
static int check_room(const Report *r, const ReportSpan *spans, size_t n, Refusal *refusal) {
        size_t own = n, user = n;

        for (size_t i = 0; i < r->n; i++) {
                if (r->items[i].uid != spans->uid)
                        continue;
                user++;
                own += streq(r->items[i].participant, spans->participant);
        }
        if (own > REPORT_SPANS_MAX)
                return refuse(refusal, REASON_LIMIT, spans->participant, "more than %d spans in one update",
                              REPORT_SPANS_MAX);
        if (user > REPORT_USER_MAX || r->n + n > REPORT_TOTAL_MAX)
                return refuse(refusal, REASON_LIMIT, spans->participant,
                              "more than %d spans of one user, or %d in all, in one update", REPORT_USER_MAX,
                              REPORT_TOTAL_MAX);
        return 0;
}

int report_add(Report *r, const ReportSpan *spans, size_t n, Refusal *refusal) {
        int e = 0;

        if (n == 0)
                return 0;
        for (size_t i = 0; i < n && e >= 0; i++)
                e = check_span(&spans[i], refusal);
        if (e >= 0)
                e = check_room(r, spans, n, refusal);
        if (e < 0)
                return e;
        if (r->n + n > r->n_allocated) {
                size_t more = MAX_OF(r->n_allocated * 2, r->n + n);
                ReportSpan *bigger = reallocarray(r->items, more, sizeof(*bigger));
                if (!bigger)
                        return refuse_errno(refusal, -ENOMEM, spans->participant, "keeping its report");
                r->items = bigger;
                r->n_allocated = more;
        }
        memcpy(&r->items[r->n], spans, n * sizeof(*spans));
        r->n += n;
        return 0;
}

int report_copy(const Report *from, Report *ret) {
        if (from->n == 0)
                return 0;
        ReportSpan *items = reallocarray(NULL, from->n, sizeof(*items));
        if (!items)
                return -ENOMEM;
        memcpy(items, from->items, from->n * sizeof(*items));
        *ret = (Report){ .items = items, .n = from->n, .n_allocated = from->n };
        return 0;
}
