# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2054,SC2153
#
# The whole way: a VM manager hands its memory and its device, behind an Intel IOMMU, to the
# daemon on the bus, the update is made by liveupdatectl, and in the next kernel it gets both
# back from the daemon, binds the device, and finishes. The ring goes on where it stood.

PLAN=20
STAGES=2
SHIM=1
DEADLINE=90
APPEND=no_timer_check
DEVICES=('intel-iommu,intremap=on,caching-mode=on' 'pcie-root-port,id=rp1,chassis=1,slot=1' 'e1000e,bus=rp1,netdev=net0')
SENDERS=('net0 60')

begin() {
        # shellcheck source=../guest/vfio.sh
        . "$LUVM_TOP/tests/vm/guest/vfio.sh"
        # shellcheck source=../guest/clients.sh
        . "$LUVM_TOP/tests/vm/guest/clients.sh"
        NIC=$(function_of 0x8086 0x10d3)
        load_shim
        check "stage $STAGE: the bus is up" start_bus
        check "stage $STAGE: the daemon is ready" start_daemon
        start_vfio vm
}

attach() {
        vfio_is ok "stage $STAGE: BIND" bind nic
        vfio_is ok "stage $STAGE: ATTACH" attach nic
        vfio_do map ring 0x40000000
}

stage1() {
        begin
        to_vfio "$NIC"
        vfio_do open nic "$NIC"
        vfio_do memory ring 16
        attach
        vfio_do master nic on
        vfio_do ring-setup nic ring 4096
        vfio_is ok 'a session of the daemon' bus-create vm
        vfio_is ok 'the daemon preserves the memory' preserve vm memory ring 1
        vfio_is ok 'the daemon preserves the device' preserve vm device nic 2
        is "$(shim_state outgoing "$NIC")" 'function stop preserved' 'it goes out'
        vfio ring-poll ring 300 >/dev/null
        liveupdatectl update
        not_ok 'the update' "$(tail -n 20 "$DAEMON_LOG")"
}

stage2() {
        local before after
        begin
        vfio_is ok 'the session is back' bus-recover vm
        vfio_is ok 'so is the memory' take vm 1 memory ring
        vfio_is ok 'so is the device' take vm 2 device nic
        attach
        vfio_is 56554c02 'it was not reset' read nic 0x5400
        vfio_do ring-open nic ring
        before=$(value received < <(vfio ring-state ring))
        vfio_do master nic on
        after=$(vfio ring-poll ring 500)
        diag "$after"
        check 'the ring goes on' test "$(value received <<<"$after")" -gt $((before + 20))
        is "$(value lost <<<"$after") $(value corrupt <<<"$after")" '0 0' 'no packet is lost or damaged'
        vfio_is ok 'FINISH' finish vm
        check 'the update is done' wait_for 10 state_is normal
}
