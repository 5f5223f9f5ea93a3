/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A virtual machine as the other side needs it: the QEMU it runs on, its command line as
 * the user wrote it but for what is ours (machine, memory), its memory, its disks, and how
 * long each step of the pause took. It crosses the kexec as JSON in a preserved memfd,
 * versioned and bounded; what is not wholly understood is refused.
 *
 * Always: ram_size > 0, machine names a versioned type, args holds neither -machine nor
 * -m nor -S nor the memory backend.
 */
#pragma once

#include "problem.h"
#include "strv.h"

enum { SPEC_SIZE_MAX = 1 << 20, SPEC_ITEMS_MAX = 4096 };

typedef struct Disk {
        char *path;
        uint64_t size; /* bytes; 0: not a regular file */
} Disk;

/* A step of the pause, as it is shown in the job. */
typedef struct Span {
        char name[16];
        uint64_t usec;
} Span;

typedef struct Spec {
        char *name;      /* also of the session */
        char *program;   /* absolute path of QEMU */
        char *version;   /* of QEMU, "7.2.22" */
        char *directory; /* its working directory */
        Strv args;
        char *machine; /* "pc-q35-7.2,accel=tcg": type first, without memory-backend */
        char *ram_id;  /* of the backend object */
        uint64_t ram_size;
        char *agent;  /* socket of the guest agent, or NULL */
        char *hook;   /* program that makes the network again, or NULL */
        bool paused;  /* the user asked for -S */
        Strv devices; /* QOM names of what is plugged in, sorted */
        Disk *disks;
        size_t n_disks;
        Span spans[16];
        size_t n_spans;
} Spec;

void spec_done(Spec *s);
int spec_add_disk(Spec *s, const char *path, uint64_t size);
/* The name is cut to what fits; one more than fits is dropped. */
void spec_add_span(Spec *s, const char *name, uint64_t usec);

/* Compact JSON, NUL-terminated; caller frees. */
int spec_encode(const Spec *s, char **ret, size_t *ret_size);
/* Takes text from another kernel's adapter apart. -EINVAL with a Problem; -ENOMEM. */
int spec_decode(const char *text, size_t size, Spec *ret, Problem *p);

/* The whole argv for a QEMU with the memory in descriptor ram_fd, QMP on the listening
 * socket qmp_fd, and waiting for a migration if incoming. */
int spec_argv(const Spec *s, int ram_fd, int qmp_fd, bool incoming, Strv *ret);
