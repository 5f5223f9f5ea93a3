# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2054,SC2153
#
# Configuration space before and after the jump: a network card behind a switch is asked
# for and may be lost, so that it and the bridges above it are held against the table of
# bits. An untouched device is as it was; a changed BAR is found, a changed MSI address is
# accepted.

PLAN=21
STAGES=2
DEVICES=('pcie-root-port,id=rp1,chassis=1,slot=1'
        'x3130-upstream,id=up1,bus=rp1'
        'xio3130-downstream,id=dn1,bus=up1,chassis=2,slot=2'
        'e1000e,bus=dn1')

PCI=/sys/bus/pci

begin() {
        # shellcheck disable=SC1091
        . "$LUVM_TOP/tests/vm/guest/clients.sh"
        NIC=$(function_of 0x8086 0x10d3)
        check 'the bus is up' start_bus
        check 'the daemon is ready' start_daemon
}

# poke OFFSET BYTES: writes to the card's configuration space.
poke() {
        printf '%b' "$2" | dd of="$PCI/devices/$NIC/config" bs=1 seek=$(($1)) conv=notrunc status=none
}

# verify_says REGEX
verify_says() {
        liveupdatectl --json=short verify >"$LUVM_SHARED/verify.json" 2>&1
        [[ $(<"$LUVM_SHARED/verify.json") =~ $1 ]]
}

stage1() {
        begin
        refused 1 'no device came through' 'there is nothing to verify after a cold boot' liveupdatectl verify
        start_client vm-a
        client_says vm-a 'takes part'
        refused 1 'no-vfio-support' 'strict: the card cannot go' liveupdatectl --json=short update --device "$NIC"
        liveupdatectl update --device "$NIC" --except "$NIC"
        not_ok 'the update' "$(tail -n 20 "$DAEMON_LOG")"
}

stage2() {
        local msi
        begin
        start_client vm-a
        client_says vm-a 'memory is intact'
        client_says vm-a 'finished'
        check 'the state is normal' wait_for 10 state_is normal
        check 'nothing is against the table' liveupdatectl verify
        like "$(busctl get-property org.liveupdate1 /org/liveupdate1/job/2 org.liveupdate1.Job Registers)" \
                '^\(tuuu\) [1-9][0-9]+ [0-9]+ 0 0$' 'and the job says so'
        is "$(property Notice)" 's ""' 'there is nothing to notice'
        like "$(liveupdatectl bits)" 'Bus Master|bus.master|BusMaster' 'the table of bits is printed'

        # A BAR somewhere else: nobody finds the device's memory any more.
        poke 0x10 '\x00\x00\xc0\xde'
        check 'a changed BAR is found' verify_says "${NIC}[^}]*BAR[^}]*against"
        refused 1 'against' 'and is a failure for scripts' liveupdatectl verify

        # Back, and another MSI address, which the VFIO user writes anew anyway.
        restore_bar
        check 'put back it is as it was' liveupdatectl verify
        msi=$(capability 05)
        isnt "$msi" '' 'the card has MSI'
        poke $((msi + 4)) '\x00\x10\xe0\xfe'
        check 'a changed MSI address is accepted' liveupdatectl verify
        check 'and shown as expected' verify_says "MSI[^}]*expected"

        echo 1 >"$PCI/devices/$NIC/remove"
        refused 1 'missing' 'a device that is gone is missing' liveupdatectl verify
}

# The kernel knows what it gave the card.
restore_bar() {
        local start
        read -r start _ <"$PCI/devices/$NIC/resource"
        poke 0x10 "$(printf '\\x%02x\\x%02x\\x%02x\\x%02x' $((start & 255)) $((start >> 8 & 255)) \
                $((start >> 16 & 255)) $((start >> 24 & 255)))"
}

# capability ID: its offset, from the list.
capability() {
        local bytes at
        read -r -d '' -a bytes < <(/run/luvm/busybox od -An -v -tx1 "$PCI/devices/$NIC/config")
        at=$((16#${bytes[0x34]}))
        while ((at)); do
                [[ ${bytes[at]} != "$1" ]] || { echo "$at"; return; }
                at=$((16#${bytes[at + 1]}))
        done
}
