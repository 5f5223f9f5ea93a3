/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "agent.h"

int agent_set_time(const char *socket_path, uint64_t timeout_usec) {
        static const char command[] = "{\"execute\":\"guest-set-time\"}\n";
        struct sockaddr_un a = { .sun_family = AF_UNIX };
        char answer[256];

        if (strlen(socket_path) >= sizeof(a.sun_path))
                return -ENAMETOOLONG;
        strcpy(a.sun_path, socket_path);
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
            send(fd, command, strlen(command), MSG_NOSIGNAL) != (ssize_t)strlen(command))
                return -errno;
        struct pollfd p = { .fd = fd, .events = POLLIN };
        int n = poll(&p, 1, (int)(timeout_usec / USEC_PER_MSEC));
        if (n <= 0)
                return n < 0 ? -errno : -ETIMEDOUT;
        ssize_t got = recv(fd, answer, sizeof(answer) - 1, 0);
        if (got <= 0)
                return got < 0 ? -errno : -EPIPE;
        answer[got] = '\0';
        return strstr(answer, "\"error\"") ? -EREMOTEIO : 0;
}
