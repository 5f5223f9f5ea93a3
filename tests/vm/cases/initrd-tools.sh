# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2054,SC2153
#
# As initrd-dracut, with an initrd by initramfs-tools. And a module that hangs while it is
# loaded does not stop the boot.

PLAN=22
STAGES=3
SHIM=1
DEADLINE=60
DEVICES=('pcie-root-port,id=rp1,chassis=1,slot=1' 'e1000e,bus=rp1'
        'pcie-root-port,id=rp2,chassis=2,slot=2' 'e1000e,bus=rp2')

on_host() {
        # shellcheck source=../host/initrd.sh
        . "$VM_DIR/host/initrd.sh"
        make_initrd initramfs-tools ours "$RELEASE_B" "$1/initrd-ours"
        make_initrd initramfs-tools '' "$RELEASE_A" "$1/initrd-without"
}

stage1() {
        # shellcheck source=../guest/initrd.sh
        . "$LUVM_TOP/tests/vm/guest/initrd.sh"
        begin
        check 'nothing came in' "$RESTORE"
        printf '[Luo]\nModules=luvm_hang no_such_module\n' >/run/liveupdated/liveupdated.conf.d/60-hang.conf
        refused 1 'Still loading the modules with handlers after 5 s' 'a module that hangs: the boot goes on' \
                "$RESTORE" --timeout=5s
        rm /run/liveupdated/liveupdated.conf.d/60-hang.conf
        check 'it does not matter to the next' "$RESTORE" --timeout=10s
        preserve_and_jump initrd-ours boot=luvm
}

stage2() {
        # shellcheck source=../guest/initrd.sh
        . "$LUVM_TOP/tests/vm/guest/initrd.sh"
        came_home ours
        preserve_and_jump initrd-without boot=luvm
}

stage3() {
        # shellcheck source=../guest/initrd.sh
        . "$LUVM_TOP/tests/vm/guest/initrd.sh"
        was_taken without
}
