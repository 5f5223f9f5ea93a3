/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The interfaces as the daemon exports them are those of the files in dbus/: the same methods,
 * properties and signals, with the same arguments, names, types and directions. Manager
 * is asked of the real daemon, and the objects that need LUO of the same code on fakes.
 *
 * Introspection data is so plain that a scanner of tags will do: each element with a
 * name becomes a line, and the sorted lines are compared. Comments, annotations and
 * the standard interfaces do not count.
 */
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <ctype.h>
#include <fcntl.h>

#include "common/fd.h"

enum { LINES_MAX = 256, LINE_SIZE = 256 };

typedef struct Interface {
        char lines[LINES_MAX][LINE_SIZE];
        size_t n;
} Interface;

/* The value of attribute name in a tag that ends at end; "" if it has none. */
static void attribute(const char *tag, const char *end, const char *name, char *ret, size_t size) {
        size_t n = strlen(name);

        *ret = '\0';
        for (const char *p = tag; p < end; p++) {
                if (!isspace((unsigned char)p[0]) || strncmp(p + 1, name, n) != 0 || p[n + 1] != '=')
                        continue;
                const char *from = p + n + 3, *to = strchr(from, p[n + 2]);
                assert_non_null(to);
                snprintf(ret, size, "%.*s", (int)(to - from), from);
                return;
        }
}

static bool is_tag(const char *tag, const char *name) {
        size_t n = strlen(name);

        return strncmp(tag, name, n) == 0 && (isspace((unsigned char)tag[n]) || tag[n] == '>' || tag[n] == '/');
}

static void add(Interface *f, const char *owner, const char *kind, const char *tag, const char *end) {
        char name[96], type[32], access[16], direction[16];

        assert_true(f->n < LINES_MAX);
        attribute(tag, end, "name", name, sizeof(name));
        attribute(tag, end, "type", type, sizeof(type));
        attribute(tag, end, "access", access, sizeof(access));
        attribute(tag, end, "direction", direction, sizeof(direction));
        /* A method's argument is "in" and a signal's "out" where nothing else is said. */
        if (streq(kind, "arg") && !*direction)
                snprintf(direction, sizeof(direction), "%s", strncmp(owner, "method", 6) == 0 ? "in" : "out");
        snprintf(f->lines[f->n++], LINE_SIZE, "%s %s %s %s %s%s", owner, kind, name, type, access, direction);
}

/* Elements of one interface. Arguments count in their order: their lines bear a number. */
static void scan(const char *xml, const char *interface, Interface *ret) {
        char name[96], owner[160] = "", numbered[200];
        bool inside = false;
        unsigned n_args = 0;

        ret->n = 0;
        for (const char *p = xml; (p = strchr(p, '<'));) {
                bool comment = strncmp(p, "<!--", 4) == 0;
                const char *tag = p + 1, *end = comment ? strstr(p, "-->") : strchr(p, '>');
                assert_non_null(end);
                p = end;
                if (comment)
                        continue;
                if (is_tag(tag, "interface")) {
                        attribute(tag, end, "name", name, sizeof(name));
                        inside = streq(name, interface);
                } else if (!inside)
                        continue;
                else if (is_tag(tag, "/interface"))
                        inside = false;
                else if (is_tag(tag, "method") || is_tag(tag, "signal")) {
                        attribute(tag, end, "name", name, sizeof(name));
                        snprintf(owner, sizeof(owner), "%.6s %s", tag, name);
                        n_args = 0;
                        add(ret, owner, "", tag, end);
                } else if (is_tag(tag, "arg")) {
                        snprintf(numbered, sizeof(numbered), "%s %u", owner, n_args++);
                        add(ret, numbered, "arg", tag, end);
                } else if (is_tag(tag, "property"))
                        add(ret, "property", "", tag, end);
        }
}

static int by_text(const void *a, const void *b) {
        return strcmp(a, b);
}

/* What one has and the other lacks. */
static unsigned missing(const Interface *in, const Interface *from, const char *where) {
        unsigned n = 0;

        for (size_t i = 0; i < from->n; i++)
                if (!bsearch(from->lines[i], in->lines, in->n, LINE_SIZE, by_text)) {
                        print_message("# not in %s: %s\n", where, from->lines[i]);
                        n++;
                }
        return n;
}

