/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <json-c/json.h>
#include <time.h>

#include "carry.h"
#include "vm.h"

#define CALL_USEC (30 * USEC_PER_SEC)
#define STATE_NAME "liveupdate-state"
#define CONT_PAUSE_NSEC 10000000L
enum { CONT_TRIES = 100 };

DEFINE_CLEANUP(json_object, json_object_put);

/* {"key": "value"}; NULL is no memory, which qmp_call() cannot tell from no arguments,
 * but QEMU then says which one it misses. */
static json_object *arguments(const char *key, const char *value) {
        json_object *o = json_object_new_object();

        if (o && json_object_object_add(o, key, json_object_new_string(value)) < 0) {
                json_object_put(o);
                return NULL;
        }
        return o;
}

static int simple(Qmp *q, const char *command, Problem *p) {
        return qmp_call(q, command, NULL, -1, CALL_USEC, NULL, p);
}

int vm_enable(Qmp *q, Problem *p) {
        json_object *o = json_tokener_parse("{\"capabilities\":[{\"capability\":\"x-ignore-shared\",\"state\":true},"
                                            "{\"capability\":\"events\",\"state\":true}]}");

        return o ? qmp_call(q, "migrate-set-capabilities", o, -1, CALL_USEC, NULL, p) : -ENOMEM;
}

static const char *string_of(json_object *o, const char *key) {
        json_object *v;

        return json_object_object_get_ex(o, key, &v) ? json_object_get_string(v) : NULL;
}

static int check_blockers(Qmp *q, Problem *p) {
        _cleanup_(json_object_putp) json_object *o = NULL;
        json_object *reasons;

        int r = qmp_call(q, "query-migrate", NULL, -1, CALL_USEC, &o, p);
        if (r < 0)
                return r;
        if (json_object_object_get_ex(o, "blocked-reasons", &reasons) &&
            json_object_is_type(reasons, json_type_array) && json_object_array_length(reasons) > 0)
                return problem(p, "blocked", "QEMU cannot save this machine: %s",
                               json_object_get_string(json_object_array_get_idx(reasons, 0)));
        return 0;
}

static int check_memory(Qmp *q, const Spec *s, Problem *p) {
        _cleanup_(json_object_putp) json_object *list = NULL;
        json_object *v;

        int r = qmp_call(q, "query-memdev", NULL, -1, CALL_USEC, &list, p);
        if (r < 0)
                return r;
        if (!json_object_is_type(list, json_type_array) || json_object_array_length(list) != 1)
                return problem(p, "memory-several", "memory is carried in one backend; this machine has %zu",
                               json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0);
        json_object *o = json_object_array_get_idx(list, 0);
        if (!json_object_object_get_ex(o, "share", &v) || !json_object_get_boolean(v))
                return problem(p, "memory-private", "the memory backend has share=off: it would not be preserved");
        if (!json_object_object_get_ex(o, "size", &v) || json_object_get_uint64(v) != s->ram_size)
                return problem(p, "memory-size", "the memory backend has not the size of the machine's memory");
        return 0;
}

static int compare_names(const void *a, const void *b) {
        return strcmp(*(char *const *)a, *(char *const *)b);
}

static int list_devices(Qmp *q, const char *path, Strv *ret, Problem *p) {
        _cleanup_(json_object_putp) json_object *list = NULL;

        int r = qmp_call(q, "qom-list", arguments("path", path), -1, CALL_USEC, &list, p);
        for (size_t i = 0; r >= 0 && json_object_is_type(list, json_type_array) && i < json_object_array_length(list);
             i++) {
                json_object *o = json_object_array_get_idx(list, i);
                const char *name = string_of(o, "name"), *type = string_of(o, "type");
                if (name && type && strncmp(type, "child<", 6) == 0)
                        r = strv_addf(ret, "%s/%s", name, type);
        }
        return r;
}

int vm_devices(Qmp *q, Strv *ret, Problem *p) {
        _cleanup_strv_ Strv l = { 0 };

        int r = list_devices(q, "/machine/peripheral", &l, p);
        if (r >= 0)
                r = list_devices(q, "/machine/peripheral-anon", &l, p);
        if (r < 0)
                return r;
        if (l.n > 0)
                qsort(l.v, l.n, sizeof(*l.v), compare_names);
        *ret = l;
        l = (Strv){ 0 };
        return 0;
}

