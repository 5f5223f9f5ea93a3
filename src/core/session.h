/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Session and token policy: which names the kernel and we allow. The kernel takes any
 * 1 to 63 bytes; we take a subset that is safe in unit names, object paths and logs,
 * and keep the names that belong to others.
 */
#pragma once

#include "reason.h"

enum {
        SESSION_NAME_MAX = 63, /* LIVEUPDATE_SESSION_NAME_LENGTH - 1 */
        SESSION_GRANTS_MAX = 16,
};

/* How long a session waits after the jump for somebody who claims it, in microseconds, if
 * it is not for ever or for as long as the whole update does. */
#define SESSION_HOLD_FOREVER UINT64_MAX
#define SESSION_HOLD_UPDATE UINT64_C(0)

/* Letters, digits and . _ - : @ +, not starting with a dot; neither "systemd"
 * (reserved by systemd, which keeps its descriptor store there) nor our own. */
int session_name_check(const char *name, Refusal *refusal);
/* "hold": for ever; "finish": until the update's deadline; or a time span. -EINVAL. */
int session_hold_parse(const char *s, uint64_t *ret);
void session_hold_format(uint64_t hold, char *buf, size_t size);
/* The two halves of it: the characters alone, and the names that belong to others. */
bool session_name_valid(const char *name);
bool session_name_reserved(const char *name);

/* The order in which a session's files are preserved, by their kinds: FINISH goes backwards
 * (luo_session_finish() of Linux 7.3), so that a device stands still before its memory is
 * freed. Files without a rank may stand anywhere. */
typedef enum FileRank { RANK_MEMFD, RANK_IOMMUFD, RANK_VFIO, _RANK_MAX, RANK_NONE = _RANK_MAX } FileRank;
FileRank session_file_rank(const char *kind);
/* Whether one of this kind may come after those that are there, counted by rank. */
int session_order_check(const unsigned counts[static _RANK_MAX], const char *session, const char *kind,
                        Refusal *refusal);
