# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2153
#
# A QEMU that somebody else started: refused when its memory would be lost or it is not
# as its command line says, adopted otherwise, and then it lives on like any other.

PLAN=23
STAGES=2
DEADLINE=120

begin() {
        # shellcheck disable=SC1091
        . "$LUVM_TOP/tests/vm/guest/clients.sh"
        # shellcheck disable=SC1091
        . "$LUVM_TOP/tests/vm/guest/inner.sh"
        check 'the bus is up' start_bus
        check "stage $STAGE: the daemon is ready" start_daemon
}

# start_plain NAME WORD...: without the adapter; its monitor is NAME.qmp.
start_plain() {
        local name=$1 disk
        shift
        disk=$(inner_disk "$name")
        [[ -e $disk ]] || truncate -s 8M "$disk"
        qemu-system-x86_64 -m 64M -nodefaults -no-user-config -display none -no-reboot \
                -bios qboot.rom -kernel "$LUVM_BUILD/tests/vm/guest/luvm-inner" \
                -chardev "file,id=serial,path=$(inner_log "$name"),append=on" -serial chardev:serial \
                -drive "file=$disk,if=virtio,format=raw,cache=none,aio=threads" \
                -qmp "unix:/run/luvm/$name.qmp,server=on,wait=off" "$@" \
                >>"$LUVM_SHARED/plain-$name.log" 2>&1 3>&- 4>&- &
        echo $! >"/run/luvm/plain-$name.pid"
}

adopt() { "$LUVM_BUILD/src/qemu/liveupdate-qemu" adopt "$1" --qmp="/run/luvm/$1.qmp"; }

# start_adopt: of one, to stay.
start_adopt() {
        "$LUVM_BUILD/src/qemu/liveupdate-qemu" adopt one --qmp=/run/luvm/one.qmp >"$(adapter_log one)" 2>&1 3>&- 4>&- &
        echo $! >/run/luvm/adapter-one.pid
}

# not_adopted REGEX WORD...: one that cannot be; it goes on, and is ended.
not_adopted() {
        local regex=$1
        shift
        start_plain other "$@"
        wait_for 30 test -S /run/luvm/other.qmp
        refused 1 "$regex" "not adopted: $regex" adopt other
        check 'and not harmed' kill -0 "$(<"/run/luvm/plain-other.pid")"
        kill -9 "$(<"/run/luvm/plain-other.pid")"
        wait "$(<"/run/luvm/plain-other.pid")" || true # its disk is free then
        rm -f /run/luvm/other.qmp
}

stage1() {
        begin
        refused 1 'connecting to' 'no monitor, no machine' adopt one
        not_adopted 'in no memfd' -M q35
        not_adopted 'in no memfd' -M q35,memory-backend=m -object memory-backend-memfd,id=m,size=64M,share=off
        not_adopted 'several' -M q35,memory-backend=m -object memory-backend-memfd,id=m,size=64M,share=on \
                -object memory-backend-memfd,id=n,size=64M,share=on

        start_plain one -M q35,memory-backend=m -object memory-backend-memfd,id=m,size=64M,share=on
        check 'one boots' wait_for 60 inner_counts_past one 0
        start_adopt
        adapter_says one 'runs as process'
        refused 1 'another liveupdate-qemu has' 'one adapter a machine' adopt one
        kill -9 "$(<"/run/luvm/adapter-one.pid")"
        inner_runs one 'with its adapter dead the guest runs'
        start_adopt
        adapter_says one 'runs as process'

        inner_count one >"$LUVM_SHARED/count-one"
        liveupdatectl update
        not_ok 'the update' "$(tail -n 20 "$DAEMON_LOG" "$(adapter_log one)")"
}

stage2() {
        begin
        "$LUVM_BUILD/src/qemu/liveupdate-qemu" resume one >"$(adapter_log one)" 2>&1 3>&- 4>&- &
        adapter_says one 'runs as process'
        check 'the guest counts on' wait_for 30 inner_counts_past one "$(<"$LUVM_SHARED/count-one")"
        check 'the state is normal' wait_for 20 state_is normal
        inner_whole one
}
