/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host-initrd.h"

#include "core/newc.h"
#include "given.h"
#include "sys/expand.h"

#include <sys/stat.h>

typedef struct Reading {
        const char *data;
        size_t size, at;
        bytes_sink_t sink;
        void *userdata;
        HostInitrd host;
        NewcReader all; /* what goes to the sink */
        bool for_kernel_only;
        bool is_ours;
        char *problem;
} Reading;

static const char *plain_name(const char *name) {
        if (strncmp(name, "./", 2) == 0)
                name += 2;
        return name + strspn(name, "/");
}

static int on_entry(void *userdata, const NewcEntry *e) {
        const char *name = plain_name(e->name);
        Reading *r = userdata;

        r->host.n_files += !e->trailer;
        if (streq(name, "init") && (S_ISREG(e->mode) || S_ISLNK(e->mode)))
                r->host.has_init = true;
        if (streq(name, &GIVEN_DIR[1]))
                r->is_ours = true;
        return 0;
}

/* "early_cpio" is dracut's mark. */
static int on_plain_entry(void *userdata, const NewcEntry *e) {
        const char *name = plain_name(e->name);
        Reading *r = userdata;

        if (!e->trailer && *name && !streq(name, ".") && !streq(name, "early_cpio") && !streq(name, "kernel") &&
            strncmp(name, "kernel/", strlen("kernel/")) != 0)
                r->for_kernel_only = false;
        return 0;
}

static int give(void *userdata, const void *data, size_t size) {
        Reading *r = userdata;
        ssize_t n = newc_feed(&r->all, data, size);

        if (n < 0 || (size_t)n < size)
                return n < 0 ? (int)n : -EBADMSG;
        r->host.n_bytes += size;
        return r->sink(r->userdata, data, size);
}

static int complain(Reading *r, int error) {
        if (error == -EBADMSG)
                return problem(r->problem, error,
                               "The host's initrd is torn or damaged: what begins at byte %zu is not whole. Build it "
                               "anew.",
                               r->at);
        if (error == -EOPNOTSUPP)
                return problem(r->problem, error,
                               "The host's initrd has at byte %zu what is neither a cpio archive nor compressed in a "
                               "way that is known here (gzip, bzip2, lzma, xz, lz4, zstd).",
                               r->at);
        return *r->problem ? error
                           : problem(r->problem, error, "The host's initrd cannot be read: %s.", strerror(-error));
}

/* How long the plain archive is that begins at `at`; whether it is for the kernel alone. */
static int measure(Reading *r, size_t *ret) {
        _cleanup_free_ NewcReader *reader = calloc(1, sizeof(*reader));
        NewcSink sink = { .entry = on_plain_entry, .userdata = r };

        if (!reader)
                return -ENOMEM;
        reader->one_archive = true;
        reader->sink = &sink;
        r->for_kernel_only = true;
        ssize_t n = newc_feed(reader, r->data + r->at, r->size - r->at);
        if (n >= 0 && newc_end(reader) < 0)
                n = -EBADMSG;
        if (n < 0)
                return (int)n;
        *ret = (size_t)n;
        return 0;
}

static int read_plain(Reading *r, bool first, size_t *ret_used) {
        int k = measure(r, ret_used);

        if (k < 0)
                return k;
        if (first && r->for_kernel_only) {
                r->host.early_size = r->at + *ret_used;
                return 0;
        }
        return give(r, r->data + r->at, *ret_used);
}

static bool is_head(const char *p) {
        for (size_t i = 0; i < NEWC_HEAD_SIZE; i++)
                if (!memchr("0123456789abcdefABCDEF", p[i], 22))
                        return false;
        return memcmp(p, "07070", 5) == 0;
}

/* Where the next plain archive begins, behind what is compressed: xz and lz4 have no other
 * way to tell their end from damage. 110 bytes of it do not come about by chance. */
static size_t next_plain(const Reading *r) {
        for (size_t at = (r->at + 4) & ~(size_t)3; at + NEWC_HEAD_SIZE <= r->size; at += 4)
                if (r->data[at] == '0' && is_head(r->data + at))
                        return at;
        return r->size;
}

static int read_compressed(Reading *r, size_t *ret_used) {
        Compression c = compression_detect(r->data + r->at, r->size - r->at);
        size_t end = next_plain(r);

        if (c == COMPRESSION_NONE)
                return -EOPNOTSUPP;
        int k = expand(c, r->data + r->at, end - r->at, give, r, ret_used);
        /* One entry does not go on in what is compressed separately. */
        return k < 0 ? k : newc_end(&r->all);
}

static int read_all(Reading *r) {
        for (bool first = true; r->at < r->size; first = false) {
                size_t used = 0;
                int k;

                if (r->data[r->at] == '\0') {
                        r->at++;
                        continue;
                }
                k = r->data[r->at] == '0' ? read_plain(r, first, &used) : read_compressed(r, &used);
                if (k >= 0 && used == 0)
                        k = -EBADMSG;
                if (k < 0)
                        return complain(r, k);
                r->at += used;
        }
        return 0;
}

int host_initrd_read(const void *data, size_t size, bytes_sink_t sink, void *userdata, HostInitrd *ret,
                     char ret_problem[static PROBLEM_SIZE]) {
        _cleanup_free_ Reading *r = calloc(1, sizeof(*r));

        if (!r)
                return problem(ret_problem, -ENOMEM, "There is no memory left.");
        NewcSink names = { .entry = on_entry, .userdata = r };
        *r = (Reading){ .data = data, .size = size, .sink = sink, .userdata = userdata, .problem = ret_problem };
        r->all.sink = &names;
        int k = read_all(r);
        if (k < 0)
                return k;
        if (r->is_ours)
                return problem(ret_problem, -EINVAL,
                               "This initrd is a restore-only one already. Give the host's own.");
        if (!r->host.has_init)
                return problem(ret_problem, -ENOENT,
                               "The host's initrd has no /init, so there is nothing to go on with after the restore "
                               "step. Load it without --restore-initrd.");
        *ret = r->host;
        return 0;
}
