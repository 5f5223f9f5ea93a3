/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the LUO fake does beyond the contract it shares with the kernel (tests/contract):
 * the failures tests ask it for, its counts, more kernels than two, and its size.
 */
#include "fakes/luo-fake.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cmocka.h>

typedef struct Fixture {
        LuoFake *fake;
        Luo luo;
} Fixture;

static int setup(void **state) {
        static Fixture f;

        assert_int_equal(luo_fake_new(&f.fake), 0);
        f.luo = luo_fake_port(f.fake);
        *state = &f;
        return 0;
}

static int teardown(void **state) {
        Fixture *f = *state;

        f->fake = luo_fake_free(f->fake);
        return 0;
}

static int create(Fixture *f, const char *name) {
        int fd, r = luo_create_session(&f->luo, name, &fd);

        return r < 0 ? r : fd;
}

static int retrieve(Fixture *f, const char *name) {
        int fd, r = luo_retrieve_session(&f->luo, name, &fd);

        return r < 0 ? r : fd;
}

static int get(Fixture *f, int session, uint64_t token) {
        int fd, r = luo_retrieve_fd(&f->luo, session, token, &fd);

        return r < 0 ? r : fd;
}

static int memfd_with(const char *text) {
        int fd = memfd_create("test", MFD_CLOEXEC);

        assert_true(fd >= 0);
        assert_int_equal(pwrite(fd, text, strlen(text), 0), strlen(text));
        return fd;
}

static void assert_text(int fd, const char *text) {
        char buffer[64] = "";

        assert_true(fd >= 0);
        assert_true(pread(fd, buffer, sizeof(buffer) - 1, 0) >= 0);
        assert_string_equal(buffer, text);
}

/* A session with one memfd under token 1, whose descriptor is closed. */
static int create_with(Fixture *f, const char *name, const char *text) {
        _cleanup_close_ int m = memfd_with(text);
        int s = create(f, name);

        assert_true(s >= 0);
        assert_int_equal(luo_preserve_fd(&f->luo, s, m, 1), 0);
        return s;
}

static LuoFakeStats stats(Fixture *f) {
        LuoFakeStats s;

        luo_fake_stats(f->fake, &s);
        return s;
}

static void test_absent(void **state) {
        Fixture *f = *state;

        assert_int_equal(luo_available(&f->luo), 0);
        luo_fake_set_absent(f->fake, true);
        assert_int_equal(luo_available(&f->luo), -ENODEV);
        assert_int_equal(create(f, "a"), -ENODEV);
        assert_int_equal(retrieve(f, "a"), -ENODEV);
}

/* Broken incoming state: every open of that boot fails, and it ends with the next. */
static void test_broken_boot(void **state) {
        Fixture *f = *state;
        _cleanup_close_ _unused_ int s = create_with(f, "a", "lost"), t = -1;

        luo_fake_break_next_boot(f->fake);
        assert_int_equal(luo_fake_kexec(f->fake), 0);
        for (int i = 0; i < 3; i++) {
                assert_int_equal(retrieve(f, "a"), -EIO);
                assert_int_equal(create(f, "b"), -EIO);
        }
        assert_int_equal(luo_available(&f->luo), 0);
        assert_int_equal(luo_fake_kexec(f->fake), 0);
        assert_int_equal(retrieve(f, "a"), -ENOENT);
        assert_int_equal(stats(f).dropped_unretrieved, 1);
        t = create(f, "b");
        assert_true(t >= 0);
}

