# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2054,SC2153
#
# DMA that is to run on behind an IOMMU. While kernels change nothing translates, so it is
# refused where a domain is in use; with iommu=pt, in the second kernel, it is done for who
# says `continue-identity`, and the log says what that means.

PLAN=14
STAGES=3
SHIM=1
APPEND=no_timer_check
DEVICES=('intel-iommu,intremap=on,caching-mode=on' 'pcie-root-port,id=rp1,chassis=1,slot=1' 'e1000e,bus=rp1')

begin() {
        # shellcheck source=../guest/vfio.sh
        . "$LUVM_TOP/tests/vm/guest/vfio.sh"
        NIC=$(function_of 0x8086 0x10d3)
}

set_up() {
        load_shim
        to_vfio "$NIC"
        start_vfio one
        vfio_do open nic "$NIC"
        vfio_do bind nic
        vfio_do attach nic
        vfio_do master nic on
        vfio_do create s
}

stage1() {
        begin
        set_up
        shim_policy "$NIC" continue
        vfio_is EPERM 'continue is refused' preserve s device nic 1
        is "$(dmesg | grep -c 'DMA cannot continue: an IOMMU domain is in use')" 1 'and the log says why, once'
        shim_policy "$NIC" continue-identity
        vfio_is EPERM 'where the IOMMU translates, so is continue-identity' preserve s device nic 1
        shim_policy "$NIC" default
        vfio_is ok 'stop is not, and is the default' preserve s device nic 1
        is "$(shim_state outgoing "$NIC")" 'function stop preserved' 'it goes out'
        NEXT_CMDLINE+=' iommu=pt'
        vfio_jump
}

stage2() {
        begin
        is "$(master "$NIC")" 0 'Bus Master is off'
        load_shim
        start_vfio one
        vfio_do recover s
        vfio_do take s 1 device nic
        vfio_do bind nic
        vfio_do attach nic
        vfio_do finish s
        vfio_do drop s
        vfio_do master nic on
        vfio_do create t
        shim_policy "$NIC" continue
        vfio_is EPERM 'iommu=pt: continue is refused' preserve t device nic 1
        is "$(dmesg | grep -c 'without isolation')" 0 'iommu=pt: nobody was warned'
        shim_policy "$NIC" continue-identity
        vfio_is ok 'iommu=pt: continue-identity is not' preserve t device nic 1
        like "$(dmesg)" 'DMA continues without isolation' 'iommu=pt: the log says what that means'
        vfio_jump
}

stage3() {
        begin
        is "$(master "$NIC" "$(bridges_above "$NIC")")" 11 'Bus Master is on'
        load_shim
        is "$(shim_state incoming "$NIC")" 'function identity waiting vfio-pci' 'it came in'
        start_vfio one
        vfio_do recover t
        vfio_is ok 'FINISH without RETRIEVE_FD' finish t
        is "$(master "$NIC")" 0 'the device is quiet'
}
