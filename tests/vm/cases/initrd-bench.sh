# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2153
#
# How long from reboot(2) until a client has its memory back: a client that is started in an
# initrd of initramfs-tools, against the floor, an init in a small one that asks at once. Twice
# each, in turn, in one run; what counts is the ratio of the better ones. The aim is 1.2; what
# fails is far from it, because a busy host counts too.

PLAN=5
STAGES=5
SHIM=1
DEADLINE=120

on_host() {
        # shellcheck source=../host/initrd.sh
        . "$VM_DIR/host/initrd.sh"
        local release tree
        for release in "$RELEASE_A" "$RELEASE_B"; do
                make_initrd initramfs-tools 'ours early' "$release" "$1/initrd-early-$release"
        done
        tree=$(mktemp -d)
        cp -- "$BUILD/tests/vm/guest/luvm-early" "$tree/init"
        cp -- "$VM_DIR/guest/init" "$tree/init.next"
        (cd "$tree" && printf 'init\ninit.next\n' | cpio --quiet -o -H newc -R 0:0 | gzip -1) >"$tree/cpio"
        cat -- "$INITRAMFS" "$tree/cpio" >"$1/initrd-floor"
        rm -rf -- "$tree"
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
jump_early() {
        local release=$LUVM_RELEASE_B
        ((STAGE % 2)) || release=$LUVM_RELEASE_A
        jump "initrd-early-$release" boot=luvm "init=$LUVM_TOP/tests/vm/guest/pid1"
}

# arrived WHO: ticks from the jump to the retrieve, for all stages to come.
arrived() {
        local tick
        tick=$(dmesg | sed -n "s/.*luvm-early: .* session vm-a: 16777216 bytes at tick \([0-9]*\)$/\1/p")
        isnt "$tick" '' "stage $STAGE: $1 had the memory"
        echo $((tick - $(<"$LUVM_SHARED/stamp"))) >>"$LUVM_SHARED/ticks-$1"
}

stage1() { jump_floor; }
stage2() { arrived floor; jump_early; }
stage3() { arrived early; jump_floor; }
stage4() { arrived floor; jump_early; }
stage5() {
        local floor early ratio
        arrived early
        floor=$(sort -n "$LUVM_SHARED/ticks-floor" | head -n 1)
        early=$(sort -n "$LUVM_SHARED/ticks-early" | head -n 1)
        ratio=$((early * 100 / floor))
        diag "ticks: floor $(tr '\n' ' ' <"$LUVM_SHARED/ticks-floor"), client in the initrd $(tr '\n' ' ' <"$LUVM_SHARED/ticks-early")"
        if ((ratio < 300)); then ok "$ratio % of the floor"; else not_ok "$ratio % of the floor, which is too much"; fi
}
