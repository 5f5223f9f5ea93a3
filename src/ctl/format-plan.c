/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The plan, why a device can go along or not, and the table of bits with what it found. */
#include "class.h"
#include "common/utf8.h"
#include "device-links.h"
#include "format-internal.h"

static int plan_row(Table *t, const PlanRow *row, bool first) {
        const char *cells[] = { first ? row->kind : "",
                                !first          ? ""
                                : *row->subject ? row->subject
                                                : "-",
                                row->excepted ? VERDICT_EXCEPTED : row->verdict,
                                row->code,
                                row->sentence,
                                row->remedy };

        return table_add(t, cells, ELEMENTSOF(cells), 2, NULL);
}

/* Kind and subject are said once for all the rows of a subject. */
static int put_plan(FILE *f, const PlanRows *rows, const Style *style) {
        static const Column columns[] = { { "KIND" }, { "SUBJECT" }, { "VERDICT" },
                                          { "CODE" }, { "REASON" },  { "WHAT TO DO" } };
        _cleanup_(table_freep) Table *t = NULL;
        _cleanup_free_ char *body = NULL;

        int r = table_new(columns, ELEMENTSOF(columns), style, &t);
        for (size_t i = 0; r >= 0 && i < rows->n; i++)
                r = plan_row(t, &rows->items[i], i == 0 || rows->items[i].first != rows->items[i - 1].first);
        if (r >= 0)
                r = table_print(t, &body);
        if (r >= 0)
                (void)fputs(body, f);
        return r;
}

static void put_summary(FILE *f, const PlanRows *rows) {
        PlanSummary s = plan_summary(rows);

        (void)fprintf(f, "\n%zu go%s, %zu go%s with a limit, %zu cannot", s.goes, s.goes == 1 ? "es" : "", s.limited,
                      s.limited == 1 ? "es" : "", s.cannot);
        if (s.excepted > 0)
                (void)fprintf(f, " (%zu excepted)", s.excepted);
        (void)fputs(".\n", f);
        if (streq(plan_verdict(&s), "cannot"))
                (void)fputs("Prepare refuses while something cannot go. Do what the plan says; what may be lost "
                            "can be named with --except.\n",
                            f);
}

int format_plan(const PlanRows *rows, const Style *style, char **ret) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        _cleanup_fclose_ FILE *f = open_memstream(&text, &size);
        int r = 0;

        if (!f)
                return -ENOMEM;
        if (rows->n > 0)
                r = put_plan(f, rows, style);
        else if (style->legend)
                (void)fputs("The plan is empty: there is nothing to judge.\n", f);
        if (r >= 0 && rows->n > 0 && style->legend)
                put_summary(f, rows);
        return text_finish(&f, &text, r, ret);
}

int format_bits(const BitRows *bits, const Style *style, char **ret) {
        static const Column columns[] = { { "REGISTER" }, { "OFFSET" }, { "MASK", true }, { "CLASS" }, { "REASON" } };
        _cleanup_(table_freep) Table *t = NULL;

        int r = table_new(columns, ELEMENTSOF(columns), style, &t);
        for (size_t i = 0; r >= 0 && i < bits->n; i++) {
                const BitRow *b = &bits->items[i];
                r = table_add(t, (const char *const[]){ b->name, b->offset, b->mask, b->class, b->reason },
                              ELEMENTSOF(columns), SIZE_MAX, NULL);
        }
        return r < 0 ? r : table_text(t, style, bits->n, "row", ret);
}

static int put_differences(FILE *f, const Verification *v, const Style *style) {
        static const Column columns[] = { { "ADDRESS" },     { "REGISTER" }, { "BEFORE", true },
                                          { "AFTER", true }, { "VERDICT" },  { "REASON" } };
        _cleanup_(table_freep) Table *t = NULL;
        _cleanup_free_ char *body = NULL;

        int r = table_new(columns, ELEMENTSOF(columns), style, &t);
        for (size_t i = 0; r >= 0 && i < v->n; i++) {
                const Difference *d = &v->items[i];
                r = table_add(t,
                              (const char *const[]){ d->address, d->name, d->before, d->after, d->verdict, d->reason },
                              ELEMENTSOF(columns), 4, NULL);
        }
        if (r >= 0)
                r = table_print(t, &body);
        if (r >= 0)
                (void)fprintf(f, "%s%s", body, style->legend ? "\n" : "");
        return r;
}

