/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tables, by libsmartcols, which knows how wide characters are and makes what is not
 * printable harmless. Nothing is cut to the terminal's width: a line that is too long
 * is the terminal's (or the pager's) to wrap, and the same text goes into a pipe.
 */
#include "format-internal.h"

#include <libsmartcols.h>

void table_free(Table *t) {
        scols_unref_table(t);
}

int table_new(const Column *columns, size_t n, const Style *style, Table **ret) {
        _cleanup_(table_freep) Table *t = scols_new_table();

        if (!t)
                return -ENOMEM;
        (void)scols_table_enable_noheadings(t, !style->legend);
        (void)scols_table_enable_colors(t, style->colors);
        (void)scols_table_enable_ascii(t, !style->utf8);
        (void)scols_table_set_termforce(t, SCOLS_TERMFORCE_NEVER);
        for (size_t i = 0; i < n; i++) {
                int flags = (columns[i].right ? SCOLS_FL_RIGHT : 0) | (columns[i].tree ? SCOLS_FL_TREE : 0);
                if (!scols_table_new_column(t, columns[i].name, 0, flags))
                        return -ENOMEM;
        }
        *ret = TAKE_PTR(t);
        return 0;
}

int table_add(Table *t, const char *const *cells, size_t n, size_t colored, Row **ret) {
        Row *line = scols_table_new_line(t, NULL);

        if (!line)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                int r = scols_line_set_data(line, i, cells[i]);
                if (r < 0)
                        return r;
        }
        if (ret)
                *ret = line;
        const char *color = colored < n ? word_color(cells[colored]) : NULL;
        return color ? scols_cell_set_color(scols_line_get_cell(line, colored), color) : 0;
}

int table_nest(Row *above, Row *row) {
        return scols_line_add_child(above, row);
}

/* libsmartcols fills the last column with spaces, and some versions end the last line. */
int table_print(Table *t, char **ret) {
        _cleanup_free_ char *body = NULL;

        int r = scols_print_table_to_string(t, &body);
        if (r < 0)
                return r;
        char *result = malloc(strlen(body) + 2), *end = result;
        if (!result)
                return -ENOMEM;
        for (const char *p = body; *p; p++) {
                if (*p == '\n')
                        while (end > result && end[-1] == ' ')
                                end--;
                *end++ = *p;
        }
        while (end > result && (end[-1] == ' ' || end[-1] == '\n'))
                end--;
        *end++ = '\n';
        *end = '\0';
        *ret = result;
        return 0;
}

int table_text(Table *t, const Style *style, size_t n, const char *what, char **ret) {
        _cleanup_free_ char *body = NULL;
        char *text;

        if (n == 0) {
                if (asprintf(&text, style->legend ? "No %ss.\n" : "", what) < 0)
                        return -ENOMEM;
                *ret = text;
                return 0;
        }
        int r = table_print(t, &body);
        if (r < 0)
                return r;
        if (!style->legend)
                *ret = TAKE_PTR(body);
        else if (asprintf(&text, "%s\n%zu %s%s.\n", body, n, what, n == 1 ? "" : "s") < 0)
                return -ENOMEM;
        else
                *ret = text;
        return 0;
}

static void number_text(uint64_t v, char buf[static 24]) {
        (void)snprintf(buf, 24, "%llu", (unsigned long long)v);
}

int format_jobs(const JobSummaryList *jobs, const Style *style, char **ret) {
        static const Column columns[] = { { "JOB", true }, { "KIND" }, { "STATE" }, { "CODE" }, { "REASON" } };
        _cleanup_(table_freep) Table *t = NULL;

        int r = table_new(columns, ELEMENTSOF(columns), style, &t);
        for (size_t i = 0; r >= 0 && i < jobs->n; i++) {
                const JobSummary *j = &jobs->items[i];
                char number[24];

                number_text(j->number, number);
                r = table_add(t, (const char *const[]){ number, j->kind, j->state, j->code, j->sentence },
                              ELEMENTSOF(columns), 2, NULL);
        }
        return r < 0 ? r : table_text(t, style, jobs->n, "job", ret);
}