static int check_plugged(Qmp *q, const char *path, Problem *p) {
        _cleanup_(json_object_putp) json_object *answer = NULL;
        json_object *o = arguments("path", path);

        if (!o || json_object_object_add(o, "property", json_object_new_string("hotplugged")) < 0) {
                json_object_put(o);
                return -ENOMEM;
        }
        int r = qmp_call(q, "qom-get", o, -1, CALL_USEC, &answer, p);
        if (r < 0)
                return r;
        return json_object_get_boolean(answer)
                       ? problem(p, "hot-plugged", "%s was plugged in after the start and is not in the command line",
                                 path)
                       : 0;
}

int vm_started_with(Qmp *q, Problem *p) {
        static const char *const places[] = { "/machine/peripheral", "/machine/peripheral-anon" };
        int r = 0;

        for (size_t i = 0; i < ELEMENTSOF(places) && r >= 0; i++) {
                _cleanup_strv_ Strv l = { 0 };

                r = list_devices(q, places[i], &l, p);
                for (size_t j = 0; r >= 0 && j < l.n; j++) {
                        char path[512];
                        int n = (int)strcspn(l.v[j], "/");
                        if (snprintf(path, sizeof(path), "%s/%.*s", places[i], n, l.v[j]) < (int)sizeof(path))
                                r = check_plugged(q, path, p);
                }
        }
        return r;
}

int vm_check(Qmp *q, const Spec *s, Problem *p) {
        _cleanup_strv_ Strv devices = { 0 };

        int r = check_blockers(q, p);
        if (r >= 0)
                r = check_memory(q, s, p);
        if (r >= 0)
                r = vm_devices(q, &devices, p);
        if (r < 0)
                return r;
        if (!strv_equal(&devices, &s->devices))
                return problem(p, "hot-plugged",
                               "devices were plugged in or out since the machine was started; "
                               "put them back, or start it anew with the command line that it has now");
        return 0;
}

int vm_stop(Qmp *q, Problem *p) {
        return simple(q, "stop", p);
}

/* QEMU tells the end of a save before it is quite over, and until then refuses. */
int vm_cont(Qmp *q, Problem *p) {
        int r = simple(q, "cont", p);

        for (unsigned i = 0; r == -EREMOTEIO && i < CONT_TRIES; i++) {
                (void)nanosleep(&(struct timespec){ .tv_nsec = CONT_PAUSE_NSEC }, NULL);
                r = simple(q, "cont", p);
        }
        return r;
}

int vm_powerdown(Qmp *q, Problem *p) {
        return simple(q, "system_powerdown", p);
}

int vm_quit(Qmp *q, Problem *p) {
        return simple(q, "quit", p);
}

int vm_running(Qmp *q, Problem *p) {
        _cleanup_(json_object_putp) json_object *o = NULL;
        json_object *v;

        int r = qmp_call(q, "query-status", NULL, -1, CALL_USEC, &o, p);
        if (r < 0)
                return r;
        return json_object_object_get_ex(o, "running", &v) && json_object_get_boolean(v);
}

/* Of the set that a descriptor went into; a set lives as long as the monitor's connection. */
enum { NO_SET = -1 };

static void remove_set(Qmp *q, int set) {
        json_object *o = set == NO_SET ? NULL : json_object_new_object();

        if (o && json_object_object_add(o, "fdset-id", json_object_new_int(set)) >= 0)
                (void)qmp_call(q, "remove-fd", TAKE_PTR(o), -1, CALL_USEC, NULL, NULL);
        json_object_put(o);
}

/* Until 8.1 QEMU migrates to a descriptor of any kind; since 8.2 it refuses files there
 * and has "file:" instead, which takes a descriptor only out of a set, and only when it
 * was opened for just what is asked (monitor/fds.c). */
