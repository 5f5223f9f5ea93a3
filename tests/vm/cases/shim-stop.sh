# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2054,SC2153
#
# Devices behind an Intel IOMMU, with DMA stopped, through three kexecs in a row: edu, a
# conventional PCI device, and an e1000e. The same descriptor comes back, to a device that
# was not reset: its registers and its own memory are as they were, it does DMA at the same
# addresses once it is attached again, and the ring goes on where it stood.

PLAN=89
STAGES=4
SHIM=1
DEADLINE=120
# With interrupt remapping a timer tick that a busy host delays is a panic at boot.
APPEND=no_timer_check
DEVICES=('intel-iommu,intremap=on,caching-mode=on' 'edu'
        'pcie-root-port,id=rp1,chassis=1,slot=1' 'e1000e,bus=rp1,netdev=net0')
SENDERS=('net0 60')

ENTRIES=4096 IOVA=0x1000000 IOVA_RING=0x40000000

begin() {
        # shellcheck source=../guest/vfio.sh
        . "$LUVM_TOP/tests/vm/guest/vfio.sh"
        EDU=$(function_of 0x1234 0x11e8)
        NIC=$(function_of 0x8086 0x10d3)
        load_shim
        start_vfio one
}

# attach DEVICE...
attach() {
        local device
        for device; do
                vfio_is ok "stage $STAGE: $device: BIND" bind "$device"
                vfio_is ok "stage $STAGE: $device: ATTACH" attach "$device"
        done
        vfio_do map buffer $IOVA
        vfio_do map ring $IOVA_RING
}

preserve() {
        vfio_do create "s$STAGE"
        vfio_do preserve "s$STAGE" memory buffer 1
        vfio_do preserve "s$STAGE" memory ring 2
        vfio_is ok "stage $STAGE: edu: PRESERVE_FD" preserve "s$STAGE" device edu 3
        vfio_is ok "stage $STAGE: nic: PRESERVE_FD" preserve "s$STAGE" device nic 4
        is "$(shim_state outgoing "$EDU") + $(shim_state outgoing "$NIC")" 'function stop preserved + function stop preserved' \
                "stage $STAGE: both go out"
        # What the next kernel finds: registers, and nearly 4 KiB inside the device.
        vfio_do write edu 4 $((0x11110000 + STAGE))
        vfio_do write edu 8 $((STAGE + 4))
        vfio_do fill buffer 0 4096 "$STAGE"
        vfio_is ok "stage $STAGE: edu: DMA into the device" edu-to edu buffer 0 4088
        vfio_do fill buffer 0 4096 99
        vfio_load
        vfio ring-poll ring 100 >/dev/null
        is "$(master "$EDU" "$NIC")" 11 "stage $STAGE: Bus Master before the jump"
        bail "the jump: $(vfio reboot)"
}

stage1() {
        begin
        to_vfio "$EDU" "$NIC"
        vfio_do open edu "$EDU"
        vfio_do open nic "$NIC"
        vfio_do memory buffer 1
        vfio_do memory ring 16
        attach edu nic
        vfio_do master edu on
        vfio_do master nic on
        vfio_do ring-setup nic ring $ENTRIES
        like "$(vfio ring-poll ring 500)" 'received=[1-9]' 'the ring receives'
        preserve
}

# What a reset, or a driver, would have changed; by sysfs, before anything is opened.
untouched() {
        is "$(master "$EDU" "$NIC")" 00 "stage $STAGE: Bus Master is off"
        is "$(driver_of "$EDU") $(driver_of "$NIC")" 'vfio-pci vfio-pci' "stage $STAGE: both have their driver"
        is "$(shim_state incoming "$EDU") + $(shim_state incoming "$NIC")" 'function stop waiting vfio-pci + function stop waiting vfio-pci' \
                "stage $STAGE: both came in"
        is "$(shim_list held | awk '{ print $1, $2, $4, $5, $7 }' | sort | tr '\n' ,)" \
                "$(printf '%s 004 0004 0000 dma-stop\n' "$EDU" "$NIC" | sort | tr '\n' ,)" "stage $STAGE: that they stop is held"
}

factorial() {
        local n=$1 product=1
        for ((; n > 1; n--)); do ((product *= n)); done
        echo $product
}

# registers: of edu, complement of what was written and a factorial; of the e1000e, its
# own address, ring, and receiver, which a reset clears.
registers() {
        local at
        echo -n "$(vfio read edu 4) $(vfio read edu 8)"
        for at in 0x5400 0x5404 0x0100 0x2800 0x2808; do
                echo -n " $(vfio read nic $at)"
        done
}

next() {
        local s=s$((STAGE - 1)) before
        begin
        untouched
        vfio_do recover "$s"
        vfio_do take "$s" 1 memory buffer
        vfio_do take "$s" 2 memory ring
        vfio_is ok "stage $STAGE: edu: RETRIEVE_FD" take "$s" 3 device edu
        vfio_is ok "stage $STAGE: nic: RETRIEVE_FD" take "$s" 4 device nic
        vfio_is EBUSY "stage $STAGE: FINISH waits for BIND" finish "$s"
        attach edu nic
        is "$(shim_state incoming "$EDU") + $(shim_state incoming "$NIC")" 'function stop bound vfio-pci + function stop bound vfio-pci' \
                "stage $STAGE: both are bound"
        is "$(registers)" "$(printf '%08x %08x 56554c02 8000024d 0403801a %08x %08x' $((0xffffffff ^ (0x11110000 + STAGE - 1))) \
                "$(factorial $((STAGE + 3)))" $((IOVA_RING + 4096)) $((ENTRIES * 16)))" \
                "stage $STAGE: the registers are as they were"
        is "$(master "$EDU" "$NIC")" 00 "stage $STAGE: Bus Master is the user's to set"
        vfio_do master edu on
        vfio_is ok "stage $STAGE: edu: DMA out of the device" edu-from edu buffer 8192 4088
        vfio_is ok "stage $STAGE: edu: its memory is as it was" same buffer 8192 4088 $((STAGE - 1))
        vfio_is ok "stage $STAGE: edu: and ours is, too" same buffer 0 4096 99
        vfio_do ring-open nic ring
        before=$(value received < <(vfio ring-state ring))
        vfio_do master nic on
        after=$(vfio ring-poll ring 500)
        diag "stage $STAGE: $after"
        check "stage $STAGE: nic: the ring goes on" test "$(value received <<<"$after")" -gt $((before + 20))
        is "$(value lost <<<"$after") $(value corrupt <<<"$after") $(value foreign <<<"$after")" '0 0 0' "stage $STAGE: nic: no packet is lost or damaged"
        vfio_is ok "stage $STAGE: FINISH" finish "$s"
        vfio_do drop "$s"
        is "$(master "$EDU" "$NIC")" 11 "stage $STAGE: FINISH leaves Bus Master alone"
        is "$(shim_list held)" '' "stage $STAGE: nothing is held any more"
}

stage2() {
        next
        preserve
}

stage3() {
        next
        preserve
}

stage4() {
        next
        vfio_is yes 'the device can be reset again' resettable nic
        vfio_do close edu
        vfio_do close nic
        is "$(master "$EDU" "$NIC")" 00 'closed devices do no DMA'
        check 'the shim can go' rmmod liveupdate_vfio
}
