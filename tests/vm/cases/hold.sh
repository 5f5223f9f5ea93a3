# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2054,SC2153
#
# Devices without a VM manager through two updates, behind an Intel IOMMU: the daemon loads
# the kernel module itself, holds an e1000e and an edu device, takes them along, takes them
# back, and goes on holding them. A pattern in each device's MSI data register, which any
# reset would clear and nobody writes, shows that neither was reset.

PLAN=62
STAGES=3
SHIM=1
DEADLINE=90
DEVICES=('intel-iommu,intremap=on,caching-mode=on'
        'pcie-root-port,id=rp1,chassis=1,slot=1'
        'e1000e,bus=rp1'
        'edu')

SHIM_DIR=/sys/kernel/liveupdate_vfio

begin() {
        # shellcheck disable=SC1091
        . "$LUVM_TOP/tests/vm/guest/clients.sh"
        NIC=$(function_of 0x8086 0x10d3) EDU=$(function_of 0x1234 0x11e8)
        check "stage $STAGE: the bus is up" start_bus
        check "stage $STAGE: the daemon is ready" start_daemon
        like "$(<"$DAEMON_LOG")" 'kernel module liveupdate_vfio is loaded' "stage $STAGE: it loaded the kernel module"
        diag "stage $STAGE: $(grep -o 'liveupdate_vfio is loaded.*' "$DAEMON_LOG" | tail -n 1)"
        like "$(property Capabilities)" '"vfio"' "stage $STAGE: VFIO devices can go along"
}

# shown ADDRESS: the column UPDATE, from JSON.
shown() {
        liveupdatectl --json=short devices | tr '{' '\n' | sed -n "s/^\"address\":\"$1\".*\"update\":\(.*\)}.*/\1/p" | tr -d '"]}'
}

# state incoming|outgoing ADDRESS
state() { sed -n "s/^$2 [^ ]* [^ ]* \(.*[^ ]\) *$/\1/p" "$SHIM_DIR/$1"; }

# data ADDRESS [VALUE]: the MSI data register (64-bit addresses).
data() { setpci -s "$1" "CAP_MSI+0xc.w${2:+=$2}"; }

driver() { basename "$(readlink "/sys/bus/pci/devices/$1/driver" || :)"; }

not() { ! "$@"; }

hold() {
        local address
        check 'both are held' liveupdatectl device hold "$NIC" "$EDU"
        for address in "$NIC" "$EDU"; do
                is "$(driver "$address")" vfio-pci "$address: its driver"
                is "$(shown "$address")" held "$address: shown"
                data "$address" 5aa5
        done
        refused 1 'holds this device already' 'held twice' liveupdatectl device hold "$NIC"
        like "$(liveupdatectl status)" "Held: $EDU $NIC|Held: $NIC $EDU" 'status names them'
        check 'one is released' liveupdatectl device release "$EDU"
        is "$(driver "$EDU")" '' 'it has no driver, as before'
        check 'and held again' liveupdatectl device hold "$EDU"
        data "$EDU" 5aa5
}

rollback() {
        check 'prepare' liveupdatectl prepare
        is "$(state outgoing "$NIC")" 'function stop preserved' 'the card is preserved'
        is "$(state outgoing "$EDU")" 'function stop preserved' 'so is edu'
        is "$(shown "$EDU")" 'held, preserved' 'and it is shown'
        refused 1 'not possible' 'nothing is released in an update' liveupdatectl device release "$EDU"
        check 'cancel' liveupdatectl cancel
        is "$(<"$SHIM_DIR/outgoing")" '' 'nothing is preserved any more'
        is "$(shown "$NIC")" held 'but held'
}

load() {
        check "stage $STAGE: a kernel is loaded" \
                liveupdatectl load "$NEXT_KERNEL" --initrd "$NEXT_INITRD" --append "$NEXT_APPEND"
        liveupdatectl plan --device "$NIC" --device "$EDU" >&2
        check "stage $STAGE: nothing is in the way" liveupdatectl -q plan --device "$NIC" --device "$EDU"
}

jump() {
        liveupdatectl update
        not_ok "stage $STAGE: the update" "$(tail -n 20 "$DAEMON_LOG")"
}

arrived() {
        local address
        check "stage $STAGE: the update is over by itself" wait_for 20 state_is normal
        like "$(liveupdatectl job 2>&1)" 'Devices: 2 expected, 2 arrived, 0 lost' "stage $STAGE: both devices arrived"
        like "$(liveupdatectl job 2>&1)" 'State: done' "stage $STAGE: the job is done"
        for address in "$NIC" "$EDU"; do
                is "$(shown "$address")" 'held, finished' "stage $STAGE: $address is held again"
                is "$(data "$address")" 5aa5 "stage $STAGE: and was not reset"
        done
        like "$(<"$DAEMON_LOG")" "$NIC is retrieved; Bus Master is off, as it was handed over" "stage $STAGE: Bus Master as handed over"
        check "stage $STAGE: configuration space is as it was" liveupdatectl verify
        is "$(property Notice)" 's ""' "stage $STAGE: there is nothing to notice"
        liveupdatectl timeline >&2
}

stage1() {
        begin
        hold
        load
        rollback
        jump
}

stage2() {
        begin
        arrived
        load
        jump
}

stage3() {
        begin
        arrived
        check 'one is released' liveupdatectl device release "$NIC"
        is "$(shown "$NIC")" finished 'and not held any more'
        modprobe e1000e
        check 'its driver can have it now' rebound "$NIC"
        refused 1 'Another driver has the device' 'a driver is not robbed' liveupdatectl device hold "$NIC"
        check 'but on demand' liveupdatectl device hold --rebind "$NIC"
        is "$(driver "$NIC")" vfio-pci 'of its device'
        check 'the driver gets it back' liveupdatectl device release "$NIC"
        is "$(driver "$NIC")" e1000e 'when that is over'
}

# rebound ADDRESS: to whatever driver likes to.
rebound() {
        echo "$1" >"/sys/bus/pci/devices/$1/driver/unbind"
        echo >"/sys/bus/pci/devices/$1/driver_override"
        echo "$1" >/sys/bus/pci/drivers_probe
        [[ $(driver "$1") == e1000e ]]
}
