# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2054,SC2153
#
# The filter on the other path to configuration space, by ports (pci=nommconf), and on the
# buses of a second host bridge: the bits are held there too, and all other bits pass.

PLAN=12
STAGES=2
SHIM=1
APPEND=pci=nommconf
DEVICES=('pxb-pcie,id=pxb,bus_nr=64' 'pcie-root-port,id=rp1,bus=pxb,chassis=1,slot=1' 'e1000e,bus=rp1' 'edu,bus=pcie.0')

begin() {
        # shellcheck source=../guest/vfio.sh
        . "$LUVM_TOP/tests/vm/guest/vfio.sh"
        NIC=$(function_of 0x8086 0x10d3)
        EDU=$(function_of 0x1234 0x11e8)
        BRIDGE=$(bridges_above "$NIC")
        load_shim
}

stage1() {
        local name token=1
        begin
        like "$NIC" '^0000:4[1-9a-f]:' 'the device is below the second host bridge'
        is "$(setpci -s "$NIC" 100.l)" ffffffff 'there is no extended configuration space'
        to_vfio "$NIC" "$EDU"
        start_vfio one
        vfio_do physical
        vfio_do create s
        for name in NIC EDU; do
                shim_policy "${!name}" continue
                vfio_do open "$name" "${!name}"
                vfio_do bind "$name"
                vfio_do attach "$name"
                vfio_do master "$name" on
                vfio_is ok "$name: PRESERVE_FD" preserve s device "$name" $((token++))
        done
        vfio_jump
}

# write ADDRESS REGISTER: says what Bus Master and INTx Disable are then.
write() {
        setpci -s "$1" "$2"
        printf '%s%d ' "$(master "$1")" $((0x$(setpci -s "$1" 4.w) >> 10 & 1))
}

stage2() {
        local address
        begin
        is "$(master "$NIC" "$BRIDGE" "$EDU")" 111 'Bus Master is on'
        for address in "$NIC" "$BRIDGE" "$EDU"; do
                setpci -s "$address" 4.w=407
                is "$(write "$address" 4.b=3; write "$address" 4.w=403; write "$address" 4.l=3)" '11 11 10 ' "$address: Bus Master is held, INTx Disable passes"
        done
        is "$(shim_list held | wc -l)" 3 'three rules'
        start_vfio one
        vfio_do recover s
        vfio_is ok 'FINISH' finish s
        is "$(master "$NIC" "$EDU")" 00 'what was not retrieved is quiet'
        is "$(shim_list held)" '' 'nothing is held'
}
