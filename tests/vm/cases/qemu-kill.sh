# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2153
#
# QEMU is killed in each phase: the update comes to nothing, and the machine next to it
# goes on. In the next kernel what came over is damaged in each way that can be thought
# of: every time the machine is refused with the reason, what was preserved stays so, and
# once it is mended the guest counts on.

PLAN=48
STAGES=2
DEADLINE=150

begin() {
        # shellcheck disable=SC1091
        . "$LUVM_TOP/tests/vm/guest/clients.sh"
        # shellcheck disable=SC1091
        . "$LUVM_TOP/tests/vm/guest/inner.sh"
        check 'the bus is up' start_bus
        check "stage $STAGE: the daemon is ready" start_daemon
}

kill_qemu() {
        local pid rest
        read -r pid rest <"/run/liveupdate-qemu/$1/process"
        kill -9 "$pid"
}

adapter_ended() { [[ ! -e /proc/$(<"/run/luvm/adapter-$1.pid") ]]; }

# qemu_dies NAME WHEN: its adapter ends with it, and one goes on in the old state.
qemu_dies() {
        kill_qemu "$1"
        check "killed while $2: the adapter ends" wait_for 20 adapter_ended "$1"
        check "killed while $2: the state is normal" wait_for 20 state_is normal
        inner_runs one "killed while $2: the other guest counts on"
}

boots() {
        start_inner "$1"
        check "$1 boots" wait_for 60 inner_counts_past "$1" 0
        adapter_says "$1" 'runs as process'
}

stage1() {
        begin
        boots one
        boots a
        qemu_dies a running
        check 'a kernel is loaded' liveupdatectl load "$NEXT_KERNEL" --initrd "$NEXT_INITRD" --append "$NEXT_APPEND"
        boots b
        check 'prepare' liveupdatectl prepare
        qemu_dies b prepared
        boots c
        check 'prepare again' liveupdatectl prepare
        check 'freeze' liveupdatectl freeze
        qemu_dies c frozen

        inner_count one >"$LUVM_SHARED/count-one"
        liveupdatectl update
        not_ok 'the update after all that' "$(tail -n 20 "$DAEMON_LOG" "$(adapter_log one)")"
}

is_loading() { grep -q ' loading$' /run/liveupdate-qemu/one/process; }

# not_back REGEX DESCRIPTION: resume refuses, and says what can be done.
not_back() {
        refused 1 "$1.*stay preserved" "$2" "$LUVM_BUILD/src/qemu/liveupdate-qemu" resume one
}

# Runs in the place of QEMU, with a device that the machine did not have.
make_wrapper() {
        cp "$1" "$1-real" # beside it: QEMU looks for its modules and firmware from where it is
        # shellcheck disable=SC2016
        printf '#!/bin/sh\nexec %s "$@" -device virtio-rng-pci\n' "$1-real" >/run/luvm/wrapper
        chmod +x /run/luvm/wrapper
}

stage2() {
        local disk qemu
        begin
        disk=$(inner_disk one)
        check 'a bit of the state flips' luvm-tear one 2 flip 200000
        start_inner one
        adapter_says one 'checksum'
        adapter_says one 'stay preserved'
        check 'the adapter has ended' wait_for 20 adapter_ended one
        not_back 'not what was saved' 'a flipped state is refused again'
        check 'and flips back' luvm-tear one 2 flip 200000

        check 'the state is cut' luvm-tear one 2 cut 100000 /run/luvm/rest
        not_back 'has 100000 bytes' 'a torn state is refused'
        check 'and mended' luvm-tear one 2 paste /run/luvm/rest

        truncate -s +512 "$disk"
        not_back 'had 8388608 bytes' 'a changed disk is refused'
        truncate -s -512 "$disk"
        mv "$disk" "$disk.away"
        not_back 'No such file' 'a missing disk is refused'
        mv "$disk.away" "$disk"

        qemu=$(readlink -f "$(type -p qemu-system-x86_64)")
        make_wrapper "$qemu"
        check 'QEMU is another program' mount --bind /run/luvm/wrapper "$qemu"
        not_back 'other devices' 'a machine with another device is refused'
        check 'QEMU is itself again' umount "$qemu"

        start_inner one
        check 'QEMU is loading' wait_for 30 is_loading
        kill_qemu one
        adapter_says one 'cannot be brought back'
        adapter_says one 'runs as process'
        check 'the guest counts on' wait_for 30 inner_counts_past one "$(<"$LUVM_SHARED/count-one")"
        check 'the state is normal' wait_for 20 state_is normal
        inner_whole one
}
