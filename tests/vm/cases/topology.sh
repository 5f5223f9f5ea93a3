# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2054,SC2153
#
# The topology and the plan on real (emulated) devices behind an Intel IOMMU: root ports,
# a PCIe switch with a network card, a conventional device, an NVMe controller with VFs.
# Events keep it current, without a rescan; the plan says why each cannot go.

PLAN=37
STAGES=1
DEVICES=('intel-iommu,intremap=on,caching-mode=on'
        'pcie-root-port,id=rp1,chassis=1,slot=1'
        'x3130-upstream,id=up1,bus=rp1'
        'xio3130-downstream,id=dn1,bus=up1,chassis=2,slot=2'
        'xio3130-downstream,id=dn2,bus=up1,chassis=3,slot=3'
        'e1000e,bus=dn1'
        'edu'
        'pcie-root-port,id=rp2,chassis=4,slot=4'
        'nvme-subsys,id=s0'
        'nvme,serial=luvm,subsys=s0,bus=rp2,sriov_max_vfs=4,sriov_vq_flexible=8,sriov_vi_flexible=4,max_ioqpairs=10,msix_qsize=5')

PCI=/sys/bus/pci

# device ADDRESS PROPERTY: as busctl prints it.
device() {
        local path=${1//:/_3a}
        busctl get-property org.liveupdate1 "/org/liveupdate1/device/_3${path/./_2e}" org.liveupdate1.Device "$2"
}

# says ADDRESS PROPERTY VALUE
says() { [[ $(device "$1" "$2") == "$3" ]]; }

# plan_says ADDRESS CODE: the plan for this device lists the code for it.
plan_says() {
        liveupdatectl --json=short plan --device "$1" >"$LUVM_SHARED/plan.json" 2>/dev/null
        grep -q "\"$2\"" "$LUVM_SHARED/plan.json"
}

stale() { grep -q "plan stale:.*$1" "$LUVM_SHARED/monitor.log"; }

topology() {
        like "$TREE" "$NIC Ethernet" 'the network card is in the tree'
        says "$NIC" Parent "s \"$DOWN\""
        check 'its parent is a downstream port' says "$DOWN" Port 's "downstream"'
        check 'above that is the upstream port' says "$DOWN" Parent "s \"$UP\""
        check 'which is one' says "$UP" Port 's "upstream"'
        like "$(device "$UP" Parent)" '0000:00:' 'below a root port'
        check 'the edu device is on the root bus' says "$EDU" Parent 's ""'
        is "$(device "$NIC" Group)" "i $(basename "$(readlink "$PCI/devices/$NIC/iommu_group")")" 'the IOMMU group is right'
        like "$(device "$NIC" GroupType)" 'DMA' 'and translates'
        like "$(device "$NVME" Features)" 'sriov' 'the NVMe controller is a PF'
        check 'with four VFs to give' says "$NVME" TotalVfs 'q 4'
        like "$(device "$NIC" NativeDriver)" 'e1000e.*module' 'the native driver of the card is a module'
}

events() {
        modprobe nvme
        liveupdatectl monitor >"$LUVM_SHARED/monitor.log" 2>&1 3>&- &
        wait_for 5 test -e "$LUVM_SHARED/monitor.log"
        /run/luvm/busybox sleep 1
        echo 2 >"$PCI/devices/$NVME/sriov_numvfs"
        check 'two VFs are seen' wait_for 10 says "$NVME" NumVfs 'q 2'
        VF=$(basename "$(readlink "$PCI/devices/$NVME/virtfn0")")
        check 'a VF names its PF' wait_for 10 says "$VF" PhysFn "s \"$NVME\""
        check 'the plan for the PF is stale' wait_for 5 stale "$NVME"
        check 'the plan for the card is not' not stale "$NIC"
        check 'a VF cannot go on this kernel' plan_says "$VF" no-vf-support
        check 'the PF is not on vfio-pci' plan_says "$VF" pf-not-vfio
        echo 0 >"$PCI/devices/$NVME/sriov_numvfs"
        check 'the VFs are gone' wait_for 10 not device "$VF" Driver

        modprobe vfio-pci
        echo vfio-pci >"$PCI/devices/$NIC/driver_override"
        echo "$NIC" >"$PCI/drivers_probe"
        check 'the new driver is seen' wait_for 10 says "$NIC" Driver 's "vfio-pci"'
        check 'and the override' says "$NIC" DriverOverride 's "vfio-pci"'
        check 'the plan for the card is stale now' wait_for 5 stale "$NIC"

        echo 1 >"$PCI/devices/$EDU/remove"
        check 'a removed device is gone' wait_for 10 not device "$EDU" Driver
        echo 1 >"$PCI/rescan"
        check 'and seen again when it comes back' wait_for 10 says "$EDU" Port 's "none"'
        is "$(grep -c 'PCI topology is read' "$DAEMON_LOG")" 1 'there was no second scan'
}

plans() {
        check 'the kernel cannot carry VFIO devices' plan_says "$NIC" no-vfio-support
        check 'DMA has to stop: the IOMMU translates' plan_says "$NIC" dma-translated
        check 'an unknown device is told' plan_says 0000:7f:00.0 no-such-device
        refused 1 "$NIC" 'prepare is strict' liveupdatectl prepare --device "$NIC"
        check 'the state has not changed' state_is normal
        echo 1 >"$PCI/devices/$EDU/remove"
        wait_for 10 not device "$EDU" Driver
        echo 1 >"$PCI/rescan"
        wait_for 10 says "$EDU" Port 's "none"'
        refused 1 'device-hotplugged' 'a device that came after the plan is told' \
                liveupdatectl --json=short prepare --device "$EDU" --except "$NIC"
        check 'an exception lets it be lost' liveupdatectl prepare --device "$NIC" --except "$NIC"
        check 'and it is prepared' state_is prepared
        check 'cancel' liveupdatectl cancel
        like "$(liveupdatectl explain dma-stops)" 'DMA' 'a code is explained'
}

stage1() {
        # shellcheck disable=SC1091
        . "$LUVM_TOP/tests/vm/guest/clients.sh"
        check 'the bus is up' start_bus
        check 'the daemon is ready' start_daemon
        NIC=$(function_of 0x8086 0x10d3) EDU=$(function_of 0x1234 0x11e8) NVME=$(function_of 0x1b36 0x0010)
        UP=$(function_of 0x104c 0x8232) DOWN=$(basename "$(dirname "$(readlink -f "$PCI/devices/$NIC")")")
        TREE=$(liveupdatectl devices --tree)
        echo "$TREE"
        topology
        events
        check 'a kernel is loaded' liveupdatectl load "$NEXT_KERNEL" --initrd "$NEXT_INITRD" --append "$NEXT_APPEND"
        plans
}

not() { ! "$@"; }
