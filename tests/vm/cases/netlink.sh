# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2054,SC2153
#
# The kernel's uevents when drivers, functions and VFs come and go, and the VF settings of
# network interfaces: the ports of src/sys on a real kernel.

PLAN=57
STAGES=1
DEVICES=('e1000e'
        'pcie-root-port,id=rp0,chassis=1,slot=1'
        'nvme-subsys,id=s0'
        'nvme,serial=luvm,subsys=s0,bus=rp0,sriov_max_vfs=4,sriov_vq_flexible=8,sriov_vi_flexible=4,max_ioqpairs=10,msix_qsize=5')

PCI=/sys/bus/pci

# during WORDS FILE: into OUT, the uevents while the words are written to the file.
during() {
        # shellcheck disable=SC2016 # for that shell
        OUT=$(luvm-netlink watch bash -c 'echo "$1" >"$2"' luvm "$1" "$2" 3>&-)
}

# seen COUNT LINE DESCRIPTION: in OUT.
seen() {
        local n
        n=$(grep -cxF -e "$2" <<<"$OUT")
        if [[ $n == "$1" ]]; then ok "$3"; else not_ok "$3" "$n times, not $1: $2"$'\n'"$OUT"; fi
}

drivers() {
        local nic
        nic=$(function_of 0x8086 0x10d3)
        isnt "$nic" '' 'there is a network card'
        OUT=$(luvm-netlink watch modprobe e1000e 3>&-)
        seen 1 "bind pci $nic self e1000e" 'a driver that binds is seen'
        seen 1 "add net $nic child -" 'so is its network interface, as one of that card'
        is "$(luvm-netlink ifindex "$nic")" "$(cat "$PCI/devices/$nic"/net/*/ifindex)" 'the card is found by its address'
        during "$nic" "$PCI/drivers/e1000e/unbind"
        seen 1 "unbind pci $nic self -" 'a driver that goes is seen'
        seen 1 "remove net $nic child -" 'so is its network interface'
        refused 1 'No such device' 'the card has no interface now' luvm-netlink ifindex "$nic"
        modprobe pci-stub
        echo pci-stub >"$PCI/devices/$nic/driver_override"
        during "$nic" "$PCI/drivers_probe"
        seen 1 "bind pci $nic self pci-stub" 'another driver is seen by its name'

        # Gone without a word from its driver, and back.
        during 1 "$PCI/devices/$nic/remove"
        seen 1 "remove pci $nic self -" 'a function that is removed is seen'
        check 'it is gone' test ! -e "$PCI/devices/$nic"
        during 1 "$PCI/rescan"
        seen 1 "add pci $nic self -" 'a function that is found again is seen'
        seen 1 'lost 0' 'no event was lost'
}

virtual_functions() {
        local pf port vf line vfs=()
        pf=$(function_of 0x1b36 0x0010)
        isnt "$pf" '' 'there is an NVMe controller'
        is "$(<"$PCI/devices/$pf/sriov_totalvfs")" 4 'it has VFs'
        # A driver that probes at once, and none for the VFs.
        modprobe pci-pf-stub
        echo pci-pf-stub >"$PCI/devices/$pf/driver_override"
        echo "$pf" >"$PCI/drivers_probe"
        echo 0 >"$PCI/devices/$pf/sriov_drivers_autoprobe"
        during 4 "$PCI/devices/$pf/sriov_numvfs"
        line=$OUT
        for vf in "$PCI/devices/$pf"/virtfn*; do
                vf=$(readlink "$vf")
                vfs+=("${vf##*/}")
        done
        is "${#vfs[@]}" 4 'its VFs are there'
        seen 1 "change pci $pf self pci-pf-stub" 'that the PF changed is seen'
        for vf in "${vfs[@]}"; do
                seen 1 "add pci $vf self -" "VF $vf is seen as it comes"
        done
        is "$(grep -c '^add pci ' <<<"$line")" 4 'nothing else came'
        during 0 "$PCI/devices/$pf/sriov_numvfs"
        for vf in "${vfs[@]}"; do
                seen 1 "remove pci $vf self -" "VF $vf is seen as it goes"
        done
        # The root port, and with it what is behind it.
        port=$(realpath "$PCI/devices/$pf/..")
        port=${port##*/}
        during 1 "$PCI/devices/$port/remove"
        line=$(grep '^remove pci [^ ]* self' <<<"$OUT")
        is "$line" "remove pci $pf self -"$'\n'"remove pci $port self -" 'of a port that is removed, the function behind it goes first'
        check 'the controller is gone' test ! -e "$PCI/devices/$pf"
        during 1 "$PCI/rescan"
        line=$(grep '^add pci [^ ]* self' <<<"$OUT")
        is "$line" "add pci $port self -"$'\n'"add pci $pf self -" 'found again, it comes after the port'
}

netdevsim() {
        local index numvfs=/sys/bus/netdevsim/devices/netdevsim1/sriov_numvfs
        modprobe netdevsim
        echo '1 1' >/sys/bus/netdevsim/new_device
        index=$(cat /sys/bus/netdevsim/devices/netdevsim1/net/*/ifindex)
        is "$(luvm-netlink vfs "$index")" '0 of 0' 'a PF without VFs has no settings'
        echo 4 >"$numvfs"
        is "$(luvm-netlink vfs "$index")" '4 of 4' 'its VFs are read'
        tap_program luvm-netlink settings "$index"
        echo 0 >"$numvfs"
        is "$(luvm-netlink vfs "$index")" '0 of 0' 'VFs that are gone have none'
}

stage1() {
        drivers
        tap_program luvm-netlink port /sys/devices/virtual/net/lo/uevent
        virtual_functions
        netdevsim
}
