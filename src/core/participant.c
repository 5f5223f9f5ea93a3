/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The barrier counts who still waits, so that asking whether it is open costs nothing;
 * settle() is the only place that takes somebody off the count. Ids rise along the
 * array, so a participant is found by bisection. Beginning a phase, expiring and
 * removing are linear; a growing array doubles.
 */
#include "participant.h"

#include "common/utf8.h"

static const char *const on_death_table[_ON_DEATH_MAX] = {
        [ON_DEATH_CANCEL] = "cancel",
        [ON_DEATH_KEEP] = "keep",
        [ON_DEATH_DROP] = "drop",
};

DEFINE_STRING_TABLE(on_death, OnDeath, on_death_table);

static const char *const answer_table[_ANSWER_MAX] = {
        [ANSWER_NONE] = "none", [ANSWER_WAITING] = "waiting", [ANSWER_READY] = "ready",
        [ANSWER_VETO] = "veto", [ANSWER_LATE] = "late",
};

DEFINE_STRING_TABLE(answer, Answer, answer_table);

static const struct {
        Want want;
        const char *word;
} wants[] = {
        { WANT_PREPARE, "prepare" },
        { WANT_FREEZE, "freeze" },
        { WANT_RESUME, "resume" },
};

#define WANT_ALL ((unsigned)(WANT_PREPARE | WANT_FREEZE | WANT_RESUME))

const char *want_to_string(Want w) {
        for (size_t i = 0; i < ELEMENTSOF(wants); i++)
                if (wants[i].want == w)
                        return wants[i].word;
        return NULL;
}

static unsigned want_from_word(const char *word, size_t n) {
        for (size_t i = 0; i < ELEMENTSOF(wants); i++)
                if (strlen(wants[i].word) == n && memcmp(wants[i].word, word, n) == 0)
                        return wants[i].want;
        return 0;
}

int want_parse(const char *s, unsigned *ret) {
        unsigned all = 0;

        for (;;) {
                size_t n = strcspn(s, ":");
                unsigned w = want_from_word(s, n);
                if (w == 0)
                        return -EINVAL;
                all |= w;
                if (s[n] == '\0')
                        break;
                s += n + 1;
        }
        *ret = all;
        return 0;
}

static Participant *participant_free(Participant *p) {
        if (p) {
                free(p->name);
                free(p->reason);
                free(p->owner);
                free(p);
        }
        return NULL;
}

DEFINE_CLEANUP(Participant, participant_free);

void barrier_done(Barrier *b) {
        for (size_t i = 0; i < b->n; i++)
                participant_free(b->items[i]);
        free(b->items);
        *b = (Barrier){};
}

static int barrier_reserve(Barrier *b) {
        if (b->n < b->n_allocated)
                return 0;
        size_t n = MAX_OF(b->n_allocated * 2, (size_t)8);
        Participant **items = reallocarray(b->items, n, sizeof(*items));
        if (!items)
                return -ENOMEM;
        b->items = items;
        b->n_allocated = n;
        return 0;
}

static int participant_check(const char *name, unsigned want, OnDeath on_death, Refusal *refusal) {
        size_t n = strnlen(name, PARTICIPANT_NAME_MAX + 1);

        if (n == 0 || n > PARTICIPANT_NAME_MAX || !utf8_printable(name, n))
                return refuse(refusal, REASON_INVALID_ARGUMENT, name,
                              "a participant's name is 1 to %d bytes of printable UTF-8", PARTICIPANT_NAME_MAX);
        if (want == 0 || (want & ~WANT_ALL) != 0)
                return refuse(refusal, REASON_INVALID_ARGUMENT, name,
                              "a participant asks for one or more of prepare, freeze and resume");
        if ((size_t)on_death >= _ON_DEATH_MAX)
                return refuse(refusal, REASON_INVALID_ARGUMENT, name, "unknown mode %u", (unsigned)on_death);
        return 0;
}

