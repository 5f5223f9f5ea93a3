# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2153
#
# Whole updates with two clients, one that hands its files to the daemon and one that
# preserves on its own session descriptor: three kernels in one boot of QEMU. Whoever
# started the update finds the same job, completed, in the next kernel.

PLAN=23
STAGES=3

begin() {
        # shellcheck disable=SC1091
        . "$LUVM_TOP/tests/vm/guest/clients.sh"
        check 'the bus is up' start_bus
        check "stage $STAGE: the daemon is ready" start_daemon
        start_client vm-a --size 16
        start_client vm-b --size 16 --direct
}

jump() {
        client_says vm-a 'takes part'
        client_says vm-b 'takes part'
        liveupdatectl --json=short jobs >"$LUVM_SHARED/jobs-$STAGE"
        liveupdatectl update
        not_ok "stage $STAGE: the update" "$(tail -n 20 "$DAEMON_LOG")"
}

arrived() {
        client_says vm-a 'memory is intact'
        client_says vm-b 'memory is intact'
        client_says vm-a 'finished'
        client_says vm-b 'finished'
        check 'the state is normal again' wait_for 10 state_is normal
        like "$(liveupdatectl job "$1" 2>&1)" 'done' "job $1 crossed the kexec and is done"
}

stage1() {
        begin
        jump
}

stage2() {
        begin
        arrived 1
        isnt "$RELEASE" "$(<"$LUVM_SHARED/release-1")" 'the kernel has changed'
        liveupdatectl timeline >&2
        jump
}

stage3() {
        begin
        arrived 2
        liveupdatectl timeline >&2
}
