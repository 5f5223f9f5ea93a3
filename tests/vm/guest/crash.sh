# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# For cases that kill the daemon, and read what two clients say of it.

# shellcheck source=clients.sh
. "$LUVM_TOP/tests/vm/guest/clients.sh"

forget_words() {
        local client
        for client in vm-a vm-b; do
                : >"$(client_log "$client")"
        done
}

# all_say TEXT: both clients.
all_say() {
        client_says vm-a "$1"
        client_says vm-b "$1"
}

# crash WHAT: SIGKILL and a restart.
crash() {
        kill_daemon
        check "$1: the daemon comes back" restart_daemon
}
