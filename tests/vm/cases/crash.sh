# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2153
#
# SIGKILL of the daemon: while PREPARED, while FROZEN, and in the new kernel before and
# after a client has claimed. It comes back to a true state and says so; clients go on.

PLAN=33
STAGES=2

begin() {
        # shellcheck disable=SC1091
        . "$LUVM_TOP/tests/vm/guest/clients.sh"
        check 'the bus is up' start_bus
        check 'the daemon is ready' start_daemon
}

crash() {
        local client
        kill_daemon
        for client in vm-a vm-b; do
                client_says "$client" 'resumed (the daemon is gone)'
                client_says "$client" 'memory is resizable'
        done
        : >"$(client_log vm-a)"
        : >"$(client_log vm-b)"
        check 'the daemon comes back' restart_daemon
        check 'the state is normal' state_is normal
        like "$(property Notice)" "$1" "the daemon says that it died while $1"
        client_says vm-a 'takes part'
        client_says vm-b 'takes part'
}

load() {
        liveupdatectl load "$NEXT_KERNEL" --initrd "$NEXT_INITRD" --append "$NEXT_APPEND"
}

stage1() {
        begin
        start_client vm-a
        start_client vm-b --direct
        client_says vm-a 'takes part'
        client_says vm-b 'takes part'
        : >"$(client_log vm-a)"
        : >"$(client_log vm-b)"
        load && liveupdatectl prepare
        crash prepared
        load && liveupdatectl prepare && liveupdatectl freeze
        crash frozen
        liveupdatectl update
        not_ok 'an update after two crashes' "$(tail -n 20 "$DAEMON_LOG")"
}

stage2() {
        begin
        check 'the state is updated' state_is updated
        kill_daemon
        check 'the daemon comes back' restart_daemon
        check 'it still knows what came in' state_is updated
        start_client vm-a
        client_says vm-a 'memory is intact'
        client_says vm-a 'finished'
        kill_daemon
        check 'the daemon comes back' restart_daemon
        start_client vm-b --direct
        client_says vm-b 'memory is intact'
        check 'the state is normal' wait_for 10 state_is normal
        like "$(liveupdatectl jobs)" 'update.*done' 'the job is done'
}
