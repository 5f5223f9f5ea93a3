# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2054,SC2153
#
# The kernel's own initrd, made by dracut, in which udev loads the native driver of a device
# that came in: with our part in it the driver never touches the device, be PID 1 a shell
# script or systemd; without it, it does.

PLAN=33
STAGES=4
SHIM=1
DEADLINE=60
DEVICES=('pcie-root-port,id=rp1,chassis=1,slot=1' 'e1000e,bus=rp1'
        'pcie-root-port,id=rp2,chassis=2,slot=2' 'e1000e,bus=rp2')

on_host() {
        # shellcheck source=../host/initrd.sh
        . "$VM_DIR/host/initrd.sh"
        make_initrd dracut ours "$RELEASE_B" "$1/initrd-shell"
        make_initrd dracut 'ours systemd' "$RELEASE_A" "$1/initrd-systemd"
        make_initrd dracut '' "$RELEASE_B" "$1/initrd-without"
}

stage1() {
        # shellcheck source=../guest/initrd.sh
        . "$LUVM_TOP/tests/vm/guest/initrd.sh"
        begin
        check 'nothing came in' "$RESTORE"
        preserve_and_jump initrd-shell rd.shell=0 rd.emergency=poweroff
}

stage2() {
        # shellcheck source=../guest/initrd.sh
        . "$LUVM_TOP/tests/vm/guest/initrd.sh"
        came_home shell
        preserve_and_jump initrd-systemd rd.shell=0 rd.emergency=poweroff
}

stage3() {
        # shellcheck source=../guest/initrd.sh
        . "$LUVM_TOP/tests/vm/guest/initrd.sh"
        came_home systemd
        first_of 'systemd: before PID 1' 'liveupdate-restore: 1 PCI function' 'systemd\[1\]: Running in initrd'
        preserve_and_jump initrd-without rd.shell=0 rd.emergency=poweroff
}

stage4() {
        # shellcheck source=../guest/initrd.sh
        . "$LUVM_TOP/tests/vm/guest/initrd.sh"
        was_taken without
}
