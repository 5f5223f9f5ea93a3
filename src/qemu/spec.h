/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A virtual machine as the other side needs it: the QEMU it runs on, its command line as
 * the user wrote it but for what is ours (machine, memory), its memory, its disks, and what
 * its device state must be. It crosses the kexec as JSON in a preserved memfd,
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
        uint64_t state_size; /* of the device state that goes with it; 0: none was saved */
        uint64_t state_crc;
} Spec;

void spec_done(Spec *s);
int spec_add_disk(Spec *s, const char *path, uint64_t size);
/* Compact JSON, NUL-terminated; caller frees. */
int spec_encode(const Spec *s, char **ret, size_t *ret_size);
/* Takes text from another kernel's adapter apart. -EINVAL with a Problem; -ENOMEM. */
int spec_decode(const char *text, size_t size, Spec *ret, Problem *p);
/* The same with a checksum after it: a record that was torn is never taken for one. */
int spec_seal(const Spec *s, char **ret, size_t *ret_size);
/* Whether its record can be read again: in the next kernel it is too late to find that it
 * cannot. */
int spec_check_record(const Spec *s, Problem *p);
/* Checks the seal and decodes what is before it. */
int spec_unseal(const char *text, size_t size, Spec *ret, Problem *p);

/* The whole argv for a QEMU with the memory in descriptor ram_fd, QMP on the listening
 * socket qmp_fd, and waiting for a migration if incoming. */
int spec_argv(const Spec *s, int ram_fd, int qmp_fd, bool incoming, Strv *ret);
