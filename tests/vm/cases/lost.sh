# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2153
#
# Somebody kexecs, past the daemon and its refusals, into a kernel that has no LUO, while
# an update is frozen: what was handed over is lost, and the daemon there says so, once.

PLAN=17
STAGES=2

begin() {
        # shellcheck disable=SC1091
        . "$LUVM_TOP/tests/vm/guest/clients.sh"
        check 'the bus is up' start_bus
        check 'the daemon is ready' start_daemon --state-directory="$LUVM_SHARED/state"
}

stage1() {
        begin
        start_client vm-a
        client_says vm-a 'takes part'
        refused 1 'image-no-luo' 'the daemon refuses a kernel without LUO' \
                liveupdatectl --json=short load "$LUVM_SHARED/kernel-no-luo" --initrd "$NEXT_INITRD"
        check 'load' liveupdatectl load "$NEXT_KERNEL" --initrd "$NEXT_INITRD" --append "$NEXT_APPEND"
        check 'prepare' liveupdatectl prepare
        check 'there is no record yet' test ! -e "$LUVM_SHARED/state/departure"
        check 'freeze' liveupdatectl freeze
        check 'the update is on record' test -s "$LUVM_SHARED/state/departure"
        luvm-kexec jump past-the-daemon 1 /etc/hostname "$NEXT_KERNEL" "$NEXT_INITRD" "${NEXT_CMDLINE//liveupdate=on/}"
        not_ok 'a kexec past the daemon' "$(tail -n 20 "$DAEMON_LOG")"
}

# Runs on the host, before the boot.
on_host() {
        python3 "$TOP/tests/vm/images/edit-bzimage" no-luo "$1/kernel-b" "$1/kernel-no-luo"
}

stage2() {
        begin
        check 'this kernel has no LUO' test ! -e /dev/liveupdate
        like "$(property Notice)" 'froze 1 sessions on .*nothing of it arrived.*without /dev/liveupdate' 'the loss is reported'
        like "$(liveupdatectl --json=short jobs)" 'handover-lost' 'the job says so, too'
        check 'the state is normal' state_is normal
        kill_daemon
        check 'the daemon comes back' restart_daemon
        like "$(property Notice)" 'nothing of it arrived' 'it is still said in this boot'
}
