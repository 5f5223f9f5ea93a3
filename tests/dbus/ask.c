/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Method calls and what is expected of them; see rig.h. */
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "common/names.h"

static char text[1024];

static int vask(sd_bus *bus, const char *path, const char *interface, const char *member, sd_bus_error *error,
                sd_bus_message **reply, const char *types, va_list ap) {
        sd_bus_message *m = NULL;

        int r = sd_bus_message_new_method_call(bus, &m, LIVEUPDATE_BUS_NAME, path, interface, member);
        if (r >= 0 && *types)
                r = sd_bus_message_appendv(m, types, ap);
        if (r >= 0)
                r = sd_bus_call(bus, m, 0, error, reply);
        sd_bus_message_unref(m);
        return r;
}

int ask(sd_bus *bus, const char *path, const char *interface, const char *member, sd_bus_error *error,
        sd_bus_message **reply, const char *types, ...) {
        va_list ap;

        va_start(ap, types);
        int r = vask(bus, path, interface, member, error, reply, types, ap);
        va_end(ap);
        return r;
}

/* Answers that come later. */

static int on_answer(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const sd_bus_error *e = sd_bus_message_get_error(reply);
        Answer *a = userdata;

        a->there = true;
        snprintf(a->name, sizeof(a->name), "%s", e ? e->name : "");
        snprintf(a->text, sizeof(a->text), "%s", e && e->message ? e->message : "");
        return 0;
}

void ask_later(sd_bus *bus, Answer *answer, sd_bus_message *call) {
        *answer = (Answer){};
        assert_true(sd_bus_call_async(bus, &answer->slot, call, on_answer, answer, RIG_PATIENCE_USEC) >= 0);
        sd_bus_message_unref(call);
}

void ask_method_later(sd_bus *bus, Answer *answer, const char *path, const char *interface, const char *member,
                      const char *types, ...) {
        sd_bus_message *call;
        va_list ap;

        assert_true(sd_bus_message_new_method_call(bus, &call, LIVEUPDATE_BUS_NAME, path, interface, member) >= 0);
        va_start(ap, types);
        if (*types)
                assert_true(sd_bus_message_appendv(call, types, ap) >= 0);
        va_end(ap);
        ask_later(bus, answer, call);
}

void wait_answer(sd_bus *bus, Answer *answer) {
        uint64_t deadline = rig_now_usec() + RIG_PATIENCE_USEC;

        while (!answer->there) {
                int n = sd_bus_process(bus, NULL);
                if (n < 0)
                        fail_msg("waiting for an answer: the bus: %s", strerror(-n));
                if (n == 0)
                        (void)sd_bus_wait(bus, USEC_PER_SEC / 5);
                if (rig_now_usec() > deadline)
                        fail_msg("waited in vain for an answer");
        }
        answer->slot = sd_bus_slot_unref(answer->slot);
}

static sd_bus_message *must(sd_bus *bus, const char *path, const char *interface, const char *member,
                            const char *types, va_list ap) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus_message *reply = NULL;

        int r = vask(bus, path, interface, member, &error, &reply, types, ap);
        if (r < 0)
                fail_msg("%s %s: %s: %s", path, member, error.name ?: strerror(-r), error.message ?: "");
        return reply;
}

sd_bus_message *expect_reply(sd_bus *bus, const char *path, const char *interface, const char *member,
                             const char *types, ...) {
        va_list ap;

        va_start(ap, types);
        sd_bus_message *reply = must(bus, path, interface, member, types, ap);
        va_end(ap);
        return reply;
}

void expect_ok(sd_bus *bus, const char *path, const char *interface, const char *member, const char *types, ...) {
        va_list ap;

        va_start(ap, types);
        sd_bus_message_unref(must(bus, path, interface, member, types, ap));
        va_end(ap);
}

const char *expect_job(sd_bus *bus, const char *path, const char *interface, const char *member, const char *types,
                       ...) {
        static char job[64];
        const char *value;
        va_list ap;

        va_start(ap, types);
        sd_bus_message *reply = must(bus, path, interface, member, types, ap);
        va_end(ap);
        assert_true(sd_bus_message_read(reply, "o", &value) > 0);
        snprintf(job, sizeof(job), "%s", value);
        sd_bus_message_unref(reply);
        return job;
}

const char *expect_error(sd_bus *bus, const char *name, const char *path, const char *interface, const char *member,
                         const char *types, ...) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        va_list ap;

        va_start(ap, types);
        int r = vask(bus, path, interface, member, &error, NULL, types, ap);
        va_end(ap);
        if (r >= 0)
                fail_msg("%s %s(%s) was not refused with %s", path, member, types, name);
        if (!error.name || !streq(error.name, name))
                fail_msg("%s %s(%s): %s (%s), not %s", path, member, types, error.name ?: strerror(-r),
                         error.message ?: "", name);
        snprintf(text, sizeof(text), "%s", error.message ?: "");
        assert_true(*text);
        sd_bus_error_free(&error);
        return text;
}

const char *property(sd_bus *bus, const char *path, const char *interface, const char *name) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus_message *reply = NULL;
        const char *type, *value = NULL;

        int r = ask(bus, path, "org.freedesktop.DBus.Properties", "Get", &error, &reply, "ss", interface, name);
        if (r < 0)
                fail_msg("%s %s: %s", path, name, error.message ?: strerror(-r));
        assert_true(sd_bus_message_peek_type(reply, NULL, &type) > 0);
        assert_true(sd_bus_message_read(reply, "v", type, &value) > 0);
        snprintf(text, sizeof(text), "%s", value);
        sd_bus_message_unref(reply);
        return text;
}

uint64_t property_number(sd_bus *bus, const char *path, const char *interface, const char *name, char type) {
        const char types[] = { type, '\0' };
        sd_bus_message *reply = NULL;
        uint64_t t = 0;
        uint32_t u = 0;
        int b = 0;

        int r = ask(bus, path, "org.freedesktop.DBus.Properties", "Get", NULL, &reply, "ss", interface, name);
        if (r < 0)
                fail_msg("%s %s: %s", path, name, strerror(-r));
        r = sd_bus_message_read(reply, "v", types, type == 't' ? (void *)&t : type == 'u' ? (void *)&u : (void *)&b);
        assert_true(r > 0);
        sd_bus_message_unref(reply);
        return type == 't' ? t : type == 'u' ? u : (uint64_t)b;
}

int take_object_and_fd(sd_bus_message *reply, char path[static 256]) {
        const char *p;
        int fd;

        assert_true(sd_bus_message_read(reply, "oh", &p, &fd) > 0);
        snprintf(path, 256, "%s", p);
        fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        assert_true(fd >= 0);
        sd_bus_message_unref(reply);
        return fd;
}

int text_file(const char *contents) {
        int fd = memfd_create("text", MFD_CLOEXEC);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, contents, strlen(contents)), strlen(contents));
        return fd;
}