static int state_uri(Qmp *q, const char *version, int fd, int flags, int *ret_set, char **ret, Problem *p) {
        _cleanup_(json_object_putp) json_object *o = NULL;
        _cleanup_close_ int again = -1;
        char path[32];
        json_object *v;

        if (carry_version_may_follow("8.2.0", version) <= 0) {
                int r = qmp_call(q, "getfd", arguments("fdname", STATE_NAME), fd, CALL_USEC, NULL, p);
                if (r < 0)
                        return r;
                *ret = strdup("fd:" STATE_NAME);
                return *ret ? 0 : -ENOMEM;
        }
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        again = open(path, flags | O_CLOEXEC);
        if (again < 0)
                return problem_errno(p, -errno, "system", "opening the state again");
        int r = qmp_call(q, "add-fd", NULL, again, CALL_USEC, &o, p);
        if (r < 0)
                return r;
        if (!json_object_object_get_ex(o, "fdset-id", &v))
                return problem(p, "qemu-connection", "QEMU does not say where it put the descriptor");
        *ret_set = json_object_get_int(v);
        return asprintf(ret, "file:/dev/fdset/%d", *ret_set) < 0 ? -ENOMEM : 0;
}

/* After "completed" or "failed"; the words are in query-migrate (since 5.2 for saves,
 * since 8.? for loads). */
static int migration_result(Qmp *q, const char *what, Problem *p) {
        _cleanup_(json_object_putp) json_object *o = NULL;

        if (streq(q->migration, "completed"))
                return 0;
        int r = qmp_call(q, "query-migrate", NULL, -1, CALL_USEC, &o, p);
        if (r < 0)
                return r;
        const char *words = string_of(o, "error-desc");
        return problem(p, what, "QEMU could not %s the device state (%s)%s%s",
                       streq(what, "save-failed") ? "save" : "load", q->migration, words ? ": " : "", words ?: "");
}

static bool is_over(const char *status) {
        return streq(status, "completed") || streq(status, "failed") || streq(status, "cancelled");
}

static int wait_for_end(Qmp *q, uint64_t timeout_usec, Problem *p) {
        char seen[sizeof(q->migration)] = "";

        for (;;) {
                int r = qmp_wait_migration(q, seen, timeout_usec, p);
                if (r < 0 || is_over(q->migration))
                        return r;
                memcpy(seen, q->migration, sizeof(seen));
        }
}

static int transfer(Qmp *q, const char *command, const char *version, int fd, int flags, uint64_t timeout_usec,
                    const char *what, Problem *p) {
        _cleanup_free_ char *uri = NULL;
        int set = NO_SET;

        q->migration[0] = '\0';
        int r = state_uri(q, version, fd, flags, &set, &uri, p);
        if (r >= 0)
                r = qmp_call(q, command, arguments("uri", uri), -1, CALL_USEC, NULL, p);
        if (r >= 0)
                r = wait_for_end(q, timeout_usec, p);
        remove_set(q, set);
        return r < 0 ? r : migration_result(q, what, p);
}

/* A save that goes on would stop the guest again at its end, long after it was let run. It is
 * called off even if QEMU has not said that it began: it may have the command still before it. */
static void call_off(Qmp *q) {
        _cleanup_(json_object_putp) json_object *o = NULL;

        if (is_over(q->migration) || simple(q, "migrate_cancel", NULL) < 0 ||
            qmp_call(q, "query-migrate", NULL, -1, CALL_USEC, &o, NULL) < 0)
                return;
        const char *status = string_of(o, "status");
        if (status && !streq(status, "none") && !is_over(status))
                (void)wait_for_end(q, CALL_USEC, NULL);
}

int vm_save(Qmp *q, const char *version, int fd, uint64_t timeout_usec, Problem *p) {
        int r = transfer(q, "migrate", version, fd, O_WRONLY, timeout_usec, "save-failed", p);

        if (r < 0)
                call_off(q);
        return r;
}

int vm_load(Qmp *q, const char *version, int fd, uint64_t timeout_usec, Problem *p) {
        if (lseek(fd, 0, SEEK_SET) < 0)
                return problem_errno(p, -errno, "system", "going to the start of the state");
        return transfer(q, "migrate-incoming", version, fd, O_RDONLY, timeout_usec, "load-failed", p);
}
