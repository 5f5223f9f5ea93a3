/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The handful of macros everything else uses: cleanup attributes that free on every
 * way out of a scope, and the moves that take ownership out of such a variable.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _printf_(a, b) __attribute__((format(printf, a, b)))
#define _unused_ __attribute__((unused))
#define _warn_unused_ __attribute__((warn_unused_result))

#define ELEMENTSOF(x) (sizeof(x) / sizeof((x)[0]))
#define MIN_OF(a, b) ((a) < (b) ? (a) : (b))
#define MAX_OF(a, b) ((a) > (b) ? (a) : (b))

static inline void freep(void *p) {
        free(*(void **)p);
}

static inline void fclosep(FILE **f) {
        if (*f)
                (void)fclose(*f);
}

/* Closes and keeps errno; safe on -1. Always returns -1, so: fd = fd_close(fd). */
static inline int fd_close(int fd) {
        if (fd >= 0) {
                int saved = errno;
                (void)close(fd);
                errno = saved;
        }
        return -1;
}

static inline void fd_closep(int *fd) {
        fd_close(*fd);
}

#define _cleanup_free_ _cleanup_(freep)
#define _cleanup_close_ _cleanup_(fd_closep)
#define _cleanup_fclose_ _cleanup_(fclosep)

#define DEFINE_CLEANUP(type, func)             \
        static inline void func##p(type **p) { \
                if (*p)                        \
                        func(*p);              \
        }                                      \
        struct cleanup_##func##_swallow_semicolon

static inline int take_fd(int *fd) {
        int r = *fd;
        *fd = -1;
        return r;
}
#define TAKE_FD(fd) take_fd(&(fd))

#define TAKE_PTR(p)                   \
        ({                            \
                __typeof__(p) _t = p; \
                (p) = NULL;           \
                _t;                   \
        })

static inline bool streq(const char *a, const char *b) {
        return strcmp(a, b) == 0;
}

static inline bool str_empty(const char *s) {
        return !s || !*s;
}

#define USEC_PER_SEC UINT64_C(1000000)
#define USEC_PER_MSEC UINT64_C(1000)
#define NSEC_PER_USEC UINT64_C(1000)
#define NSEC_PER_SEC UINT64_C(1000000000)
