/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Blocks of "Label: value" lines: status and job, and single lines. Tables are in
 * format-table.c.
 */
#include "format.h"

#include <stdarg.h>
#include <time.h>

#include "common/utf8.h"
#include "format-internal.h"

enum { LABEL_WIDTH = 12, VALUE_SIZE = 4096 };

bool colors_wanted(bool is_tty, const char *no_color, const char *term) {
        return is_tty && str_empty(no_color) && !str_empty(term) && !streq(term, "dumb");
}

void format_ms(uint64_t usec, char *buf, size_t size) {
        (void)snprintf(buf, size, "%llu.%03u", (unsigned long long)(usec / USEC_PER_MSEC),
                       (unsigned)(usec % USEC_PER_MSEC));
}

void format_ms_short(uint64_t usec, char *buf, size_t size) {
        format_ms(usec, buf, size);
        size_t n = strlen(buf);
        while (n > 0 && buf[n - 1] == '0')
                n--;
        if (n > 0 && buf[n - 1] == '.')
                n--;
        buf[n] = '\0';
}

const char *word_color(const char *word) {
        static const struct {
                const char *word, *color;
        } colors[] = {
                { "normal", ANSI_GREEN },     { "done", ANSI_GREEN },
                { "finished", ANSI_GREEN },   { "claimed", ANSI_GREEN },
                { "updated", ANSI_GREEN },    { "preparing", ANSI_YELLOW },
                { "prepared", ANSI_YELLOW },  { "freezing", ANSI_YELLOW },
                { "frozen", ANSI_YELLOW },    { "jumping", ANSI_YELLOW },
                { "finishing", ANSI_YELLOW }, { "cancelling", ANSI_YELLOW },
                { "running", ANSI_YELLOW },   { "waiting", ANSI_YELLOW },
                { "closing", ANSI_YELLOW },   { "cancelled", ANSI_YELLOW },
                { "failed", ANSI_RED },       { "lost", ANSI_RED },
                { "goes", ANSI_GREEN },       { "limited", ANSI_YELLOW },
                { "cannot", ANSI_RED },       { VERDICT_EXCEPTED, ANSI_YELLOW },
                { "expected", ANSI_GREEN },   { "restored", ANSI_GREEN },
                { "against", ANSI_RED },      { "missing", ANSI_RED },
        };

        for (size_t i = 0; i < ELEMENTSOF(colors); i++)
                if (streq(colors[i].word, word))
                        return colors[i].color;
        return NULL;
}

const char *plus_minus(const Style *style) {
        return style->utf8 ? "±" : "+/-";
}

void put_word(FILE *f, const Style *style, const char *word) {
        const char *color = style->colors ? word_color(word) : NULL;
        char clean[256];

        utf8_copy(clean, sizeof(clean), word);
        (void)fprintf(f, "%s%s%s", color ?: "", clean, color ? ANSI_NORMAL : "");
}

void put_label(FILE *f, const char *label) {
        (void)fprintf(f, "%*s%s ", LABEL_WIDTH, label, *label ? ":" : " ");
}

/* One line; nothing that came from outside may break it or reach the terminal raw. */
void put_line(FILE *f, const char *label, const char *format, ...) {
        char text[VALUE_SIZE], clean[VALUE_SIZE];
        va_list ap;

        va_start(ap, format);
        if (vsnprintf(text, sizeof(text), format, ap) < 0)
                text[0] = '\0';
        va_end(ap);
        utf8_copy(clean, sizeof(clean), text);
        put_label(f, label);
        (void)fprintf(f, "%s\n", clean);
}

void put_list(FILE *f, const char *label, const StringList *list) {
        char clean[256];

        for (size_t i = 0; i < list->n; i++) {
                if (i == 0)
                        put_label(f, label);
                utf8_copy(clean, sizeof(clean), list->items[i]);
                (void)fprintf(f, "%s%s", clean, i + 1 < list->n ? " " : "\n");
        }
}

static void put_kernel(FILE *f, const char *label, const char *release, const char *version) {
        if (*release || *version)
                put_line(f, label, "%s%s%s", release, *release && *version ? " " : "", version);
}

/* A kernel without a part of the handover has nothing to say of it. */
static void put_abi(FILE *f, const PairList *abi) {
        char text[512] = "";

        for (size_t i = 0, n = 0; i < abi->n && n < sizeof(text); i++) {
                if (!*abi->items[i].value)
                        continue;
                int k = snprintf(text + n, sizeof(text) - n, "%s%s %s", n > 0 ? ", " : "", abi->items[i].key,
                                 abi->items[i].value);
                n += k > 0 ? (size_t)k : 0;
        }
        if (*text)
                put_line(f, "ABI", "%s", text);
}

static void put_next_kernel(FILE *f, const PairList *next) {
        const char *release = pair_list_get(next, "release"), *cmdline = pair_list_get(next, "cmdline");

        if (next->n == 0) {
                put_line(f, "Next kernel", "none loaded");
                return;
        }
        put_line(f, "Next kernel", "%s", str_empty(release) ? "loaded" : release);
        if (!str_empty(cmdline))
                put_line(f, "Cmdline", "%s", cmdline);
}

