/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The contract of the memfd handler: what comes along, and what does not. */
#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "contract/luo-contract.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x0020
#endif

enum { PAGE = 4096, CONTENT_SIZE = 3 * 1024 * 1024 + 100, HOLE_BEGIN = 1024 * 1024, HOLE_SIZE = 512 * 1024 };

/* Makes a session of this name with fd under token 1, and keeps it. */
static bool preserve_kept(ContractEnv *e, const char *name, int fd) {
        int s;

        EXPECT_FD(s, contract_create(e, name));
        contract_keep(e, s);
        EXPECT_EQ(luo_preserve_fd(&e->luo, s, fd, 1), 0);
        return true;
}

/* Takes token 1 out of the session of this name and finishes it. */
static int get_and_finish(ContractEnv *e, const char *name) {
        _cleanup_close_ int s = -1, fd = -1;
        int r;

        s = contract_retrieve(e, name);
        if (s < 0)
                return s;
        fd = contract_get(e, s, 1);
        if (fd < 0)
                return fd;
        r = luo_finish(&e->luo, s);
        return r < 0 ? r : TAKE_FD(fd);
}

/* A pattern, then a hole, then more of the pattern; after PRESERVE_FD some of it, and
 * some of the hole, is overwritten by write(2) and through a mapping. */
static bool contents_prepare(ContractEnv *e) {
        _cleanup_close_ int m = -1;
        char *map;

        EXPECT_FD(m, contract_memfd(0, CONTENT_SIZE, 11));
        EXPECT_EQ(fallocate(m, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, HOLE_BEGIN, HOLE_SIZE), 0);
        map = mmap(NULL, CONTENT_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, m, 0);
        EXPECT(map != MAP_FAILED);
        bool ok = preserve_kept(e, "m-contents", m);
        ssize_t n = pwrite(m, "written late", 12, 2 * PAGE - 5);
        memcpy(map + HOLE_BEGIN + 3 * PAGE, "mapped late", 11);
        ssize_t last = pwrite(m, "!", 1, CONTENT_SIZE - 1);
        (void)munmap(map, CONTENT_SIZE);
        EXPECT_EQ(n, 12);
        EXPECT_EQ(last, 1);
        return ok;
}

static bool contents_check(ContractEnv *e) {
        _cleanup_free_ char *wanted = malloc(CONTENT_SIZE), *got = malloc(CONTENT_SIZE);
        _cleanup_close_ int m = -1;
        struct stat st;

        EXPECT(wanted && got);
        contract_fill_pattern(wanted, 0, CONTENT_SIZE, 11);
        memset(wanted + HOLE_BEGIN, 0, HOLE_SIZE);
        memcpy(wanted + 2 * PAGE - 5, "written late", 12);
        memcpy(wanted + HOLE_BEGIN + 3 * PAGE, "mapped late", 11);
        wanted[CONTENT_SIZE - 1] = '!';

        EXPECT_FD(m, get_and_finish(e, "m-contents"));
        EXPECT_EQ(fstat(m, &st), 0);
        EXPECT_EQ(st.st_size, CONTENT_SIZE);
        EXPECT_EQ(pread(m, got, CONTENT_SIZE, 0), CONTENT_SIZE);
        EXPECT(memcmp(wanted, got, CONTENT_SIZE) == 0);
        return true;
}

static bool only_holes_prepare(ContractEnv *e) {
        _cleanup_close_ int m = -1;

        EXPECT_FD(m, contract_memfd(0, 0, 0));
        EXPECT_EQ(ftruncate(m, 1024 * 1024 + 1), 0);
        return preserve_kept(e, "m-holes", m);
}

static bool only_holes_check(ContractEnv *e) {
        static char zero[1024 * 1024 + 1], got[sizeof(zero)];
        _cleanup_close_ int m = -1;

        memset(got, 1, sizeof(got));
        EXPECT_FD(m, get_and_finish(e, "m-holes"));
        EXPECT_EQ(pread(m, got, sizeof(got), 0), sizeof(got));
        EXPECT(memcmp(zero, got, sizeof(got)) == 0);
        return true;
}

static bool empty_prepare(ContractEnv *e) {
        _cleanup_close_ int m = -1;

        EXPECT_FD(m, contract_memfd(0, 0, 0));
        return preserve_kept(e, "m-empty", m);
}

