# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2153
#
# SIGKILL of the daemon in the middle of things, with a descriptor store: with open
# sessions while PREPARING, FREEZING and FROZEN. All is put back, and works again.

PLAN=39
STAGES=1

begin() {
        # shellcheck disable=SC1091
        . "$LUVM_TOP/tests/vm/guest/crash.sh"
        check 'the bus is up' start_bus
        check 'the daemon is ready' start_daemon
}

# put_back PHASE: after a crash in the middle, everything is as before.
put_back() {
        crash "$1"
        check "$1: the state is normal" wait_for 10 state_is normal
        like "$(property Notice)" "$1" "the daemon says that it died while $1"
        all_say 'still takes part'
        all_say 'resumed (told to)'
        all_say 'memory is resizable'
        forget_words
}

# left N: the daemon has seen N participants leave.
left() { (($(grep -c 'Participant mute has left' "$DAEMON_LOG") >= $1)); }

stage1() {
        begin
        start_client vm-a
        start_client vm-b --direct
        all_say 'takes part'
        forget_words
        liveupdatectl load "$NEXT_KERNEL" --initrd "$NEXT_INITRD" --append "$NEXT_APPEND"

        # Somebody does not answer, so the phase lasts.
        start_client mute --mute prepare
        client_says mute 'takes part'
        liveupdatectl --no-block prepare
        all_say 'prepared'
        put_back preparing
        kill_client mute
        check 'who died is out' wait_for 10 left 1

        start_client mute --mute freeze
        client_says mute 'takes part'
        liveupdatectl prepare && liveupdatectl --no-block freeze
        all_say 'frozen'
        put_back freezing
        kill_client mute
        check 'who died is out' wait_for 10 left 2

        liveupdatectl prepare && liveupdatectl freeze
        put_back frozen
}
