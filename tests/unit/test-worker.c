/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The worker, threaded and inline: order, who runs what where, that each completion
 * comes exactly once however the worker ends. Waiting is done by poll(2) on the worker's
 * descriptor and by semaphores, never by time.
 */
#include "sys/worker.h"

#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>

#include <cmocka.h>

enum { MANY = 100 * 1000 };

typedef struct Job {
        int number;
        int n_run, n_done;
        int result;
        pthread_t ran_in, done_in;
} Job;

typedef struct Log {
        int n;
        bool ordered;
        int last;
} Log;

static int job_run(void *work) {
        Job *j = work;

        j->n_run++;
        j->ran_in = pthread_self();
        return -j->number;
}

static void job_done(void *work, int result, void *userdata) {
        Job *j = work;
        Log *l = userdata;

        j->n_done++;
        j->result = result;
        j->done_in = pthread_self();
        if (l->n > 0 && j->number != l->last + 1)
                l->ordered = false;
        l->last = j->number;
        l->n++;
}

static bool readable(Worker *w, int timeout) {
        struct pollfd p = { .fd = worker_fd(w), .events = POLLIN };

        return poll(&p, 1, timeout) == 1;
}

static void dispatch_until(Worker *w, const int *n, int wanted) {
        while (*n < wanted) {
                assert_true(readable(w, -1));
                assert_true(worker_dispatch(w) > 0);
        }
}

static int new_worker(bool threaded, Worker **ret) {
        return threaded ? worker_new("a-name-that-is-far-too-long-for-a-thread", ret) : worker_new_inline(ret);
}

static void check_order_and_threads(bool threaded) {
        enum { N = 50 };
        _cleanup_worker_free_ Worker *w = NULL;
        Job jobs[N] = {};
        Log log = { .ordered = true };

        assert_int_equal(new_worker(threaded, &w), 0);
        assert_false(worker_busy(w));
        assert_int_equal(worker_dispatch(w), 0);
        for (int i = 0; i < N; i++) {
                jobs[i].number = i;
                assert_int_equal(worker_submit(w, job_run, job_done, &jobs[i], &log), 0);
        }
        assert_true(worker_busy(w));
        assert_int_equal(log.n, 0);
        dispatch_until(w, &log.n, N);

        assert_true(log.ordered);
        assert_false(worker_busy(w));
        assert_false(readable(w, 0));
        for (int i = 0; i < N; i++) {
                assert_int_equal(jobs[i].n_run, 1);
                assert_int_equal(jobs[i].n_done, 1);
                assert_int_equal(jobs[i].result, -i);
                assert_true(pthread_equal(jobs[i].done_in, pthread_self()));
                assert_int_equal(!!pthread_equal(jobs[i].ran_in, pthread_self()), !threaded);
        }
}

static void test_order_threaded(void **state) {
        check_order_and_threads(true);
}

static void test_order_inline(void **state) {
        check_order_and_threads(false);
}

static void test_inline_runs_in_dispatch(void **state) {
        _cleanup_worker_free_ Worker *w = NULL;
        Job j = { .number = 7 };
        Log log = { .ordered = true };

        assert_int_equal(worker_new_inline(&w), 0);
        assert_int_equal(worker_submit(w, job_run, job_done, &j, &log), 0);
        assert_int_equal(j.n_run, 0);
        assert_true(readable(w, 0));
        assert_int_equal(worker_dispatch(w), 1);
        assert_int_equal(j.n_run, 1);
        assert_int_equal(j.result, -7);
}

/* A gate that the first item waits at, so that the rest is surely still queued. */
typedef struct Gate {
        sem_t entered, open;
} Gate;

static int gate_run(void *work) {
        Gate *g = work;

        (void)sem_post(&g->entered);
        while (sem_wait(&g->open) < 0 && errno == EINTR)
                ;
        return 1;
}

static void count_done(void *work, int result, void *userdata) {
        int *count = userdata;

        count[result == -ECANCELED ? 1 : 0]++;
}

static void *free_worker(void *p) {
        return worker_free(p);
}

/* worker_free() waits for the item at the gate. Its completion is called with its result;
 * which of the queued ones still run depends on when the thread sees the stop, but each
 * is completed once, and all that did not run say so. */
static void test_free_with_queued_work(void **state) {
        enum { N = 1000 };
        Worker *w;
        Gate gate;
        Job jobs[N] = {};
        Log log = { .ordered = true };
        int count[2] = {};
        pthread_t t;

        assert_int_equal(sem_init(&gate.entered, 0, 0), 0);
        assert_int_equal(sem_init(&gate.open, 0, 0), 0);
        assert_int_equal(worker_new("gate", &w), 0);
        assert_int_equal(worker_submit(w, gate_run, count_done, &gate, count), 0);
        for (int i = 0; i < N; i++) {
                jobs[i].number = i;
                assert_int_equal(worker_submit(w, job_run, job_done, &jobs[i], &log), 0);
        }
        assert_int_equal(sem_wait(&gate.entered), 0);
        assert_false(readable(w, 0));

        assert_int_equal(pthread_create(&t, NULL, free_worker, w), 0);
        assert_int_equal(sem_post(&gate.open), 0);
        assert_int_equal(pthread_join(t, NULL), 0);

        assert_int_equal(count[0], 1);
        assert_int_equal(count[1], 0);
        assert_int_equal(log.n, N);
        assert_true(log.ordered);
        for (int i = 0; i < N; i++) {
                assert_int_equal(jobs[i].n_done, 1);
                assert_int_equal(jobs[i].result, jobs[i].n_run ? -i : -ECANCELED);
                assert_true(jobs[i].n_run <= 1);
        }
        (void)sem_destroy(&gate.entered);
        (void)sem_destroy(&gate.open);
}