static void test_freeze_failure(void **state) {
        Fixture *f = *state;
        _cleanup_close_ _unused_ int s = create_with(f, "a", "kept"), t = -1, m = -1, more = memfd_with("more");

        luo_fake_fail_freeze(f->fake, ENOMEM);
        assert_int_equal(luo_fake_kexec(f->fake), -ENOMEM);
        assert_int_equal(stats(f).outgoing, 1);
        assert_int_equal(stats(f).preserved_files, 1);
        assert_int_equal(stats(f).update_number, 0);
        /* The session lives on and takes more; the second try succeeds. */
        assert_int_equal(luo_preserve_fd(&f->luo, s, more, 2), 0);
        assert_int_equal(luo_fake_kexec(f->fake), 0);
        assert_int_equal(stats(f).update_number, 1);
        t = retrieve(f, "a");
        assert_true(t >= 0);
        m = get(f, t, 1);
        assert_text(m, "kept");
}

static void test_old_descriptors_are_dead(void **state) {
        Fixture *f = *state;
        _cleanup_close_ _unused_ int s = create_with(f, "a", "x"), m = memfd_with("y"), t = -1, u = -1;
        char name[LUO_NAME_LENGTH];

        assert_int_equal(luo_fake_kexec(f->fake), 0);
        assert_int_equal(luo_preserve_fd(&f->luo, s, m, 2), -ENOTTY);
        assert_int_equal(luo_get_name(&f->luo, s, name), -ENOTTY);
        s = fd_close(s); /* nobody notices */
        assert_int_equal(stats(f).incoming, 1);
        t = retrieve(f, "a");
        assert_true(t >= 0);

        /* So are those of a retrieved session, after another kexec. */
        assert_int_equal(luo_fake_kexec(f->fake), 0);
        assert_int_equal(luo_finish(&f->luo, t), -ENOTTY);
        assert_int_equal(stats(f).dropped_unfinished, 1);
        assert_int_equal(retrieve(f, "a"), -ENOENT);
        u = create(f, "a");
        assert_true(u >= 0);
}

/* Finished or not, what came in goes no further by itself. */
static void test_three_kernels(void **state) {
        Fixture *f = *state;
        _cleanup_close_ _unused_ int a = create_with(f, "a", "one"), b = create_with(f, "b", "two");
        _cleanup_close_ int in = -1, out = -1, m = -1, last = -1, again = -1;

        assert_int_equal(luo_fake_kexec(f->fake), 0);
        in = retrieve(f, "a");
        m = get(f, in, 1);
        assert_text(m, "one");
        assert_int_equal(luo_finish(&f->luo, in), 0);
        out = create(f, "a");
        assert_int_equal(luo_preserve_fd(&f->luo, out, m, 7), 0);
        assert_int_equal(pwrite(m, "ONE", 3, 0), 3);

        assert_int_equal(luo_fake_kexec(f->fake), 0);
        assert_int_equal(retrieve(f, "b"), -ENOENT);
        /* The old kernel's writer writes into the void. */
        assert_int_equal(pwrite(m, "xxx", 3, 0), 3);
        last = retrieve(f, "a");
        again = get(f, last, 7);
        assert_text(again, "ONE");
        assert_int_equal(stats(f).update_number, 2);
        assert_int_equal(stats(f).dropped_unretrieved, 1);
        assert_int_equal(stats(f).dropped_unfinished, 0);
        assert_int_equal(luo_fake_finishes(f->fake, "a"), 1);
        assert_int_equal(luo_finish(&f->luo, last), 0);
        assert_int_equal(luo_fake_finishes(f->fake, "a"), 2);
        assert_int_equal(luo_fake_finishes(f->fake, "b"), 0);
}

static void test_sticky_retrieve_error(void **state) {
        Fixture *f = *state;
        _cleanup_close_ _unused_ int s = create_with(f, "a", "x"), t = -1, m = memfd_with("y"), n = -1;

        assert_int_equal(luo_preserve_fd(&f->luo, s, m, 2), 0);
        assert_int_equal(luo_fake_fail_retrieve(f->fake, "a", 3, EIO), -ENOENT);
        assert_int_equal(luo_fake_fail_retrieve(f->fake, "b", 1, EIO), -ENOENT);
        assert_int_equal(luo_fake_fail_retrieve(f->fake, "a", 1, EIO), 0);
        assert_int_equal(luo_fake_kexec(f->fake), 0);
        t = retrieve(f, "a");
        assert_int_equal(get(f, t, 1), -EIO);
        /* For ever, whatever becomes of its cause. */
        assert_int_equal(luo_fake_fail_retrieve(f->fake, "a", 1, 0), 0);
        assert_int_equal(get(f, t, 1), -EIO);
        n = get(f, t, 2);
        assert_text(n, "y");
        assert_int_equal(luo_finish(&f->luo, t), 0);
}

