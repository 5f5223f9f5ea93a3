# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2153
#
# Every way back on a real kernel: cancel after prepare, cancel after freeze, a veto, a
# deadline, a client that is killed while prepared. Each time the clients are told to
# resume, their memory can be resized again, the state is normal; and in the end a new
# update works.

PLAN=59
STAGES=2

begin() {
        # shellcheck disable=SC1091
        . "$LUVM_TOP/tests/vm/guest/clients.sh"
        check 'the bus is up' start_bus
}

# put_back CLIENT...: they went on, nothing is left behind.
put_back() {
        local client
        for client; do
                client_says "$client" 'resumed (told to)'
                client_says "$client" 'memory is resizable'
                : >"$(client_log "$client")"
        done
        check 'the state is normal' wait_for 10 state_is normal
        is "$(liveupdatectl --no-legend sessions)" '' 'no session is left'
}

stage1() {
        begin
        printf '[Update]\nFreezeTimeoutSec=5\n' >/run/liveupdated/liveupdated.conf.d/60-case.conf
        check 'the daemon is ready' start_daemon
        start_client vm-a
        start_client vm-b --direct
        client_says vm-a 'takes part'
        client_says vm-b 'takes part'
        refused 1 'No next kernel is loaded' 'prepare without a kernel is refused' liveupdatectl prepare
        check 'the state has not changed' state_is normal
        check 'a kernel is loaded' liveupdatectl load "$NEXT_KERNEL" --initrd "$NEXT_INITRD" --append "$NEXT_APPEND"

        check 'prepare' liveupdatectl prepare
        check 'the state is prepared' state_is prepared
        check 'cancel after prepare' liveupdatectl cancel
        put_back vm-a vm-b
        refused 1 'not possible' 'cancel with nothing to cancel is refused' liveupdatectl cancel

        check 'prepare again' liveupdatectl prepare
        check 'freeze' liveupdatectl freeze
        check 'the state is frozen' state_is frozen
        check 'cancel after freeze' liveupdatectl cancel
        put_back vm-a vm-b

        start_client vm-c --veto freeze
        client_says vm-c 'takes part'
        refused 1 'vm-c' 'a veto stops the update and is named' liveupdatectl update
        put_back vm-a vm-b vm-c
        kill_client vm-c

        start_client vm-d --mute freeze
        client_says vm-d 'takes part'
        refused 1 'vm-d' 'a client that does not answer in time is named' liveupdatectl update
        put_back vm-a vm-b vm-d

        check 'prepare once more' liveupdatectl prepare
        kill_client vm-d
        put_back vm-a vm-b

        liveupdatectl update
        not_ok 'the update after all that' "$(tail -n 20 "$DAEMON_LOG")"
}

stage2() {
        begin
        check 'the daemon is ready' start_daemon
        start_client vm-a
        start_client vm-b --direct
        client_says vm-a 'memory is intact'
        client_says vm-b 'memory is intact'
        check 'the state is normal' wait_for 10 state_is normal
}
