# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2054,SC2153
#
# DMA through three kexecs in a row, without an IOMMU: an e1000e with policy `continue`
# receives a host's 1,250 packets a second throughout, each into memory that is preserved,
# and none is lost. Beside it the negative control, the same with policy `stop`: nothing is
# written while kernels change, and its sender has to drop packets; so what the first one
# shows is the shim's doing. Bus Master is read at every step.

PLAN=72
STAGES=4
SHIM=1
DEADLINE=120
DEVICES=('pcie-root-port,id=rp1,chassis=1,slot=1' 'e1000e,bus=rp1,netdev=net0'
        'pcie-root-port,id=rp2,chassis=2,slot=2' 'e1000e,bus=rp2,netdev=net1')
SENDERS=('net0 5000' 'net1 60')

ENTRIES=32768 IOVA_ON=0x10000000 IOVA_OFF=0x20000000

begin() {
        # shellcheck source=../guest/vfio.sh
        . "$LUVM_TOP/tests/vm/guest/vfio.sh"
        # shellcheck disable=SC2046 # addresses
        set -- $(functions_of 0x8086 0x10d3)
        ON=$1 OFF=$2 BRIDGE=$(bridges_above "$1")
}

# All of it: the function that continues, the bridge above it, the one that stops.
masters() { master "$ON" "$BRIDGE" "$OFF"; }

# ring_is MEMORY: nothing lost or damaged so far; the figures go into RING.
ring_is_good() {
        RING=$(vfio ring-poll "$1" "$2")
        diag "stage $STAGE: $1: $RING"
        is "$(value lost <<<"$RING") $(value corrupt <<<"$RING") $(value foreign <<<"$RING")" '0 0 0' "stage $STAGE: $1: no packet is lost or damaged"
}

preserve() {
        vfio_do create "s$STAGE"
        vfio_is ok "stage $STAGE: memory of the one that goes on" preserve "s$STAGE" memory on 1
        vfio_is ok "stage $STAGE: the one that goes on" preserve "s$STAGE" device on 2
        vfio_is ok "stage $STAGE: memory of the one that stops" preserve "s$STAGE" memory off 3
        vfio_is ok "stage $STAGE: the one that stops" preserve "s$STAGE" device off 4
        vfio_load
        ring_is_good on 200
        value dropped <<<"$RING" >"$LUVM_SHARED/dropped"
        ring_is_good off 200
        is "$(masters)" 111 "stage $STAGE: Bus Master before the jump"
        bail "the jump: $(vfio reboot)"
}

stage1() {
        begin
        load_shim
        to_vfio "$ON" "$OFF"
        shim_policy "$ON" continue
        start_vfio one
        vfio_do physical
        vfio_do memory on 16
        vfio_do memory off 16
        for name in on off; do
                vfio_do open $name "$([[ $name == on ]] && echo "$ON" || echo "$OFF")"
                vfio_do bind $name
                vfio_do attach $name
                vfio_do master $name on
        done
        vfio_do map on "$IOVA_ON"
        vfio_do map off "$IOVA_OFF"
        vfio_do ring-setup on on $ENTRIES
        vfio_do ring-setup off off $ENTRIES
        vfio address on 0 >"$LUVM_SHARED/address"
        RING=$(vfio ring-poll on 1500)
        preserve
}

# blackout NAME ADDRESS: packets that the device wrote from reboot(2) to first user space.
blackout() {
        local state
        state=$(vfio ring-state "$1")
        echo $(((HEAD[$1] - $(value mark <<<"$state") + ENTRIES) % ENTRIES))
}

next() {
        declare -A HEAD
        local written before
        begin
        is "$(masters)" 110 "stage $STAGE: Bus Master as the new kernel starts"
        HEAD[on]=$(luvm-vfio peek "$ON" 0x2810) HEAD[off]=$(luvm-vfio peek "$OFF" 0x2810)
        load_shim
        is "$(masters)" 110 "stage $STAGE: and with the shim"
        is "$(shim_state incoming "$ON") + $(shim_state incoming "$OFF")" 'function continue waiting vfio-pci + function stop waiting vfio-pci' \
                "stage $STAGE: both came in"
        start_vfio one
        vfio_do physical
        vfio_do recover "s$((STAGE - 1))"
        vfio_do take "s$((STAGE - 1))" 1 memory on
        vfio_do take "s$((STAGE - 1))" 2 device on
        vfio_do take "s$((STAGE - 1))" 3 memory off
        vfio_do take "s$((STAGE - 1))" 4 device off
        is "$(masters)" 110 "stage $STAGE: after RETRIEVE_FD"
        vfio_do bind on
        vfio_do bind off
        is "$(masters)" 110 "stage $STAGE: after BIND"
        vfio_do attach on
        vfio_do attach off
        vfio_do map on "$IOVA_ON"
        vfio_do map off "$IOVA_OFF"
        is "$(vfio address on 0)" "$(<"$LUVM_SHARED/address")" "stage $STAGE: the memory is where it was"
        vfio_do ring-open on on
        vfio_do ring-open off off
        written=$(blackout on)
        diag "stage $STAGE: $written packets were written while the kernel changed"
        check "stage $STAGE: packets were written while the kernel changed" test "$written" -gt 100
        # The last look and the freeze are not the same moment.
        check "stage $STAGE: but not by the one that stops" test $(($(blackout off) * 5)) -lt "$written"
        ring_is_good on 1
        before=$(value received < <(vfio ring-state off))
        vfio_is ok "stage $STAGE: FINISH" finish "s$((STAGE - 1))"
        is "$(masters)" 110 "stage $STAGE: Bus Master after FINISH"
        is "$(shim_list held)" '' "stage $STAGE: nothing is held any more"
        vfio_do drop "s$((STAGE - 1))"
        vfio_do master off on
        ring_is_good on 300
        is "$(value dropped <<<"$RING")" "$(<"$LUVM_SHARED/dropped")" "stage $STAGE: the sender got rid of every packet since the last kernel"
        ring_is_good off 300
        check "stage $STAGE: the ring of the one that stopped goes on" test "$(value received <<<"$RING")" -gt $((before + 20))
        check "stage $STAGE: its sender had to drop packets" test "$(value dropped <<<"$RING")" -gt 100
}

again() {
        shim_policy "$ON" continue
        preserve
}

stage2() {
        next
        again
}

stage3() {
        next
        again
}

stage4() {
        next
}
