/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one kernel's daemon tells the next one's: the job, the sessions and tokens it
 * knows, the kernel that was left. Travels as a sealed memfd in the daemon's own
 * session.
 *
 * Form: a 32-byte header (magic "LUMANIF\n", u32 header version, u32 CRC-32 of the
 * body, u64 body length, u64 zero; little-endian), then a JSON body:
 *
 *   { "requires": [FEATURE…],
 *     "job": { "number": N, "kind": S, "next": N, "uid": N, "started": USEC },
 *     "update_id": S,
 *     "old": { "release": S, "version": S, "boot_id": S, "update_number": N },
 *     "daemon": S,
 *     "sessions": [ { "name": S, "uid": N, "client": S, "direct": BOOL,
 *                     "grants": [UID…], "hold": USEC, "files": [ [TOKEN, KIND, ADDRESS]… ] }… ],
 *     "devices": [ [ADDRESS, REQUESTED, VENDOR, DEVICE, CLASS, SERIAL, DMA, PRESERVE,
 *                   SNAPSHOT]… ],
 *     "links": [ [ADDRESS, VFS]… ],
 *     "reports": [ [PARTICIPANT, UID, NAME, BEGIN, LENGTH]… ] }
 *
 * ADDRESS is left out, or "", for what is not the descriptor of a PCI function. "hold" is
 * left out for sessions that wait for ever, "devices", "links", "reports" and "grants" where there are none.
 * REQUESTED is a boolean, false for depended
 * devices; DMA is "keep" or "stop", PRESERVE "conservative" or "minimal" (rules.h);
 * SNAPSHOT is configuration space as snapshot_encode() writes it, or "". A link is the
 * network interface of a PF, with its VF settings as vf_list_encode() writes them, or null
 * where they could not be read. A report is what a participant says of its part of the
 * timeline (report.h), in ticks of the timeline's clock.
 *
 * Readers ignore unknown keys and further elements of a file, device or link, so fields
 * may be added; a meaning never changes under the same key. A body may demand features by name
 * ("requires"); a reader refuses what it does not know. Everything is bounded: see
 * MANIFEST_*_MAX. Golden files of every version stay in tests/fixtures/manifest and must
 * be readable for ever.
 */
#pragma once

#include "report.h"
#include "rules.h"
#include "session.h"
#include "vf-settings.h"

#define MANIFEST_SIZE_MAX (64u * 1024 * 1024)
#define MANIFEST_SESSIONS_MAX 65536u
#define MANIFEST_FILES_MAX 1048576u
#define MANIFEST_DEVICES_MAX 65536u
#define MANIFEST_LINKS_MAX 4096u
#define MANIFEST_VFS_MAX 262144u  /* of all links */
#define MANIFEST_STRING_MAX 4096u /* bytes */
#define MANIFEST_HEADER_SIZE 32u

typedef struct ManifestFile {
        uint64_t token;
        char *kind;       /* "memfd", "iommufd", "vfio", "other" */
        bool has_address; /* it is the descriptor of this PCI function */
        Address address;
} ManifestFile;

typedef struct ManifestSession {
        char *name;
        uint32_t uid; /* who opened it, and who may claim it */
        char *client; /* participant name, or "" */
        bool direct;  /* the client holds the session itself: files may exist that are not listed */
        uint32_t grants[SESSION_GRANTS_MAX]; /* who may claim it as well */
        size_t n_grants;
        uint64_t hold_usec; /* how long it waits to be claimed (session.h) */
        ManifestFile *files;
        size_t n_files, n_allocated;
} ManifestSession;

typedef struct ManifestDevice {
        Address address;
        bool requested; /* else depended on */
        uint16_t vendor, device;
        uint32_t class_code;
        uint64_t serial;
        bool dma_kept;
        Preservation preservation;
        char *snapshot; /* as text; "" if there is none */
} ManifestDevice;

/* What a PF's network driver had been told about its VFs. */
typedef struct ManifestLink {
        Address pf;
        bool unread; /* there is an interface, but it could not be asked */
        VfList vfs;
} ManifestLink;

typedef struct Manifest {
        uint64_t job;      /* number of the job that crosses */
        char *job_kind;    /* "update", "execute" */
        char *update_id;   /* 32 hex digits: one update, from PREPARE to the last FINISH */
        uint64_t next_job; /* first job number that is free */
        uint32_t started_by_uid;
        uint64_t started_realtime_usec;
        char *old_release; /* uname -r of the kernel that was left */
        char *old_version; /* uname -v: the build */
        char *old_boot_id;
        uint64_t old_update_number;
        char *daemon_version;
        ManifestSession *sessions;
        size_t n_sessions, n_allocated;
        size_t n_files;          /* of all sessions */
        ManifestDevice *devices; /* in the order in which they are restored */
        size_t n_devices, n_devices_allocated;
        ManifestLink *links;
        size_t n_links, n_links_allocated;
        size_t n_vfs; /* of all links */
        Report report;
} Manifest;

Manifest *manifest_new(void);
Manifest *manifest_free(Manifest *m);
static inline void manifest_freep(Manifest **m) {
        manifest_free(*m);
}

/* Adds a session / a file to the last added session. -EINVAL for a bad name (the rules
 * of session_name_valid()), a string that is not UTF-8, or a file without a session;
 * -E2BIG over a bound; -ENOMEM. Names and tokens that are there twice are found by
 * manifest_encode(), in n log n. */
int manifest_add_session(Manifest *m, const char *name, uint32_t uid, const char *client, bool direct);
int manifest_add_file(Manifest *m, uint64_t token, const char *kind);
/* The last added session may be claimed by this uid, too. -EINVAL without a session; -E2BIG
 * over SESSION_GRANTS_MAX. */
int manifest_add_grant(Manifest *m, uint32_t uid);
/* The last added file is the descriptor of this function. -EINVAL without a file. */
int manifest_set_file_address(Manifest *m, Address address);

/* Of the last added session. -EINVAL without one. */
int manifest_set_hold(Manifest *m, uint64_t hold_usec);

/* Adds a copy of the device. -EINVAL for an address, a class or a snapshot that is none;
 * -E2BIG over the bound; -ENOMEM. Addresses that are there twice are found later, too. */
int manifest_add_device(Manifest *m, const ManifestDevice *device);

/* Adds a copy. -EINVAL for an address or a list that is none; -E2BIG over a bound;
 * -ENOMEM. Addresses that are there twice are found later, too. */
int manifest_add_link(Manifest *m, const ManifestLink *link);

/* Encodes into a new buffer that the caller frees. Strings that are NULL are written as
 * empty. What is written can be read back: -EINVAL for an update_id that is not 32 hex
 * digits or a string that is not UTF-8, -EEXIST for a name, token or address that is
 * there twice, -E2BIG over a bound, -ENOMEM. */
int manifest_encode(const Manifest *m, void **ret, size_t *ret_size);
/* Decodes; the input is hostile until proven otherwise. On failure the refusal is
 * REASON_MANIFEST_INVALID with the place in its detail (REASON_SYSTEM if memory ran
 * out). All strings of the result are non-NULL. */
int manifest_decode(const void *data, size_t size, Manifest **ret, Refusal *refusal);
