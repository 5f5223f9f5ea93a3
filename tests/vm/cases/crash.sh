# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2153
#
# SIGKILL of the daemon, with a descriptor store: while PREPARED, which goes on, with the
# update; and in the new kernel before and after a client has claimed.

PLAN=23
STAGES=2

begin() {
        # shellcheck disable=SC1091
        . "$LUVM_TOP/tests/vm/guest/crash.sh"
        check 'the bus is up' start_bus
        check 'the daemon is ready' start_daemon
}

stage1() {
        begin
        is "$(property CrashCancels)" 'b false' 'a crash would cancel nothing'
        start_client vm-a
        start_client vm-b --direct
        all_say 'takes part'
        forget_words
        liveupdatectl load "$NEXT_KERNEL" --initrd "$NEXT_INITRD" --append "$NEXT_APPEND"
        check 'prepare' liveupdatectl prepare
        crash prepared
        check 'the state is prepared again' state_is prepared
        all_say 'still takes part'
        is "$(property CrashCancels)" 'b false' 'all descriptors are in the store again'
        like "$(liveupdatectl sessions)" 'vm-a.*outgoing' 'the sessions are there'
        liveupdatectl update
        not_ok 'the update after a crash' "$(tail -n 20 "$DAEMON_LOG")"
}

stage2() {
        begin
        check 'the state is updated' state_is updated
        crash 'before a claim'
        check 'it still knows what came in' state_is updated
        start_client vm-a
        client_says vm-a 'memory is intact'
        client_says vm-a 'finished'
        crash 'after a claim'
        start_client vm-b --direct
        client_says vm-b 'memory is intact'
        check 'the state is normal' wait_for 10 state_is normal
        like "$(liveupdatectl jobs)" 'update.*done' 'the job is done'
}