static void test_finish_blocked_and_leak(void **state) {
        Fixture *f = *state;
        _cleanup_close_ _unused_ int a = create_with(f, "a", "x"), b = create_with(f, "b", "y"), c = create(f, "c");
        _cleanup_close_ int in = -1, m = -1;

        assert_int_equal(luo_fake_block_finish(f->fake, "a", true), -ENOENT);
        assert_int_equal(luo_fake_kexec(f->fake), 0);
        assert_int_equal(luo_fake_block_finish(f->fake, "a", true), 0);
        assert_int_equal(luo_fake_block_finish(f->fake, "b", true), 0);
        assert_int_equal(luo_fake_block_finish(f->fake, "c", true), 0);

        in = retrieve(f, "a");
        assert_int_equal(luo_finish(&f->luo, in), -EBUSY);
        m = get(f, in, 1); /* nothing was finished */
        assert_text(m, "x");
        assert_int_equal(luo_fake_block_finish(f->fake, "a", false), 0);
        assert_int_equal(luo_finish(&f->luo, in), 0);

        in = fd_close(in);
        in = retrieve(f, "b");
        in = fd_close(in);
        assert_int_equal(stats(f).leaked, 1);
        assert_int_equal(retrieve(f, "b"), -EINVAL);
        assert_int_equal(luo_fake_finishes(f->fake, "b"), 0);

        /* No file, no handler that could object. */
        in = retrieve(f, "c");
        assert_int_equal(luo_finish(&f->luo, in), 0);

        assert_int_equal(luo_fake_kexec(f->fake), 0);
        assert_int_equal(stats(f).leaked, 0);
        assert_int_equal(stats(f).dropped_unfinished, 1);
        assert_int_equal(retrieve(f, "b"), -ENOENT);
}

static void test_counts(void **state) {
        Fixture *f = *state;
        _cleanup_close_ _unused_ int a = create_with(f, "a", "x"), b = create_with(f, "b", "y"),
                                     c = create_with(f, "c", "z");
        _cleanup_close_ int in = -1, more = memfd_with("more");

        assert_int_equal(luo_preserve_fd(&f->luo, c, more, 2), 0);
        assert_true(luo_fake_is_preserved(f->fake, more));
        assert_int_equal(stats(f).outgoing, 3);
        assert_int_equal(stats(f).preserved_files, 4);
        c = fd_close(c);
        assert_int_equal(stats(f).outgoing, 2);
        assert_int_equal(stats(f).preserved_files, 2);
        assert_int_equal(stats(f).unpreserved_files, 2);
        assert_false(luo_fake_is_preserved(f->fake, more));

        assert_int_equal(luo_fake_kexec(f->fake), 0);
        assert_int_equal(stats(f).outgoing, 0);
        assert_int_equal(stats(f).incoming, 2);
        assert_int_equal(stats(f).preserved_files, 0);
        assert_int_equal(stats(f).incoming_files, 2);
        in = retrieve(f, "a");
        assert_int_equal(stats(f).incoming, 1);
        assert_int_equal(stats(f).retrieved, 1);
        in = fd_close(in);
        assert_int_equal(stats(f).retrieved, 0);
        assert_int_equal(stats(f).finished_by_close, 1);
        assert_int_equal(stats(f).never_retrieved, 1);
        in = retrieve(f, "b");
        assert_int_equal(luo_finish(&f->luo, in), 0);
        assert_int_equal(luo_finish(&f->luo, in), 0);
        in = fd_close(in);
        assert_int_equal(stats(f).finished, 1);
        assert_int_equal(stats(f).finished_by_close, 1);
        assert_int_equal(stats(f).never_retrieved, 2);
        assert_int_equal(stats(f).incoming_files, 0);
        assert_int_equal(luo_fake_finishes(f->fake, "a"), 1);
        assert_int_equal(luo_fake_finishes(f->fake, "b"), 1);
}