static bool empty_check(ContractEnv *e) {
        _cleanup_close_ int m = -1;
        struct stat st;

        EXPECT_FD(m, get_and_finish(e, "m-empty"));
        EXPECT_EQ(fstat(m, &st), 0);
        EXPECT_EQ(st.st_size, 0);
        return true;
}

/* The position is that of the jump, not of PRESERVE_FD; beyond the end is fine. */
static bool position_prepare(ContractEnv *e) {
        _cleanup_close_ int m = -1, n = -1;

        EXPECT_FD(m, contract_memfd(0, 10000, 12));
        EXPECT_EQ(lseek(m, 100, SEEK_SET), 100);
        EXPECT(preserve_kept(e, "m-position", m));
        EXPECT_EQ(lseek(m, 4321, SEEK_SET), 4321);
        EXPECT_FD(n, contract_memfd(0, 10, 12));
        EXPECT_EQ(lseek(n, 1 << 20, SEEK_SET), 1 << 20);
        return preserve_kept(e, "m-position-far", n);
}

static bool position_check(ContractEnv *e) {
        _cleanup_close_ int m = -1, n = -1;
        char got, wanted;

        EXPECT_FD(m, get_and_finish(e, "m-position"));
        EXPECT_EQ(lseek(m, 0, SEEK_CUR), 4321);
        EXPECT_EQ(read(m, &got, 1), 1);
        contract_fill_pattern(&wanted, 4321, 1, 12);
        EXPECT_EQ(got, wanted);
        EXPECT_FD(n, get_and_finish(e, "m-position-far"));
        EXPECT_EQ(lseek(n, 0, SEEK_CUR), 1 << 20);
        return true;
}

/* One session for each: no seals allowed, none set, some set, one set too late. */
static bool seals_prepare(ContractEnv *e) {
        _cleanup_close_ int closed = -1, none = -1, some = -1, late = -1;

        EXPECT_FD(closed, contract_memfd(0, 100, 1));
        EXPECT_FD(none, contract_memfd(MFD_ALLOW_SEALING, 100, 2));
        EXPECT_FD(some, contract_memfd(MFD_ALLOW_SEALING, 100, 3));
        EXPECT_FD(late, contract_memfd(MFD_ALLOW_SEALING, 100, 4));
        EXPECT_EQ(fcntl(some, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL), 0);
        EXPECT(preserve_kept(e, "m-seals-closed", closed));
        EXPECT(preserve_kept(e, "m-seals-none", none));
        EXPECT(preserve_kept(e, "m-seals-some", some));
        EXPECT(preserve_kept(e, "m-seals-late", late));
        EXPECT_EQ(fcntl(late, F_ADD_SEALS, F_SEAL_GROW), 0);
        EXPECT_EQ(fcntl(late, F_GET_SEALS), F_SEAL_GROW);
        return true;
}

