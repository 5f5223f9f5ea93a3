# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2054,SC2153
#
# SR-IOV VFs through live updates, behind an Intel IOMMU: an NVMe controller and its four
# VFs on vfio-pci. Stages 2 and 3: all come back with their state and do DMA again, twice
# in a row. Stage 4: nobody takes them back, and FINISH turns the VFs off. Stage 5: VFs
# that did not make it are not mixed up with new ones. Stage 6: VFs that were on but not
# handed over are cleared as on a cold boot. First of all, a kernel without patch 0002
# refuses VFs; as far as the module can tell, that is one without the symbol it looks for,
# so it is made to look for another.

PLAN=210
SHIM=1
STAGES=6
DEADLINE=120
# With interrupt remapping a timer tick that a busy host delays is a panic at boot.
APPEND=no_timer_check
DEVICES=('intel-iommu,intremap=on,caching-mode=on'
        'pcie-root-port,id=rp1,chassis=1,slot=1'
        'nvme-subsys,id=s0'
        'nvme,serial=luvm,subsys=s0,bus=rp1,sriov_max_vfs=4,sriov_vq_flexible=8,sriov_vi_flexible=4,max_ioqpairs=10,msix_qsize=5')

SYS=/sys/kernel/liveupdate_vfio
NOTE=/run/luvm/shared/vfs

numvfs() { echo "$1" >"/sys/bus/pci/devices/$PF/sriov_numvfs"; }

# sriov OFFSET.WIDTH: a register of the PF's SR-IOV capability, in hex.
sriov() { setpci -s "$PF" "ECAP10+$1"; }

# The shim comes before any driver that could take what it keeps; it pulls in vfio-pci,
# whose parameters have to be known by then. Then comes the PF's native driver.
load() {
        PF=$(function_of 0x1b36 0x0010)
        mkdir -p /etc/modprobe.d
        echo 'options vfio-pci enable_sriov=1 disable_idle_d3=1' >/etc/modprobe.d/luvm.conf
        modprobe liveupdate_vfio
        modprobe nvme
}

to_vfio() {
        echo vfio-pci >"/sys/bus/pci/devices/$PF/driver_override"
        [[ ! -e /sys/bus/pci/devices/$PF/driver ]] || echo "$PF" >"/sys/bus/pci/devices/$PF/driver/unbind"
        echo "$PF" >/sys/bus/pci/drivers_probe
}

driver() { basename "$(readlink "/sys/bus/pci/devices/$PF/driver")"; }

jump() {
        echo nothing >/run/nothing
        luvm-kexec jump "jump-$STAGE" 1 /run/nothing "$NEXT_KERNEL" "$NEXT_INITRD" "$NEXT_CMDLINE"
}

# What a kernel without patch 0002 looks like to the module.
without_patch() {
        local file
        file=$(modinfo -n liveupdate_vfio)
        rmmod liveupdate_vfio
        sed s/pci_iov_keeps_vfs/pci_iov_keeps_n0t/g "$file" >/run/other.ko
        isnt "$(cksum </run/other.ko)" "$(cksum <"$file")" 'a module that looks for another symbol'
        check 'it loads without the patch' insmod /run/other.ko
        is "$(<"$SYS/features")" 'vfio dma-continue' 'and does not offer VFs'
        tap_program luvm-vfs refused "$PF" 95
        numvfs 0
        rmmod liveupdate_vfio
        modprobe liveupdate_vfio
}

stage1() {
        load
        to_vfio
        without_patch
        like "$(<"$SYS/features")" '(^| )vf( |$)' 'with the patch VFs are offered'
        tap_program luvm-vfs before vfs "$PF" 4 "$NOTE"
        is "$(grep -c ' vf stop preserved' "$SYS/outgoing")" 4 'four VFs go out'
        jump
}

stage2() {
        load
        is "$(driver)" vfio-pci 'the PF is on vfio-pci, not on its native driver'
        is "$(grep -c ' vf stop ' "$SYS/incoming")" 4 'four VFs came in'
        tap_program luvm-vfs after vfs "$PF" "$NOTE" again
        jump
}

stage3() {
        load
        tap_program luvm-vfs after again "$PF" "$NOTE"
        is "$(grep -c finished "$SYS/incoming")" 5 'all five are finished'
        numvfs 0
        is "$(sriov 8.w)" 0010 'the VFs can be turned off as always'
        tap_program luvm-vfs before third "$PF" 4 "$NOTE"
        jump
}

stage4() {
        load
        is "$(sriov 8.w) $(sriov 10.w)" '0011 0004' 'the VFs are enabled, without Memory Space'
        tap_program luvm-vfs abandon third
        is "$(sriov 8.w) $(sriov 10.w)" '0010 0000' 'VFs that were never adopted are off'
        is "$(dmesg | grep -c 'VF 00.[1-4] is finished but was never adopted')" 4 'each VF was made quiet by itself before'
        like "$(dmesg | grep VFs)" 'kept and never adopted' 'and the log says so'
        like "$(setpci -s "$PF" COMMAND)" '[0-9a-f]{3}[0-3]' 'the PF has no Bus Master'
        numvfs 2
        is "$(sriov 8.w) $(sriov 10.w)" '0019 0002' 'new ones can be made'
        numvfs 0
        tap_program luvm-vfs before fourth "$PF" 4 "$NOTE"
        jump
}

# What a next kernel without the patch would do to the VFs before any module is there.
stage5() {
        PF=$(function_of 0x1b36 0x0010)
        is "$(sriov 8.w)" 0011 'the VFs are enabled'
        setpci -s "$PF" ECAP10+8.w=0010
        setpci -s "$PF" ECAP10+10.w=0
        load
        is "$(grep -c ' vf stop failed' "$SYS/incoming")" 4 'VFs that were cleared are lost'
        numvfs 4
        tap_program luvm-vfs lost fourth
        jump
}

stage6() {
        load
        is "$(sriov 8.w) $(sriov 10.w)" '0010 0000' 'VFs that nobody handed over are gone'
        to_vfio
        numvfs 3
        is "$(sriov 8.w) $(sriov 10.w)" '0019 0003' 'new ones can be made here too'
}
