# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2054,SC2153
#
# Updates that are called off. Behind a switch are two functions of one device, both with
# DMA running on, and another device with DMA stopped; a freeze fails before, between and
# after theirs. Every byte of every function's configuration space is as it was, so are
# interrupts and DMA, and the next try succeeds. Closing the session and SIGKILL take all
# back. In the next kernel a bridge above two functions is held until the second is finished.

PLAN=51
STAGES=2
SHIM=1
DEADLINE=120
DEVICES=('pcie-root-port,id=rp,chassis=1,slot=1' 'x3130-upstream,id=up,bus=rp'
        'xio3130-downstream,id=dn1,bus=up,chassis=2,slot=1' 'xio3130-downstream,id=dn2,bus=up,chassis=2,slot=2'
        'e1000e,bus=dn1,multifunction=on,addr=0.0,netdev=net0' 'e1000e,bus=dn1,addr=0.1' 'e1000e,bus=dn2')
SENDERS=('net0 5000')

FREEZE=/sys/module/luvm_freeze/parameters

begin() {
        # shellcheck source=../guest/vfio.sh
        . "$LUVM_TOP/tests/vm/guest/vfio.sh"
        # shellcheck disable=SC2046 # addresses
        set -- $(functions_of 0x8086 0x10d3)
        A=$1 B=$2 C=$3
        mapfile -t BRIDGES < <(bridges_above "$A")
        SHARED=${BRIDGES[-1]}
}

# The two that go on, the bridges above them, and the one that stops.
masters() { master "$A" "$B" "${BRIDGES[@]}" "$C"; }

set_up() {
        local name
        local -A at=([a]=$A [b]=$B [c]=$C)
        start_vfio "$1"
        vfio_do physical
        vfio_do memory ring 16
        for name in a b c; do
                vfio_do open $name "${at[$name]}"
                vfio_do bind $name
                vfio_do attach $name
                # CTRL.RST: QEMU resets nothing when VFIO resets it by power management, and
                # Bus Master would let it go on with a ring in memory that is another's now.
                vfio_do write $name 0 0x4000000
                vfio_do master $name on
        done
        vfio_do map ring 0x10000000
        vfio_do ring-setup a ring 32768
        # Interrupts: vector 0 for the receive queue, which ICS raises, too.
        vfio_do interrupts a msix
        vfio_do write a 0xe4 8
        vfio_do interrupts c msi
}

# Two sessions: the two functions under one bridge are finished one after the other.
preserve() {
        vfio_do create first
        vfio_do create second
        vfio_do preserve first memory ring 1
        vfio_is ok "$1: a is preserved" preserve first device a 2
        vfio_is ok "$1: a file whose freeze can fail" preserve first file /dev/luvm-freeze 3
        vfio_is ok "$1: b is preserved" preserve second device b 4
        vfio_is ok "$1: c is preserved" preserve second device c 5
}

# fails ERROR DESCRIPTION: reboot(2) comes back, and nothing has changed.
fails() {
        local state
        all_config >/run/before
        vfio_is "$1" "$2: reboot(2) comes back with the error" reboot
        all_config >/run/after
        is "$(diff /run/before /run/after)" '' "$2: every byte of configuration space is as it was"
        is "$(masters)" 111111 "$2: so are the Bus Master bits"
        is "$(shim_list held)" '' "$2: nothing is held"
        is "$(shim_list outgoing | awk '{ print $6 }' | tr '\n' ' ')" 'preserved preserved preserved ' "$2: all three are still preserved"
        state=$(vfio ring-poll ring 300)
        diag "$2: $state"
        is "$(value lost <<<"$state") $(value corrupt <<<"$state") $(value foreign <<<"$state")" '0 0 0' "$2: DMA went on, no packet is lost or damaged"
        # ICR and IMC, so that the cause is new; IMS; ICS.
        vfio_do write a 0xc0 0x100000
        vfio_do write a 0xd8 0x100000
        vfio_do write a 0xd0 0x100000
        vfio_do write a 0xc8 0x100000
        vfio_is ok "$2: interrupts come" interrupted a
}

# gone DESCRIPTION: of what was preserved nothing is left.
gone() {
        is "$(shim_list outgoing)$(shim_list held)" '' "$1: nothing is preserved and nothing held"
}

stage1() {
        begin
        load_shim
        modprobe luvm_freeze
        to_vfio "$A" "$B" "$C"
        isnt "$SHARED" "${BRIDGES[0]}" 'there is a switch'
        is "$(bridges_above "$B" | tail -n 1)" "$SHARED" 'two functions are below one bridge'
        shim_policy "$A" continue
        shim_policy "$B" continue
        set_up one
        vfio_load
        preserve first
        refused 1 'in use|temporarily|busy' 'the module cannot go while something is preserved' rmmod liveupdate_vfio
        echo 5 >"$FREEZE/freeze_error"
        fails EIO 'between'
        is "$(<"$FREEZE/freezes") $(shim_list outgoing | wc -l)" '1 3' 'it was that freeze'
        echo 0 >"$FREEZE/freeze_error"
        # PMCSR of c: D3hot, in which it cannot be frozen.
        vfio_do config c 0xcc 2 3
        fails EHOSTDOWN 'after'
        vfio_do config c 0xcc 2 0
        vfio_do drop first
        vfio_do drop second
        gone 'closed'
        preserve again
        stop_vfio one
        gone 'killed'
        rmmod luvm_freeze
        check 'then it can' rmmod liveupdate_vfio
        load_shim
        modprobe luvm_freeze
        shim_policy "$A" continue
        shim_policy "$B" continue
        set_up two
        preserve last
        echo 28 >"$FREEZE/freeze_error"
        fails ENOSPC 'once more'
        echo 0 >"$FREEZE/freeze_error"
        bail "the second try: $(vfio reboot)"
}

# write_master ADDRESS: tries to clear it, and says what became of it.
write_master() {
        setpci -s "$1" 4.w=0003
        master "$1"
}

stage2() {
        begin
        load_shim
        modprobe luvm_freeze
        is "$(masters)" 111110 'the second try succeeded'
        start_vfio one
        vfio_do physical
        vfio_do recover first
        vfio_do recover second
        vfio_do take first 1 memory ring
        vfio_do take first 2 device a
        vfio_do take second 4 device b
        vfio_do take second 5 device c
        for name in a b c; do
                vfio_do bind $name
                vfio_do attach $name
        done
        vfio_do map ring 0x10000000
        vfio_do ring-open a ring
        is "$(masters)" 111110 'Bus Master after BIND'
        is "$(write_master "$A")$(write_master "$SHARED")$(write_master "${BRIDGES[0]}")" 111 'held on the function and the bridges above'
        is "$(shim_list held | awk -v a="$SHARED" '$1 == a { print $2, $4, $5, $6 }')" '004 0004 0004 1' 'what was overridden is counted'
        vfio_is ok 'FINISH of the first' finish first
        is "$(write_master "$SHARED")$(write_master "${BRIDGES[0]}")$(write_master "$B")" 111 'the bridges are held for the second function'
        is "$(write_master "$A")" 0 'the first function is not held any more'
        vfio_do master a on
        vfio_is ok 'FINISH of the second' finish second
        is "$(shim_list held)" '' 'nothing is held'
        is "$(write_master "$SHARED")" 0 'nor are the bridges'
        setpci -s "$SHARED" 4.w=0007
        state=$(vfio ring-poll ring 300)
        diag "$state"
        is "$(value lost <<<"$state") $(value corrupt <<<"$state")" '0 0' 'no packet is lost or damaged'
        vfio_do drop first
        vfio_do drop second
}
