# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2054,SC2153
#
# What can go wrong, without an IOMMU: every way ends in a refusal or a quiet device. Six
# e1000e with DMA running on go through a kexec. In the next kernel the record of one is
# damaged and that of another is of another device; one is never retrieved, one is removed,
# one is retrieved but not finished, and others meddle with the last. The third kernel
# finds all of them quiet.

PLAN=53
STAGES=3
SHIM=1
DEADLINE=120
DEVICES=('pcie-root-port,id=rp1,chassis=1,slot=1' 'e1000e,bus=rp1' 'pcie-root-port,id=rp2,chassis=2,slot=2' 'e1000e,bus=rp2'
        'pcie-root-port,id=rp3,chassis=3,slot=3' 'e1000e,bus=rp3,netdev=net0' 'pcie-root-port,id=rp4,chassis=4,slot=4' 'e1000e,bus=rp4'
        'pcie-root-port,id=rp5,chassis=5,slot=5' 'e1000e,bus=rp5' 'pcie-root-port,id=rp6,chassis=6,slot=6' 'e1000e,bus=rp6')
SENDERS=('net0 60')

# In the order of their addresses, and of their records.
NAMES=(damaged other never removed unfinished used)

begin() {
        local i=0 address
        # shellcheck source=../guest/vfio.sh
        . "$LUVM_TOP/tests/vm/guest/vfio.sh"
        declare -gA AT
        for address in $(functions_of 0x8086 0x10d3); do
                AT[${NAMES[i++]}]=$address
        done
}

# all_masters: in the order of NAMES.
all_masters() {
        local name
        for name in "${NAMES[@]}"; do
                master "${AT[$name]}"
        done
}

# --- before ---------------------------------------------------------------------------

policy_errors() {
        refused any 'Invalid argument' 'policy: a word that is none' shim_policy "${AT[used]}" sometimes
        refused any 'No such device' 'policy: a function that is not there' shim_policy 0000:3f:1f.7 continue
        check 'policy: a word that is one' shim_policy "${AT[used]}" continue
        is "$(<"$SHIM_DIR/policy")" "${AT[used]} continue" 'policy: it is shown'
}

preserve_errors() {
        vfio_do open unbound "${AT[used]}"
        vfio_do create errors
        vfio_is EBADFD 'a device that is not bound is refused' preserve errors device unbound 1
        vfio_is ENOENT 'a file that is no device is not ours' preserve errors file /dev/null 1
        vfio_do drop errors
        vfio_do close unbound
}

set_up() {
        local name
        vfio_do physical
        vfio_do memory ring 16
        for name in "${NAMES[@]}"; do
                shim_policy "${AT[$name]}" continue
                vfio_do open "$name" "${AT[$name]}"
                vfio_do bind "$name"
                vfio_do attach "$name"
                vfio_do master "$name" on
        done
        vfio_do map ring 0x10000000
        vfio_do ring-setup never ring 32768
        vfio_do interrupts used msix
}

stage1() {
        local token=2 name session
        begin
        load_shim
        to_vfio "${AT[@]}"
        start_vfio one
        policy_errors
        preserve_errors
        set_up
        vfio_load
        vfio_do create lost
        vfio_do create kept
        vfio_do create open
        vfio_do preserve lost memory ring 1
        for name in "${NAMES[@]}"; do
                session=lost
                [[ $name != used ]] || session=kept
                [[ $name != unfinished ]] || session=open
                vfio_do preserve $session device "$name" $((token++))
        done
        vfio_is EBUSY 'a device is preserved once' preserve kept device never 20
        refused any 'busy' 'policy: not while it is preserved' shim_policy "${AT[used]}" stop
        is "$(all_masters | tr -d '\n')" 111111 'Bus Master of all is on'
        bail "the jump: $(vfio reboot)"
}

# --- after: the list and the filter ---------------------------------------------------

damage() {
        refused any . 'a byte of the first record is damaged' modprobe luvm_damage offset=20 flip=1
        refused any . 'the second record is of another device' modprobe luvm_damage offset=$((64 + 8)) flip=1 seal=1
}

states() {
        local name
        for name in "${NAMES[@]}"; do
                printf '%s=%s ' "$name" "$(shim_state incoming "${AT[$name]}" | cut -d ' ' -f 3)"
        done
}

# write COMMAND...: by setpci; says what Bus Master and INTx Disable are then.
write() {
        setpci -s "$@"
        printf '%s%d ' "$(master "$1")" $((0x$(setpci -s "$1" 4.w) >> 10 & 1))
}

writes() {
        local used=${AT[used]} bridge
        bridge=$(bridges_above "$used")
        is "$(write "$used" 4.b=3; write "$used" 4.w=403; write "$used" 4.w=3; write "$used" 4.l=403; write "$used" 4.l=fff00003)" \
                '11 11 10 11 10 ' 'bytes, words and words of COMMAND and STATUS: the bit is held, all others pass'
        is "$(write "$bridge" 4.l=3)" '10 ' 'on the bridge above as well'
        is "$(shim_list held | awk -v at="$used" '$1 == at { print $2, $3, $4, $5, $6, $7 }')" '004 2 0004 0004 5 dma-continue' 'what was overridden is counted, with its reason'
        setpci -s "$used" 4.w=403
}

