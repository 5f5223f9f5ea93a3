/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The contract of PRESERVE_FD and RETRIEVE_FD, whatever the kind of file. */
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "contract/luo-contract.h"

enum { MANY_FILES = 300 }; /* more than two of the kernel's blocks of entries */

static bool tokens_prepare(ContractEnv *e) {
        _cleanup_close_ int a = -1, b = -1, c = -1;
        int s, t;

        EXPECT_FD(s, contract_create(e, "c-tokens"));
        contract_keep(e, s);
        EXPECT_FD(t, contract_create(e, "c-tokens-2"));
        contract_keep(e, t);
        EXPECT_FD(a, contract_memfd(0, 1000, 1));
        EXPECT_FD(b, contract_memfd(0, 1000, 2));
        EXPECT_FD(c, contract_memfd(0, 1000, 3));

        EXPECT_EQ(luo_preserve_fd(&e->luo, s, a, 0), 0);
        EXPECT_EQ(luo_preserve_fd(&e->luo, s, b, 0), -EEXIST);
        EXPECT(!e->size_frozen(e->self, b));
        EXPECT_EQ(luo_preserve_fd(&e->luo, s, b, UINT64_MAX), 0);
        EXPECT_EQ(luo_preserve_fd(&e->luo, t, c, 0), 0);
        return true;
}

static bool tokens_check(ContractEnv *e) {
        _cleanup_close_ int s = -1, t = -1, a = -1, b = -1, c = -1;
        int fd = -77;

        EXPECT_FD(s, contract_retrieve(e, "c-tokens"));
        EXPECT_FD(t, contract_retrieve(e, "c-tokens-2"));
        EXPECT_EQ(luo_retrieve_fd(&e->luo, s, 1, &fd), -ENOENT);
        EXPECT_EQ(luo_retrieve_fd(&e->luo, t, UINT64_MAX, &fd), -ENOENT);
        EXPECT_EQ(fd, -77);
        /* In any order. */
        EXPECT_FD(b, contract_get(e, s, UINT64_MAX));
        EXPECT_FD(c, contract_get(e, t, 0));
        EXPECT_FD(a, contract_get(e, s, 0));
        EXPECT(contract_has_pattern(a, 0, 1000, 1));
        EXPECT(contract_has_pattern(b, 0, 1000, 2));
        EXPECT(contract_has_pattern(c, 0, 1000, 3));
        EXPECT_EQ(luo_finish(&e->luo, s), 0);
        EXPECT_EQ(luo_finish(&e->luo, t), 0);
        return true;
}

static bool refuses(ContractEnv *e, int session, int file, int wanted) {
        _cleanup_close_ int fd = file;

        EXPECT(fd >= 0);
        EXPECT_EQ(luo_preserve_fd(&e->luo, session, fd, 5), wanted);
        return true;
}

static bool no_handler(ContractEnv *e) {
        _cleanup_close_ int s = -1, m = -1, p = -1, q = -1;
        int pair[2];

        EXPECT_FD(s, contract_create(e, "c-no-handler"));
        EXPECT_EQ(pipe2(pair, O_CLOEXEC), 0);
        p = pair[0];
        q = pair[1];
        EXPECT_EQ(luo_preserve_fd(&e->luo, s, p, 5), -ENOENT);
        EXPECT_EQ(luo_preserve_fd(&e->luo, s, q, 5), -ENOENT);
        EXPECT(refuses(e, s, socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), -ENOENT));
        EXPECT(refuses(e, s, eventfd(0, EFD_CLOEXEC), -ENOENT));
        EXPECT(refuses(e, s, open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), -ENOENT));
        EXPECT(refuses(e, s, open("/dev/null", O_RDWR | O_CLOEXEC), -ENOENT));
        /* A regular file, on whatever file system: it has a name. */
        EXPECT(refuses(e, s, open("/proc/self/exe", O_RDONLY | O_CLOEXEC), -ENOENT));
        EXPECT(refuses(e, s, open("/proc/self/status", O_RDONLY | O_CLOEXEC), -ENOENT));
        EXPECT_EQ(luo_preserve_fd(&e->luo, s, s, 5), -ENOENT);
        /* The token is still free. */
        EXPECT_FD(m, contract_memfd(0, 1, 1));
        EXPECT_EQ(luo_preserve_fd(&e->luo, s, m, 5), 0);
        return true;
}

