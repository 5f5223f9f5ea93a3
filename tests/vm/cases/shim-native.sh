# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2054,SC2153
#
# A native driver in the new kernel, a module that is loaded after the shim: it never probes
# the device that came in, and probes another one of the same kind as ever. After FINISH and
# release the device is like any other: it is reset, and the native driver takes it. One that
# is built in would be there before the shim: the plan finds it beforehand.

PLAN=30
STAGES=2
SHIM=1
DEVICES=('pcie-root-port,id=rp1,chassis=1,slot=1' 'e1000e,bus=rp1'
        'pcie-root-port,id=rp2,chassis=2,slot=2' 'e1000e,bus=rp2' 'virtio-balloon-pci,disable-legacy=on')

begin() {
        # shellcheck source=../guest/vfio.sh
        . "$LUVM_TOP/tests/vm/guest/vfio.sh"
        # shellcheck disable=SC2046 # addresses
        set -- $(functions_of 0x8086 0x10d3)
        LISTED=$1 OTHER=$2
        load_shim
}

# probes ADDRESS: how often the native driver took it, by its own words; it says more than
# one line each time.
probes() { dmesg | grep -c "e1000e $1.*registered PHC clock\|e1000e $1.*: Intel(R) PRO/1000 Network Connection"; }

# The daemon is asked and stopped: LUO is used without it here.
planned() {
        local balloon
        # shellcheck source=../guest/clients.sh
        . "$LUVM_TOP/tests/vm/guest/clients.sh"
        balloon=$(function_of 0x1af4 0x1045)
        to_vfio "$balloon"
        check 'the bus is up' start_bus
        check 'the daemon is ready' start_daemon
        refused any '"native-builtin".*virtio' 'a driver that is built in is in the way' liveupdatectl --json=short plan --device "$balloon"
        is "$(liveupdatectl --json=short plan --device "$LISTED" 2>&1 | grep -c native-)" 0 'one that is a module is not'
        check 'the daemon is stopped' stop_daemon
}

stage1() {
        begin
        planned
        check 'the native driver loads' modprobe e1000e
        is "$(driver_of "$LISTED") $(driver_of "$OTHER")" 'e1000e e1000e' 'it takes both devices'
        isnt "$(probes "$LISTED")" 0 'and says so'
        to_vfio "$LISTED"
        start_vfio one
        vfio_do physical
        vfio_do memory memory 1
        vfio_do open nic "$LISTED"
        vfio_do bind nic
        vfio_do attach nic
        vfio_do map memory 0x10000000
        vfio_do master nic on
        vfio_do write nic 0x5400 0x56554c02
        vfio_do create s
        vfio_do preserve s memory memory 1
        vfio_is ok 'PRESERVE_FD' preserve s device nic 2
        like "$(cat "/sys/bus/pci/devices/$LISTED/reset_method")" 'flr|pm|bus' 'it can be reset'
        vfio_jump
}

# untouched DESCRIPTION
untouched() {
        is "$(probes "$LISTED")" 0 "$1: the native driver did not probe it"
        is "$(luvm-vfio peek "$LISTED" 0x5400)" $((0x56554c02)) "$1: its registers are as they were"
        is "$(driver_of "$LISTED")" vfio-pci "$1: it has the driver that it had"
}

# Somebody who insists.
force() {
        echo "$LISTED" >"/sys/bus/pci/devices/$LISTED/driver/unbind"
        echo "$LISTED" >/sys/bus/pci/drivers/e1000e/bind
        echo "$LISTED" >/sys/bus/pci/drivers_probe
}

stage2() {
        begin
        is "$(<"/sys/bus/pci/devices/$LISTED/driver_override")" vfio-pci 'the driver that it had is set'
        check 'the native driver loads after the shim' modprobe e1000e
        untouched loaded
        is "$(driver_of "$OTHER")" e1000e 'another device is probed as ever'
        isnt "$(probes "$OTHER")" 0 'and the driver says so'
        force 2>/dev/null
        untouched forced
        is "$(cat "/sys/bus/pci/devices/$LISTED/reset_method")" '' 'it has no way to be reset'
        refused any . 'not even by hand' tee "/sys/bus/pci/devices/$LISTED/reset" <<<1
        start_vfio one
        vfio_do physical
        vfio_do recover s
        vfio_do take s 1 memory memory
        vfio_is ok 'RETRIEVE_FD' take s 2 device nic
        vfio_do bind nic
        vfio_is 56554c02 'nobody has reset it' read nic 0x5400
        vfio_is ok 'FINISH' finish s
        vfio_do drop s
        is "$(cat "/sys/bus/pci/devices/$LISTED/reset_method")" "$(cat "/sys/bus/pci/devices/$OTHER/reset_method")" 'it can be reset again'
        vfio_do close nic
        echo "$LISTED" >"/sys/bus/pci/devices/$LISTED/driver/unbind"
        echo >"/sys/bus/pci/devices/$LISTED/driver_override"
        echo "$LISTED" >/sys/bus/pci/drivers_probe
        is "$(driver_of "$LISTED")" e1000e 'once it is free the native driver takes it'
        isnt "$(luvm-vfio peek "$LISTED" 0x5400)" $((0x56554c02)) 'and it was reset'
        like "$(ls "/sys/bus/pci/devices/$LISTED/net")" . 'and it is a network interface'
        check 'the shim can go' rmmod liveupdate_vfio
}