static void compare(sd_bus *bus, const char *path, const char *name) {
        _cleanup_free_ char *text = NULL;
        static Interface documented, exported;
        char interface[64], file[256];
        const char *xml;

        snprintf(interface, sizeof(interface), "org.liveupdate1.%s", name);
        snprintf(file, sizeof(file), SOURCE_ROOT "/dbus/%s.xml", interface);
        assert_int_equal(file_read_at(AT_FDCWD, file, 1 << 20, &text, NULL), 0);
        scan(text, interface, &documented);
        assert_true(documented.n > 3);

        sd_bus_message *reply = expect_reply(bus, path, "org.freedesktop.DBus.Introspectable", "Introspect", "");
        assert_true(sd_bus_message_read(reply, "s", &xml) > 0);
        scan(xml, interface, &exported);
        sd_bus_message_unref(reply);

        qsort(documented.lines, documented.n, LINE_SIZE, by_text);
        qsort(exported.lines, exported.n, LINE_SIZE, by_text);
        assert_int_equal(missing(&exported, &documented, "the daemon"), 0);
        assert_int_equal(missing(&documented, &exported, file), 0);
        assert_int_equal(documented.n, exported.n);
}

static Rig rig;

static int set_up_real(void **state) {
        rig_start(&rig, "LIVEUPDATED", RIG_ALLOW_ALL);
        return 0;
}

static int set_up_fake(void **state) {
        rig_start(&rig, "FAKE_LIVEUPDATED", RIG_ALLOW_ALL);
        return 0;
}

static int tear_down(void **state) {
        return rig_stop(&rig);
}

static void manager(void **state) {
        compare(rig.bus, "/org/liveupdate1", "Manager");
}

static void session(void **state) {
        const char *path;

        sd_bus_message *reply = expect_reply(rig.bus, MANAGER, "OpenSession", "sa{sv}", "vm-1", 0);
        assert_true(sd_bus_message_read(reply, "o", &path) > 0);
        compare(rig.bus, path, "Session");
        sd_bus_message_unref(reply);
}

static void job(void **state) {
        compare(rig.bus, expect_job(rig.bus, MANAGER, "UnloadKernel", "a{sv}", 0), "Job");
}

static void participant(void **state) {
        const char *path;

        sd_bus_message *reply = expect_reply(rig.bus, MANAGER, "Register", "ssa{sv}", "vm-1", "prepare", 0);
        assert_true(sd_bus_message_read(reply, "o", &path) > 0);
        compare(rig.bus, path, "Participant");
        sd_bus_message_unref(reply);
}

/* The scanner sees each kind of difference. */
static void scanner(void **state) {
        static const char *const variants[] = {
                "<method name=\"M\"><arg name=\"a\" type=\"s\" direction=\"in\"/></method>",
                "<method name=\"N\"><arg name=\"a\" type=\"s\" direction=\"in\"/></method>",
                "<method name=\"M\"><arg name=\"b\" type=\"s\" direction=\"in\"/></method>",
                "<method name=\"M\"><arg name=\"a\" type=\"t\" direction=\"in\"/></method>",
                "<method name=\"M\"><arg name=\"a\" type=\"s\" direction=\"out\"/></method>",
                "<signal name=\"M\"><arg name=\"a\" type=\"s\"/></signal>",
                "<property name=\"M\" type=\"s\" access=\"read\"/>",
                "<property name=\"M\" type=\"s\" access=\"readwrite\"/>",
                "<method name=\"M\"/>",
        };
        static Interface a, b;
        char xml[512];

        for (size_t i = 0; i < ELEMENTSOF(variants); i++)
                for (size_t j = 0; j < ELEMENTSOF(variants); j++) {
                        snprintf(xml, sizeof(xml), "<node><interface name=\"x\">%s</interface></node>", variants[i]);
                        scan(xml, "x", &a);
                        snprintf(xml, sizeof(xml),
                                 "<node><!-- <method name=\"C\"/> --><interface name=\"y\"><method name=\"D\"/>"
                                 "</interface><interface name=\"x\">%s</interface></node>",
                                 variants[j]);
                        scan(xml, "x", &b);
                        bool same = a.n == b.n;
                        for (size_t k = 0; k < a.n && same; k++)
                                same = streq(a.lines[k], b.lines[k]);
                        assert_int_equal(same, i == j);
                }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(scanner),
                cmocka_unit_test_setup_teardown(manager, set_up_real, tear_down),
                cmocka_unit_test_setup_teardown(session, set_up_fake, tear_down),
                cmocka_unit_test_setup_teardown(job, set_up_fake, tear_down),
                cmocka_unit_test_setup_teardown(participant, set_up_fake, tear_down),
        };

        return cmocka_run_group_tests_name("dbus-introspection", tests, NULL, NULL);
}
