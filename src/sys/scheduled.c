/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "scheduled.h"

#include "common/fd.h"
#include "common/parse.h"

#include <fcntl.h>
#include <limits.h>

enum { TEXT_MAX = 16 * 1024 };

/* Lines of KEY=VALUE. */
static int parse(char *text, char mode[static SCHEDULED_MODE_SIZE], uint64_t *ret_usec) {
        bool dry = false, has_usec = false;
        uint64_t usec = 0;
        char *save = NULL;

        *mode = '\0';
        for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
                if (strncmp(line, "USEC=", 5) == 0)
                        has_usec = parse_u64(line + 5, &usec) >= 0;
                else if (strncmp(line, "MODE=", 5) == 0)
                        (void)snprintf(mode, SCHEDULED_MODE_SIZE, "%s", line + 5);
                else if (streq(line, "DRY_RUN=1"))
                        dry = true;
        if (!has_usec || !*mode)
                return -EBADMSG;
        if (dry || strncmp(mode, "dry-", 4) == 0)
                return 0;
        *ret_usec = usec;
        return 1;
}

int scheduled_read(const char *root, char mode[static SCHEDULED_MODE_SIZE], uint64_t *ret_usec) {
        _cleanup_free_ char *text = NULL;
        char path[PATH_MAX];

        if ((size_t)snprintf(path, sizeof(path), "%s/run/systemd/shutdown/scheduled", root) >= sizeof(path))
                return -ENAMETOOLONG;
        int r = file_read_at(AT_FDCWD, path, TEXT_MAX, &text, NULL);
        if (r == -ENOENT || r == -ENOTDIR)
                return 0;
        return r < 0 ? r : parse(text, mode, ret_usec);
}
