# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2153
#
# What must be refused before anything is preserved: next kernels that cannot take over,
# and a /dev/liveupdate that somebody else holds.

PLAN=25
STAGES=1

KINDS=(no-luo no-kho no-memfd other-luo-abi other-kho-abi other-memfd-abi truncated not-a-kernel)

# Runs on the host, before the boot: packing a kernel again takes long under emulation.
on_host() {
        local kind
        for kind in same "${KINDS[@]}"; do
                python3 "$TOP/tests/vm/images/edit-bzimage" "$kind" "$1/kernel-b" "$1/kernel-$kind" &
        done
        wait
}

# reason KIND: what the refusal must say.
reason() {
        case $1 in
        no-luo) echo image-no-luo ;;
        no-kho) echo image-no-kho ;;
        no-memfd) echo image-no-memfd ;;
        other-luo-abi) echo image-luo-abi ;;
        other-kho-abi) echo image-kho-abi ;;
        other-memfd-abi) echo image-memfd-abi ;;
        truncated) echo image-truncated ;;
        not-a-kernel) echo image-not-a-kernel ;;
        esac
}

loaded() { cat /sys/kernel/kexec/loaded 2>/dev/null || cat /sys/kernel/kexec_loaded; }

stage1() {
        # shellcheck disable=SC1091
        . "$LUVM_TOP/tests/vm/guest/clients.sh"
        local kind
        printf '[Luo]\nBusyTimeoutSec=2\n' >/run/liveupdated/liveupdated.conf.d/60-case.conf
        check 'the bus is up' start_bus
        check 'the daemon is ready' start_daemon
        start_client vm-a
        client_says vm-a 'takes part'

        for kind in "${KINDS[@]}"; do
                refused 1 "$(reason "$kind")" "a kernel that is '$kind' is refused" \
                        liveupdatectl --json=short load "$LUVM_SHARED/kernel-$kind" --initrd "$NEXT_INITRD"
        done
        is "$(loaded)" 0 'none of them was loaded'
        refused 1 'no-image' 'an update without a kernel is refused' \
                liveupdatectl --json=short prepare
        check 'the state is normal' state_is normal
        check 'a kernel that was packed again is taken' \
                liveupdatectl load "$LUVM_SHARED/kernel-same" --initrd "$NEXT_INITRD"
        refused 1 'image-luo-abi' 'a bad kernel does not replace a good one' \
                liveupdatectl --json=short load "$LUVM_SHARED/kernel-other-luo-abi"
        is "$(loaded)" 1 'the good one stays loaded'

        # Somebody else has the device.
        exec 9</dev/liveupdate
        refused 1 'luo-busy' 'the plan knows that somebody has the device' liveupdatectl --json=short plan
        refused 1 'luo-busy.*held by process' 'a device that stays busy is a clear error that names who has it' liveupdatectl --json=short prepare
        check 'the state is normal again' wait_for 10 state_is normal
        client_says vm-a 'cannot prepare'
        (exec 8<&9; /run/luvm/busybox sleep 1) &
        exec 9<&-
        check 'a device that is busy for a while is waited for' liveupdatectl prepare
        check 'the state is prepared' state_is prepared
        check 'unload is refused while prepared' not liveupdatectl unload
        check 'cancel' liveupdatectl cancel
}

not() { ! "$@"; }
