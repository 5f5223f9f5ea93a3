# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2054,SC2153
#
# A restore-only initrd, which load builds around a large one of a host whose clients are to be
# started early: what came in is restored, and a client started, before the host's own initrd,
# as initramfs-tools makes it without our part, is unpacked and goes on. The native driver that
# is in there never touches the device that came in. What cannot be built is refused; what is
# damaged afterwards is said, and the boot goes on.

PLAN=25
STAGES=3
SHIM=1
DEADLINE=60
DEVICES=('pcie-root-port,id=rp1,chassis=1,slot=1' 'e1000e,bus=rp1'
        'pcie-root-port,id=rp2,chassis=2,slot=2' 'e1000e,bus=rp2')

on_host() {
        # shellcheck source=../host/initrd.sh
        . "$VM_DIR/host/initrd.sh"
        make_initrd initramfs-tools '' "$RELEASE_B" "$1/initrd-host-$RELEASE_B"
        make_initrd initramfs-tools '' "$RELEASE_A" "$1/initrd-host-$RELEASE_A"
}

# A client for a session that comes in, and one for a session that does not.
early_clients() {
        local exec=$LUVM_BUILD/tests/vm/guest/luvm-early
        mkdir -p /run/liveupdated/early.d
        printf '[Client]\nSession=vm-a\nExec=%s 1\n[Client]\nSession=never\nExec=%s 1\n' "$exec" "$exec" \
                >/run/liveupdated/early.d/test.conf
}

preserve() {
        start_vfio "out$STAGE"
        vfio_do physical
        vfio_do memory memory 1
        vfio_do open nic "$LISTED"
        vfio_do bind nic
        vfio_do attach nic
        vfio_do map memory 0x10000000
        vfio_do master nic on
        vfio_do write nic 0x5400 0x56554c02
        vfio_do memory more 16
        vfio_do create vm-a
        vfio_do preserve vm-a memory more 1
        vfio_do create s
        vfio_do preserve s memory memory 1
        vfio_do preserve s device nic 2
}

load_next() {
        local initrd=$1
        shift
        liveupdatectl load "$NEXT_KERNEL" --initrd "$initrd" "$@" --cmdline "$NEXT_CMDLINE boot=luvm init=$LUVM_TOP/tests/vm/guest/pid1"
}

stage1() {
        # shellcheck source=../guest/initrd.sh
        . "$LUVM_TOP/tests/vm/guest/initrd.sh"
        # shellcheck source=../guest/clients.sh
        . "$LUVM_TOP/tests/vm/guest/clients.sh"
        local initrd=$LUVM_SHARED/initrd-host-$LUVM_RELEASE_B
        export LIVEUPDATE_MKINITRD=$LUVM_BUILD/src/restore/liveupdate-mkinitrd
        begin
        early_clients
        check 'the bus is up' start_bus
        check 'the daemon is ready' start_daemon
        head -c 1000000 "$initrd" >/run/luvm/torn
        refused 1 'initrd is torn or damaged' 'a torn initrd of the host' load_next /run/luvm/torn --restore-initrd
        refused 1 'no kernel module liveupdate_vfio for the next kernel \(6\.6\.6\)' 'no modules' \
                load_next "$initrd" --restore-initrd --kernel-release=6.6.6
        is "$(property NextKernel)" 'a{ss} 0' 'nothing was loaded'
        preserve
        # Zeros may follow an archive.
        cp "$initrd" /run/luvm/large
        truncate -s "$(($(stat -c %s "$initrd") + (16 << 20)))" /run/luvm/large
        check 'a large one is loaded' load_next /run/luvm/large
        like "$(load_next /run/luvm/large 2>&1)" 'What comes in will be restored before .*large. is unpacked' 'in a restore-only one'
        bail "the jump: $(vfio reboot)"
}

unpacked='liveupdate-restore: The host.s initrd is unpacked: [0-9]* files'

stage2() {
        # shellcheck source=../guest/initrd.sh
        . "$LUVM_TOP/tests/vm/guest/initrd.sh"
        # shellcheck source=../guest/clients.sh
        . "$LUVM_TOP/tests/vm/guest/clients.sh"
        local file=$LUVM_SHARED/damaged at byte
        like "$(dmesg)" 'luvm-early: @/.*/luvm-early of session, session vm-a: 16777216 bytes' 'the client had its memory'
        first_of 'before the initrd of the host was unpacked' 'luvm-early: @.*16777216 bytes' "$unpacked"
        is "$(dmesg | grep -c 'could not be made')" 0 'all of it'
        came_home restore-only
        early_clients
        # Its checksum is wrong: all is there, but nobody can know.
        "$LUVM_BUILD/src/restore/liveupdate-mkinitrd" --kernel="$NEXT_KERNEL" --output="$file" \
                --initrd="$LUVM_SHARED/initrd-host-$LUVM_RELEASE_A" || bail 'it was not built'
        at=$(($(stat -c %s "$file") - 128))
        byte=$(dd if="$file" bs=1 skip="$at" count=1 status=none | od -An -tu1)
        # shellcheck disable=SC2059
        printf "\\x$(printf %x $((byte ^ 255)))" | dd of="$file" bs=1 seek="$at" conv=notrunc status=none
        start_vfio "out$STAGE"
        vfio_do memory more 16
        vfio_do create vm-a
        vfio_do preserve vm-a memory more 1
        vfio_do load "$NEXT_KERNEL" "$file" "$NEXT_CMDLINE boot=luvm init=$LUVM_TOP/tests/vm/guest/pid1"
        bail "the jump: $(vfio reboot)"
}

stage3() {
        # shellcheck source=../guest/initrd.sh
        . "$LUVM_TOP/tests/vm/guest/initrd.sh"
        like "$(dmesg)" 'luvm-early: @/.*/luvm-early of session, session vm-a: 16777216 bytes' 'the client had its memory'
        like "$(dmesg)" "liveupdate-restore: The host's initrd is torn or damaged" 'a damaged initrd is said'
        ok 'and the boot went on'
}