int barrier_restore(Barrier *b, uint64_t id, const char *name, unsigned want, OnDeath on_death, Participant **ret,
                    Refusal *refusal) {
        _cleanup_(participant_freep) Participant *p = NULL;

        int r = participant_check(name, want, on_death, refusal);
        if (r < 0)
                return r;
        if (id <= b->next_id)
                return refuse(refusal, REASON_INVALID_ARGUMENT, name, "its number is taken");
        p = calloc(1, sizeof(*p));
        if (!p || barrier_reserve(b) < 0)
                return refuse_errno(refusal, -ENOMEM, name, NULL);
        p->lease = -1;
        p->name = strdup(name);
        if (!p->name)
                return refuse_errno(refusal, -ENOMEM, name, NULL);
        p->want = want;
        p->on_death = on_death;
        p->deadline = UINT64_MAX;
        p->id = b->next_id = id;
        b->items[b->n++] = p;
        *ret = TAKE_PTR(p);
        return 0;
}

int barrier_register(Barrier *b, const char *name, unsigned want, OnDeath on_death, size_t max, Participant **ret,
                     Refusal *refusal) {
        int r = participant_check(name, want, on_death, refusal);

        if (r < 0)
                return r;
        if (b->n >= max)
                return refuse(refusal, REASON_LIMIT, name, "%zu are registered, and Participants=%zu allows no more",
                              b->n, max);
        return barrier_restore(b, b->next_id + 1, name, want, on_death, ret, refusal);
}

/* Where id is, or n. */
static size_t barrier_index(const Barrier *b, uint64_t id) {
        size_t lo = 0, hi = b->n;

        while (lo < hi) {
                size_t mid = lo + (hi - lo) / 2;
                if (b->items[mid]->id < id)
                        lo = mid + 1;
                else
                        hi = mid;
        }
        return lo < b->n && b->items[lo]->id == id ? lo : b->n;
}

Participant *barrier_find(const Barrier *b, uint64_t id) {
        size_t i = barrier_index(b, id);

        return i < b->n ? b->items[i] : NULL;
}

static void set_reason(Participant *p, const char *reason) {
        char buf[PARTICIPANT_REASON_MAX + 1];

        free(p->reason);
        p->reason = NULL;
        if (str_empty(reason))
                return;
        utf8_copy(buf, sizeof(buf), reason);
        /* Without memory the words are lost, but the answer counts. */
        p->reason = strdup(buf);
}

static void settle(Barrier *b, Participant *p, Answer answer) {
        if (p->answer == ANSWER_WAITING)
                b->n_waiting--;
        p->answer = answer;
}

void barrier_begin(Barrier *b, Want phase, uint64_t now, uint64_t deadline) {
        barrier_end(b);
        b->phase = phase;
        for (size_t i = 0; i < b->n; i++) {
                Participant *p = b->items[i];
                bool asked = phase != WANT_RESUME && (p->want & phase);

                set_reason(p, NULL);
                p->answer = asked ? ANSWER_WAITING : ANSWER_NONE;
                p->answered = 0;
                p->deadline = asked ? deadline : UINT64_MAX;
                if (!asked)
                        continue;
                p->phase = phase;
                p->asked = now;
                p->touched = true;
                b->n_waiting++;
        }
}

void barrier_ask(Barrier *b, Participant *p, Want phase, uint64_t now, uint64_t deadline) {
        if (b->phase != 0 && b->phase != phase)
                return;
        b->phase = phase;
        set_reason(p, NULL);
        if (p->answer != ANSWER_WAITING)
                b->n_waiting++;
        p->answer = ANSWER_WAITING;
        p->answered = 0;
        p->phase = phase;
        p->asked = now;
        p->deadline = deadline;
        p->touched = true;
}

bool barrier_is_asked(const Barrier *b, const Participant *p) {
        return b->phase != 0 && p->phase == b->phase && p->answer != ANSWER_NONE;
}

void barrier_end(Barrier *b) {
        for (size_t i = 0; b->n_waiting > 0 && i < b->n; i++)
                if (b->items[i]->answer == ANSWER_WAITING)
                        settle(b, b->items[i], ANSWER_NONE);
        b->phase = 0;
}

