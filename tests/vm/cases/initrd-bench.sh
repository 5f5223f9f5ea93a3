# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2153
#
# How long from reboot(2) until a client has its memory back, in one run: the floor, an init in
# a small initrd that asks at once; a client in a restore-only initrd, twice; and one in the
# initrd of initramfs-tools that is inside of that. The ratio to the floor counts; the aim is
# 1.2. Under TCG time is instructions, so a busy host hardly counts; but the write of the first
# time stamp waits for the host, so the better one of two counts, and what fails is farther off.

PLAN=5
STAGES=5
SHIM=1
COUNTED=1
DEADLINE=120

on_host() {
        # shellcheck source=../host/initrd.sh
        . "$VM_DIR/host/initrd.sh"
        local release
        for release in "$RELEASE_A" "$RELEASE_B"; do
                make_initrd initramfs-tools 'ours early' "$release" "$1/initrd-early-$release"
        done
        floor_initrd "$1/initrd-floor"
}

# jump INITRD [WORD...]
jump() {
        # shellcheck source=../guest/vfio.sh
        . "$LUVM_TOP/tests/vm/guest/vfio.sh"
        start_vfio "out$STAGE"
        vfio_do memory memory 16
        vfio_do create vm-a
        vfio_do preserve vm-a memory memory 1
        vfio_do load "$NEXT_KERNEL" "$LUVM_SHARED/$1" "$NEXT_CMDLINE ${*:2}"
        luvm-early stamp >"$LUVM_SHARED/stamp"
        bail "the jump: $(vfio reboot)"
}

jump_floor() { jump initrd-floor; }

next_release() { if ((STAGE % 2)); then echo "$LUVM_RELEASE_B"; else echo "$LUVM_RELEASE_A"; fi; }

jump_early() { jump "initrd-early-$(next_release)" boot=luvm "init=$LUVM_TOP/tests/vm/guest/pid1"; }

# The client of that initrd is at the same place here.
jump_restore() {
        mkdir -p /run/liveupdated/early.d
        cp -- "$LUVM_BUILD/tests/vm/guest/luvm-early" /usr/libexec/
        printf '[Client]\nSession=vm-a\nExec=/usr/libexec/luvm-early 1\n' >/run/liveupdated/early.d/vm-a.conf
        "$LUVM_BUILD/src/restore/liveupdate-mkinitrd" --kernel="$NEXT_KERNEL" --output="$LUVM_SHARED/initrd-restore" \
                --initrd="$LUVM_SHARED/initrd-early-$(next_release)" || bail 'no restore-only initrd'
        jump initrd-restore boot=luvm "init=$LUVM_TOP/tests/vm/guest/pid1"
}

# arrived WHO: ticks from the jump to the retrieve, for all stages to come.
arrived() {
        local tick
        tick=$(dmesg | sed -n "s/.*luvm-early: .* session vm-a: 16777216 bytes at tick \([0-9]*\)$/\1/p")
        isnt "$tick" '' "stage $STAGE: $1 had the memory"
        echo $((tick - $(<"$LUVM_SHARED/stamp"))) >>"$LUVM_SHARED/ticks-$1"
}

best() { sort -n "$LUVM_SHARED/ticks-$1" | head -n 1; }

stage1() { jump_floor; }
stage2() { arrived floor; jump_restore; }
stage3() { arrived restore; jump_early; }
stage4() { arrived early; jump_restore; }
stage5() {
        local who ratio limit=300
        arrived restore
        for who in floor restore early; do
                diag "$who: $(($(best "$who") * 100 / $(best floor))) % of the floor; ticks: $(tr '\n' ' ' <"$LUVM_SHARED/ticks-$who")"
        done
        [[ $LUVM_ACCEL != tcg ]] || limit=150
        ratio=$(($(best restore) * 100 / $(best floor)))
        if ((ratio <= limit)); then ok "$ratio % of the floor"; else not_ok "$ratio % of the floor, which is more than $limit"; fi
}
