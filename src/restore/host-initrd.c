/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host-initrd.h"

#include "given.h"
#include "sys/initrd-read.h"

#include <sys/stat.h>

/* No initrd is larger, and a bomb costs a minute at most. */
#define OUTPUT_MAX (UINT64_C(16) << 30)

typedef struct Reading {
        bytes_sink_t sink;
        void *userdata;
        /* The archives before the first compressed one that have nothing but what is for the
         * kernel itself: each firmware package makes one of its own. */
        Buffer *early;
        size_t known; /* so much of it surely is for the kernel */
        bool past_it; /* the host's files have begun */
        bool has_init, is_ours;
} Reading;

static const char *plain_name(const char *name) {
        if (strncmp(name, "./", 2) == 0)
                name += 2;
        return name + strspn(name, "/");
}

/* "early_cpio" is dracut's mark. */
static bool is_for_kernel(const char *name) {
        return !*name || streq(name, ".") || streq(name, "early_cpio") || streq(name, "kernel") ||
               strncmp(name, "kernel/", strlen("kernel/")) == 0;
}

static int on_entry(void *userdata, const NewcEntry *e) {
        const char *name = plain_name(e->name);
        Reading *r = userdata;

        if (!e->trailer && !is_for_kernel(name))
                r->past_it = true;
        if (streq(name, "init") && (S_ISREG(e->mode) || S_ISLNK(e->mode)))
                r->has_init = true;
        if (streq(name, &GIVEN_DIR[1]))
                r->is_ours = true;
        return 0;
}

/* What may be for the kernel alone is kept until that is known. */
static int on_bytes(void *userdata, const void *data, size_t size, bool last) {
        Reading *r = userdata;
        int k = 0;

        if (!r->past_it) {
                k = buffer_append(r->early, data, size);
                if (last)
                        r->known = r->early->size;
                r->past_it = last && size == 0; /* the kernel looks no further than a compressed one */
                return k;
        }
        if (r->early->size > r->known) {
                k = r->sink(r->userdata, r->early->data + r->known, r->early->size - r->known);
                r->early->size = r->known;
        }
        return k < 0 || size == 0 ? k : r->sink(r->userdata, data, size);
}

static int complain(int error, const char *why, char ret_problem[static PROBLEM_SIZE]) {
        if (error == -EBADMSG)
                return problem(ret_problem, error, "The host's initrd is torn or damaged: %s. Build it anew.", why);
        if (error == -EOPNOTSUPP)
                return problem(ret_problem, error,
                               "The host's initrd cannot be read: %s. What is known here are cpio archives, plain or "
                               "compressed with gzip, bzip2, lzma, xz, lz4 or zstd.",
                               why);
        return problem(ret_problem, error, "The host's initrd cannot be read: %s.", strerror(-error));
}

int host_initrd_read(int fd, uint64_t size, bytes_sink_t sink, void *userdata, Buffer *early,
                     char ret_problem[static PROBLEM_SIZE]) {
        Reading r = { .sink = sink, .userdata = userdata, .early = early };
        InitrdSink to = {
                .files = { .entry = on_entry, .userdata = &r },
                .bytes = on_bytes,
                .userdata = &r,
                .output_max = OUTPUT_MAX,
        };
        char why[INITRD_WHY_SIZE];

        int k = initrd_read(fd, size, &to, why);
        if (k < 0)
                return complain(k, why, ret_problem);
        if (r.is_ours)
                return problem(ret_problem, -EINVAL,
                               "This initrd is a restore-only one already. Give the host's own.");
        if (!r.has_init)
                return problem(ret_problem, -ENOENT,
                               "The host's initrd has no /init, so there is nothing to go on with after the restore "
                               "step. Load it without --restore-initrd.");
        return 0;
}