static int check_phase(const Barrier *b, const Participant *p, Want phase, Refusal *refusal) {
        const char *word = want_to_string(phase), *running = b->phase ? want_to_string(b->phase) : NULL;

        if (!word)
                return refuse(refusal, REASON_INVALID_ARGUMENT, p->name, "no such phase");
        if (b->phase != phase)
                return refuse(refusal, REASON_WRONG_STATE, p->name, "the answer is for %s, but %s runs", word,
                              running ?: "no phase");
        if (!barrier_is_asked(b, p))
                return refuse(refusal, REASON_WRONG_STATE, p->name, "was not asked for %s", word);
        if (p->answer == ANSWER_LATE)
                return refuse(refusal, REASON_DEADLINE, p->name, "the answer for %s came too late", word);
        if (p->answer == ANSWER_VETO)
                return refuse(refusal, REASON_WRONG_STATE, p->name, "it vetoed %s already", word);
        return 0;
}

int barrier_ready(Barrier *b, Participant *p, Want phase, uint64_t now, Refusal *refusal) {
        int r = check_phase(b, p, phase, refusal);
        if (r < 0)
                return r;
        if (p->answer == ANSWER_READY)
                return 0;
        settle(b, p, ANSWER_READY);
        set_reason(p, NULL);
        p->answered = now;
        return 0;
}

int barrier_veto(Barrier *b, Participant *p, Want phase, uint64_t now, const char *reason, Refusal *refusal) {
        int r = check_phase(b, p, phase, refusal);
        if (r < 0)
                return r;
        settle(b, p, ANSWER_VETO);
        set_reason(p, reason);
        p->answered = now;
        return 0;
}

int barrier_delay(Barrier *b, Participant *p, Want phase, uint64_t until, uint64_t limit, const char *reason,
                  Refusal *refusal) {
        int r = check_phase(b, p, phase, refusal);
        if (r < 0)
                return r;
        if (p->answer != ANSWER_WAITING)
                return refuse(refusal, REASON_WRONG_STATE, p->name, "it is ready for %s already",
                              want_to_string(phase));
        if (until > limit)
                return refuse(refusal, REASON_LIMIT, p->name, "the delay is %llu ms longer than allowed",
                              (unsigned long long)((until - limit) / USEC_PER_MSEC +
                                                   ((until - limit) % USEC_PER_MSEC != 0)));
        p->deadline = MAX_OF(p->deadline, until);
        set_reason(p, reason);
        return 0;
}

uint64_t barrier_next_deadline(const Barrier *b) {
        uint64_t next = UINT64_MAX;

        for (size_t i = 0; b->n_waiting > 0 && i < b->n; i++)
                if (b->items[i]->answer == ANSWER_WAITING)
                        next = MIN_OF(next, b->items[i]->deadline);
        return next;
}

Participant *barrier_first_waiting(const Barrier *b) {
        Participant *first = NULL;

        for (size_t i = 0; b->n_waiting > 0 && i < b->n; i++)
                if (b->items[i]->answer == ANSWER_WAITING && (!first || b->items[i]->asked < first->asked))
                        first = b->items[i];
        return first;
}

Participant *barrier_expire(Barrier *b, uint64_t now) {
        Participant *first = NULL;

        for (size_t i = 0; b->n_waiting > 0 && i < b->n; i++) {
                Participant *p = b->items[i];

                if (p->answer != ANSWER_WAITING || p->deadline == UINT64_MAX || p->deadline > now)
                        continue;
                settle(b, p, ANSWER_LATE);
                if (!first)
                        first = p;
        }
        return first;
}

void barrier_remove(Barrier *b, Participant *p) {
        size_t i = barrier_index(b, p->id);

        if (i == b->n)
                return;
        settle(b, p, ANSWER_NONE);
        memmove(b->items + i, b->items + i + 1, (b->n - i - 1) * sizeof(*b->items));
        b->n--;
        participant_free(p);
}

int barrier_take_touched(Barrier *b, Participant ***ret, size_t *ret_n) {
        Participant **list = calloc(MAX_OF(b->n, (size_t)1), sizeof(*list));
        size_t n = 0;

        if (!list)
                return -ENOMEM;
        for (size_t i = b->n; i-- > 0;) {
                if (b->items[i]->touched && (b->items[i]->want & WANT_RESUME))
                        list[n++] = b->items[i];
                b->items[i]->touched = false;
        }
        *ret = list;
        *ret_n = n;
        return 0;
}
