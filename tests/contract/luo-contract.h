/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the Luo port promises, as a table of rows that run on the fake and on the real
 * device alike, so that the two cannot drift. A row has a step in the first kernel, one
 * in the kernel after the kexec, or both: then the first leaves sessions open (with
 * contract_keep()) that the second finds by name. Nothing else passes between the steps.
 *
 * Rows marked REAL check what only a kernel can show: raw ioctls, other processes, names
 * in /proc. They are not in the fake's plan. Sessions are named after their row, so rows
 * do not meet.
 */
#pragma once

#include "support/tap.h"
#include "sys/luo.h"

enum { CONTRACT_KEEP_MAX = 128 };

typedef struct ContractEnv {
        Luo luo;     /* gives up on a held device soon */
        Luo patient; /* waits for it */
        bool real;
        void *self;
        /* Another opener: has the device until release(). */
        int (*hold)(void *self);
        void (*release)(void *self);
        /* As hold(), but it goes away by itself before `patient` gives up. */
        int (*hold_briefly)(void *self);
        bool (*held)(void *self);
        /* Whether fd's file can neither grow nor shrink (and a file that can is left as
         * it was). */
        bool (*size_frozen)(void *self, int fd);

        int kept[CONTRACT_KEEP_MAX]; /* open until the kexec */
        size_t n_kept;
} ContractEnv;

typedef bool (*ContractStep)(ContractEnv *e);

typedef struct ContractRow {
        const char *name;
        bool real_only;
        ContractStep stage1, stage2;
} ContractRow;

/* The rows of one file. */
typedef struct ContractGroup {
        const ContractRow *rows;
        size_t n;
} ContractGroup;

extern const ContractGroup contract_sessions, contract_files, contract_memfds, contract_kernel;

/* How many points a stage has in this environment, and their running. */
unsigned contract_count(const ContractEnv *e, int stage);
void contract_run(ContractEnv *e, int stage, Tap *tap);
void contract_list(void);

/* Helpers for the rows. Those that return a descriptor return a negative errno if they
 * cannot: EXPECT_FD() tells. */
void contract_keep(ContractEnv *e, int fd);
int contract_create(ContractEnv *e, const char *name);
int contract_retrieve(ContractEnv *e, const char *name);
int contract_get(ContractEnv *e, int session, uint64_t token);
/* A memfd with `size` bytes of a pattern that depends on seed. */
int contract_memfd(unsigned flags, size_t size, unsigned seed);
bool contract_has_pattern(int fd, size_t offset, size_t size, unsigned seed);
void contract_fill_pattern(void *buffer, size_t offset, size_t size, unsigned seed);
bool contract_cloexec(int fd);

/* Print what went wrong; return false, so that a row can end with them. */
bool contract_fail_number(const char *where, const char *what, long long got, long long wanted);
bool contract_fail(const char *where, const char *what);

#define CONTRACT_STRING_(x) #x
#define CONTRACT_STRING(x) CONTRACT_STRING_(x)
#define CONTRACT_WHERE __FILE__ ":" CONTRACT_STRING(__LINE__)

#define EXPECT(condition)                                                 \
        do {                                                              \
                if (!(condition))                                         \
                        return contract_fail(CONTRACT_WHERE, #condition); \
        } while (0)

#define EXPECT_EQ(expression, wanted)                                                            \
        do {                                                                                     \
                long long got_ = (expression), wanted_ = (wanted);                               \
                if (got_ != wanted_)                                                             \
                        return contract_fail_number(CONTRACT_WHERE, #expression, got_, wanted_); \
        } while (0)

/* fd = expression, which must be a descriptor. */
#define EXPECT_FD(fd, expression)                                                          \
        do {                                                                               \
                (fd) = (expression);                                                       \
                if ((fd) < 0)                                                              \
                        return contract_fail_number(CONTRACT_WHERE, #expression, (fd), 0); \
        } while (0)

/* A system call that sets errno must fail with it. */
#define EXPECT_ERRNO(expression, wanted)                                                                        \
        do {                                                                                                    \
                long long got_ = (expression);                                                                  \
                if (got_ != -1 || errno != (wanted))                                                            \
                        return contract_fail_number(CONTRACT_WHERE, #expression, got_ < 0 ? errno : 0, wanted); \
        } while (0)
