/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/participant.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define PF ((unsigned)(WANT_PREPARE | WANT_FREEZE))
#define PFR ((unsigned)(WANT_PREPARE | WANT_FREEZE | WANT_RESUME))

static void barrier_donep(Barrier *b) {
        barrier_done(b);
}
#define _cleanup_barrier_ _cleanup_(barrier_donep)

static Participant *add(Barrier *b, const char *name, unsigned want) {
        Participant *p = NULL;

        assert_int_equal(barrier_register(b, name, want, ON_DEATH_CANCEL, SIZE_MAX, &p, NULL), 0);
        assert_non_null(p);
        return p;
}

/* What n_waiting must be, by counting. */
static void count_holds(const Barrier *b) {
        size_t n = 0;

        for (size_t i = 0; i < b->n; i++)
                n += b->items[i]->answer == ANSWER_WAITING;
        assert_int_equal(b->n_waiting, n);
        assert_int_equal(barrier_open(b), n == 0);
}

static void registering(void **state) {
        _cleanup_barrier_ Barrier b = {};
        Participant *a, *c;

        a = add(&b, "vm1", PFR);
        assert_string_equal(a->name, "vm1");
        assert_int_equal(a->want, PFR);
        assert_int_equal(a->answer, ANSWER_NONE);
        c = add(&b, "vm1", WANT_RESUME); /* names need not be unique */
        assert_int_not_equal(a->id, c->id);
        assert_ptr_equal(barrier_find(&b, a->id), a);
        assert_ptr_equal(barrier_find(&b, c->id), c);
        assert_null(barrier_find(&b, 0));
        assert_null(barrier_find(&b, c->id + 1));
        uint64_t id = c->id;
        barrier_remove(&b, c);
        assert_null(barrier_find(&b, id));
        /* Ids are not used again. */
        assert_true(add(&b, "vm2", PF)->id > id);
}

static void refused_registrations(void **state) {
        _cleanup_barrier_ Barrier b = {};
        char long_name[PARTICIPANT_NAME_MAX + 2];
        Participant *p = NULL;
        Refusal why;

        memset(long_name, 'n', sizeof(long_name) - 1);
        long_name[sizeof(long_name) - 1] = '\0';
        const struct {
                const char *name;
                unsigned want;
                OnDeath on_death;
                size_t max;
                Reason reason;
        } cases[] = {
                { "", PF, ON_DEATH_CANCEL, 9, REASON_INVALID_ARGUMENT },
                { long_name, PF, ON_DEATH_CANCEL, 9, REASON_INVALID_ARGUMENT },
                { "a\nb", PF, ON_DEATH_CANCEL, 9, REASON_INVALID_ARGUMENT },
                { "\xff", PF, ON_DEATH_CANCEL, 9, REASON_INVALID_ARGUMENT },
                { "a", 0, ON_DEATH_CANCEL, 9, REASON_INVALID_ARGUMENT },
                { "a", 8, ON_DEATH_CANCEL, 9, REASON_INVALID_ARGUMENT },
                { "a", PF, _ON_DEATH_MAX, 9, REASON_INVALID_ARGUMENT },
                { "a", PF, ON_DEATH_CANCEL, 0, REASON_LIMIT },
        };
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                assert_true(barrier_register(&b, cases[i].name, cases[i].want, cases[i].on_death, cases[i].max, &p,
                                             &why) < 0);
                assert_int_equal(why.reason, cases[i].reason);
                assert_null(p);
                assert_int_equal(b.n, 0);
        }
        long_name[PARTICIPANT_NAME_MAX] = '\0';
        add(&b, long_name, PF);
        assert_int_equal(barrier_register(&b, "b", PF, ON_DEATH_KEEP, 1, &p, &why), reason_errno(REASON_LIMIT));
}

static void a_phase(void **state) {
        _cleanup_barrier_ Barrier b = {};
        Participant *a = add(&b, "a", PFR), *c = add(&b, "c", WANT_FREEZE), *d = add(&b, "d", PF);

        assert_true(barrier_open(&b));
        barrier_begin(&b, WANT_PREPARE, 100, 200);
        count_holds(&b);
        assert_int_equal(b.n_waiting, 2);
        assert_true(barrier_is_asked(&b, a));
        assert_false(barrier_is_asked(&b, c));
        assert_true(barrier_is_asked(&b, d));
        assert_int_equal(a->asked, 100);
        assert_int_equal(a->deadline, 200);
        assert_int_equal(barrier_next_deadline(&b), 200);

        assert_int_equal(barrier_ready(&b, a, WANT_PREPARE, 150, NULL), 0);
        assert_int_equal(a->answer, ANSWER_READY);
        assert_int_equal(a->answered, 150);
        assert_false(barrier_open(&b));
        /* Said twice is said once. */
        assert_int_equal(barrier_ready(&b, a, WANT_PREPARE, 160, NULL), 0);
        assert_int_equal(a->answered, 150);
        assert_int_equal(b.n_waiting, 1);
        assert_int_equal(barrier_ready(&b, d, WANT_PREPARE, 170, NULL), 0);
        assert_true(barrier_open(&b));
        assert_int_equal(barrier_next_deadline(&b), UINT64_MAX);
        barrier_end(&b);
        assert_false(barrier_is_asked(&b, a));

        barrier_begin(&b, WANT_FREEZE, 300, UINT64_MAX);
        assert_int_equal(b.n_waiting, 3);
        assert_int_equal(a->answer, ANSWER_WAITING);
        assert_int_equal(a->answered, 0);
        assert_int_equal(barrier_next_deadline(&b), UINT64_MAX);
        assert_null(barrier_expire(&b, UINT64_MAX));
        count_holds(&b);
}

