# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2153
#
# Clients that die while PREPARED: with on-death=cancel nothing goes on without them, with
# keep their sessions go along, with drop they are left behind and the others go.

PLAN=27
STAGES=2

begin() {
        # shellcheck disable=SC1091
        . "$LUVM_TOP/tests/vm/guest/clients.sh"
        check 'the bus is up' start_bus
        check 'the daemon is ready' start_daemon
}

# has_session NAME
has_session() { liveupdatectl sessions --no-legend | grep -q "^$1 "; }
has_no_session() { ! has_session "$1"; }

stage1() {
        begin
        start_client vm-a
        start_client vm-stop
        start_client vm-keep --on-death keep
        start_client vm-drop --on-death drop
        for client in vm-a vm-stop vm-keep vm-drop; do
                client_says "$client" 'takes part'
        done
        liveupdatectl load "$NEXT_KERNEL" --initrd "$NEXT_INITRD" --append "$NEXT_APPEND"
        check 'prepare' liveupdatectl prepare

        kill_client vm-drop
        check 'drop: its session is gone' wait_for 10 has_no_session vm-drop
        check 'drop: the state is prepared' state_is prepared
        like "$(property Notice)" 'vm-drop does not go along' 'drop: the daemon says so'
        kill_client vm-keep
        check 'keep: the daemon knows' wait_for 10 grep -q 'Participant vm-keep has left' "$DAEMON_LOG"
        check 'keep: its session stays' has_session vm-keep
        check 'keep: the state is prepared' state_is prepared
        : >"$(client_log vm-a)"
        kill_client vm-stop
        check 'cancel: the state is normal' wait_for 10 state_is normal
        client_says vm-a 'resumed (told to)'
        client_says vm-a 'memory is resizable'
        like "$(liveupdatectl sessions --no-legend)" '^$' 'cancel: no session is left'

        start_client vm-keep --on-death keep
        start_client vm-drop --on-death drop
        client_says vm-keep 'takes part'
        client_says vm-drop 'takes part'
        check 'prepare again' liveupdatectl prepare
        kill_client vm-keep
        kill_client vm-drop
        check 'both are out' wait_for 10 has_no_session vm-drop
        liveupdatectl update
        not_ok 'an update without the dead' "$(tail -n 20 "$DAEMON_LOG")"
}

stage2() {
        begin
        check 'what was dropped did not go along' has_no_session vm-drop
        check 'what was kept did' has_session vm-keep
        start_client vm-a
        client_says vm-a 'memory is intact'
        client_says vm-a 'finished'
}
