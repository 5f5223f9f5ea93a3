# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2054,SC2153
#
# VF settings through a live update: recorded by the daemon at FREEZE, carried by the
# manifest, found changed in the new kernel, put back with `verify --restore`.
#
# There is no emulated network card with VFs here (QEMU 7.2 has no igb, and the VFs of
# netdevsim are not on PCI), so one is put together: the functions, their VFs and their
# drivers are those of an NVMe controller, the network interface is netdevsim's, seen
# where a network driver would have put it, in the controller's directory in sysfs. For
# that an overlay lies over the directory, as sysfs takes no new ones. All else is the
# real thing: daemon, rtnetlink, netdevsim's own VF settings, kexec. That a card's driver
# does the same as netdevsim is not shown; that each setting goes there and back is in
# the case "netlink".

PLAN=19
STAGES=2
DEVICES=('pcie-root-port,id=rp0,chassis=1,slot=1'
        'nvme-subsys,id=s0'
        'nvme,serial=luvm,subsys=s0,bus=rp0,sriov_max_vfs=4,sriov_vq_flexible=8,sriov_vi_flexible=4,max_ioqpairs=10,msix_qsize=5')

PCI=/sys/bus/pci
SIM=/sys/bus/netdevsim/devices/netdevsim1

begin() {
        # shellcheck disable=SC1091
        . "$LUVM_TOP/tests/vm/guest/clients.sh"
        PF=$(function_of 0x1b36 0x0010)
        check 'the bus is up' start_bus
}

# The card: a PF with a driver that is not vfio-pci, VFs, and a network interface whose
# driver has as many.
make_card() {
        local real=/run/luvm/card dir
        modprobe pci-pf-stub
        modprobe netdevsim
        echo pci-pf-stub >"$PCI/devices/$PF/driver_override"
        echo "$PF" >"$PCI/drivers_probe"
        echo 0 >"$PCI/devices/$PF/sriov_drivers_autoprobe"
        echo 3 >"$PCI/devices/$PF/sriov_numvfs"
        echo '1 1' >/sys/bus/netdevsim/new_device
        echo 3 >"$SIM/sriov_numvfs"
        INDEX=$(cat "$SIM"/net/*/ifindex)

        dir=$(realpath "$PCI/devices/$PF")
        mkdir -p "$real"
        mount -t tmpfs tmpfs "$real"
        mkdir -p "$real/upper/net" "$real/work" "$real/lower"
        mount --bind "$dir" "$real/lower" # a name without colons, which part lower directories
        mount -t overlay overlay -o "lowerdir=$real/lower,upperdir=$real/upper,workdir=$real/work" "$dir"
        mount --bind "$(realpath "$SIM/net")" "$dir/net"
}

# verify_says FILE REGEX
verify_says() { [[ $(<"$LUVM_SHARED/$1") =~ $2 ]]; }

stage1() {
        begin
        make_card
        is "$(luvm-netlink ifindex "$PF")" "$INDEX" 'the interface is found by the address of the PF'
        is "$(luvm-netlink vfs "$INDEX")" '3 of 3' 'it has VFs'
        luvm-netlink show "$INDEX" >"$LUVM_SHARED/fresh"
        check 'one of them is given settings' luvm-netlink give "$INDEX"
        luvm-netlink show "$INDEX" >"$LUVM_SHARED/before"
        check 'they are other ones than those of a new VF' not cmp "$LUVM_SHARED/fresh" "$LUVM_SHARED/before"
        check 'the daemon is ready' start_daemon
        start_client vm-a
        client_says vm-a 'takes part'
        liveupdatectl update
        not_ok 'the update' "$(tail -n 20 "$DAEMON_LOG")"
}

stage2() {
        begin
        check 'the daemon is ready' start_daemon
        start_client vm-a
        client_says vm-a 'memory is intact'
        refused 1 "$PF +vf settings +missing" 'without an interface the settings are missing' liveupdatectl verify
        check 'that is noticed' wait_for 10 noticed 'network interfaces without them 1'

        make_card
        luvm-netlink show "$INDEX" >"$LUVM_SHARED/after"
        check 'the new driver knows nothing of the settings' cmp "$LUVM_SHARED/fresh" "$LUVM_SHARED/after"
        liveupdatectl --json=short verify >"$LUVM_SHARED/verify"
        is "$?" 1 'they are found changed'
        check 'one by one' verify_says verify '"against":7,'
        check 'with their values' verify_says verify \
                '"vf 1 mac","before":"02:11:22:33:44:55","after":"00:00:00:00:00:00","verdict":"against"'
        liveupdatectl --json=short verify --restore >"$LUVM_SHARED/restore"
        check 'they are put back' verify_says restore '"against":0,"missing":0,"restored":7,'
        luvm-netlink show "$INDEX" >"$LUVM_SHARED/restored"
        check 'all is as it was' cmp "$LUVM_SHARED/before" "$LUVM_SHARED/restored"
        check 'and verify says so' liveupdatectl verify
}

noticed() { [[ $(property Notice) == *"$1"* ]]; }

not() { ! "$@"; }
