# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2153
#
# QEMU is another version in the next kernel. A machine that this host's QEMU has started
# goes on under a newer one, which the package was upgraded to in between; one of the newer
# QEMU goes over a kernel change, too. An older QEMU is refused: by a veto while there is
# still something to choose, and in the next kernel with all preserved, until it is put right.

PLAN=31
STAGES=2
MEMORY=1536
DEADLINE=150
NEWER_QEMU=1

begin() {
        # shellcheck disable=SC1091
        . "$LUVM_TOP/tests/vm/guest/clients.sh"
        # shellcheck disable=SC1091
        . "$LUVM_TOP/tests/vm/guest/inner.sh"
        check 'the bus is up' start_bus
        check "stage $STAGE: the daemon is ready" start_daemon
}

program() { echo "$LUVM_SHARED/qemu-of-$1"; }

# install_qemu NAME own|newer: what the program of this machine is from now on.
install_qemu() {
        local file
        file=$(program "$1")
        if [[ $2 == newer ]]; then
                write_newer_qemu "$file.new"
        else
                printf '#!/bin/sh\nexec %s "$@"\n' "$(type -p qemu-system-x86_64)" >"$file.new"
                chmod +x "$file.new"
        fi
        mv "$file.new" "$file"
}

# start_one NAME [WORD...]
start_one() {
        INNER_QEMU=$(program "$1") start_inner "$1" 64 "${@:2}"
}

# version NAME: of the QEMU that runs it.
version() { sed -n 's/.*: QEMU \([0-9.]*\) runs as process.*/\1/p' "$(adapter_log "$1")" | tail -n 1; }

is_newer() { [[ $1 != "$2" && $(printf '%s\n' "$1" "$2" | sort -V | tail -n 1) == "$1" ]]; }

boots() {
        adapter_says "$1" 'runs as process'
        check "$1 boots" wait_for 60 inner_counts_past "$1" 0
        inner_count "$1" >"$LUVM_SHARED/count-$1"
        version "$1" >"$LUVM_SHARED/version-$1"
}

stage1() {
        begin
        install_qemu up own
        start_one up
        boots up
        install_qemu new newer
        # On a machine type that the older QEMU has as well, and so would start with.
        start_one new -M "$(sed -n 's/.*"machine":"\(pc-q35-[0-9.]*\)".*/\1/p' /run/liveupdate-qemu/up/machine.json)"
        boots new
        check 'new has the newer QEMU' is_newer "$(version new)" "$(version up)"
        check 'a kernel is loaded' liveupdatectl load "$NEXT_KERNEL" --initrd "$NEXT_INITRD" --append "$NEXT_APPEND"

        install_qemu new own
        refused 1 "was on QEMU $(version new) and .* is $(version up)" 'a program that became older is a veto' \
                liveupdatectl prepare
        check 'the state is normal' wait_for 20 state_is normal
        install_qemu new newer
        check 'prepare' liveupdatectl prepare
        check 'freeze' liveupdatectl freeze
        check 'cancel' liveupdatectl cancel
        inner_runs up 'after a cancel up counts on'
        inner_runs new 'after a cancel new counts on'

        liveupdatectl update
        not_ok 'the update' "$(tail -n 20 "$DAEMON_LOG" "$(adapter_log up)" "$(adapter_log new)")"
}

# goes_on NAME: on the newer QEMU. Six points.
goes_on() {
        adapter_says "$1" "QEMU $(<"$LUVM_SHARED/version-new") runs as process"
        check "$1 counts on" wait_for 30 inner_counts_past "$1" "$(<"$LUVM_SHARED/count-$1")"
        inner_whole "$1"
}

# resume_one NAME OPTION...
resume_one() {
        "$LUVM_BUILD/src/qemu/liveupdate-qemu" resume "$@" >>"$(adapter_log "$1")" 2>&1 3>&- 4>&- &
        echo $! >"/run/luvm/adapter-$1.pid"
}

stage2() {
        begin
        install_qemu up newer
        start_one up
        install_qemu new own
        refused 1 "was on QEMU $(<"$LUVM_SHARED/version-new") and .* is $(<"$LUVM_SHARED/version-up").*stay preserved" \
                'new is not given to an older QEMU' "$LUVM_BUILD/src/qemu/liveupdate-qemu" resume new
        resume_one new --program="$(program up)"
        goes_on up
        goes_on new
        check 'the state is normal' wait_for 20 state_is normal
}
