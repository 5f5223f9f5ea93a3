# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2054,SC2153
#
# Devices that came in and are unplugged, by their slots: one before anybody has retrieved
# it, and one that is in use, which VFIO keeps until its user lets go. Neither hangs, FINISH
# does not wait for the second, and nothing of either stays behind.

PLAN=16
STAGES=2
SHIM=1
# The slots' own hot-plug, by which a guest can unplug a device, not the one of ACPI.
DEVICES=('-global ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off'
        'pcie-root-port,id=rp1,chassis=1,slot=1' 'e1000e,bus=rp1' 'pcie-root-port,id=rp2,chassis=2,slot=2' 'e1000e,bus=rp2')
# On a debug kernel the first unplugging is reported, all of it being pciehp's: it takes
# its reset_lock and then the rescan lock, lets the first go while a driver is unbound, and
# takes it again under the second (pciehp_unconfigure_device(), drivers/pci/hotplug/pciehp_pci.c).
# Lockdep is silent from there on; the order of the module's own locks shows in the other cases.
CONSOLE_ALLOW=('possible circular locking dependency detected.* irq/[0-9]+-pciehp/[0-9]+ is trying to acquire lock: .*&ctrl->reset_lock'
        'pciehp against itself')

begin() {
        # shellcheck source=../guest/vfio.sh
        . "$LUVM_TOP/tests/vm/guest/vfio.sh"
        # shellcheck disable=SC2046 # addresses
        set -- $(functions_of 0x8086 0x10d3)
        WAITING=$1 USED=$2
        load_shim
        start_vfio one
        vfio_do physical
}

stage1() {
        local name
        begin
        to_vfio "$WAITING" "$USED"
        vfio_do create s
        for name in WAITING USED; do
                shim_policy "${!name}" continue
                vfio_do open "$name" "${!name}"
                vfio_do bind "$name"
                vfio_do attach "$name"
                vfio_do master "$name" on
                vfio_is ok "$name: PRESERVE_FD" preserve s device "$name" ${#name}
        done
        vfio_jump
}

# gone ADDRESS: from the bus.
gone() { wait_for 10 test ! -e "/sys/bus/pci/devices/$1"; }

stage2() {
        local pid
        begin
        check 'a device that nobody has retrieved is unplugged' tee /sys/bus/pci/slots/1/power <<<0
        check 'it is gone' gone "$WAITING"
        is "$(shim_state incoming "$WAITING")" 'function continue failed -' 'it is lost'
        vfio_do recover s
        vfio_is ENODEV 'it has no descriptor' take s 7 device gone
        vfio_is ok 'the other has one' take s 4 device used
        vfio_do bind used
        vfio_do attach used
        echo 0 >/sys/bus/pci/slots/2/power 2>/dev/null 3>&- &
        pid=$!
        check 'the other is being unplugged' wait_for 10 log_says 'blocked until released by user'
        check 'but it is in use' test -e "/sys/bus/pci/devices/$USED"
        vfio_is ok 'FINISH does not wait' finish s
        is "$(shim_state incoming "$USED" | cut -d ' ' -f 3)" finished 'it is finished'
        is "$(shim_list held)" '' 'nothing is held'
        vfio_do close used
        check 'its user let go, and it is gone' gone "$USED"
        wait "$pid"
        check 'its session ends' test "$(vfio drop s)" = ok
        is "$(shim_list held)" '' 'nothing is left'
        check 'the shim can go' rmmod liveupdate_vfio
}

log_says() { dmesg | grep -q "$1"; }
