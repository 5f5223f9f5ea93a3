# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# luvm-vfio in a case: a user of VFIO that is told a line at a time what to do. There may be
# several, each with a name; commands go to the one that $VFIO names. And what the shim says
# about itself, and the bits that it is about.

SHIM_DIR=/sys/kernel/liveupdate_vfio
VFIO=one
declare -gA VFIO_PID VFIO_IN VFIO_OUT

# start_vfio NAME: and commands go to it from now on.
start_vfio() {
        local in out fifo=/run/luvm/vfio-$1
        VFIO=$1
        rm -f "$fifo".*
        mkfifo "$fifo.in" "$fifo.out"
        luvm-vfio serve <"$fifo.in" >"$fifo.out" 3>&- 4>&- &
        VFIO_PID[$1]=$!
        exec {in}>"$fifo.in" {out}<"$fifo.out"
        VFIO_IN[$1]=$in VFIO_OUT[$1]=$out
}

# stop_vfio NAME: SIGKILL, and gone when this returns.
stop_vfio() {
        local in=${VFIO_IN[$1]} out=${VFIO_OUT[$1]}
        kill -9 "${VFIO_PID[$1]}"
        wait "${VFIO_PID[$1]}" 2>/dev/null
        exec {in}>&- {out}<&-
}

# vfio COMMAND...: prints the answer.
vfio() {
        local line
        echo "$*" >&"${VFIO_IN[$VFIO]}" || return
        read -r -t $((60 * LUVM_SCALE)) -u "${VFIO_OUT[$VFIO]}" line || line='no answer'
        echo "$line"
}

# vfio_is WANT DESCRIPTION COMMAND...: one point.
vfio_is() {
        is "$(vfio "${@:3}")" "$1" "$2"
}

# vfio_do COMMAND...: what has to work, or nothing after it makes sense.
vfio_do() {
        local got
        got=$(vfio "$@")
        [[ $got == ok ]] || bail "stage $STAGE: luvm-vfio $*: $got"
}

# value NAME <<<"NAME=VALUE ...": of an answer.
value() {
        local words word
        read -r -a words
        for word in "${words[@]}"; do
                [[ ${word%%=*} != "$1" ]] || echo "${word#*=}"
        done
}

# --- modules and drivers --------------------------------------------------------------

# load_shim: vfio-pci comes with it.
load_shim() {
        mkdir -p /etc/modprobe.d
        echo 'options vfio enable_unsafe_noiommu_mode=1' >/etc/modprobe.d/luvm.conf
        modprobe liveupdate_vfio || bail "stage $STAGE: the shim does not load"
}

# functions_of VENDOR DEVICE: all of them, in order of address.
functions_of() {
        local dir
        for dir in /sys/bus/pci/devices/*; do
                [[ $(<"$dir/vendor") != "$1" || $(<"$dir/device") != "$2" ]] || echo "${dir##*/}"
        done
}

driver_of() {
        local link
        link=$(readlink "/sys/bus/pci/devices/$1/driver") || { echo none; return; }
        echo "${link##*/}"
}

# to_vfio ADDRESS...
to_vfio() {
        local address
        for address; do
                echo vfio-pci >"/sys/bus/pci/devices/$address/driver_override"
                [[ ! -e /sys/bus/pci/devices/$address/driver ]] || echo "$address" >"/sys/bus/pci/devices/$address/driver/unbind"
                echo "$address" >/sys/bus/pci/drivers_probe
        done
}

# --- bits -----------------------------------------------------------------------------

# master ADDRESS...: Bus Master as the device has it, a digit for each.
master() {
        local address digits=''
        for address; do
                digits+=$((0x$(setpci -s "$address" 4.w) >> 2 & 1))
        done
        echo "$digits"
}

# The bridges above a function, from the root on.
bridges_above() {
        local path part
        path=$(readlink -f "/sys/bus/pci/devices/$1")
        path=${path#*/pci}
        path=${path#*/}
        for part in $(echo "${path%/*}" | tr / ' '); do
                [[ $part != "$1" ]] && echo "$part"
        done
}

# all_config: every byte of every function's configuration space, in lines.
all_config() {
        head -v -c 4096 /sys/bus/pci/devices/*/config | od -An -v -c -w32
}

# --- the shim's lists -----------------------------------------------------------------

# shim_list FILE: its lines without the padding.
shim_list() { sed 's/ *$//' "$SHIM_DIR/$1"; }

# shim_state incoming|outgoing ADDRESS: kind, DMA, state and driver.
shim_state() { shim_list "$1" | sed -n "s/^$2 [^ ]* [^ ]* //p"; }

# shim_policy ADDRESS WORD
shim_policy() { echo "$1 $2" >"$SHIM_DIR/policy"; }

# --- the jump -------------------------------------------------------------------------

vfio_load() { vfio_do load "$NEXT_KERNEL" "$NEXT_INITRD" "$NEXT_CMDLINE"; }

# vfio_jump: comes back only if the jump fails.
vfio_jump() {
        vfio_load
        bail "stage $STAGE: the jump: $(vfio reboot)"
}