/* BEFORE SECONDS AFTER; tenths of a second are enough for people. "" when there is no span. */
static const char *span_text(char *buf, size_t size, const char *before, uint64_t from, uint64_t to,
                             const char *after) {
        uint64_t tenths = to > from ? (to - from) / (USEC_PER_SEC / 10) : 0;

        *buf = '\0';
        if (tenths > 0)
                (void)snprintf(buf, size, "%s%llu.%llu s%s", before, (unsigned long long)(tenths / 10),
                               (unsigned long long)(tenths % 10), after);
        return buf;
}

/* Without the clock of the daemon's host (now_usec 0) no span is known. */
static void put_waiting(FILE *f, const WaitingList *waiting, uint64_t now_usec) {
        for (size_t i = 0; i < waiting->n; i++) {
                const WaitingItem *w = &waiting->items[i];
                char since[64] = "", left[64] = "";

                if (now_usec > 0 && w->since_usec > 0)
                        (void)span_text(since, sizeof(since), " for ", w->since_usec, now_usec, "");
                if (now_usec > 0 && w->deadline_usec > 0 && w->deadline_usec < UINT64_MAX &&
                    !*span_text(left, sizeof(left), ", ", now_usec, w->deadline_usec, " left"))
                        (void)snprintf(left, sizeof(left), ", overdue");
                put_line(f, i == 0 ? "Waiting for" : "", "%s (%s: %s%s%s)%s%s", w->name, w->phase, w->answer, since,
                         left, *w->reason ? ": " : "", w->reason);
        }
}

static void put_sessions(FILE *f, const SessionList *sessions) {
        size_t outgoing = 0;

        for (size_t i = 0; i < sessions->n; i++)
                outgoing += streq(sessions->items[i].direction, "outgoing");
        if (sessions->n == 0)
                put_line(f, "Sessions", "none");
        else
                put_line(f, "Sessions", "%zu (%zu outgoing, %zu incoming)", sessions->n, outgoing,
                         sessions->n - outgoing);
}

static void blackout_text(const JobInfo *j, const Style *style, char *buf, size_t size) {
        char ms[32], error[32];

        format_ms_short(j->blackout_usec, ms, sizeof(ms));
        format_ms_short(j->blackout_error_usec, error, sizeof(error));
        (void)snprintf(buf, size, "%s ms (%s %s ms)", ms, plus_minus(style), error);
}

/* " (CODE) SENTENCE", or nothing. */
static void put_reason(FILE *f, const char *code, const char *sentence) {
        char text[VALUE_SIZE], clean[VALUE_SIZE];

        if (!*code)
                return;
        (void)snprintf(text, sizeof(text), " (%s) %s", code, sentence);
        utf8_copy(clean, sizeof(clean), text);
        (void)fputs(clean, f);
}

static void put_result(FILE *f, const JobInfo *j, const Style *style) {
        char blackout[128] = "";

        put_label(f, "Last job");
        (void)fprintf(f, "%llu ", (unsigned long long)j->number);
        put_word(f, style, j->kind);
        (void)fputs(": ", f);
        put_word(f, style, j->state);
        if (j->blackout_usec > 0)
                blackout_text(j, style, blackout, sizeof(blackout));
        (void)fprintf(f, "%s%s", *blackout ? ", blackout " : "", blackout);
        put_reason(f, j->code, j->sentence);
        (void)fputc('\n', f);
}

int text_finish(FILE **f, char **text, int r, char **ret) {
        bool bad = ferror(*f) || fclose(TAKE_PTR(*f)) == EOF;

        if (r < 0)
                return r;
        if (bad)
                return -ENOMEM;
        *ret = TAKE_PTR(*text);
        return 0;
}

int format_status(const StatusView *v, const Style *style, char **ret) {
        const ManagerInfo *m = v->manager;
        _cleanup_free_ char *text = NULL;
        size_t size;
        _cleanup_fclose_ FILE *f = open_memstream(&text, &size);

        if (!f)
                return -ENOMEM;
        put_label(f, "State");
        put_word(f, style, m->state);
        (void)fprintf(f, "%s\n", m->cancelable ? " (cancelable)" : "");
        put_kernel(f, "Kernel", m->kernel_release, m->kernel_version);
        put_abi(f, &m->abi);
        if (m->update_number == 0)
                put_line(f, "Updates", "none since the cold boot");
        else
                put_line(f, "Updates", "%llu since the cold boot", (unsigned long long)m->update_number);
        put_next_kernel(f, &m->next_kernel);
        if (v->running)
                put_line(f, "Job", "%llu %s%s%s", (unsigned long long)v->running->number, v->running->kind,
                         *v->running->step ? ": " : "", v->running->step);
        put_waiting(f, &m->waiting, v->now_usec);
        if (v->sessions)
                put_sessions(f, v->sessions);
        put_list(f, "Held", &m->held);
        if (m->crash_cancels)
                put_line(f, "Crash", "would cancel an update: not all descriptors are in a descriptor store");
        if (v->last)
                put_result(f, v->last, style);
        if (*m->notice)
                put_line(f, "Notice", "%s", m->notice);
        return text_finish(&f, &text, 0, ret);
}

