/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the command line tests need besides a shell:
 *
 *   cli-tool json POINTER            reads one JSON value from stdin and prints what is
 *                                    at the JSON pointer (RFC 6901): strings raw, the
 *                                    rest as JSON. 1: no such place; 2: not JSON, or
 *                                    more than one value.
 *   cli-tool introspect ADDRESS PATH prints an object's introspection data
 *   cli-tool pty ROWS COMMAND...     runs a command on a terminal of its own, with as
 *                                    many rows, and prints what it wrote
 *   cli-tool bridge ADDRESS          carries bytes between stdin and stdout and the
 *                                    unix:path= socket of ADDRESS, as ssh would
 */
#include <json-c/json.h>
#include <poll.h>
#include <pty.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>

#include "common/macro.h"
#include "common/names.h"

static int tool_json(const char *pointer) {
        static char text[32 << 20];
        enum json_tokener_error error;
        json_object *place;

        size_t size = fread(text, 1, sizeof(text) - 1, stdin);
        json_tokener *t = json_tokener_new();
        if (!t)
                return 2;
        json_tokener_set_flags(t, JSON_TOKENER_STRICT);
        /* With the NUL, so that a number at the very end is seen to end. */
        json_object *o = json_tokener_parse_ex(t, text, (int)size + 1);
        error = json_tokener_get_error(t);
        json_tokener_free(t);
        if (error != json_tokener_success) {
                (void)fprintf(stderr, "not JSON: %s\n", json_tokener_error_desc(error));
                return 2;
        }
        int r = json_pointer_get(o, pointer, &place);
        if (r >= 0)
                (void)puts(json_object_is_type(place, json_type_string)
                                   ? json_object_get_string(place)
                                   : json_object_to_json_string_ext(place, JSON_C_TO_STRING_PLAIN));
        json_object_put(o);
        return r < 0;
}

static int tool_introspect(const char *address, const char *path) {
        sd_bus_message *reply = NULL;
        sd_bus *bus = NULL;
        const char *xml;
        int r;

        if ((r = sd_bus_new(&bus)) >= 0 && (r = sd_bus_set_address(bus, address)) >= 0 &&
            (r = sd_bus_set_bus_client(bus, true)) >= 0 && (r = sd_bus_start(bus)) >= 0 &&
            (r = sd_bus_call_method(bus, LIVEUPDATE_BUS_NAME, path, "org.freedesktop.DBus.Introspectable",
                                    "Introspect", NULL, &reply, NULL)) >= 0 &&
            (r = sd_bus_message_read(reply, "s", &xml)) >= 0)
                (void)fputs(xml, stdout);
        sd_bus_message_unref(reply);
        sd_bus_flush_close_unref(bus);
        return r < 0;
}

static int tool_pty(const char *rows, char **command) {
        struct winsize size = { .ws_row = (unsigned short)strtoul(rows, NULL, 10), .ws_col = 80 };
        char buf[4096];
        ssize_t n;
        int fd, status;

        pid_t pid = forkpty(&fd, NULL, NULL, &size);
        if (pid < 0)
                return 2;
        if (pid == 0) {
                (void)execvp(command[0], command);
                _exit(127);
        }
        /* EIO: the last one on the other side is gone. */
        while ((n = read(fd, buf, sizeof(buf))) > 0)
                (void)fwrite(buf, 1, (size_t)n, stdout);
        (void)close(fd);
        if (waitpid(pid, &status, 0) < 0)
                return 2;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Copies what is there; false at the end. */
static bool carry(int from, int to) {
        char buf[4096];

        ssize_t n = read(from, buf, sizeof(buf));
        for (ssize_t done = 0, k; n > 0 && done < n; done += k) {
                k = write(to, buf + done, (size_t)(n - done));
                if (k < 0)
                        return false;
        }
        return n > 0;
}

static int tool_bridge(const char *address) {
        struct sockaddr_un sa = { .sun_family = AF_UNIX };
        static const char prefix[] = "unix:path=";

        if (strncmp(address, prefix, strlen(prefix)) != 0)
                return 2;
        (void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%.*s", (int)strcspn(address + strlen(prefix), ","),
                       address + strlen(prefix));
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
                return 1;
        struct pollfd p[] = { { STDIN_FILENO, POLLIN, 0 }, { fd, POLLIN, 0 } };
        while (poll(p, 2, -1) >= 0)
                if ((p[0].revents && !carry(STDIN_FILENO, fd)) || (p[1].revents && !carry(fd, STDOUT_FILENO)))
                        return 0;
        return 1;
}

int main(int argc, char **argv) {
        if (argc == 3 && streq(argv[1], "json"))
                return tool_json(argv[2]);
        if (argc == 4 && streq(argv[1], "introspect"))
                return tool_introspect(argv[2], argv[3]);
        if (argc == 3 && streq(argv[1], "bridge"))
                return tool_bridge(argv[2]);
        if (argc > 3 && streq(argv[1], "pty"))
                return tool_pty(argv[2], argv + 3);
        return 2;
}
