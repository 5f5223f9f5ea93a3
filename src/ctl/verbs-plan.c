/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * plan, bits, verify: what would happen, and what did. plan and verify tell scripts by
 * their exit status; the answer itself is printed in any case, but for --quiet and good
 * news.
 */
#include "ctl.h"

static int print_plan(Ctl *c, const PlanRows *rows, bool good) {
        _cleanup_free_ char *text = NULL;

        if (c->options.json != JSON_OFF)
                return ctl_print_json(c, json_plan(rows));
        if (c->options.quiet && good)
                return EXIT_CTL_OK;
        int r = format_plan(rows, &c->style, &text);
        return r < 0 ? ctl_fail_errno(c, r) : ctl_print(c, text);
}

/* A name that was mistyped excepts nothing, which is safe; but it is to be seen. */
static int tell_unknown(const Ctl *c, const PlanRows *rows) {
        _cleanup_plan_index_ PlanIndex index = {};
        const StringList *exceptions = &c->options.exceptions;

        int r = plan_index(rows, &index);
        for (size_t i = 0; r >= 0 && i < exceptions->n; i++)
                if (!plan_index_has(&index, exceptions->items[i]))
                        (void)fprintf(stderr,
                                      "liveupdatectl: There is no '%s' in this plan for --except. See its SUBJECT "
                                      "column for what there is.\n",
                                      exceptions->items[i]);
        return r;
}

int verb_plan(Ctl *c, char **args, size_t n_args) {
        _cleanup_plan_rows_ PlanRows rows = {};
        Failure failure;
        int r;

        if ((r = ctl_connect(c, &failure)) < 0 ||
            (r = bus_plan(c->bus, &c->options.devices, c->options.jump, &rows, &failure)) < 0)
                return ctl_fail(c, &failure, NULL);
        string_list_sort(&c->options.exceptions);
        plan_arrange(&rows, &c->options.exceptions);
        PlanSummary summary = plan_summary(&rows);
        bool good = !streq(plan_verdict(&summary), "cannot");
        r = tell_unknown(c, &rows);
        if (r < 0)
                return ctl_fail_errno(c, r);
        r = print_plan(c, &rows, good);
        return r != EXIT_CTL_OK ? r : good ? EXIT_CTL_OK : EXIT_CTL_FAILED;
}

int verb_bits(Ctl *c, char **args, size_t n_args) {
        _cleanup_bit_rows_ BitRows bits = {};
        _cleanup_free_ char *text = NULL;
        Failure failure;
        int r;

        if ((r = ctl_connect(c, &failure)) < 0 || (r = bus_list_bits(c->bus, &bits, &failure)) < 0)
                return ctl_fail(c, &failure, NULL);
        if (c->options.json != JSON_OFF)
                return ctl_print_json(c, json_bits(&bits));
        r = format_bits(&bits, &c->style, &text);
        return r < 0 ? ctl_fail_errno(c, r) : ctl_print(c, text);
}

static int print_verification(Ctl *c, const Verification *v, bool good) {
        _cleanup_free_ char *text = NULL;

        if (c->options.json != JSON_OFF)
                return ctl_print_json(c, json_verification(v));
        if (c->options.quiet && good)
                return EXIT_CTL_OK;
        int r = format_verification(v, &c->style, &text);
        return r < 0 ? ctl_fail_errno(c, r) : ctl_print(c, text);
}

int verb_verify(Ctl *c, char **args, size_t n_args) {
        _cleanup_verification_ Verification v = {};
        Failure failure;
        int r;

        if ((r = ctl_connect(c, &failure)) < 0 || (r = bus_verify(c->bus, c->options.restore, &v, &failure)) < 0)
                return ctl_fail(c, &failure, NULL);
        VerificationSummary summary = verification_summary(&v);
        bool good = summary.against == 0 && summary.missing == 0;
        r = print_verification(c, &v, good);
        return r != EXIT_CTL_OK ? r : good ? EXIT_CTL_OK : EXIT_CTL_FAILED;
}
