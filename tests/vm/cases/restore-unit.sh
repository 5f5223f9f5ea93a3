# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2054,SC2153
#
# A host whose initrd has no part of ours, systemd as PID 1, and a native driver that
# systemd-modules-load loads: with liveupdate-restore.service enabled it never touches the
# device that came in; without, it does.

PLAN=20
STAGES=3
SHIM=1
DEADLINE=120
SYSTEMD=host
UNITS='liveupdate-restore.service'
DEVICES=('pcie-root-port,id=rp1,chassis=1,slot=1' 'e1000e,bus=rp1'
        'pcie-root-port,id=rp2,chassis=2,slot=2' 'e1000e,bus=rp2')

on_host() {
        mkdir -p "$1/install/etc/modules-load.d" "$1/install/etc/modprobe.d"
        echo e1000e >"$1/install/etc/modules-load.d/e1000e.conf"
        echo 'options vfio enable_unsafe_noiommu_mode=1' >"$1/install/etc/modprobe.d/luvm.conf"
}

stage1() {
        # shellcheck source=../guest/initrd.sh
        . "$LUVM_TOP/tests/vm/guest/initrd.sh"
        find_devices
        is "$(driver_of "$LISTED") $(driver_of "$OTHER")" 'e1000e e1000e' 'the native driver takes both devices'
        is "$(systemctl is-active liveupdate-restore)" active 'the unit ran'
        like "$(systemctl show -p Before liveupdate-restore)" 'systemd-udevd.service' 'before udev, if there is one'
        load_shim
        to_vfio "$LISTED"
        preserve_and_jump initramfs
}

# started UNIT: when its process was, in microseconds.
started() { systemctl show --value -p ExecMainStartTimestampMonotonic "$1"; }
ended() { systemctl show --value -p ExecMainExitTimestampMonotonic "$1"; }

stage2() {
        # shellcheck source=../guest/initrd.sh
        . "$LUVM_TOP/tests/vm/guest/initrd.sh"
        find_devices
        is "$(driver_of "$OTHER")" e1000e 'the native driver is loaded'
        is "$(probes "$LISTED")" 0 'it did not probe the device that came in'
        is "$(luvm-vfio peek "$LISTED" 0x5400)" $((0x56554c02)) 'whose registers are as they were'
        is "$(driver_of "$LISTED")" vfio-pci 'it is on vfio-pci'
        is "$(systemctl is-active liveupdate-restore)" active 'the unit is content'
        check 'it came before what loads modules' test "$(ended liveupdate-restore)" -lt "$(started systemd-modules-load)"
        like "$(journalctl -b --no-pager -u liveupdate-restore)" '1 PCI function came in through a live update: 1 ready' \
                'what it says is in the journal'
        start_vfio in
        vfio_do physical
        vfio_do recover s
        vfio_do take s 1 memory memory
        vfio_is ok 'RETRIEVE_FD' take s 2 device nic
        vfio_do bind nic
        vfio_is ok 'FINISH' finish s
        vfio_do drop s
        vfio_do close nic
        preserve_and_jump initramfs systemd.mask=liveupdate-restore.service
}

stage3() {
        # shellcheck source=../guest/initrd.sh
        . "$LUVM_TOP/tests/vm/guest/initrd.sh"
        is "$(systemctl is-active liveupdate-restore)" inactive 'the unit is masked'
        was_taken without
}
