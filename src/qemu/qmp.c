/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <json-c/json.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

#include "qmp.h"

enum { LINE_MAX_BYTES = 8 << 20, READ_BYTES = 16 << 10, DEPTH_MAX = 64 };

DEFINE_CLEANUP(json_object, json_object_put);
DEFINE_CLEANUP(json_tokener, json_tokener_free);

static uint64_t now_usec(void) {
        struct timespec t;

        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * USEC_PER_SEC + (uint64_t)t.tv_nsec / NSEC_PER_USEC;
}

/* No timeout at all is the largest one there is. */
static uint64_t deadline_after(uint64_t timeout_usec) {
        uint64_t now = now_usec();

        return timeout_usec > UINT64_MAX - now ? UINT64_MAX : now + timeout_usec;
}

static int failed(Problem *p, int r, const char *what) {
        return problem_errno(p, r, "qemu-connection", "QEMU's monitor: %s", what);
}

/* 0 when there is something to do, -ETIMEDOUT. */
static int wait_for(const Qmp *q, short events, uint64_t deadline) {
        for (;;) {
                uint64_t now = now_usec();
                struct pollfd pfd = { .fd = q->fd, .events = events };
                struct timespec t = { 0 };

                if (deadline > now) {
                        t.tv_sec = (time_t)((deadline - now) / USEC_PER_SEC);
                        t.tv_nsec = (long)((deadline - now) % USEC_PER_SEC * NSEC_PER_USEC);
                }
                int n = ppoll(&pfd, 1, &t, NULL);
                if (n > 0)
                        return 0;
                if (n == 0)
                        return -ETIMEDOUT;
                if (errno != EINTR)
                        return -errno;
        }
}

static int read_some(Qmp *q) {
        if (q->size - q->n < READ_BYTES) {
                size_t size = q->n + 2 * READ_BYTES;
                if (size > LINE_MAX_BYTES)
                        return -EBADMSG;
                char *buffer = realloc(q->buffer, size);
                if (!buffer)
                        return -ENOMEM;
                q->buffer = buffer;
                q->size = size;
        }
        ssize_t n = recv(q->fd, q->buffer + q->n, READ_BYTES, MSG_DONTWAIT);
        if (n < 0)
                return errno == EAGAIN || errno == EINTR ? 0 : errno == ECONNRESET ? -EPIPE : -errno;
        if (n == 0)
                return -EPIPE;
        q->n += (size_t)n;
        return 0;
}

static json_object *parse(const char *text, size_t size) {
        _cleanup_(json_tokener_freep) json_tokener *t = json_tokener_new_ex(DEPTH_MAX);

        return t ? json_tokener_parse_ex(t, text, (int)size) : NULL;
}

/* Takes the first whole line out of the buffer; 1, or 0 when there is none. */
static int take_line(Qmp *q, json_object **ret) {
        char *end = q->n > 0 ? memchr(q->buffer, '\n', q->n) : NULL;

        if (!end)
                return 0;
        size_t line = (size_t)(end - q->buffer) + 1;
        json_object *o = parse(q->buffer, line);
        memmove(q->buffer, q->buffer + line, q->n - line);
        q->n -= line;
        if (!json_object_is_type(o, json_type_object)) {
                json_object_put(o);
                return -EBADMSG;
        }
        *ret = o;
        return 1;
}

static const char *string_of(json_object *o, const char *key) {
        json_object *v;

        return json_object_object_get_ex(o, key, &v) && json_object_is_type(v, json_type_string)
                       ? json_object_get_string(v)
                       : NULL;
}

/* Notes an event; true if it was one. */
static bool note_event(Qmp *q, json_object *o) {
        const char *event = string_of(o, "event");
        json_object *data;

        if (!event)
                return false;
        if (streq(event, "SHUTDOWN"))
                q->shutdown = true;
        else if (streq(event, "MIGRATION") && json_object_object_get_ex(o, "data", &data))
                snprintf(q->migration, sizeof(q->migration), "%s", string_of(data, "status") ?: "");
        return true;
}

/* The next message that is no event. */
static int next_message(Qmp *q, uint64_t deadline, json_object **ret) {
        for (;;) {
                json_object *o;
                int r = take_line(q, &o);
                if (r < 0)
                        return r;
                if (r > 0) {
                        if (!note_event(q, o)) {
                                *ret = o;
                                return 0;
                        }
                        json_object_put(o);
                        continue;
                }
                r = wait_for(q, POLLIN, deadline);
                if (r >= 0)
                        r = read_some(q);
                if (r < 0)
                        return r;
        }
}

