# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# QEMU machines in the VM, under liveupdate-qemu, for cases that source this; what runs in
# them is luvm-inner. What a machine prints is appended to a file that outlives the kernel.

inner_log() { echo "$LUVM_SHARED/inner-$1.log"; }
inner_disk() { echo "$LUVM_SHARED/inner-$1.img"; }
adapter_log() { echo "$LUVM_SHARED/adapter-$1-$STAGE.log"; }

# write_newer_qemu FILE: a program that is the newer QEMU (NEWER_QEMU=1 in the case); it
# brings its own C library.
write_newer_qemu() {
        local r=$LUVM_QEMU_ROOT lib=usr/lib/x86_64-linux-gnu
        printf '#!/bin/sh\nexec %s --library-path %s %s -L %s -L %s "$@"\n' "$r/usr/lib64/ld-linux-x86-64.so.2" \
                "$r/$lib" "$r/usr/bin/qemu-system-x86_64" "$r/usr/share/qemu" "$r/usr/share/seabios" >"$1"
        chmod +x "$1"
}

# inner_words NAME [MIB [WORD...]]: QEMU's command line, into INNER_WORDS; its disk is made.
# INNER_QEMU is the program, if it is not this machine's QEMU.
inner_words() {
        local name=$1 mib=${2:-64} disk
        shift $(($# < 2 ? $# : 2))
        disk=$(inner_disk "$name")
        [[ -e $disk ]] || truncate -s 8M "$disk"
        INNER_WORDS=("${INNER_QEMU-qemu-system-x86_64}" -M q35 -m "${mib}M"
                -nodefaults -no-user-config -display none -no-reboot
                -bios qboot.rom -kernel "$LUVM_BUILD/tests/vm/guest/luvm-inner"
                -chardev "file,id=serial,path=$(inner_log "$name"),append=on" -serial chardev:serial
                -drive "file=$disk,if=virtio,format=raw,cache=none,aio=threads"
                -device virtio-rng-pci "$@")
}

# start_inner NAME [MIB [WORD...]]: under the adapter, in the background; new, or as it came over.
start_inner() {
        inner_words "$@"
        "$LUVM_BUILD/src/qemu/liveupdate-qemu" ${INNER_NO_GATHER:+--no-gather-memory} ${INNER_HOOK:+"--hook=$INNER_HOOK"} run "$1" -- "${INNER_WORDS[@]}" \
                >>"$(adapter_log "$1")" 2>&1 3>&- 4>&- &
        echo $! >"/run/luvm/adapter-$1.pid"
}

# start_inner_unit NAME: the same as the template unit's instance; its log is the same file.
start_inner_unit() {
        local dir=/run/systemd/system/liveupdate-qemu@$1.service.d
        inner_words "$1"
        mkdir -p "$dir"
        printf '[Service]\nEnvironment="QEMU=%s"\nStandardOutput=append:%s\nStandardError=inherit\n' \
                "${INNER_WORDS[*]}" "$(adapter_log "$1")" >"$dir/machine.conf"
        systemctl daemon-reload
        check "stage $STAGE: systemctl start liveupdate-qemu@$1" systemctl start "liveupdate-qemu@$1"
        is "$(systemctl is-active "liveupdate-qemu@$1")" active "stage $STAGE: liveupdate-qemu@$1 is active"
}

# inner_sed NAME SCRIPT: sed -n with what it has printed; nothing if that is nothing yet. A
# read over 9p may fail with ENODATA when the file grows meanwhile (fs/netfs/read_collect.c,
# netfs_read_subreq_terminated()); then it is made again.
inner_sed() {
        local file try text
        file=$(inner_log "$1")
        for ((try = 0; try < 50; try++)); do
                [[ -e $file ]] || return 0
                ! text=$(sed -n "$2" "$file" 2>/dev/null) || break
        done
        ((try < 50)) || return 1
        [[ -z $text ]] || printf '%s\n' "$text"
}

inner_count() { inner_sed "$1" 's/^inner boot=.* count=\([0-9]*\) .*/\1/p' | tail -n 1; }
inner_boot() { inner_sed "$1" 's/^inner boot=\([^ ]*\) .*/\1/p' | sort -u; }
inner_checked() { inner_sed "$1" 's/^inner .* checked=\([0-9]*\).*/\1/p' | tail -n 1; }
inner_broken() { { inner_sed "$1" '/BROKEN/p' || echo unreadable; } | wc -l; }

inner_counts_past() { local n; n=$(inner_count "$1"); ((${n:--1} > $2)); }
inner_checked_past() { local n; n=$(inner_checked "$1"); ((${n:--1} > $2)); }

# inner_runs NAME DESCRIPTION: it counts on from where it is now; one point.
inner_runs() {
        local from
        from=$(inner_count "$1")
        if wait_for 20 inner_counts_past "$1" "${from:-0}"; then
                ok "$2"
        else
                not_ok "$2" "$(tail -n 5 "$(inner_log "$1")" "$(adapter_log "$1")" "$DAEMON_LOG")"
        fi
}

# adapter_says NAME TEXT: one point.
adapter_says() {
        if wait_for 30 grep -q -F -e "$2" "$(adapter_log "$1")"; then
                ok "stage $STAGE: $1: $2"
        else
                not_ok "stage $STAGE: $1: $2" "$(tail -n 5 "$(adapter_log "$1")" "$DAEMON_LOG")"
        fi
}

# inner_whole NAME: memory verified again since count, one boot, nothing broken, and all
# that was ever written is on the disk. Four points.
inner_whole() {
        local checked
        checked=$(inner_checked "$1")
        check "$1: all memory is verified again" wait_for 30 inner_checked_past "$1" "${checked:-0}"
        is "$(inner_boot "$1" | wc -l)" 1 "$1: it is one boot"
        is "$(inner_broken "$1")" 0 "$1: nothing is broken"
        check "$1: every write is on the disk" luvm-records "$(inner_disk "$1")"
}

# inner_spans NAME: what its adapter reported for the last update's timeline, in order.
inner_spans() { liveupdatectl timeline | sed -n "s/^$1  *\([a-z-]*\) .*/\1/p" | paste -sd ' '; }
inner_spans_are() { [[ $(inner_spans "$1") == "$2" ]]; }

# inner_reports NAME SPANS: they are just these, soon; one point.
inner_reports() {
        if wait_for 10 inner_spans_are "$1" "$2"; then
                ok "$1: the timeline has $2"
        else
                not_ok "$1: the timeline has $2" "$(liveupdatectl timeline 2>&1)"
        fi
}