static bool bad_descriptor(ContractEnv *e) {
        _cleanup_close_ int s = -1, m = -1, path = -1;
        char link[64];

        EXPECT_FD(s, contract_create(e, "c-bad-fd"));
        EXPECT_FD(m, contract_memfd(0, 10, 1));
        EXPECT_EQ(luo_preserve_fd(&e->luo, s, -1, 5), -EBADF);
        EXPECT_EQ(luo_preserve_fd(&e->luo, s, 1 << 30, 5), -EBADF);
        /* An O_PATH descriptor is none, for this purpose. */
        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", m);
        path = open(link, O_PATH | O_CLOEXEC);
        EXPECT(path >= 0);
        EXPECT_EQ(luo_preserve_fd(&e->luo, s, path, 5), -EBADF);
        EXPECT_EQ(luo_preserve_fd(&e->luo, s, m, 5), 0);
        return true;
}

static bool busy(ContractEnv *e) {
        _cleanup_close_ int s = -1, t = -1, m = -1, copy = -1, reopened = -1;
        char link[64];

        EXPECT_FD(s, contract_create(e, "c-busy"));
        EXPECT_FD(t, contract_create(e, "c-busy-2"));
        EXPECT_FD(m, contract_memfd(0, 10, 1));
        copy = fcntl(m, F_DUPFD_CLOEXEC, 0);
        EXPECT(copy >= 0);
        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", m);
        reopened = open(link, O_RDWR | O_CLOEXEC);
        EXPECT(reopened >= 0);

        EXPECT_EQ(luo_preserve_fd(&e->luo, s, m, 1), 0);
        EXPECT_EQ(luo_preserve_fd(&e->luo, s, m, 2), -EBUSY);
        EXPECT_EQ(luo_preserve_fd(&e->luo, s, copy, 2), -EBUSY);
        EXPECT_EQ(luo_preserve_fd(&e->luo, t, m, 1), -EBUSY);
        /* It is the file that counts, not how it was opened. */
        EXPECT_EQ(luo_preserve_fd(&e->luo, t, reopened, 1), -EBUSY);
        s = fd_close(s);
        EXPECT_EQ(luo_preserve_fd(&e->luo, t, reopened, 1), 0);
        return true;
}

static bool order_of_checks(ContractEnv *e) {
        _cleanup_close_ int s = -1, m = -1;

        EXPECT_FD(s, contract_create(e, "c-checks"));
        EXPECT_FD(m, contract_memfd(0, 10, 1));
        EXPECT_EQ(luo_preserve_fd(&e->luo, s, m, 1), 0);
        EXPECT_EQ(luo_preserve_fd(&e->luo, s, -1, 1), -EEXIST);
        EXPECT_EQ(luo_preserve_fd(&e->luo, s, s, 1), -EEXIST);
        EXPECT_EQ(luo_preserve_fd(&e->luo, s, m, 1), -EEXIST);
        return true;
}

static bool owner_closed_prepare(ContractEnv *e) {
        _cleanup_close_ int m = -1;
        int s;

        EXPECT_FD(s, contract_create(e, "c-owner-closed"));
        contract_keep(e, s);
        EXPECT_FD(m, contract_memfd(0, 100000, 8));
        EXPECT_EQ(luo_preserve_fd(&e->luo, s, m, 1), 0);
        return true;
}

static bool owner_closed_check(ContractEnv *e) {
        _cleanup_close_ int s = -1, m = -1;

        EXPECT_FD(s, contract_retrieve(e, "c-owner-closed"));
        EXPECT_FD(m, contract_get(e, s, 1));
        EXPECT(contract_has_pattern(m, 0, 100000, 8));
        EXPECT_EQ(luo_finish(&e->luo, s), 0);
        return true;
}

static bool repeat_prepare(ContractEnv *e) {
        _cleanup_close_ int m = -1;
        int s;

        EXPECT_FD(s, contract_create(e, "c-repeat"));
        contract_keep(e, s);
        EXPECT_FD(m, contract_memfd(0, 4096, 6));
        EXPECT_EQ(luo_preserve_fd(&e->luo, s, m, 1), 0);
        return true;
}

/* Each success is one more descriptor of the same open file, position and all, also when
 * the first was closed in between: LUO holds the file until FINISH. */
