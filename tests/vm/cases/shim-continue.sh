# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2054,SC2153
#
# DMA that runs on, the whole way: a device rule with Dma=keep, a VM manager that hands its
# memory and its device, without an IOMMU, to the daemon on the bus and says where the
# device writes, and two updates by liveupdatectl. It polls its ring until the kernel goes;
# what is in the ring beyond that when the next one starts was written by the device alone.

PLAN=50
STAGES=3
SHIM=1
DEADLINE=120
DEVICES=('pcie-root-port,id=rp1,chassis=1,slot=1' 'e1000e,bus=rp1,netdev=net0')
SENDERS=('net0 5000')

ENTRIES=32768

begin() {
        # shellcheck source=../guest/vfio.sh
        . "$LUVM_TOP/tests/vm/guest/vfio.sh"
        # shellcheck source=../guest/clients.sh
        . "$LUVM_TOP/tests/vm/guest/clients.sh"
        NIC=$(function_of 0x8086 0x10d3)
        BRIDGE=$(bridges_above "$NIC")
        mkdir -p /etc/liveupdated/rules.d
        printf '[Rule]\nId=8086:10d3\nDma=keep\n' >/etc/liveupdated/rules.d/nic.conf
        HEAD=$(luvm-vfio peek "$NIC" 0x2810)
        load_shim
        check "stage $STAGE: the bus is up" start_bus
        check "stage $STAGE: the daemon is ready" start_daemon
        start_vfio vm
        vfio_do physical
}

attach() {
        vfio_do bind nic
        vfio_do attach nic
        vfio_do map ring 0x10000000
}

ring_is_good() {
        RING=$(vfio ring-poll ring "$1")
        diag "stage $STAGE: $RING"
        is "$(value lost <<<"$RING") $(value corrupt <<<"$RING") $(value foreign <<<"$RING")" '0 0 0' "stage $STAGE: no packet is lost or damaged"
}


hand_over() {
        vfio_is ok "stage $STAGE: a session of the daemon" bus-create vm
        vfio_is ok "stage $STAGE: the daemon preserves the memory" preserve vm memory ring 1
        if ((STAGE == 1)); then
                vfio_is DmaUndeclared 'the device is refused if its memory is not declared' preserve vm device nic 2
                vfio_is DmaMemoryMissing 'or if what is declared is not there' preserve vm device nic 2 7
                is "$(shim_list outgoing)" '' 'neither got as far as the kernel'
        fi
        vfio_is ok "stage $STAGE: the daemon preserves the device" preserve vm device nic 2 1
        is "$(shim_state outgoing "$NIC")" 'function continue preserved' "stage $STAGE: it goes out, with DMA"
        ring_is_good 200
        value dropped <<<"$RING" >"$LUVM_SHARED/dropped"
        # Until the kernel goes; nobody waits for the answer.
        echo 'ring-poll ring 3600000' >&"${VFIO_IN[vm]}"
        liveupdatectl update --device "$NIC"
        not_ok "stage $STAGE: the update" "$(tail -n 20 "$DAEMON_LOG")"
}

stage1() {
        begin
        to_vfio "$NIC"
        vfio_do open nic "$NIC"
        vfio_do memory ring 64
        vfio_do bind nic
        vfio_do attach nic
        vfio_do master nic on
        vfio_do map ring 0x10000000
        vfio_do ring-setup nic ring $ENTRIES
        ring_is_good 1500
        check 'the daemon loads a kernel' liveupdatectl load "$NEXT_KERNEL" --initrd "$NEXT_INITRD" --append "$NEXT_APPEND"
        PLAN_TEXT=$(liveupdatectl plan --device "$NIC")
        diag "$PLAN_TEXT"
        unlike_dma "$PLAN_TEXT"
        hand_over
}

# The plan has nothing to say about DMA that runs on without a limit.
unlike_dma() {
        if [[ $1 =~ dma- ]]; then not_ok 'the plan limits no DMA' "$1"; else ok 'the plan limits no DMA'; fi
}

next() {
        local written state
        begin
        is "$(master "$NIC" "$BRIDGE")" 11 "stage $STAGE: Bus Master is on, of the device and the bridge"
        is "$(shim_state incoming "$NIC")" 'function continue waiting vfio-pci' "stage $STAGE: it came in"
        vfio_is ok "stage $STAGE: the session is back" bus-recover vm
        vfio_is ok "stage $STAGE: so is the memory" take vm 1 memory ring
        vfio_is ok "stage $STAGE: so is the device" take vm 2 device nic
        check "stage $STAGE: the daemon saw Bus Master on" wait_for 5 \
                grep -q "$NIC is retrieved; Bus Master is on, as it was handed over" "$DAEMON_LOG"
        attach
        vfio_do ring-open nic ring
        state=$(vfio ring-state ring)
        written=$(((HEAD - $(value mark <<<"$state") + ENTRIES) % ENTRIES))
        diag "stage $STAGE: $written packets were written while the kernel changed"
        check "stage $STAGE: packets were written while the kernel changed" test "$written" -gt 100
        ring_is_good 1
        vfio_is ok "stage $STAGE: FINISH" finish vm
        check "stage $STAGE: the update is done" wait_for 10 state_is normal
        check "stage $STAGE: no register is against the policy" liveupdatectl verify
        is "$(master "$NIC" "$BRIDGE")" 11 "stage $STAGE: Bus Master after FINISH"
        ring_is_good 300
        is "$(value dropped <<<"$RING")" "$(<"$LUVM_SHARED/dropped")" "stage $STAGE: the sender got rid of every packet"
        diag "$(liveupdatectl job 2>&1)"
        vfio_do drop vm
}

stage2() {
        next
        hand_over
}

stage3() {
        next
}