int format_verification(const Verification *v, const Style *style, char **ret) {
        VerificationSummary s = verification_summary(v);
        _cleanup_free_ char *text = NULL;
        size_t size;
        _cleanup_fclose_ FILE *f = open_memstream(&text, &size);
        int r = 0;

        if (!f)
                return -ENOMEM;
        if (v->n > 0)
                r = put_differences(f, v, style);
        if (style->legend) {
                /* Registers and VF settings alike. */
                (void)fprintf(f, "%llu value%s equal, %zu changed as expected, %zu changed and must not, %zu missing",
                              (unsigned long long)v->equal, v->equal == 1 ? " is" : "s are", s.expected, s.against,
                              s.missing);
                if (s.restored > 0)
                        (void)fprintf(f, ", %zu put back", s.restored);
                (void)fputs(".\n", f);
        }
        return text_finish(&f, &text, r, ret);
}

int format_explanation(const char *code, const Explanation *e, char **ret) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        _cleanup_fclose_ FILE *f = open_memstream(&text, &size);

        if (!f)
                return -ENOMEM;
        put_line(f, "Code", "%s", code);
        put_line(f, "Reason", "%s", e->sentence);
        if (*e->remedy)
                put_line(f, "What to do", "%s", e->remedy);
        return text_finish(&f, &text, 0, ret);
}

static int dependency_row(Table *t, const DeviceView *v, const PlanIndex *index, const Dependency *dependency) {
        const Device *d = &v->devices->items[dependency->device];
        const char *verdict = plan_index_verdict(index, d->address);
        char class[128];

        class_format_text(d->class_code, class, sizeof(class));
        return table_add(t,
                         (const char *const[]){ d->address, class, *d->driver ? d->driver : "-", verdict ?: "-",
                                                relation_reason(dependency->relation) },
                         5, 3, NULL);
}

static int put_dependencies(FILE *f, const DeviceView *v, const Style *style) {
        static const Column columns[] = { { "DEPENDS ON" }, { "CLASS" }, { "DRIVER" }, { "VERDICT" }, { "WHY" } };
        _cleanup_dependencies_ Dependencies list = {};
        _cleanup_plan_index_ PlanIndex index = {};
        _cleanup_(table_freep) Table *t = NULL;
        _cleanup_free_ char *body = NULL;

        int r = device_dependencies(v->devices, v->device, &list);
        if (r >= 0)
                r = plan_index(v->rows, &index);
        if (r >= 0)
                r = table_new(columns, ELEMENTSOF(columns), style, &t);
        for (size_t i = 0; r >= 0 && i < list.n; i++)
                r = dependency_row(t, v, &index, &list.items[i]);
        if (r >= 0 && list.n > 0)
                r = table_print(t, &body);
        if (r < 0)
                return r;
        if (list.n > 0)
                (void)fprintf(f, "\n%s", body);
        else if (style->legend)
                (void)fputs("\nIt depends on no other device.\n", f);
        return 0;
}

int format_explained_device(const DeviceView *v, const Style *style, char **ret) {
        _cleanup_free_ char *text = NULL;
        char class[128] = "not listed", line[256];
        size_t size;
        _cleanup_fclose_ FILE *f = open_memstream(&text, &size);
        PlanSummary summary = plan_summary(v->rows);
        int r = 0;

        if (!f)
                return -ENOMEM;
        if (v->device != NO_DEVICE)
                class_format_text(v->devices->items[v->device].class_code, class, sizeof(class));
        (void)snprintf(line, sizeof(line), "%s, %s: ", v->address, class);
        utf8_copy(class, sizeof(class), line);
        (void)fputs(class, f);
        put_word(f, style, plan_verdict(&summary));
        (void)fputs("\n\n", f);
        if (v->rows->n > 0)
                r = put_plan(f, v->rows, style);
        if (r >= 0 && v->device != NO_DEVICE)
                r = put_dependencies(f, v, style);
        return text_finish(&f, &text, r, ret);
}