static void put_time(FILE *f, uint64_t usec) {
        time_t t = (time_t)(usec / USEC_PER_SEC);
        char text[64];
        struct tm tm;

        if (usec > 0 && localtime_r(&t, &tm) && strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %Z", &tm) > 0)
                put_line(f, "Started", "%s", text);
}

static void put_job_fields(FILE *f, const JobInfo *j, const Style *style) {
        put_line(f, "Job", "%llu", (unsigned long long)j->number);
        put_line(f, "Kind", "%s", j->kind);
        put_label(f, "State");
        put_word(f, style, j->state);
        (void)fprintf(f, "%s\n", j->cancelable ? " (cancelable)" : "");
        if (*j->step)
                put_line(f, "Step", "%s", j->step);
        if (*j->code)
                put_line(f, "Code", "%s", j->code);
        if (*j->subject)
                put_line(f, "Subject", "%s", j->subject);
        if (*j->sentence)
                put_line(f, "Reason", "%s", j->sentence);
        if (*j->update_id)
                put_line(f, "Update", "%s", j->update_id);
        put_time(f, j->start_usec);
        put_line(f, "By", "uid %u", j->uid);
        put_kernel(f, "From", j->from_release, j->from_version);
        put_kernel(f, "To", j->to_release, j->to_version);
        const SessionCounts *s = &j->sessions;
        if (s->expected || s->claimed || s->finished || s->missing)
                put_line(f, "Sessions", "%u expected, %u claimed, %u finished, %u missing", s->expected, s->claimed,
                         s->finished, s->missing);
        const HandoverCounts *h = &j->devices;
        if (h->expected > 0)
                put_line(f, "Devices", "%u expected, %u arrived, %u lost%s", h->expected, h->arrived, h->lost,
                         h->bus_master > 0 ? "; Bus Master not as handed over" : "");
        const RegisterCounts *g = &j->registers;
        if (register_counts_any(g))
                put_line(f, "Registers",
                         "%llu equal, %u changed as expected, %u against the table%s, %u device%s missing",
                         (unsigned long long)g->equal, g->expected, g->against,
                         g->against > 0 ? " (see 'liveupdatectl verify')" : "", g->missing,
                         g->missing == 1 ? "" : "s");
}

int format_job(const JobInfo *job, const Style *style, char **ret) {
        _cleanup_free_ char *text = NULL, *timeline = NULL;
        size_t size;
        _cleanup_fclose_ FILE *f = open_memstream(&text, &size);
        int r = 0;

        if (!f)
                return -ENOMEM;
        put_job_fields(f, job, style);
        if (job->timeline.n > 0) {
                r = format_timeline(job, style, &timeline);
                if (r >= 0)
                        (void)fprintf(f, "\n%s", timeline);
        }
        return text_finish(&f, &text, r, ret);
}

static void put_stale(FILE *f, const StringList *devices) {
        char clean[64];

        (void)fputs("plan stale", f);
        for (size_t i = 0; i < devices->n; i++) {
                utf8_copy(clean, sizeof(clean), devices->items[i]);
                (void)fprintf(f, "%s %s", i == 0 ? ":" : "", clean);
        }
}

static void put_event(FILE *f, const Event *e, const Style *style) {
        switch (e->kind) {
        case EVENT_STATE:
                (void)fputs("state ", f);
                put_word(f, style, e->to);
                break;
        case EVENT_STATE_CHANGED:
                (void)fputs("state ", f);
                put_word(f, style, e->from);
                (void)fputs(" -> ", f);
                put_word(f, style, e->to);
                break;
        case EVENT_JOB_NEW:
                (void)fprintf(f, "job %llu new", (unsigned long long)e->number);
                break;
        case EVENT_JOB_REMOVED:
                (void)fprintf(f, "job %llu ", (unsigned long long)e->number);
                put_word(f, style, e->result);
                put_reason(f, e->code, e->sentence);
                break;
        case EVENT_PLAN_STALE:
                put_stale(f, e->devices);
                break;
        case EVENT_OWNER:
                (void)fputs(e->running ? "liveupdated came" : "liveupdated went", f);
                break;
        }
}

int format_event(const Event *event, const Style *style, char **ret) {
        time_t t = (time_t)(event->time_usec / USEC_PER_SEC);
        _cleanup_free_ char *text = NULL;
        char hms[16] = "--:--:--";
        struct tm tm;
        size_t size;
        _cleanup_fclose_ FILE *f = open_memstream(&text, &size);

        if (!f)
                return -ENOMEM;
        if (localtime_r(&t, &tm))
                (void)strftime(hms, sizeof(hms), "%H:%M:%S", &tm);
        (void)fprintf(f, "%s.%03u ", hms, (unsigned)(event->time_usec % USEC_PER_SEC / USEC_PER_MSEC));
        put_event(f, event, style);
        (void)fputc('\n', f);
        return text_finish(&f, &text, 0, ret);
}