static void test_cold_boot(void **state) {
        Fixture *f = *state;
        _cleanup_close_ _unused_ int a = create_with(f, "a", "x"), b = -1, c = -1, in = -1;

        assert_int_equal(luo_fake_kexec(f->fake), 0);
        in = retrieve(f, "a");
        b = create_with(f, "b", "y");
        luo_fake_cold_boot(f->fake);
        assert_int_equal(stats(f).dropped_unfinished, 1);
        assert_int_equal(stats(f).dropped_unretrieved, 1);
        assert_int_equal(stats(f).update_number, 0);
        assert_int_equal(retrieve(f, "a"), -ENOENT);
        assert_int_equal(retrieve(f, "b"), -ENOENT);
        c = create(f, "b");
        assert_true(c >= 0);
}

static void test_held(void **state) {
        Fixture *f = *state;
        _cleanup_close_ int a = -1;

        luo_fake_hold(f->fake, 2 * LUO_FAKE_ATTEMPTS);
        assert_int_equal(create(f, "a"), -EBUSY);
        assert_int_equal(create(f, "a"), -EBUSY);
        a = create(f, "a");
        assert_true(a >= 0);
        luo_fake_hold(f->fake, LUO_FAKE_FOR_EVER);
        for (int i = 0; i < 100; i++)
                assert_int_equal(retrieve(f, "a"), -EBUSY);
        assert_true(luo_fake_is_held(f->fake));
        luo_fake_release(f->fake);
        assert_int_equal(retrieve(f, "a"), -ENOENT);
}

/* A whole update, with its n-th port call failing: 0, or the first error. */
static int update(Fixture *f) {
        _cleanup_close_ int m = memfd_with("x"), s = -1, t = -1, n = -1, o = -1;
        char name[LUO_NAME_LENGTH];
        int r;

        r = luo_available(&f->luo);
        if (r >= 0)
                r = s = create(f, "sweep");
        if (r >= 0)
                r = luo_preserve_fd(&f->luo, s, m, 1);
        if (r >= 0)
                r = luo_get_name(&f->luo, s, name);
        if (r < 0)
                return r;
        assert_int_equal(luo_fake_kexec(f->fake), 0);
        r = t = retrieve(f, "sweep");
        if (r >= 0)
                r = n = get(f, t, 1);
        if (r >= 0)
                r = o = get(f, t, 1);
        if (r >= 0)
                r = luo_finish(&f->luo, t);
        return MIN_OF(r, 0);
}

static void test_nth_call_fails(void **state) {
        Fixture *f = *state;
        uint64_t before = luo_fake_calls(f->fake), calls;

        assert_int_equal(update(f), 0);
        calls = luo_fake_calls(f->fake) - before;
        assert_int_equal(calls, 8);
        for (uint64_t n = 1; n <= calls + 1; n++) {
                luo_fake_cold_boot(f->fake);
                LuoFakeStats s = stats(f);
                assert_int_equal(s.outgoing + s.incoming + s.retrieved + s.leaked, 0);
                before = luo_fake_calls(f->fake);
                luo_fake_fail(f->fake, n, EPROTO);
                assert_int_equal(update(f), n <= calls ? -EPROTO : 0);
                /* The failing call was the n-th, and did nothing. */
                assert_int_equal(luo_fake_calls(f->fake) - before, MIN_OF(n, calls));
                luo_fake_fail(f->fake, 0, 0);
                if (n == 5)
                        assert_int_equal(stats(f).incoming, 1);
        }
}