static void test_free_inline_cancels(void **state) {
        enum { N = 10 };
        Worker *w;
        int count[2] = {};
        Job j[N] = {};

        assert_int_equal(worker_new_inline(&w), 0);
        for (int i = 0; i < N; i++)
                assert_int_equal(worker_submit(w, job_run, count_done, &j[i], count), 0);
        assert_null(worker_free(w));
        assert_int_equal(count[0], 0);
        assert_int_equal(count[1], N);
        for (int i = 0; i < N; i++)
                assert_int_equal(j[i].n_run, 0);
        assert_null(worker_free(NULL));
}

typedef struct Chain {
        Worker *w;
        int left, n_done, submit_result;
        bool busy_seen;
} Chain;

static int chain_run(void *work) {
        return 0;
}

static void chain_done(void *work, int result, void *userdata) {
        Chain *c = userdata;

        c->n_done++;
        if (c->left-- <= 0)
                return;
        c->submit_result = worker_submit(c->w, chain_run, chain_done, NULL, c);
        c->busy_seen = c->submit_result == 0 && worker_busy(c->w);
}

static void check_submit_from_completion(bool threaded) {
        _cleanup_worker_free_ Worker *w = NULL;
        Chain c = { .left = 100 };

        assert_int_equal(new_worker(threaded, &w), 0);
        c.w = w;
        assert_int_equal(worker_submit(w, chain_run, chain_done, NULL, &c), 0);
        assert_true(readable(w, -1));
        /* One round completes one item: the next was not there yet. */
        assert_int_equal(worker_dispatch(w), 1);
        assert_true(c.busy_seen);
        dispatch_until(w, &c.n_done, 101);
        assert_false(worker_busy(w));
}

static void test_submit_from_completion(void **state) {
        check_submit_from_completion(true);
        check_submit_from_completion(false);
}

static void test_submit_while_freeing(void **state) {
        Chain c = { .left = 1 };

        assert_int_equal(worker_new_inline(&c.w), 0);
        assert_int_equal(worker_submit(c.w, chain_run, chain_done, NULL, &c), 0);
        worker_free(c.w);
        assert_int_equal(c.n_done, 1);
        assert_int_equal(c.submit_result, -ESHUTDOWN);
}

static int plus_one(void *work) {
        (*(int *)work)++;
        return 0;
}

static void count_one(void *work, int result, void *userdata) {
        (*(int *)userdata)++;
}

static void test_many(void **state) {
        for (int threaded = 0; threaded < 2; threaded++) {
                _cleanup_worker_free_ Worker *w = NULL;
                int ran = 0, done = 0;

                assert_int_equal(new_worker(threaded, &w), 0);
                for (int i = 0; i < MANY; i++)
                        assert_int_equal(worker_submit(w, plus_one, count_one, &ran, &done), 0);
                dispatch_until(w, &done, MANY);
                assert_int_equal(ran, MANY);
                assert_int_equal(done, MANY);
        }
}

static int note_signals(void *work) {
        return pthread_sigmask(SIG_SETMASK, NULL, work);
}

static void test_signals_blocked_in_thread(void **state) {
        _cleanup_worker_free_ Worker *w = NULL;
        sigset_t seen, own;
        int done = 0;

        assert_int_equal(sigemptyset(&seen), 0);
        assert_int_equal(worker_new("signals", &w), 0);
        assert_int_equal(worker_submit(w, note_signals, count_one, &seen, &done), 0);
        dispatch_until(w, &done, 1);
        assert_int_equal(sigismember(&seen, SIGTERM), 1);
        assert_int_equal(sigismember(&seen, SIGCHLD), 1);
        assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &own), 0);
        assert_int_equal(sigismember(&own, SIGTERM), 0);
}

static void test_no_completion_wanted(void **state) {
        _cleanup_worker_free_ Worker *w = NULL;
        int ran = 0;

        assert_int_equal(worker_new_inline(&w), 0);
        assert_int_equal(worker_submit(w, plus_one, NULL, &ran, NULL), 0);
        assert_int_equal(worker_dispatch(w), 1);
        assert_int_equal(ran, 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_order_threaded),
                cmocka_unit_test(test_order_inline),
                cmocka_unit_test(test_inline_runs_in_dispatch),
                cmocka_unit_test(test_free_with_queued_work),
                cmocka_unit_test(test_free_inline_cancels),
                cmocka_unit_test(test_submit_from_completion),
                cmocka_unit_test(test_submit_while_freeing),
                cmocka_unit_test(test_many),
                cmocka_unit_test(test_signals_blocked_in_thread),
                cmocka_unit_test(test_no_completion_wanted),
        };

        return cmocka_run_group_tests_name("worker", tests, NULL, NULL);
}
