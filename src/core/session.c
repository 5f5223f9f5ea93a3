/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "session.h"

#include "common/names.h"
#include "common/parse.h"

static bool char_ok(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               (c && strchr("._-:@+", c));
}

static const char *const reserved_names[] = {
        "systemd", /* where systemd keeps its descriptor store */
        OWN_SESSION_NAME,
        HOLD_SESSION_NAME,
};

bool session_name_valid(const char *name) {
        size_t n = strnlen(name, SESSION_NAME_MAX + 1);

        if (n == 0 || n > SESSION_NAME_MAX || name[0] == '.')
                return false;
        for (size_t i = 0; i < n; i++)
                if (!char_ok(name[i]))
                        return false;
        return true;
}

bool session_name_reserved(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(reserved_names); i++)
                if (streq(reserved_names[i], name))
                        return true;
        return false;
}

int session_name_check(const char *name, Refusal *refusal) {
        size_t n = strnlen(name, SESSION_NAME_MAX + 1);

        if (n == 0)
                return refuse(refusal, REASON_NAME_INVALID, NULL, "the session name is empty");
        if (n > SESSION_NAME_MAX)
                return refuse(refusal, REASON_NAME_INVALID, name, "more than %d bytes", SESSION_NAME_MAX);
        if (name[0] == '.')
                return refuse(refusal, REASON_NAME_INVALID, name, "starts with a dot");
        for (size_t i = 0; i < n; i++)
                if (!char_ok(name[i]))
                        return refuse(refusal, REASON_NAME_INVALID, name, "byte %zu is 0x%02x", i + 1,
                                      (unsigned char)name[i]);
        if (session_name_reserved(name))
                return refuse(refusal, REASON_NAME_RESERVED, name, NULL);
        return 0;
}

static const char *const rank_kinds[_RANK_MAX] = {
        [RANK_MEMFD] = "memfd",
        [RANK_IOMMUFD] = "iommufd",
        [RANK_VFIO] = "vfio",
};

FileRank session_file_rank(const char *kind) {
        for (FileRank rank = 0; rank < _RANK_MAX; rank++)
                if (streq(rank_kinds[rank], kind))
                        return rank;
        return RANK_NONE;
}

int session_order_check(const unsigned counts[static _RANK_MAX], const char *session, const char *kind,
                        Refusal *refusal) {
        for (FileRank later = session_file_rank(kind) + 1; later < _RANK_MAX; later++)
                if (counts[later] > 0)
                        return refuse(refusal, REASON_WRONG_ORDER, session, "%s after %s", kind, rank_kinds[later]);
        return 0;
}

int session_hold_parse(const char *s, uint64_t *ret) {
        uint64_t usec;

        if (streq(s, "hold"))
                usec = SESSION_HOLD_FOREVER;
        else if (streq(s, "finish"))
                usec = SESSION_HOLD_UPDATE;
        else if (parse_timespan(s, &usec) < 0 || usec == 0)
                return -EINVAL;
        *ret = usec;
        return 0;
}

void session_hold_format(uint64_t hold, char *buf, size_t size) {
        if (hold == SESSION_HOLD_FOREVER || hold == SESSION_HOLD_UPDATE)
                (void)snprintf(buf, size, "%s", hold == SESSION_HOLD_UPDATE ? "finish" : "hold");
        else
                format_timespan(hold, buf, size);
}