static bool repeat_check(ContractEnv *e) {
        _cleanup_close_ int s = -1, a = -1, b = -1, c = -1;
        struct stat x, y;

        EXPECT_FD(s, contract_retrieve(e, "c-repeat"));
        EXPECT_FD(a, contract_get(e, s, 1));
        EXPECT_FD(b, contract_get(e, s, 1));
        EXPECT(contract_cloexec(a));
        EXPECT(contract_cloexec(b));
        EXPECT_EQ(fstat(a, &x), 0);
        EXPECT_EQ(fstat(b, &y), 0);
        EXPECT(x.st_dev == y.st_dev && x.st_ino == y.st_ino);
        EXPECT_EQ(lseek(a, 1234, SEEK_SET), 1234);
        EXPECT_EQ(lseek(b, 0, SEEK_CUR), 1234);
        EXPECT_EQ(pwrite(a, "new", 3, 0), 3);
        a = fd_close(a);
        b = fd_close(b);
        EXPECT_FD(c, contract_get(e, s, 1));
        EXPECT_EQ(lseek(c, 0, SEEK_CUR), 1234);
        char text[3];
        EXPECT_EQ(pread(c, text, 3, 0), 3);
        EXPECT(memcmp(text, "new", 3) == 0);
        EXPECT_EQ(luo_finish(&e->luo, s), 0);
        return true;
}

static bool preserve_again_prepare(ContractEnv *e) {
        _cleanup_close_ int m = -1;
        int s;

        EXPECT_FD(s, contract_create(e, "c-again"));
        contract_keep(e, s);
        EXPECT_FD(m, contract_memfd(0, 4096, 7));
        EXPECT_EQ(luo_preserve_fd(&e->luo, s, m, 1), 0);
        return true;
}

/* A retrieved file may go on to the next update only after the FINISH of this one. */
static bool preserve_again_check(ContractEnv *e) {
        _cleanup_close_ int in = -1, out = -1, m = -1;

        EXPECT_FD(in, contract_retrieve(e, "c-again"));
        EXPECT_FD(m, contract_get(e, in, 1));
        EXPECT_FD(out, contract_create(e, "c-again"));
        EXPECT(!e->size_frozen(e->self, m));
        EXPECT_EQ(luo_preserve_fd(&e->luo, out, m, 1), -EBUSY);
        EXPECT_EQ(luo_finish(&e->luo, in), 0);
        EXPECT_EQ(luo_preserve_fd(&e->luo, out, m, 1), 0);
        EXPECT(e->size_frozen(e->self, m));
        return true;
}

static bool many_prepare(ContractEnv *e) {
        int s;

        EXPECT_FD(s, contract_create(e, "c-many"));
        contract_keep(e, s);
        for (unsigned i = 0; i < MANY_FILES; i++) {
                _cleanup_close_ int m = -1;

                EXPECT_FD(m, contract_memfd(0, i, i));
                EXPECT_EQ(luo_preserve_fd(&e->luo, s, m, (uint64_t)i * i), 0);
        }
        return true;
}

/* Retrieves every other file, last first; FINISH frees the rest. */
static bool many_check(ContractEnv *e) {
        _cleanup_close_ int s = -1;

        EXPECT_FD(s, contract_retrieve(e, "c-many"));
        for (unsigned i = MANY_FILES - 1; i > 0; i -= MIN_OF(i, 2u)) {
                _cleanup_close_ int m = -1;
                struct stat st;

                EXPECT_FD(m, contract_get(e, s, (uint64_t)i * i));
                EXPECT_EQ(fstat(m, &st), 0);
                EXPECT_EQ(st.st_size, i);
                EXPECT(contract_has_pattern(m, 0, i, i));
        }
        EXPECT_EQ(contract_get(e, s, 2), -ENOENT);
        EXPECT_EQ(luo_finish(&e->luo, s), 0);
        EXPECT_EQ(contract_get(e, s, 4), -ENOENT);
        return true;
}

static const ContractRow rows[] = {
        { "tokens: any number, unique in the session, EEXIST, ENOENT", false, tokens_prepare, tokens_check },
        { "files without a handler are ENOENT", false, no_handler, no_handler },
        { "bad descriptors are EBADF", false, bad_descriptor, bad_descriptor },
        { "a preserved file is EBUSY everywhere", false, busy, busy },
        { "a used token is found before anything else", false, order_of_checks, order_of_checks },
        { "LUO keeps a file whose owner closed it", false, owner_closed_prepare, owner_closed_check },
        { "RETRIEVE_FD can be repeated: the same open file", false, repeat_prepare, repeat_check },
        { "a retrieved file is EBUSY until FINISH", false, preserve_again_prepare, preserve_again_check },
        { "300 files in a session", false, many_prepare, many_check },
};

const ContractGroup contract_files = { rows, ELEMENTSOF(rows) };