static bool seals_check(ContractEnv *e) {
        _cleanup_close_ int closed = -1, none = -1, some = -1, late = -1;

        EXPECT_FD(closed, get_and_finish(e, "m-seals-closed"));
        EXPECT_EQ(fcntl(closed, F_GET_SEALS), F_SEAL_SEAL);
        EXPECT_FD(none, get_and_finish(e, "m-seals-none"));
        EXPECT_EQ(fcntl(none, F_GET_SEALS), 0);
        EXPECT_EQ(fcntl(none, F_ADD_SEALS, F_SEAL_SHRINK), 0);
        EXPECT_FD(some, get_and_finish(e, "m-seals-some"));
        EXPECT_EQ(fcntl(some, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
        EXPECT_ERRNO(pwrite(some, "x", 1, 0), EPERM);
        EXPECT(contract_has_pattern(some, 0, 100, 3));
        EXPECT_FD(late, get_and_finish(e, "m-seals-late"));
        EXPECT_EQ(fcntl(late, F_GET_SEALS), 0);
        return true;
}

/* The restored memfd is executable at first, and F_SEAL_EXEC on an executable file means
 * all of W^X (memfd_add_seals(), mm/memfd.c): it comes back read-only. Real only, because
 * the kernel under the fake may be too old (before 6.3) to have the flag. */
static bool noexec_prepare(ContractEnv *e) {
        _cleanup_close_ int m = -1;

        EXPECT_FD(m, contract_memfd(MFD_NOEXEC_SEAL, 100, 5));
        EXPECT_EQ(fcntl(m, F_GET_SEALS), F_SEAL_EXEC);
        EXPECT(preserve_kept(e, "m-noexec", m));
        EXPECT_EQ(pwrite(m, "x", 1, 0), 1);
        return true;
}

static bool noexec_check(ContractEnv *e) {
        _cleanup_close_ int m = -1;
        struct stat st;

        EXPECT_FD(m, get_and_finish(e, "m-noexec"));
        EXPECT_EQ(fcntl(m, F_GET_SEALS),
                  F_SEAL_EXEC | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE);
        EXPECT_EQ(fstat(m, &st), 0);
        EXPECT_EQ(st.st_mode & 0777, 0777);
        EXPECT_ERRNO(pwrite(m, "x", 1, 1), EPERM);
        EXPECT(contract_has_pattern(m, 1, 99, 5));
        return true;
}

/* Whether FD_CLOEXEC was set before or not: it is set after; and the name is gone. */
static bool fresh_prepare(ContractEnv *e) {
        _cleanup_close_ int m = -1, n = -1;

        EXPECT_FD(m, contract_memfd(MFD_CLOEXEC, 5000, 6));
        EXPECT_FD(n, contract_memfd(0, 5000, 6));
        return preserve_kept(e, "m-fresh", m) && preserve_kept(e, "m-fresh-2", n);
}

static bool fresh_check(ContractEnv *e) {
        _cleanup_close_ int m = -1, n = -1;
        char path[64], target[PATH_MAX] = "";

        EXPECT_FD(m, get_and_finish(e, "m-fresh"));
        EXPECT_FD(n, get_and_finish(e, "m-fresh-2"));
        EXPECT(contract_cloexec(m));
        EXPECT(contract_cloexec(n));
        EXPECT_EQ(fcntl(m, F_GETFL) & O_ACCMODE, O_RDWR);
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", m);
        EXPECT(readlink(path, target, sizeof(target) - 1) > 0);
        EXPECT(!strstr(target, "contract"));
        /* A memfd like any other. */
        EXPECT_EQ(pwrite(m, "abc", 3, 6000), 3);
        EXPECT_EQ(ftruncate(m, 10), 0);
        EXPECT_EQ(ftruncate(m, 100000), 0);
        EXPECT(contract_has_pattern(m, 0, 10, 6));
        return true;
}

/* Every way to change the size is EPERM, and so is fallocate(2) altogether. */
static bool frozen_in_detail(ContractEnv *e) {
        _cleanup_close_ int s = -1, m = -1;

        EXPECT_FD(s, contract_create(e, "m-frozen"));
        EXPECT_FD(m, contract_memfd(0, 3 * PAGE + 10, 13));
        EXPECT_EQ(luo_preserve_fd(&e->luo, s, m, 1), 0);
        EXPECT_ERRNO(ftruncate(m, 4 * PAGE), EPERM);
        EXPECT_ERRNO(ftruncate(m, PAGE), EPERM);
        EXPECT_EQ(ftruncate(m, 3 * PAGE + 10), 0);
        EXPECT_ERRNO(pwrite(m, "x", 1, 3 * PAGE + 10), EPERM);
        EXPECT_ERRNO(fallocate(m, 0, 0, 8 * PAGE), EPERM);
        EXPECT_ERRNO(fallocate(m, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE), EPERM);
        EXPECT_EQ(pwrite(m, "x", 1, 3 * PAGE + 9), 1);
        s = fd_close(s);
        EXPECT_EQ(fallocate(m, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE), 0);
        EXPECT_EQ(ftruncate(m, 4 * PAGE), 0);
        EXPECT_EQ(pwrite(m, "x", 1, 5 * PAGE), 1);
        EXPECT_EQ(ftruncate(m, 0), 0);
        return true;
}

static const ContractRow rows[] = {
        { "memfd contents: holes, and what was written after PRESERVE_FD", false, contents_prepare, contents_check },
        { "memfd of nothing but a hole", false, only_holes_prepare, only_holes_check },
        { "memfd of size 0", false, empty_prepare, empty_check },
        { "memfd position, as it was at the jump", false, position_prepare, position_check },
        { "memfd seals, as they were at PRESERVE_FD", false, seals_prepare, seals_check },
        { "memfd with MFD_NOEXEC_SEAL comes back read-only", true, noexec_prepare, noexec_check },
        { "memfd comes back nameless, close-on-exec, resizable", false, fresh_prepare, fresh_check },
        { "memfd size is frozen while preserved, in all ways", true, frozen_in_detail, frozen_in_detail },
};

const ContractGroup contract_memfds = { rows, ELEMENTSOF(rows) };
