/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cpio archives: whole, several with padding, torn at every byte, and not cpio at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/newc.h"

#include <sys/stat.h>

typedef struct Text {
        char buf[4096];
        size_t n;
} Text;

static void add(Text *t, const void *data, size_t size) {
        assert_true(t->n + size <= sizeof(t->buf));
        memcpy(t->buf + t->n, data, size);
        t->n += size;
}

static void pad(Text *t, size_t n) {
        static const char zeros[512];

        add(t, zeros, n);
}

static void add_entry(Text *t, const char *name, uint32_t mode, const char *data) {
        NewcEntry e = { .name = name, .mode = mode, .n_links = 1, .size = (uint32_t)strlen(data) };
        char head[NEWC_HEAD_SIZE + 1];

        newc_write_head(head, &e);
        assert_int_equal(strlen(head), NEWC_HEAD_SIZE);
        add(t, head, NEWC_HEAD_SIZE);
        add(t, name, strlen(name) + 1);
        pad(t, newc_padding(NEWC_HEAD_SIZE + strlen(name) + 1));
        add(t, data, strlen(data));
        pad(t, newc_padding(strlen(data)));
}

/* Two archives with padding between them that is no multiple of four. */
static Text sample(void) {
        Text t = {};

        add_entry(&t, "kernel", S_IFDIR | 0755, "");
        add_entry(&t, "kernel/a", S_IFREG | 0644, "abcde");
        add_entry(&t, NEWC_TRAILER, 0, "");
        pad(&t, 301);
        add_entry(&t, "init", S_IFREG | 0755, "#!/bin/sh\n");
        add_entry(&t, NEWC_TRAILER, 0, "");
        pad(&t, 2);
        return t;
}

static int on_entry(void *userdata, const NewcEntry *e) {
        Text *t = userdata;

        t->n += (size_t)snprintf(t->buf + t->n, sizeof(t->buf) - t->n, "%s%s:%o=", e->trailer ? "!" : "", e->name,
                                 e->mode);
        return 0;
}

static int on_data(void *userdata, const void *data, size_t size) {
        add(userdata, data, size);
        return 0;
}

static int on_end(void *userdata) {
        add(userdata, ";", 1);
        return 0;
}

/* newc_feed() in steps, then newc_end(); what was seen into *ret. */
static int run(const char *data, size_t size, size_t step, NewcReader *r, Text *ret) {
        NewcSink sink = { .entry = on_entry, .data = on_data, .end = on_end, .userdata = ret };
        ssize_t n = 0;

        *ret = (Text){};
        r->sink = &sink;
        for (size_t at = 0, part = 0; at < size && n >= 0 && (size_t)n == part; at += part) {
                part = MIN_OF(step, size - at);
                n = newc_feed(r, data + at, part);
        }
        r->sink = NULL;
        ret->buf[MIN_OF(ret->n, sizeof(ret->buf) - 1)] = '\0';
        return n < 0 ? (int)n : newc_end(r);
}

static const char all[] = "kernel:40755=;kernel/a:100644=abcde;!TRAILER!!!:0=;init:100755=#!/bin/sh\n;!TRAILER!!!:0=;";

static void test_several(void **state) {
        Text t = sample(), seen;

        for (size_t step = 1; step <= t.n; step++) {
                NewcReader r = {};

                assert_int_equal(run(t.buf, t.n, step, &r, &seen), 0);
                assert_string_equal(seen.buf, all);
                assert_int_equal(r.position, t.n);
        }
}

/* Only at the end of an entry, and among zeros, may it end. */
static void test_torn(void **state) {
        Text t = sample(), seen;
        size_t whole = 0, torn = 0;

        for (size_t n = 0; n <= t.n; n++) {
                NewcReader r = {};
                int k = run(t.buf, n, n ?: 1, &r, &seen);

                assert_true(k == 0 || k == -EBADMSG);
                *(k == 0 ? &whole : &torn) += 1;
                assert_int_equal(strncmp(all, seen.buf, seen.n), 0);
        }
        /* Before all, behind five entries, and at each zero between archives and behind. */
        assert_int_equal(whole, 1 + 5 + 301 + 2);
        assert_int_equal(torn, t.n + 1 - whole);
}

static void test_one_archive(void **state) {
        Text t = sample(), seen;
        NewcReader r = { .one_archive = true };

        assert_int_equal(run(t.buf, t.n, t.n, &r, &seen), 0);
        assert_true(r.ended);
        assert_string_equal(seen.buf, "kernel:40755=;kernel/a:100644=abcde;!TRAILER!!!:0=;");
        assert_int_equal(r.position % 4, 0);
        assert_int_equal(t.buf[r.position], 0);
}

/* What is neither zero nor a head, between two entries, is left to who knows what it is. */
static void test_something_else(void **state) {
        Text u = {}, seen;

        add_entry(&u, "x", S_IFREG | 0644, "1");
        size_t n = u.n;
        add(&u, "\x1f\x8b", 2);
        for (size_t step = 1; step <= u.n; step++)
                for (int one = 0; one < 2; one++) {
                        NewcReader r = { .one_archive = one };
                        assert_int_equal(run(u.buf, u.n, step, &r, &seen), 0);
                        assert_int_equal(r.position, n);
                        assert_string_equal(seen.buf, "x:100644=1;");
                        /* It goes on behind that. */
                        Text all_of_it = sample();
                        assert_int_equal(run(all_of_it.buf, all_of_it.n, step, &r, &seen), 0);
                        assert_true(r.position > n);
                }
}

static void damaged(size_t at, char byte) {
        Text t = sample(), seen;
        NewcReader r = {};

        t.buf[at] = byte;
        assert_int_equal(run(t.buf, t.n, t.n, &r, &seen), -EBADMSG);
}

static void test_damaged(void **state) {
        damaged(1, 'x');
        damaged(5, '9');                  /* another format of cpio */
        damaged(10, 'g');                 /* no digit */
        damaged(6 + 11 * 8 + 3, '7');     /* a name of many megabytes */
        damaged(6 + 11 * 8 + 7, '0');     /* of none */
        damaged(NEWC_HEAD_SIZE + 6, 'x'); /* without a NUL */
        damaged(6 + 6 * 8, '7');          /* data up to the moon: torn */
}

static int refuse_entry(void *userdata, const NewcEntry *e) {
        return streq(e->name, "init") ? -ENOSPC : 0;
}

static void test_sink_fails(void **state) {
        NewcSink sink = { .entry = refuse_entry };
        NewcReader r = { .sink = &sink };
        Text t = sample();

        assert_int_equal(newc_feed(&r, t.buf, t.n), -ENOSPC);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_several),        cmocka_unit_test(test_torn),
                cmocka_unit_test(test_something_else), cmocka_unit_test(test_one_archive),
                cmocka_unit_test(test_damaged),        cmocka_unit_test(test_sink_fails),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