/* A child that inherited the descriptor is a holder; its death is the last close. */
static void test_other_process_holds(void **state) {
        Fixture *f = *state;
        _cleanup_close_ _unused_ int s = create_with(f, "a", "x"), again = -1;
        int pipe_fds[2], status;
        char c;
        pid_t pid;

        assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                close(pipe_fds[1]);
                _exit(read(pipe_fds[0], &c, 1) == 0 ? 0 : 1);
        }
        close(pipe_fds[0]);
        s = fd_close(s);
        assert_int_equal(create(f, "a"), -EEXIST);
        assert_int_equal(stats(f).outgoing, 1);
        close(pipe_fds[1]);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        again = create(f, "a");
        assert_true(again >= 0);
        assert_int_equal(stats(f).outgoing, 1);
}

/* A thousand sessions with a hundred files each; fewer files where this process may not
 * have so many descriptors (each file takes two during the kexec). */
static void test_big(void **state) {
        enum { SESSIONS = 1000, FILES = 100 };
        static int sessions[SESSIONS];
        Fixture *f = *state;
        struct rlimit l;
        char name[32];

        assert_int_equal(getrlimit(RLIMIT_NOFILE, &l), 0);
        unsigned n_sessions = l.rlim_cur >= 4 * SESSIONS ? SESSIONS : 100;
        unsigned n_files = (unsigned)MIN_OF((l.rlim_cur - 2 * n_sessions - 100) / 2 / n_sessions, (rlim_t)FILES);
        assert_true(n_files > 0);
        for (unsigned i = 0; i < n_sessions; i++) {
                (void)snprintf(name, sizeof(name), "session-%u", i * 7919 % n_sessions);
                sessions[i] = create(f, name);
                assert_true(sessions[i] >= 0);
                for (unsigned j = 0; j < n_files; j++) {
                        _cleanup_close_ int m = memfd_create("big", MFD_CLOEXEC);
                        assert_true(m >= 0);
                        assert_int_equal(ftruncate(m, i * n_files + j), 0);
                        assert_int_equal(luo_preserve_fd(&f->luo, sessions[i], m, j), 0);
                }
        }
        assert_int_equal(stats(f).preserved_files, n_sessions * n_files);
        assert_int_equal(luo_fake_kexec(f->fake), 0);

        for (unsigned i = 0; i < n_sessions; i++)
                fd_close(sessions[i]);
        for (unsigned i = 0; i < n_sessions; i++) {
                _cleanup_close_ int s = -1;
                (void)snprintf(name, sizeof(name), "session-%u", i * 7919 % n_sessions);
                s = retrieve(f, name);
                assert_true(s >= 0);
                for (unsigned j = n_files; j-- > 0;) {
                        _cleanup_close_ int m = get(f, s, j);
                        assert_true(m >= 0);
                        assert_int_equal(lseek(m, 0, SEEK_END), i * n_files + j);
                }
                assert_int_equal(luo_finish(&f->luo, s), 0);
        }
        assert_int_equal(stats(f).finished, n_sessions);
        assert_int_equal(stats(f).never_retrieved, 0);
        assert_int_equal(stats(f).incoming_files, 0);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                test(test_absent),
                test(test_broken_boot),
                test(test_freeze_failure),
                test(test_old_descriptors_are_dead),
                test(test_three_kernels),
                test(test_sticky_retrieve_error),
                test(test_finish_blocked_and_leak),
                test(test_counts),
                test(test_cold_boot),
                test(test_held),
                test(test_nth_call_fails),
                test(test_other_process_holds),
                test(test_big),
        };

        return cmocka_run_group_tests_name("luo-fake", tests, NULL, NULL);
}
