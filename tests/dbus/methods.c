/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "methods.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <fcntl.h>

#include "common/fd.h"

size_t type_length(const char *types) {
        if (*types == 'a')
                return 1 + type_length(types + 1);
        if (*types != '(' && *types != '{')
                return 1;
        size_t n = 1;
        while (types[n] != ')' && types[n] != '}')
                n += type_length(types + n);
        return n + 1;
}

/* One element's text, up to its end. The files are ours, so this is enough. */
static void read_method(const char *from, const char *to, Method *m) {
        size_t n_args = 0;

        assert_int_equal(sscanf(from, "<method name=\"%63[A-Za-z]\"", m->member), 1);
        for (const char *p = from; (p = strstr(p, "<arg ")) && p < to; p++) {
                char name[24], type[24], direction[8];
                assert_int_equal(sscanf(p, "<arg name=\"%23[^\"]\" type=\"%23[^\"]\" direction=\"%7[a-z]\"", name,
                                        type, direction),
                                 3);
                if (!streq(direction, "in"))
                        continue;
                assert_true(n_args < ELEMENTSOF(m->names));
                snprintf(m->names[n_args++], sizeof(m->names[0]), "%s", name);
                assert_true(strlen(m->types) + strlen(type) < sizeof(m->types));
                strcat(m->types, type);
        }
}

size_t methods_read(Method ret[static METHODS_MAX]) {
        static const char *const names[] = { "Manager", "Session", "Job", "Participant", "Device" };
        size_t n = 0;

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                _cleanup_free_ char *xml = NULL;
                char file[256];

                snprintf(file, sizeof(file), SOURCE_ROOT "/dbus/org.liveupdate1.%s.xml", names[i]);
                assert_int_equal(file_read_at(AT_FDCWD, file, 1 << 20, &xml, NULL), 0);
                for (const char *p = xml; (p = strstr(p, "<method name=\"")); p++) {
                        const char *end = strstr(p, "</method>");
                        assert_non_null(end);
                        assert_true(n < METHODS_MAX);
                        ret[n] = (Method){};
                        snprintf(ret[n].interface, sizeof(ret[n].interface), "org.liveupdate1.%s", names[i]);
                        read_method(p, end, &ret[n++]);
                }
        }
        assert_true(n >= 26);
        return n;
}