int format_sessions(const SessionList *sessions, const Style *style, char **ret) {
        static const Column columns[] = {
                { "SESSION" }, { "DIRECTION" }, { "STATE" }, { "UID", true }, { "FILES", true }
        };
        _cleanup_(table_freep) Table *t = NULL;

        int r = table_new(columns, ELEMENTSOF(columns), style, &t);
        for (size_t i = 0; r >= 0 && i < sessions->n; i++) {
                const SessionInfo *s = &sessions->items[i];
                char uid[24], files[24];

                number_text(s->uid, uid);
                number_text(s->n_files, files);
                r = table_add(t, (const char *const[]){ s->name, s->direction, s->state, uid, files },
                              ELEMENTSOF(columns), 2, NULL);
        }
        return r < 0 ? r : table_text(t, style, sessions->n, "session", ret);
}

static int timeline_row(Table *t, const JobInfo *job, size_t i, bool errors) {
        const TimelineStep *s = &job->timeline.items[i];
        char at[32], took[32] = "-", error[32];

        format_ms(s->at_usec, at, sizeof(at));
        /* How long it took to get here from the line above. */
        if (i > 0 && s->at_usec >= s[-1].at_usec)
                format_ms(s->at_usec - s[-1].at_usec, took, sizeof(took));
        format_ms(s->error_usec, error, sizeof(error));
        return table_add(t, (const char *const[]){ s->name, at, took, error }, errors ? 4 : 3, SIZE_MAX, NULL);
}

static int timeline_table(const JobInfo *job, const Style *style, FILE *f) {
        static const Column columns[] = {
                { "STEP" }, { "AT (ms)", true }, { "TOOK (ms)", true }, { "ERROR (ms)", true }
        };
        _cleanup_(table_freep) Table *t = NULL;
        _cleanup_free_ char *body = NULL;
        bool errors = false;

        for (size_t i = 0; i < job->timeline.n; i++)
                errors = errors || job->timeline.items[i].error_usec > 0;
        int r = table_new(columns, errors ? 4 : 3, style, &t);
        for (size_t i = 0; r >= 0 && i < job->timeline.n; i++)
                r = timeline_row(t, job, i, errors);
        if (r >= 0)
                r = table_print(t, &body);
        if (r >= 0)
                (void)fputs(body, f);
        return r;
}

/* In the order in which it was reported. */
static int report_table(const JobInfo *job, const Style *style, FILE *f) {
        static const Column columns[] = { { "PARTICIPANT" }, { "SPAN" }, { "AT (ms)", true }, { "TOOK (ms)", true } };
        _cleanup_(table_freep) Table *t = NULL;
        _cleanup_free_ char *body = NULL;

        int r = table_new(columns, ELEMENTSOF(columns), style, &t);
        for (size_t i = 0; r >= 0 && i < job->reports.n; i++) {
                const ReportedSpan *s = &job->reports.items[i];
                char at[32], took[32];

                format_ms(s->at_usec, at, sizeof(at));
                format_ms(s->took_usec, took, sizeof(took));
                r = table_add(t, (const char *const[]){ s->participant, s->name, at, took }, ELEMENTSOF(columns),
                              SIZE_MAX, NULL);
        }
        if (r >= 0)
                r = table_print(t, &body);
        if (r >= 0)
                (void)fprintf(f, "\n%s", body);
        return r;
}

int format_timeline(const JobInfo *job, const Style *style, char **ret) {
        _cleanup_free_ char *text = NULL;
        char ms[32], error[32];
        size_t size;
        _cleanup_fclose_ FILE *f = open_memstream(&text, &size);
        int r = 0;

        if (!f)
                return -ENOMEM;
        if (job->timeline.n == 0)
                (void)fprintf(f, "Job %llu has no timeline.\n", (unsigned long long)job->number);
        else
                r = timeline_table(job, style, f);
        if (job->timeline.n > 0 && job->blackout_usec > 0) {
                format_ms_short(job->blackout_usec, ms, sizeof(ms));
                format_ms_short(job->blackout_error_usec, error, sizeof(error));
                (void)fprintf(f, "Blackout %s ms (from clients-frozen to first-retrieve, %s %s ms, clock %s)\n", ms,
                              plus_minus(style), error, *job->clock ? job->clock : "not known");
        } else if (job->timeline.n > 0)
                (void)fputs("Blackout not known\n", f);
        if (r >= 0 && job->reports.n > 0)
                r = report_table(job, style, f);
        return text_finish(&f, &text, r, ret);
}