static void answers_that_do_not_fit(void **state) {
        _cleanup_barrier_ Barrier b = {};
        Participant *a = add(&b, "a", WANT_PREPARE), *c = add(&b, "c", WANT_FREEZE);
        Refusal why;

        assert_int_equal(barrier_ready(&b, a, WANT_PREPARE, 1, &why), reason_errno(REASON_WRONG_STATE));
        barrier_begin(&b, WANT_PREPARE, 1, 10);
        assert_int_equal(barrier_ready(&b, a, WANT_FREEZE, 1, &why), reason_errno(REASON_WRONG_STATE));
        assert_string_equal(why.subject, "a");
        assert_string_equal(why.detail, "the answer is for freeze, but prepare runs");
        assert_int_equal(barrier_veto(&b, c, WANT_PREPARE, 1, "x", &why), reason_errno(REASON_WRONG_STATE));
        assert_string_equal(why.detail, "was not asked for prepare");
        assert_int_equal(barrier_ready(&b, a, PF, 1, &why), reason_errno(REASON_INVALID_ARGUMENT));
        assert_int_equal(barrier_ready(&b, a, 0, 1, &why), reason_errno(REASON_INVALID_ARGUMENT));
        assert_int_equal(b.n_waiting, 1);
        /* Who comes while the phase runs is not asked in it. */
        Participant *d = add(&b, "d", PF);
        assert_false(barrier_is_asked(&b, d));
        assert_int_equal(barrier_ready(&b, d, WANT_PREPARE, 1, &why), reason_errno(REASON_WRONG_STATE));
        count_holds(&b);
}

static void vetoes(void **state) {
        _cleanup_barrier_ Barrier b = {};
        Participant *a = add(&b, "a", PF), *c = add(&b, "c", PF);
        Refusal why;

        barrier_begin(&b, WANT_FREEZE, 1, 10);
        assert_int_equal(barrier_veto(&b, a, WANT_FREEZE, 5, "migrating", NULL), 0);
        assert_int_equal(a->answer, ANSWER_VETO);
        assert_string_equal(a->reason, "migrating");
        assert_int_equal(a->answered, 5);
        assert_int_equal(b.n_waiting, 1);
        assert_int_equal(barrier_ready(&b, a, WANT_FREEZE, 6, &why), reason_errno(REASON_WRONG_STATE));
        assert_int_equal(barrier_veto(&b, a, WANT_FREEZE, 6, NULL, &why), reason_errno(REASON_WRONG_STATE));
        /* A veto may follow a ready, as long as others are waited for. */
        assert_int_equal(barrier_ready(&b, c, WANT_FREEZE, 6, NULL), 0);
        assert_int_equal(barrier_veto(&b, c, WANT_FREEZE, 7, NULL, NULL), 0);
        assert_int_equal(c->answer, ANSWER_VETO);
        assert_null(c->reason);
        count_holds(&b);
        /* A new phase forgets. */
        barrier_begin(&b, WANT_FREEZE, 8, 10);
        assert_null(a->reason);
        assert_int_equal(b.n_waiting, 2);
}

static void long_reasons_are_cut(void **state) {
        _cleanup_barrier_ Barrier b = {};
        Participant *a = add(&b, "a", PF);
        char reason[1000];

        memset(reason, 'r', sizeof(reason) - 1);
        reason[sizeof(reason) - 1] = '\0';
        barrier_begin(&b, WANT_PREPARE, 1, 10);
        assert_int_equal(barrier_veto(&b, a, WANT_PREPARE, 1, reason, NULL), 0);
        assert_int_equal(strlen(a->reason), PARTICIPANT_REASON_MAX);
}