early_users() {
        start_vfio early
        vfio_do open never "${AT[never]}"
        vfio_is EBUSY 'nobody binds a device before it is retrieved' bind never
        vfio_do close never
        stop_vfio early
        is "$(master "${AT[never]}")" 1 'and the device does not notice'
        refused any 'in use|busy|temporarily' 'the module cannot go while something is not finished' rmmod liveupdate_vfio
}

# Removed and found again: it may be another one by now.
removed() {
        local bridge address=${AT[removed]}
        bridge=$(bridges_above "$address")
        check 'a device that came in is removed' tee "/sys/bus/pci/devices/$address/remove" <<<1
        is "$(shim_state incoming "$address")" 'function continue failed -' 'it is lost'
        is "$(shim_list held | grep -c -e "$address" -e "$bridge")" 0 'and not held, nor the bridge above'
        echo 1 >/sys/bus/pci/rescan
        is "$(shim_state incoming "$address")" 'function continue failed -' 'found again, it is lost all the same'
}

# --- after: descriptors ---------------------------------------------------------------

lost() {
        local head
        vfio_do recover lost
        vfio_is EBADMSG 'damaged: no descriptor' take lost 2 device damaged
        vfio_is EBADMSG 'damaged: for good' take lost 2 device damaged
        is "$(master "${AT[damaged]}")" 0 'damaged: the device is quiet'
        vfio_is ENXIO 'other: no descriptor' take lost 3 device other
        vfio_is ENODEV 'removed: no descriptor' take lost 5 device removed
        is "$(master "${AT[never]}")" 1 'never: the device goes on'
        vfio_is ok 'never: FINISH of what was not retrieved' finish lost
        is "$(master "${AT[never]}")" 0 'never: the device is quiet'
        head=$(luvm-vfio peek "${AT[never]}" 0x2810)
        /run/luvm/busybox usleep 200000
        is "$(luvm-vfio peek "${AT[never]}" 0x2810)" "$head" 'never: it writes nothing any more'
        vfio_do drop lost
        is "$(write "${AT[never]}" 4.w=7)" '10 ' 'never: Bus Master is not held'
        setpci -s "${AT[never]}" 4.w=3
}

# Message Control of MSI-X.
msix() { setpci -s "${AT[used]}" CAP_MSIX+2.w; }
command() { setpci -s "${AT[used]}" 4.w; }

used() {
        vfio_do recover kept
        like "$(msix)" '^4' 'used: MSI-X is off and masked'
        like "$(command)" '^.[4-7]' 'used: INTx is off'
        vfio_is ok 'used: RETRIEVE_FD' take kept 7 device used
        vfio_is EBUSY 'used: FINISH before BIND' finish kept
        vfio_do bind used
        vfio_do attach used
        is "$(master "${AT[used]}")" 1 'used: Bus Master after BIND'
        like "$(command)" '^.[0-3]' 'used: BIND turns INTx on'
        vfio_do create again
        vfio_is EBUSY 'used: not preserved again before FINISH' preserve again device used 1
        vfio_is no 'used: VFIO does not offer a reset' resettable used
        vfio_do interrupts used msix
        like "$(msix)" '^8' 'used: MSI-X is on and not masked, once it is asked for'
        vfio_do write used 0xe4 8
        vfio_do write used 0xd0 0x100000
        vfio_do write used 0xc8 0x100000
        vfio_is ok 'used: an interrupt comes' interrupted used
        vfio_is ok 'used: FINISH' finish kept
        vfio_do drop kept
        is "$(shim_list held | grep -c "${AT[used]}")" 0 'used: nothing is held'
        vfio_is ok 'used: preserved again after FINISH' preserve again device used 1
        vfio_do drop again
}

stage2() {
        begin
        damage
        is "$(all_masters | tr -d '\n')" 111111 'Bus Master of all is on'
        load_shim
        is "$(states)" 'damaged= other=mismatch never=waiting removed=waiting unfinished=waiting used=waiting ' 'the list says what came in'
        like "$(dmesg)" '1 records of preserved functions are damaged' 'so does the log'
        like "$(dmesg)" 'not the function that was handed over' 'also of the one that is another'
        writes
        early_users
        removed
        start_vfio one
        vfio_do physical
        lost
        used
        vfio_do recover open
        vfio_do take open 6 device unfinished
        vfio_do bind unfinished
        is "$(master "${AT[unfinished]}")" 1 'unfinished: Bus Master is on'
        is "$(shim_state incoming "${AT[unfinished]}")" 'function continue bound vfio-pci' 'unfinished: bound'
        vfio_jump
}

stage3() {
        begin
        is "$(master "${AT[unfinished]}")" 0 'unfinished: the third kernel finds it quiet'
        load_shim
        is "$(shim_list incoming)$(shim_list held)" '' 'and nothing came in'
        check 'the shim can go' rmmod liveupdate_vfio
}
