# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2153
#
# How long a client stands still, by phase, with systemd as PID 1: first the floor (reboot(2) at once, and an
# init that retrieves before all else), then an update by the direct way, then one through
# systemd's shutdown. The daemon and its client are units of the boot. For 'make
# bench-systemd' (tests/bench/systemd), which makes a table of the lines "bench ...".

PLAN=10
STAGES=4
DEADLINE=300
LONG=1
SYSTEMD=host
UNITS=liveupdate.service

on_host() {
        # shellcheck source=../host/initrd.sh
        . "$VM_DIR/host/initrd.sh"
        mkdir -p "$1/units/luvm.target.wants" "$1/units/luvm-runner.service.d"
        cat >"$1/units/client-vm-a.service" <<-END
	[Unit]
	After=liveupdate.service
	Wants=liveupdate.service
	[Service]
	ExecStart=$BUILD/tests/demo/demo-client vm-a --size 16
	StandardOutput=truncate:/run/luvm/shared/client-vm-a.log
	StandardError=inherit
	END
        ln -s ../client-vm-a.service "$1/units/luvm.target.wants/"
        # The case's own work is not to be in anybody's way.
        printf '[Unit]\nAfter=client-vm-a.service\n' >"$1/units/luvm-runner.service.d/after.conf"
        floor_initrd "$1/initrd-floor"
}

# client_says TEXT: one log for all stages, which each start empties.
client_says() {
        if wait_for 30 grep -q -F -e "$1" "$LUVM_SHARED/client-vm-a.log"; then
                ok "stage $STAGE: the client: $1"
        else
                not_ok "stage $STAGE: the client: $1" "$(tail -n 5 "$LUVM_SHARED/client-vm-a.log")"
        fi
}

# row WAY MICROSECONDS...: a line of the table; one point. The phases end at reboot(2) (or
# the begin of the shutdown), kernel start, PID 1, the daemon's start, the manifest, the retrieve.
row() {
        local value
        for value in "${@:2}"; do
                if [[ ! $value =~ ^[0-9]+$ ]]; then
                        not_ok "$1: all phases are known" "${*:2}"
                        return
                fi
        done
        ok "$1: all phases are known"
        diag "bench $(systemctl --version | awk '{ print $2; exit }') $*"
}

floor_jump() {
        # shellcheck source=../guest/vfio.sh
        . "$LUVM_TOP/tests/vm/guest/vfio.sh"
        start_vfio floor
        vfio_do memory memory 16
        vfio_do create vm-a
        vfio_do preserve vm-a memory memory 1
        vfio_do load "$NEXT_KERNEL" "$LUVM_SHARED/initrd-floor" "$NEXT_CMDLINE"
        luvm-early stamp >"$LUVM_SHARED/stamp"
        bail "the jump: $(vfio reboot)"
}

# floor_row: the init's line in the kernel's log bears both its tick and the time since the
# kernel's start, by the same counter.
floor_row() {
        local left came after tick up per_second start
        read -r left <"$LUVM_SHARED/stamp"
        read -r after came < <(dmesg | sed -n 's/^\[ *\([0-9.]*\)\] luvm-early: .* session vm-a: 16777216 bytes at tick \([0-9]*\)$/\1 \2/p')
        tick=$(luvm-early stamp) start=${EPOCHREALTIME/./}
        sleep 3 # what is measured is the clock
        per_second=$((($(luvm-early stamp) - tick) * 1000000 / (${EPOCHREALTIME/./} - start)))
        up=$((10#${after/./}))
        row floor 0 $(((${came:-0} - left) * 1000000 / per_second - up)) "$up" 0 0 0
}

# at STEP <<<JSON: when.
at() { sed -n "s/.*\"step\":\"$1\",\"at_usec\":\([0-9]*\).*/\1/p"; }

# way_row WAY: of the update that led here.
way_row() {
        local json step time times=()
        json=$(liveupdatectl --json=short timeline)
        for step in clients-frozen reboot kernel-start daemon-start received first-retrieve; do
                time=$(at "$step" <<<"$json")
                times+=("${time:-0}")
        done
        KERNEL_START=${times[2]} REBOOT=${times[1]}
        PID1=$(systemctl show --value -p UserspaceTimestampMonotonic)
        row "$1" $((times[1] - times[0])) $((times[2] - times[1])) "$PID1" $((times[3] - times[2] - PID1)) \
                $((times[4] - times[3])) $((times[5] - times[4]))
        liveupdatectl timeline >&2
}

# next_jump WAY: of the daemon in the next kernel.
next_jump() {
        mkdir -p "$LUVM_SHARED/install/etc/liveupdated/liveupdated.conf.d"
        printf '[Update]\nJump=%s\n' "$1" >"$LUVM_SHARED/install/etc/liveupdated/liveupdated.conf.d/60-jump.conf"
}

update() {
        client_says 'takes part'
        liveupdatectl load "$NEXT_KERNEL" --initrd "$NEXT_INITRD" --append "$NEXT_APPEND"
        liveupdatectl update
}

others() { :; }

stage1() {
        client_says 'takes part'
        floor_jump
}

stage2() {
        floor_row
        next_jump systemd
        update
}

stage3() {
        client_says 'memory is intact'
        client_says finished
        way_row direct
        update
}

stage4() {
        client_says 'memory is intact'
        client_says finished
        way_row systemd
        others
}
