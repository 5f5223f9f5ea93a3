/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * liveupdate-keeper PATH: keeps what the daemon gives it through systemd's shutdown; see
 * sys/keeper.h. It is started by its unit alone.
 */
#include "common/log.h"
#include "sys/keeper.h"

int main(int argc, char **argv) {
        if (argc != 2) {
                fputs("liveupdate-keeper is started by liveupdate-keeper.service, when liveupdated needs it.\n",
                      stderr);
                return 2;
        }
        int r = keeper_serve(argv[1]);
        if (r < 0)
                log_errno(r, "Keeping sessions");
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
