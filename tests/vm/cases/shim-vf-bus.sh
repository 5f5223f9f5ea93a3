# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2054,SC2153
#
# A PF and its VFs, the whole way: an NVMe controller behind an Intel IOMMU, all its
# functions handed to the daemon on the bus by their user, the update made by
# liveupdatectl, all of them taken back from the daemon in the order that VFs need. Before
# it, a next kernel without patch 0002 is loaded, and the plan says that VFs will not
# survive it: that is read from the image.

PLAN=70
STAGES=2
SHIM=1
DEADLINE=120
DEVICES=('intel-iommu,intremap=on,caching-mode=on'
        'pcie-root-port,id=rp1,chassis=1,slot=1'
        'nvme-subsys,id=s0'
        'nvme,serial=luvm,subsys=s0,bus=rp1,sriov_max_vfs=2,sriov_vq_flexible=4,sriov_vi_flexible=2,max_ioqpairs=6,msix_qsize=3')

SYS=/sys/kernel/liveupdate_vfio
NOTE=/run/luvm/shared/vfs

on_host() { python3 "$TOP/tests/vm/images/edit-bzimage" no-vf "$1/kernel-b" "$1/kernel-no-vf"; }

begin() {
        # shellcheck disable=SC1091
        . "$LUVM_TOP/tests/vm/guest/clients.sh"
        PF=$(function_of 0x1b36 0x0010)
        mkdir -p /etc/modprobe.d
        echo 'options vfio-pci enable_sriov=1 disable_idle_d3=1' >/etc/modprobe.d/luvm.conf
        modprobe liveupdate_vfio
        modprobe nvme
        check "stage $STAGE: the bus is up" start_bus
        check "stage $STAGE: the daemon is ready" start_daemon
        like "$(property Capabilities)" '"vf"' "stage $STAGE: VFs can go along"
}

load() { check "$1" liveupdatectl load "$LUVM_SHARED/$2" --initrd "$NEXT_INITRD" --append "$NEXT_APPEND"; }

# all COMMAND...: with an option for each function.
all() {
        local vf options=(--device "$PF")
        for vf in "/sys/bus/pci/devices/$PF"/virtfn*; do
                options+=(--device "$(basename "$(readlink "$vf")")")
        done
        "$@" "${options[@]}"
}

stage1() {
        local text
        begin
        echo vfio-pci >"/sys/bus/pci/devices/$PF/driver_override"
        echo "$PF" >"/sys/bus/pci/devices/$PF/driver/unbind"
        echo "$PF" >/sys/bus/pci/drivers_probe
        tap_program luvm-vfs before vfs "$PF" 2 "$NOTE" daemon
        is "$(grep -c ' vf stop preserved' "$SYS/outgoing")" 2 'two VFs go out'

        load 'a kernel without patch 0002 can be loaded' kernel-no-vf
        text=$(all liveupdatectl --json=short plan 2>&1)
        is "$(grep -o next-no-vf <<<"$text" | wc -l)" 2 'but the plan says of each VF that it will not survive'
        refused 1 'next-no-vf' 'and a strict update is refused' all liveupdatectl --json=short update
        is "$(grep -c ' vf stop preserved' "$SYS/outgoing")" 2 'nothing has changed'

        load 'the real one is loaded' "${NEXT_KERNEL##*/}"
        all liveupdatectl plan >&2
        check 'and nothing is in the way' all liveupdatectl -q plan
        all liveupdatectl update
        not_ok 'the update' "$(tail -n 20 "$DAEMON_LOG")"
}

compared() { liveupdatectl job 2>&1 | grep -q Registers:; }

stage2() {
        begin
        is "$(basename "$(readlink "/sys/bus/pci/devices/$PF/driver")")" vfio-pci 'the PF is on vfio-pci, not on its native driver'
        is "$(grep -c ' vf stop ' "$SYS/incoming")" 2 'two VFs came in'
        tap_program luvm-vfs after vfs "$PF" "$NOTE" daemon
        check 'the update is done' wait_for 10 state_is normal
        like "$(liveupdatectl job 2>&1)" '3 arrived, 0 lost' 'all three arrived'
        check 'registers are compared' wait_for 20 compared
        like "$(liveupdatectl job 2>&1)" ' equal, [0-9]+ changed as expected, 0 against the table, 0 devices missing' 'with their registers'
        diag "$(liveupdatectl job 2>&1)"
}
