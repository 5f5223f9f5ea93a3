# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2054,SC2153
#
# VFs whose DMA runs on through a live update, without an IOMMU: an NVMe controller with a
# disk for each VF that takes a fifth of a second for each read. The VFs are given 63 reads
# by the call before reboot(2); what they completed between that and the first look of the
# new kernel was written while kernels changed. The PF's DMA stops: the policy is each
# function's own.

PLAN=58
SHIM=1
STAGES=2
DEADLINE=120
DEVICES=('-object throttle-group,id=slow1,x-iops-total=5'
        '-object throttle-group,id=slow2,x-iops-total=5'
        '-blockdev null-co,node-name=zeroes1,size=1048576,read-zeroes=on'
        '-blockdev null-co,node-name=zeroes2,size=1048576,read-zeroes=on'
        '-blockdev throttle,node-name=disk1,file=zeroes1,throttle-group=slow1'
        '-blockdev throttle,node-name=disk2,file=zeroes2,throttle-group=slow2'
        'pcie-root-port,id=rp1,chassis=1,slot=1'
        'nvme-subsys,id=s0'
        'nvme,id=n0,serial=luvm,subsys=s0,bus=rp1,sriov_max_vfs=2,sriov_vq_flexible=4,sriov_vi_flexible=2,max_ioqpairs=6,msix_qsize=3'
        'nvme-ns,drive=disk1,nsid=1'
        'nvme-ns,drive=disk2,nsid=2')

SYS=/sys/kernel/liveupdate_vfio
NOTE=/run/luvm/shared/vfs

load() {
        PF=$(function_of 0x1b36 0x0010)
        mkdir -p /etc/modprobe.d
        printf '%s\n' 'options vfio-pci enable_sriov=1 disable_idle_d3=1' \
                'options vfio enable_unsafe_noiommu_mode=1' >/etc/modprobe.d/luvm.conf
        modprobe liveupdate_vfio
}

# A policy can be set for a function that is there, and must be before it is preserved.
policies() {
        local vf
        echo vfio-pci >"/sys/bus/pci/devices/$PF/driver_override"
        echo "$PF" >/sys/bus/pci/drivers_probe
        echo 2 >"/sys/bus/pci/devices/$PF/sriov_numvfs"
        for vf in "/sys/bus/pci/devices/$PF"/virtfn*; do
                check 'the DMA of a VF is to continue' tee "$SYS/policy" <<<"$(basename "$(readlink "$vf")") continue"
        done
        echo 0 >"/sys/bus/pci/devices/$PF/sriov_numvfs"
}

stage1() {
        # shellcheck source=../guest/vfio.sh
        . "$LUVM_TOP/tests/vm/guest/vfio.sh"
        load
        policies
        start_vfio one
        vfio_load
        tap_program luvm-vfs before vfs "$PF" 2 "$NOTE" running
        is "$(grep -c ' vf continue preserved' "$SYS/outgoing")" 2 'two VFs go out, with DMA'
        # What stays behind of it jumps; loading takes too long for the reads to be under way.
        kill -USR1 "$(<"$NOTE.pid")"
}

stage2() {
        load
        is "$(grep -c ' vf continue ' "$SYS/incoming")" 2 'two VFs came in'
        tap_program luvm-vfs after vfs "$PF" "$NOTE" running
}
