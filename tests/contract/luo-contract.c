/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs the rows of luo-contract.h, and what the rows have in common. */
#include "contract/luo-contract.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

static const ContractGroup *const groups[] = { &contract_sessions, &contract_files, &contract_memfds,
                                               &contract_kernel };

static ContractStep step_of(const ContractEnv *e, const ContractRow *row, int stage) {
        if (row->real_only && !e->real)
                return NULL;
        return stage == 1 ? row->stage1 : row->stage2;
}

unsigned contract_count(const ContractEnv *e, int stage) {
        unsigned n = 0;

        for (size_t g = 0; g < ELEMENTSOF(groups); g++)
                for (size_t i = 0; i < groups[g]->n; i++)
                        n += step_of(e, &groups[g]->rows[i], stage) != NULL;
        return n;
}

void contract_run(ContractEnv *e, int stage, Tap *tap) {
        for (size_t g = 0; g < ELEMENTSOF(groups); g++)
                for (size_t i = 0; i < groups[g]->n; i++) {
                        const ContractRow *row = &groups[g]->rows[i];
                        ContractStep step = step_of(e, row, stage);
                        char name[256];

                        if (!step)
                                continue;
                        (void)snprintf(name, sizeof(name), "stage %d: %s", stage, row->name);
                        tap_point(tap, step(e), name);
                }
}

void contract_list(void) {
        for (size_t g = 0; g < ELEMENTSOF(groups); g++)
                for (size_t i = 0; i < groups[g]->n; i++) {
                        const ContractRow *row = &groups[g]->rows[i];

                        printf("%s %s%s  %s\n", row->real_only ? "real     " : "fake+real", row->stage1 ? "1" : "-",
                               row->stage2 ? "2" : "-", row->name);
                }
}

bool contract_fail_number(const char *where, const char *what, long long got, long long wanted) {
        tap_diag("%s: %s: got %lld, expected %lld", where, what, got, wanted);
        return false;
}

bool contract_fail(const char *where, const char *what) {
        tap_diag("%s: not true: %s", where, what);
        return false;
}

void contract_keep(ContractEnv *e, int fd) {
        if (e->n_kept >= ELEMENTSOF(e->kept))
                abort(); /* CONTRACT_KEEP_MAX is too small for the table */
        e->kept[e->n_kept++] = fd;
}

int contract_create(ContractEnv *e, const char *name) {
        int fd, r;

        r = luo_create_session(&e->luo, name, &fd);
        return r < 0 ? r : fd;
}

int contract_retrieve(ContractEnv *e, const char *name) {
        int fd, r;

        r = luo_retrieve_session(&e->luo, name, &fd);
        return r < 0 ? r : fd;
}

int contract_get(ContractEnv *e, int session, uint64_t token) {
        int fd, r;

        r = luo_retrieve_fd(&e->luo, session, token, &fd);
        return r < 0 ? r : fd;
}

void contract_fill_pattern(void *buffer, size_t offset, size_t size, unsigned seed) {
        uint8_t *p = buffer;

        /* A multiplicative hash of the byte's place: no page is like another. */
        for (size_t i = 0; i < size; i++)
                p[i] = (uint8_t)((((uint64_t)(offset + i) + 1) *
                                  (2 * (uint64_t)seed + UINT64_C(0x9e3779b97f4a7c15))) >>
                                 40);
}

int contract_memfd(unsigned flags, size_t size, unsigned seed) {
        _cleanup_free_ uint8_t *buffer = malloc(size + 1);
        _cleanup_close_ int fd = -1;

        if (!buffer)
                return -ENOMEM;
        contract_fill_pattern(buffer, 0, size, seed);
        fd = memfd_create("contract", flags);
        if (fd < 0)
                return -errno;
        for (size_t done = 0; done < size;) {
                ssize_t n = pwrite(fd, buffer + done, size - done, (off_t)done);
                if (n < 0)
                        return -errno;
                done += (size_t)n;
        }
        return TAKE_FD(fd);
}

bool contract_has_pattern(int fd, size_t offset, size_t size, unsigned seed) {
        _cleanup_free_ uint8_t *is = malloc(size + 1), *should = malloc(size + 1);

        if (!is || !should)
                return false;
        contract_fill_pattern(should, offset, size, seed);
        for (size_t done = 0; done < size;) {
                ssize_t n = pread(fd, is + done, size - done, (off_t)(offset + done));
                if (n <= 0)
                        return false;
                done += (size_t)n;
        }
        return memcmp(is, should, size) == 0;
}

bool contract_cloexec(int fd) {
        int flags = fcntl(fd, F_GETFD);

        return flags >= 0 && (flags & FD_CLOEXEC);
}
