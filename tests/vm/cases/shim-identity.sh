# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2054,SC2153
#
# DMA that runs on behind an Intel IOMMU with iommu=pt, through the daemon: only for who
# says Dma=keep-identity, and the plan then says that there is no isolation. The VM manager
# maps each page of its memory where it really is, so that the device needs no translation
# while there is none. It stops for the time between RETRIEVE_FD and ATTACH, in which VFIO
# has nothing mapped; the sender has to wait then, but loses nothing.

PLAN=37
STAGES=2
SHIM=1
DEADLINE=120
APPEND=iommu=pt
DEVICES=('intel-iommu,intremap=on,caching-mode=on' 'pcie-root-port,id=rp1,chassis=1,slot=1' 'e1000e,bus=rp1,netdev=net0')
SENDERS=('net0 10000')

ENTRIES=32768

# rule DMA
rule() {
        mkdir -p /etc/liveupdated/rules.d
        printf '[Rule]\nId=8086:10d3\nDma=%s\n' "$1" >/etc/liveupdated/rules.d/nic.conf
}

begin() {
        # shellcheck source=../guest/vfio.sh
        . "$LUVM_TOP/tests/vm/guest/vfio.sh"
        # shellcheck source=../guest/clients.sh
        . "$LUVM_TOP/tests/vm/guest/clients.sh"
        NIC=$(function_of 0x8086 0x10d3)
        BRIDGE=$(bridges_above "$NIC")
        load_shim
        check "stage $STAGE: the bus is up" start_bus
        check "stage $STAGE: the daemon is ready" start_daemon
        start_vfio vm
}

ring_is_good() {
        RING=$(vfio ring-poll ring "$1")
        diag "stage $STAGE: $RING"
        is "$(value lost <<<"$RING") $(value corrupt <<<"$RING") $(value foreign <<<"$RING")" '0 0 0' "stage $STAGE: no packet is lost or damaged"
}

# planned REASON DESCRIPTION: the plan has that reason, and does not stand in the way.
planned() {
        local text
        text=$(liveupdatectl plan --device "$NIC" 2>&1)
        diag "$text"
        like "$text" "$1" "$2"
}

stage1() {
        rule keep
        begin
        to_vfio "$NIC"
        is "$(<"/sys/bus/pci/devices/$NIC/iommu_group/type")" identity 'the group has no translation of its own'
        vfio_do open nic "$NIC"
        vfio_do memory ring 16
        vfio_do bind nic
        vfio_do attach nic
        vfio_is ok 'each page can be mapped where it is' map-identity ring
        vfio_do master nic on
        vfio_do ring-setup nic ring $ENTRIES
        ring_is_good 1500
        vfio address ring 0 >"$LUVM_SHARED/address"
        check 'the daemon loads a kernel' liveupdatectl load "$NEXT_KERNEL" --initrd "$NEXT_INITRD" --append "$NEXT_APPEND"
        planned 'only passes the device.s addresses through' 'Dma=keep is not enough, says the plan'
        check 'the daemon is stopped' stop_daemon
        rule keep-identity
        check 'the daemon is ready again' start_daemon
        check 'the daemon loads the kernel again' liveupdatectl load "$NEXT_KERNEL" --initrd "$NEXT_INITRD" --append "$NEXT_APPEND"
        planned 'no IOMMU confines the device' 'Dma=keep-identity: the plan says that there is no isolation'
        vfio_is ok 'a session of the daemon' bus-create vm
        vfio_is ok 'the daemon preserves the memory' preserve vm memory ring 1
        vfio_is DmaUndeclared 'the device is refused if its memory is not declared' preserve vm device nic 2
        vfio_is ok 'the daemon preserves the device' preserve vm device nic 2 1
        is "$(shim_state outgoing "$NIC")" 'function identity preserved' 'it goes out, with DMA'
        like "$(dmesg)" 'DMA continues without isolation' 'and the kernel says what that means'
        ring_is_good 200
        value dropped <<<"$RING" >"$LUVM_SHARED/dropped"
        # Until the kernel goes; nobody waits for the answer.
        echo 'ring-poll ring 3600000' >&"${VFIO_IN[vm]}"
        liveupdatectl update --device "$NIC"
        not_ok 'the update' "$(tail -n 20 "$DAEMON_LOG")"
}

stage2() {
        local written state
        begin
        is "$(master "$NIC" "$BRIDGE")" 11 'Bus Master is on, of the device and the bridge'
        is "$(shim_state incoming "$NIC")" 'function identity waiting vfio-pci' 'it came in'
        vfio_is ok 'the session is back' bus-recover vm
        vfio_is ok 'so is the memory' take vm 1 memory ring
        HEAD=$(luvm-vfio peek "$NIC" 0x2810)
        vfio_is ok 'so is the device' take vm 2 device nic
        is "$(master "$NIC" "$BRIDGE")" 01 'Bus Master of the device is off now'
        check 'the daemon saw that' wait_for 5 grep -q "$NIC is retrieved; Bus Master is off until its client has attached it" "$DAEMON_LOG"
        check 'no register is against the policy' liveupdatectl verify
        vfio_do bind nic
        vfio_do attach nic
        vfio_is ok 'each page is mapped where it is' map-identity ring
        is "$(vfio address ring 0)" "$(<"$LUVM_SHARED/address")" 'which is where it was'
        vfio_do ring-open nic ring
        state=$(vfio ring-state ring)
        written=$(((HEAD - $(value mark <<<"$state") + ENTRIES) % ENTRIES))
        diag "$written packets were written while the kernel changed"
        check 'packets were written while the kernel changed' test "$written" -gt 100
        vfio_do master nic on
        ring_is_good 300
        vfio_is ok 'FINISH' finish vm
        check 'the update is done' wait_for 10 state_is normal
        ring_is_good 300
        is "$(value dropped <<<"$RING")" "$(<"$LUVM_SHARED/dropped")" 'the sender got rid of every packet'
        is "$(dmesg | grep -c 'DMAR:.*fault')" 0 'the IOMMU had nothing to stop'
}
