/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cpio archives as initrds have them (Documentation/driver-api/early-userspace/
 * buffer-format.rst): the formats "newc" and "crc", one archive or several one after the
 * other with zeros in between, fed in pieces of any size. And the head of an entry, for who
 * writes one.
 *
 * The reader keeps a head and a name at a time, whatever it is fed. What a name says is not
 * looked at: as the kernel does, who makes files of it believes whoever made the initrd.
 */
#pragma once

#include "common/macro.h"

enum {
        NEWC_HEAD_SIZE = 110,
        NEWC_NAME_MAX = 4096, /* PATH_MAX, with the NUL: what init/initramfs.c takes */
};
#define NEWC_TRAILER "TRAILER!!!"

typedef struct NewcEntry {
        uint32_t ino, mode, uid, gid, n_links, mtime, size;
        uint32_t major, minor;           /* of the file system it came from */
        uint32_t rdev_major, rdev_minor; /* of a device node */
        const char *name;
        bool trailer; /* the end of an archive */
} NewcEntry;

/* What is done with what comes; each may be NULL. A negative result ends it, and is what
 * newc_feed() returns. */
typedef struct NewcSink {
        int (*entry)(void *userdata, const NewcEntry *e);
        int (*data)(void *userdata, const void *data, size_t size); /* of the last entry */
        int (*end)(void *userdata);                                 /* of the last entry */
        void *userdata;
} NewcSink;

typedef enum NewcState { NEWC_BETWEEN, NEWC_HEAD, NEWC_NAME, NEWC_BODY, NEWC_PADDING } NewcState;

typedef struct NewcReader {
        const NewcSink *sink;
        bool one_archive; /* stop behind a trailer */
        NewcState state;
        bool ended;
        uint64_t position; /* of all that was fed; of the fault, after one */
        size_t have, padding;
        uint32_t left, name_size;
        NewcEntry e;
        char head[NEWC_HEAD_SIZE];
        char name[NEWC_NAME_MAX];
} NewcReader;

/* How much of it was taken: all, or up to where `one_archive` ends, or up to the first byte
 * between two entries that is neither zero nor the start of a head, such as of a compressed
 * archive. -EBADMSG: damaged, at `position`. */
ssize_t newc_feed(NewcReader *r, const void *data, size_t size);
/* 0 if what was fed ends where an entry ends, else -EBADMSG: it is torn. */
int newc_end(const NewcReader *r);
/* How many zeros stand behind so many bytes, for a multiple of four. */
static inline size_t newc_padding(uint64_t size) {
        return (size_t)(-size & 3);
}
/* The head of an entry; the name with its NUL, newc_padding() of both, the data and
 * newc_padding() of that come behind it. */
void newc_write_head(char ret[static NEWC_HEAD_SIZE + 1], const NewcEntry *e);
