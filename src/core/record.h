/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Small text records, for what a restarted daemon must know: lines of "KEY VALUE". A
 * sealed record ends with the checksum of all before it, so that a torn or foreign file
 * is told from a whole one. Sealed records may follow each other in a file that grows; the
 * order they are in is for their reader to check. Pure: who writes and reads the bytes is
 * recovery.c.
 *
 * A key is one or more of a-z and '-'. In a value control characters, DEL and '%' are
 * written as %XX, so any string without a NUL can be one, the empty one, too.
 */
#pragma once

#include "common/macro.h"

typedef struct Record {
        char *text; /* NUL-terminated once something was added */
        size_t size, room;
        int error; /* the first one; nothing is added after it */
} Record;

void record_done(Record *r);
#define _cleanup_record_ _cleanup_(record_done)

void record_add(Record *r, const char *key, const char *value);
void record_add_number(Record *r, const char *key, uint64_t value);
/* Ends it with its checksum. The first error of all that was added: -ENOMEM or -EINVAL. */
int record_seal(Record *r);

/* Checks the seal and cuts it off. -EBADMSG: not a whole record. text[size] must be NUL. */
int record_unseal(char *text, size_t size);

/* Takes the next sealed record off *rest, in place: *ret_text is what is in it. 1, 0 at the
 * end, or -EBADMSG: it is not whole, or was changed. */
int record_next_sealed(char **rest, char **ret_text);

/* Takes the next line off *rest, in place. 1, 0 at the end (also for a last line without
 * its newline: it was being written), or -EBADMSG. */
int record_next(char **rest, char **ret_key, char **ret_value);
