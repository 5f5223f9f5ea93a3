# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2054,SC2153
#
# Debian forky's systemd, which uses LUO itself, as PID 1 of an initrd made there by dracut: it
# opens /dev/liveupdate before it starts any unit. With our part in the initrd the handler is
# there by then, and the native driver never touches the device that came in. Without it that
# open loses all that came in, and the device goes to its native driver.

PLAN=23
STAGES=3
SHIM=1
DEADLINE=60
DEVICES=('pcie-root-port,id=rp1,chassis=1,slot=1' 'e1000e,bus=rp1'
        'pcie-root-port,id=rp2,chassis=2,slot=2' 'e1000e,bus=rp2')
# PID 1 says all that it does.
WORDS=(rd.shell=0 udev.log_level=info rd.emergency=poweroff systemd.log_level=debug systemd.log_target=kmsg printk.devkmsg=on log_buf_len=8M)

on_host() {
        # shellcheck source=../host/initrd.sh
        . "$VM_DIR/host/initrd.sh"
        make_initrd dracut 'forky ours systemd' "$RELEASE_B" "$1/initrd-forky"
        make_initrd dracut 'forky systemd' "$RELEASE_A" "$1/initrd-without"
}

# is_new: PID 1 of the initrd opens the device itself. Two points.
is_new() {
        local version
        version=$(dmesg | sed -n 's/.*systemd\[1\]: systemd \([0-9]*\).* running in system mode.*/\1/p' | head -n 1)
        if ((${version:-0} >= 261)); then ok "$1: PID 1 is systemd $version"; else not_ok "$1: PID 1 is systemd 261 or later" "$version"; fi
        isnt "$(line_of 'systemd\[1\]: Running in initrd')" '' "$1: in the initrd"
}

stage1() {
        # shellcheck source=../guest/initrd.sh
        . "$LUVM_TOP/tests/vm/guest/initrd.sh"
        begin
        preserve_and_jump initrd-forky "${WORDS[@]}"
}

stage2() {
        # shellcheck source=../guest/initrd.sh
        . "$LUVM_TOP/tests/vm/guest/initrd.sh"
        is_new forky
        came_home forky
        first_of 'forky: the restore step comes first' 'liveupdate-restore: 1 PCI function' 'systemd\[1\]: Running in initrd'
        preserve_and_jump initrd-without
}

stage3() {
        # shellcheck source=../guest/initrd.sh
        . "$LUVM_TOP/tests/vm/guest/initrd.sh"
        is_new without
        find_devices
        is "$(dmesg | grep -c "liveupdate-restore: ")" 0 'without: nothing is restored in the initrd'
        first_of 'without: PID 1 opens the device before any unit' 'luo: Failed to deserialize files for session' 'systemd\[1\]: Starting '
        first_of 'without: since its open lost all that came in' 'luo: Failed to deserialize files for session' 'e1000e: Intel(R)'
        is "$(driver_of "$LISTED")" e1000e 'without: the native driver takes the device'
        isnt "$(luvm-vfio peek "$LISTED" 0x5400)" $((0x56554c02)) 'without: its registers are not as they were'
        load_shim
        start_vfio "in$STAGE"
        vfio_is EIO 'without: nothing can be retrieved any more' recover s
}
