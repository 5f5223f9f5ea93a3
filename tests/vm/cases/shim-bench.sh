# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2054,SC2153
#
# What the shim adds to the blackout, for 1, 16 and 64 functions behind eight bridges, all
# with DMA running on: the freeze is timed by updates that a last file calls off (so it is
# freeze and unfreeze), RETRIEVE_FD by itself, and the whole of the blackout, from
# reboot(2) to the new kernel's first user space, by this machine's clock.

PLAN=13
STAGES=2
SHIM=1
DEADLINE=120
DEVICES=()
for bridge in 1 2 3 4 5 6 7 8; do
        DEVICES+=("pcie-root-port,id=rp$bridge,chassis=$bridge,slot=$bridge")
        for function in 0 1 2 3 4 5 6 7; do
                DEVICES+=("e1000e,bus=rp$bridge,multifunction=on,addr=0.$function")
        done
done

begin() {
        # shellcheck source=../guest/vfio.sh
        . "$LUVM_TOP/tests/vm/guest/vfio.sh"
        mapfile -t ALL < <(functions_of 0x8086 0x10d3)
        load_shim
        modprobe luvm_freeze
        start_vfio one
        vfio_do physical
}

# A file of the shared directory has this machine's time.
stamp() { touch "$LUVM_SHARED/stamp-$1"; }
stamp_ms() { echo $(($(stat -c '%.9Y' "$LUVM_SHARED/stamp-$1" | tr -d .) / 1000000)); }

# preserve NAME COUNT
preserve() {
        local i
        vfio_do create "$1"
        for ((i = 0; i < $2; i++)); do
                vfio_do preserve "$1" device "d$i" $((i + 1))
        done
}

# frozen COUNT: microseconds of an update that is called off after so many functions, the
# best of five.
frozen() {
        local got best='' bad='' i
        preserve "n$1" "$1"
        vfio_do preserve "n$1" file /dev/luvm-freeze 1000
        for i in 1 2 3 4 5; do
                got=$(vfio timed reboot)
                [[ $got == 'EIO '* ]] || bad+="$got "
                ((best && best < ${got#* })) || best=${got#* }
        done
        is "$bad" '' "$1 functions: the update is called off"
        vfio_do drop "n$1"
        USEC=$best
}

stage1() {
        local count i none
        begin
        is "${#ALL[@]}" 64 'there are 64 functions'
        to_vfio "${ALL[@]}"
        for ((i = 0; i < 64; i++)); do
                shim_policy "${ALL[i]}" continue
                vfio_do open "d$i" "${ALL[i]}"
                vfio_do bind "d$i"
                vfio_do attach "d$i"
                vfio_do master "d$i" on
        done
        vfio_load
        echo 5 >/sys/module/luvm_freeze/parameters/freeze_error
        frozen 0
        none=$USEC
        for count in 1 16 64; do
                frozen "$count"
                echo $((USEC - none)) >"$LUVM_SHARED/freeze-$count"
        done
        echo 0 >/sys/module/luvm_freeze/parameters/freeze_error
        preserve all 64
        stamp 1
        bail "the jump: $(vfio reboot)"
}

stage2() {
        local i got total=0 good=0 blackout freeze share
        . "$LUVM_TOP/tests/vm/guest/vfio.sh"
        stamp 2
        blackout=$(($(stamp_ms 2) - $(stamp_ms 1)))
        begin
        vfio_do recover all
        for ((i = 0; i < 64; i++)); do
                got=$(vfio timed take all $((i + 1)) device "d$i")
                [[ $got != 'ok '* ]] || ((++good))
                ((total += ${got#* }))
                case $((i + 1)) in
                1 | 16 | 64)
                        freeze=$(<"$LUVM_SHARED/freeze-$((i + 1))")
                        share=$(((freeze + total) / blackout))
                        diag "$((i + 1)) functions: freeze and unfreeze $freeze us, RETRIEVE_FD $total us: $((share / 10)).$((share % 10)) % of $blackout ms"
                        check "$((i + 1)) functions: the shim is less than a tenth of the blackout" test $share -lt 100
                        ;;
                esac
        done
        is "$good" 64 'all are retrieved'
        is "$(shim_list incoming | grep -c ' continue retrieved vfio-pci$')" 64 'and the list says so, in more than a page'
        for ((i = 0; i < 64; i++)); do
                vfio_do bind "d$i"
        done
        is "$(master "${ALL[@]}" | tr -d 0 | wc -c)" 65 'Bus Master of all is on'
        vfio_is ok 'FINISH' finish all
        is "$(shim_list held)" '' 'nothing is held'
}