static void delays(void **state) {
        _cleanup_barrier_ Barrier b = {};
        Participant *a = add(&b, "a", PF), *c = add(&b, "c", PF);
        Refusal why;

        barrier_begin(&b, WANT_PREPARE, 0, 1000);
        assert_int_equal(barrier_delay(&b, a, WANT_PREPARE, 3000, 3000, "flushing", NULL), 0);
        assert_int_equal(a->deadline, 3000);
        assert_string_equal(a->reason, "flushing");
        assert_int_equal(a->answer, ANSWER_WAITING);
        assert_int_equal(c->deadline, 1000);
        assert_int_equal(barrier_next_deadline(&b), 1000);
        assert_int_equal(barrier_delay(&b, a, WANT_PREPARE, 3001, 3000, "more", &why), reason_errno(REASON_LIMIT));
        assert_string_equal(why.detail, "the delay is 1 ms longer than allowed");
        assert_int_equal(a->deadline, 3000);
        assert_string_equal(a->reason, "flushing");
        /* Never backwards. */
        assert_int_equal(barrier_delay(&b, a, WANT_PREPARE, 10, 3000, NULL, NULL), 0);
        assert_int_equal(a->deadline, 3000);
        assert_null(a->reason);
        assert_int_equal(barrier_ready(&b, a, WANT_PREPARE, 5, NULL), 0);
        assert_int_equal(barrier_delay(&b, a, WANT_PREPARE, 20, 3000, NULL, &why), reason_errno(REASON_WRONG_STATE));
        assert_int_equal(barrier_delay(&b, c, WANT_FREEZE, 20, 3000, NULL, &why), reason_errno(REASON_WRONG_STATE));
}

static void deadlines(void **state) {
        _cleanup_barrier_ Barrier b = {};
        Participant *a = add(&b, "a", PF), *c = add(&b, "c", PF), *d = add(&b, "d", PF);
        Refusal why;

        assert_null(barrier_first_waiting(&b));
        barrier_begin(&b, WANT_PREPARE, 0, 1000);
        assert_ptr_equal(barrier_first_waiting(&b), a);
        assert_int_equal(barrier_delay(&b, c, WANT_PREPARE, 2000, 2000, NULL, NULL), 0);
        assert_null(barrier_expire(&b, 999));
        assert_int_equal(b.n_waiting, 3);
        assert_ptr_equal(barrier_expire(&b, 1000), a);
        assert_int_equal(a->answer, ANSWER_LATE);
        assert_int_equal(d->answer, ANSWER_LATE);
        assert_int_equal(c->answer, ANSWER_WAITING);
        assert_ptr_equal(barrier_first_waiting(&b), c);
        count_holds(&b);
        assert_int_equal(barrier_next_deadline(&b), 2000);
        assert_null(barrier_expire(&b, 1500));
        assert_int_equal(barrier_ready(&b, a, WANT_PREPARE, 1500, &why), reason_errno(REASON_DEADLINE));
        assert_ptr_equal(barrier_expire(&b, 9999), c);
        assert_null(barrier_first_waiting(&b));
        assert_true(barrier_open(&b));
}

static void removing_keeps_the_count(void **state) {
        for (unsigned mask = 0; mask < 8; mask++) {
                _cleanup_barrier_ Barrier b = {};
                Participant *p[3] = { add(&b, "a", PF), add(&b, "c", PF), add(&b, "d", WANT_FREEZE) };

                barrier_begin(&b, WANT_PREPARE, 0, 10);
                assert_int_equal(barrier_ready(&b, p[1], WANT_PREPARE, 1, NULL), 0);
                for (size_t i = 0; i < 3; i++)
                        if (mask & 1U << i)
                                barrier_remove(&b, p[i]);
                count_holds(&b);
                assert_int_equal(b.n_waiting, mask & 1 ? 0 : 1);
                barrier_end(&b);
                count_holds(&b);
                for (size_t i = 0; i < 3; i++)
                        if (!(mask & 1U << i))
                                barrier_remove(&b, p[i]);
                assert_int_equal(b.n, 0);
                assert_int_equal(b.n_waiting, 0);
        }
}

static void ending_early(void **state) {
        _cleanup_barrier_ Barrier b = {};
        Participant *a = add(&b, "a", PF), *c = add(&b, "c", PF);

        barrier_begin(&b, WANT_PREPARE, 0, 10);
        assert_int_equal(barrier_ready(&b, a, WANT_PREPARE, 1, NULL), 0);
        barrier_end(&b);
        assert_true(barrier_open(&b));
        assert_int_equal(b.phase, 0);
        assert_int_equal(c->answer, ANSWER_NONE);
        assert_null(barrier_expire(&b, 99));
        /* A phase that begins while another runs ends that one. */
        barrier_begin(&b, WANT_PREPARE, 0, 10);
        barrier_begin(&b, WANT_FREEZE, 0, 10);
        assert_int_equal(b.n_waiting, 2);
        count_holds(&b);
}

