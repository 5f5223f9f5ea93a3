# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2153
#
# For cases whose later stages come up in an initrd that a distribution's builder made
# (host/initrd.sh), in which udev loads the native driver of two devices. One of them goes
# through the update, and the initrd either has our part or it has not.

# shellcheck source=vfio.sh
. "$LUVM_TOP/tests/vm/guest/vfio.sh"
RESTORE=$LUVM_BUILD/src/restore/liveupdate-restore

find_devices() {
        # shellcheck disable=SC2046 # addresses
        set -- $(functions_of 0x8086 0x10d3)
        LISTED=$1 OTHER=$2
}

# probes ADDRESS: how often the native driver took it, by its own words.
probes() { dmesg | grep -c "e1000e $1.*registered PHC clock\|e1000e $1.*: Intel(R) PRO/1000 Network Connection"; }

# line_of REGEX: in the kernel's log, the first.
line_of() { dmesg | grep -n -m 1 -e "$1" | cut -d : -f 1; }

# first_of DESCRIPTION REGEX REGEX: both are in the kernel's log, in this order.
first_of() {
        local one two
        one=$(line_of "$2") two=$(line_of "$3")
        if ((${one:-0} > 0 && ${one:-0} < ${two:-0})); then
                ok "$1"
        else
                not_ok "$1" "line ${one:-none} of '$2', line ${two:-none} of '$3'"
        fi
}

# preserve_and_jump INITRD [WORD...]: with more words for the command line.
preserve_and_jump() {
        start_vfio "out$STAGE"
        vfio_do physical
        vfio_do memory memory 1
        vfio_do open nic "$LISTED"
        vfio_do bind nic
        vfio_do attach nic
        vfio_do map memory 0x10000000
        vfio_do master nic on
        vfio_do write nic 0x5400 0x56554c02
        vfio_do create s
        vfio_do preserve s memory memory 1
        vfio_do preserve s device nic 2
        vfio_do load "$NEXT_KERNEL" "$LUVM_SHARED/$1" "$NEXT_CMDLINE init=$LUVM_TOP/tests/vm/guest/pid1 ${*:2}"
        bail "stage $STAGE: the jump: $(vfio reboot)"
}

# came_home NAME: 12 points for an initrd with our part.
came_home() {
        find_devices
        is "$(driver_of "$OTHER")" e1000e "$1: the native driver is there, from the initrd"
        isnt "$(probes "$OTHER")" 0 "$1: it took another device"
        is "$(probes "$LISTED")" 0 "$1: it did not probe the one that came in"
        is "$(luvm-vfio peek "$LISTED" 0x5400)" $((0x56554c02)) "$1: whose registers are as they were"
        is "$(driver_of "$LISTED") $(<"/sys/bus/pci/devices/$LISTED/driver_override")" 'vfio-pci vfio-pci' "$1: it is on vfio-pci"
        first_of "$1: all that was said before the native driver came" \
                'liveupdate-restore: 1 PCI function came in through a live update: 1 ready\.' 'e1000e: Intel(R)'
        like "$("$RESTORE" 2>&1)" '^<6>1 PCI function came in through a live update: 1 ready\.$' "$1: a second time changes nothing"
        start_vfio "in$STAGE"
        vfio_do physical
        vfio_do recover s
        vfio_do take s 1 memory memory
        vfio_is ok "$1: RETRIEVE_FD" take s 2 device nic
        vfio_do bind nic
        vfio_is 56554c02 "$1: nobody has reset it" read nic 0x5400
        like "$("$RESTORE" 2>&1)" ': 1 in use\.$' "$1: who uses it is left alone"
        vfio_is ok "$1: FINISH" finish s
        vfio_do drop s
        vfio_do close nic
        check "$1: and it is over" "$RESTORE"
}

# was_taken NAME: 7 points for an initrd without it.
was_taken() {
        find_devices
        is "$(dmesg | grep -c "liveupdate-restore: ")" 0 "$1: nothing is restored in the initrd"
        is "$(driver_of "$LISTED")" e1000e "$1: the native driver takes the device"
        isnt "$(probes "$LISTED")" 0 "$1: and says so"
        isnt "$(luvm-vfio peek "$LISTED" 0x5400)" $((0x56554c02)) "$1: its registers are not as they were"
        load_shim
        refused 1 "$LISTED is lost: the driver e1000e had it" "$1: it is reported" "$RESTORE"
        start_vfio "in$STAGE"
        vfio_do recover s
        vfio_is EBUSY "$1: and has no descriptor" take s 2 device nic
        vfio_is ok "$1: the rest can be finished" finish s
        vfio_do drop s
}

# begin: the first stage, in the usual initramfs.
begin() {
        find_devices
        load_shim
        to_vfio "$LISTED"
}
