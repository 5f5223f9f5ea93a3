/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * D-Bus errors, errnos and ended jobs become exit statuses here and nowhere else. The
 * daemon's own sentences already say what to do; for what never reached the daemon the
 * words are below.
 */
#include "failure.h"

#include <stdarg.h>

#include "common/names.h"
#include "common/utf8.h"

#define START_HINT "Start it with 'systemctl start liveupdate'"

/* Names that mean "nobody answered" and "you may not". A trailing dot: a prefix. */
static const char *const unreachable_errors[] = {
        "org.freedesktop.DBus.Error.ServiceUnknown",
        "org.freedesktop.DBus.Error.NameHasNoOwner",
        "org.freedesktop.DBus.Error.NoReply",
        "org.freedesktop.DBus.Error.Timeout",
        "org.freedesktop.DBus.Error.TimedOut",
        "org.freedesktop.DBus.Error.Disconnected",
        "org.freedesktop.DBus.Error.NoServer",
        "org.freedesktop.DBus.Error.Spawn.",
        "org.freedesktop.systemd1.",
};
static const char *const denied_errors[] = {
        "org.freedesktop.DBus.Error.AccessDenied",
        "org.freedesktop.DBus.Error.AuthFailed",
        "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired",
};

static bool name_in(const char *name, const char *const *list, size_t n) {
        for (size_t i = 0; i < n; i++) {
                size_t size = strlen(list[i]);
                if (list[i][size - 1] == '.' ? strncmp(name, list[i], size) == 0 : streq(name, list[i]))
                        return true;
        }
        return false;
}

static bool starts_with(const char *s, const char *prefix) {
        return strncmp(s, prefix, strlen(prefix)) == 0;
}

int failure_set(Failure *f, int r, int exit_status, const char *code, const char *format, ...) {
        char text[2048];
        va_list ap;

        va_start(ap, format);
        if (vsnprintf(text, sizeof(text), format, ap) < 0)
                text[0] = '\0';
        va_end(ap);
        *f = (Failure){ .exit_status = exit_status };
        utf8_copy(f->code, sizeof(f->code), code);
        utf8_copy(f->sentence, sizeof(f->sentence), text);
        return r;
}

bool errno_is_disconnect(int r) {
        switch (r < 0 ? -r : r) {
        case ECONNRESET:
        case ECONNREFUSED:
        case ECONNABORTED:
        case ENOTCONN:
        case EPIPE:
        case ESHUTDOWN:
        case ENETRESET:
        case ETIMEDOUT:
        case EHOSTDOWN:
        case EHOSTUNREACH:
        case ENETUNREACH:
                return true;
        default:
                return false;
        }
}

void code_from_error_name(const char *name, char *buf, size_t size) {
        const char *dot = strrchr(name, '.');
        const char *camel = dot ? dot + 1 : name;
        size_t n = 0;

        if (size == 0)
                return;
        for (size_t i = 0; camel[i] && n + 1 < size; i++) {
                bool upper = camel[i] >= 'A' && camel[i] <= 'Z';
                if (upper && i > 0) {
                        if (n + 2 >= size)
                                break;
                        buf[n++] = '-';
                }
                buf[n++] = upper ? (char)(camel[i] - 'A' + 'a') : camel[i];
        }
        buf[n] = '\0';
}

/* As the last part of a sentence: without a full stop. */
static int without_stop(const char *s) {
        size_t n = strlen(s);

        return (int)(n > 0 && s[n - 1] == '.' ? n - 1 : n);
}

void failure_from_error(Failure *f, const char *name, const char *message, const char *where) {
        char code[sizeof(f->code)];

        if (str_empty(message))
                message = name;
        if (name_in(name, denied_errors, ELEMENTSOF(denied_errors)))
                failure_set(f, 0, EXIT_CTL_DENIED, "not-authorised",
                            "You are not allowed to do this (%.*s). Run it as root, for example with sudo.",
                            without_stop(message), message);
        else if (name_in(name, unreachable_errors, ELEMENTSOF(unreachable_errors)))
                failure_set(f, 0, EXIT_CTL_UNREACHABLE, "daemon-unreachable",
                            "liveupdated cannot be reached%s%s (%.*s). " START_HINT "%s.", where ? " on " : "",
                            where ?: "", without_stop(message), message, where ? " there" : "");
        else {
                code_from_error_name(name, code, sizeof(code));
                bool cancelled = starts_with(name, LIVEUPDATE_ERROR_PREFIX) && streq(code, "cancelled");
                failure_set(f, 0, cancelled ? EXIT_CTL_CANCELLED : EXIT_CTL_FAILED, code, "%s", message);
        }
}

int failure_from_errno(Failure *f, int r, const char *what, const char *where) {
        const char *text = strerror(r < 0 ? -r : r);

        if (r == -EACCES || r == -EPERM)
                return failure_set(f, r, EXIT_CTL_DENIED, "not-authorised",
                                   "%s%s%s: %s. Run it as root, for example with sudo.", what, where ? " on " : "",
                                   where ?: "", text);
        if (errno_is_disconnect(r) || r == -ENOENT)
                return failure_set(f, r, EXIT_CTL_UNREACHABLE, "daemon-unreachable",
                                   "%s%s%s: %s. See whether the system bus runs; then start liveupdated with "
                                   "'systemctl start liveupdate'.",
                                   what, where ? " on " : "", where ?: "", text);
        return failure_set(f, r, EXIT_CTL_FAILED, "system", "%s%s%s: %s.", what, where ? " on " : "", where ?: "",
                           text);
}

void failure_from_job(Failure *f, uint64_t number, const char *kind, const char *result, const char *code,
                      const char *subject, const char *sentence) {
        bool cancelled = streq(result, "cancelled");

        failure_set(f, 0, cancelled ? EXIT_CTL_CANCELLED : EXIT_CTL_FAILED,
                    !str_empty(code) ? code
                    : cancelled      ? "cancelled"
                                     : "system",
                    "%s", str_empty(sentence) ? "The daemon gave no reason; see its journal." : sentence);
        utf8_copy(f->subject, sizeof(f->subject), subject ?: "");
        (void)snprintf(f->context, sizeof(f->context), "Job %llu (%.40s) %s", (unsigned long long)number, kind,
                       cancelled ? "was cancelled" : "failed");
}

void failure_format(const Failure *f, char *buf, size_t size) {
        size_t n = strlen(f->subject);
        /* The daemon's sentence may begin with its subject. */
        bool has_subject = n > 0 && !(starts_with(f->sentence, f->subject) && f->sentence[n] == ':');

        if (size == 0)
                return;
        (void)snprintf(buf, size, "%s%s%s%s%s", f->context, *f->context ? ": " : "", has_subject ? f->subject : "",
                       has_subject ? ": " : "", f->sentence);
}