static void resuming_in_reverse(void **state) {
        _cleanup_barrier_ Barrier b = {};
        Participant *a = add(&b, "a", PFR), *c = add(&b, "c", WANT_FREEZE | WANT_RESUME), *d = add(&b, "d", PF),
                    *e = add(&b, "e", PFR);
        _cleanup_free_ Participant **list = NULL, **again = NULL, **frozen = NULL;
        size_t n = 99;

        barrier_begin(&b, WANT_PREPARE, 0, 10);
        barrier_begin(&b, WANT_RESUME, 0, 10);
        assert_true(barrier_open(&b)); /* nobody answers a resume */
        assert_int_equal(barrier_next_deadline(&b), UINT64_MAX);
        assert_int_equal(barrier_take_touched(&b, &list, &n), 0);
        assert_int_equal(n, 2); /* c was not asked, d does not want to know */
        assert_ptr_equal(list[0], e);
        assert_ptr_equal(list[1], a);
        assert_false(d->touched);
        assert_int_equal(barrier_take_touched(&b, &again, &n), 0);
        assert_int_equal(n, 0);

        barrier_begin(&b, WANT_FREEZE, 0, 10);
        barrier_remove(&b, e);
        assert_int_equal(barrier_take_touched(&b, &frozen, &n), 0);
        assert_int_equal(n, 2);
        assert_ptr_equal(frozen[0], c);
        assert_ptr_equal(frozen[1], a);
}

static void ten_thousand(void **state) {
        enum { N = 10000 };
        _cleanup_barrier_ Barrier b = {};
        _cleanup_free_ uint64_t *ids = calloc(N, sizeof(*ids));

        assert_non_null(ids);
        for (size_t i = 0; i < N; i++)
                ids[i] = add(&b, "client", PFR)->id;
        barrier_begin(&b, WANT_PREPARE, 0, 10);
        assert_int_equal(b.n_waiting, N);
        for (size_t i = 0; i < N; i += 2)
                assert_int_equal(barrier_ready(&b, barrier_find(&b, ids[i]), WANT_PREPARE, 1, NULL), 0);
        for (size_t i = 0; i < N; i += 3)
                barrier_remove(&b, barrier_find(&b, ids[i]));
        count_holds(&b);
        assert_ptr_equal(barrier_expire(&b, 10), barrier_find(&b, ids[1]));
        assert_true(barrier_open(&b));
        for (size_t i = 0; i < N; i++)
                assert_int_equal(barrier_find(&b, ids[i]) != NULL, i % 3 != 0);
}

static void want_lists(void **state) {
        static const char *const bad[] = { "",
                                           ":",
                                           "prepare:",
                                           ":prepare",
                                           "prepare::freeze",
                                           "Prepare",
                                           "prepare freeze",
                                           "prepare,freeze",
                                           "prep",
                                           "prepares",
                                           "all" };
        unsigned want = 99;

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_int_equal(want_parse(bad[i], &want), -EINVAL);
        assert_int_equal(want, 99);
        assert_int_equal(want_parse("prepare", &want), 0);
        assert_int_equal(want, WANT_PREPARE);
        assert_int_equal(want_parse("resume:freeze", &want), 0);
        assert_int_equal(want, WANT_FREEZE | WANT_RESUME);
        assert_int_equal(want_parse("prepare:freeze:resume", &want), 0);
        assert_int_equal(want, PFR);
        assert_string_equal(want_to_string(WANT_PREPARE), "prepare");
        assert_string_equal(want_to_string(WANT_FREEZE), "freeze");
        assert_string_equal(want_to_string(WANT_RESUME), "resume");
        assert_null(want_to_string(0));
        assert_null(want_to_string(PF));
}

static void words(void **state) {
        for (OnDeath d = 0; d < _ON_DEATH_MAX; d++)
                assert_int_equal(on_death_from_string(on_death_to_string(d)), d);
        for (Answer a = 0; a < _ANSWER_MAX; a++)
                assert_int_equal(answer_from_string(answer_to_string(a)), a);
        assert_int_equal(on_death_from_string(""), -EINVAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(registering),
                cmocka_unit_test(refused_registrations),
                cmocka_unit_test(a_phase),
                cmocka_unit_test(answers_that_do_not_fit),
                cmocka_unit_test(vetoes),
                cmocka_unit_test(long_reasons_are_cut),
                cmocka_unit_test(delays),
                cmocka_unit_test(deadlines),
                cmocka_unit_test(removing_keeps_the_count),
                cmocka_unit_test(ending_early),
                cmocka_unit_test(resuming_in_reverse),
                cmocka_unit_test(ten_thousand),
                cmocka_unit_test(want_lists),
                cmocka_unit_test(words),
        };

        return cmocka_run_group_tests_name("participant", tests, NULL, NULL);
}