static int send_all(Qmp *q, const char *text, size_t size, int fd, uint64_t deadline) {
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control = { 0 };

        while (size > 0) {
                struct iovec iov = { .iov_base = (char *)text, .iov_len = size };
                struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

                if (fd >= 0) {
                        m.msg_control = control.bytes;
                        m.msg_controllen = sizeof(control.bytes);
                        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
                        *c = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
                                               .cmsg_type = SCM_RIGHTS,
                                               .cmsg_len = CMSG_LEN(sizeof(fd)) };
                        memcpy(CMSG_DATA(c), &fd, sizeof(fd));
                }
                ssize_t n = sendmsg(q->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
                if (n < 0 && errno != EAGAIN && errno != EINTR)
                        return -errno;
                if (n > 0) {
                        text += n;
                        size -= (size_t)n;
                        fd = -1; /* it went with the first byte */
                        continue;
                }
                int r = wait_for(q, POLLOUT, deadline);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int reply(const char *command, json_object *o, json_object **ret, Problem *p) {
        json_object *v;

        if (json_object_object_get_ex(o, "error", &v)) {
                (void)problem(p, "qemu-refuses", "QEMU refuses %s: %s", command,
                              string_of(v, "desc") ?: "it does not say why");
                return -EREMOTEIO;
        }
        if (!json_object_object_get_ex(o, "return", &v))
                return failed(p, -EBADMSG, "neither an answer nor an error");
        if (ret)
                *ret = json_object_get(v);
        return 0;
}

int qmp_call(Qmp *q, const char *command, struct json_object *arguments, int fd, uint64_t timeout_usec,
             struct json_object **ret, Problem *p) {
        _cleanup_(json_object_putp) json_object *request = json_object_new_object(), *answer = NULL;
        /* It is ours from here on, whatever comes. */
        _cleanup_(json_object_putp) _unused_ json_object *owned = arguments;
        uint64_t deadline = deadline_after(timeout_usec), id = ++q->last_id;
        json_object *v;

        if (!request || json_object_object_add(request, "execute", json_object_new_string(command)) < 0 ||
            json_object_object_add(request, "id", json_object_new_uint64(id)) < 0 ||
            (arguments && json_object_object_add(request, "arguments", json_object_get(arguments)) < 0))
                return failed(p, -ENOMEM, command);
        const char *text = json_object_to_json_string_ext(request, JSON_C_TO_STRING_PLAIN);
        int r = text ? send_all(q, text, strlen(text), fd, deadline) : -ENOMEM;
        /* An answer to a call that was given up may still come. */
        while (r >= 0) {
                json_object_put(TAKE_PTR(answer));
                r = next_message(q, deadline, &answer);
                if (r >= 0 && json_object_object_get_ex(answer, "id", &v) && json_object_get_uint64(v) == id)
                        break;
        }
        return r < 0 ? failed(p, r, command) : reply(command, answer, ret, p);
}

int qmp_wait_migration(Qmp *q, const char *before, uint64_t timeout_usec, Problem *p) {
        uint64_t deadline = deadline_after(timeout_usec);

        while (streq(q->migration, before)) {
                json_object *o;
                int r = take_line(q, &o);
                if (r > 0) {
                        (void)note_event(q, o);
                        json_object_put(o);
                        continue;
                }
                if (r == 0)
                        r = wait_for(q, POLLIN, deadline);
                if (r >= 0)
                        r = read_some(q);
                if (r < 0)
                        return failed(p, r, "waiting for the device state");
        }
        return 0;
}

int qmp_drain(Qmp *q, Problem *p) {
        json_object *o;
        size_t before;
        int r;

        do {
                before = q->n;
                r = read_some(q);
        } while (r >= 0 && q->n > before);
        for (int taken; (taken = take_line(q, &o)) != 0;) {
                if (taken < 0)
                        return failed(p, taken, "what came is not QMP");
                (void)note_event(q, o);
                json_object_put(o);
        }
        return r < 0 ? failed(p, r, "QEMU ended") : 0;
}

/* {"QMP": {"version": {"qemu": {"major": …}}}} */
static int greeting_version(json_object *o, char **ret) {
        static const char *const path[] = { "QMP", "version", "qemu" };
        json_object *major, *minor, *micro;

        for (size_t i = 0; i < ELEMENTSOF(path); i++)
                if (!json_object_object_get_ex(o, path[i], &o))
                        return -EBADMSG;
        if (!json_object_object_get_ex(o, "major", &major) || !json_object_object_get_ex(o, "minor", &minor) ||
            !json_object_object_get_ex(o, "micro", &micro))
                return -EBADMSG;
        return asprintf(ret, "%d.%d.%d", json_object_get_int(major), json_object_get_int(minor),
                        json_object_get_int(micro)) < 0
                       ? -ENOMEM
                       : 0;
}

int qmp_open(Qmp *q, int fd, uint64_t timeout_usec, char **ret_version, Problem *p) {
        _cleanup_(json_object_putp) json_object *greeting = NULL;
        _cleanup_free_ char *version = NULL;
        uint64_t deadline = deadline_after(timeout_usec);

        *q = (Qmp){ .fd = fd };
        int r = next_message(q, deadline, &greeting);
        if (r >= 0)
                r = greeting_version(greeting, &version);
        if (r < 0) {
                qmp_close(q);
                return failed(p, r, "no greeting");
        }
        r = qmp_call(q, "qmp_capabilities", NULL, -1, timeout_usec, NULL, p);
        if (r < 0) {
                qmp_close(q);
                return r;
        }
        *ret_version = TAKE_PTR(version);
        return 0;
}

void qmp_close(Qmp *q) {
        fd_close(q->fd);
        free(q->buffer);
        *q = (Qmp){ .fd = -1 };
}
