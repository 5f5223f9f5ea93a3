# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2153
#
# Two QEMU machines live through two changes of the host's kernel: their counters, boots
# and memory go on, their disks have every write. One has a network that a hook makes.

PLAN=45
STAGES=3
MEMORY=1536
DEADLINE=120

begin() {
        # shellcheck disable=SC1091
        . "$LUVM_TOP/tests/vm/guest/clients.sh"
        # shellcheck disable=SC1091
        . "$LUVM_TOP/tests/vm/guest/inner.sh"
        check 'the bus is up' start_bus
        check "stage $STAGE: the daemon is ready" start_daemon
}

# With a network of the host's that the kernel takes along into the grave.
start_two() {
        printf '#!/bin/sh\n%q up lo && echo "$*" >>%q\n' "$LUVM_BUILD/tests/vm/guest/luvm-netlink" "$LUVM_SHARED/hooked" \
                >/run/luvm/hook
        chmod +x /run/luvm/hook
        INNER_HOOK=/run/luvm/hook start_inner two 64 -device virtio-net-pci,netdev=net,romfile= \
                -netdev l2tpv3,id=net,src=127.0.0.1,dst=127.0.0.1,udp=on,srcport=1701,dstport=1702,txsession=1
        adapter_says two 'runs as process'
        is "$(cat "$LUVM_SHARED/hooked")" "$(yes 'start two' | head -n "$STAGE")" "stage $STAGE: the hook of two was called"
}

jump() {
        inner_count one >"$LUVM_SHARED/count-one"
        inner_count two >"$LUVM_SHARED/count-two"
        liveupdatectl update
        not_ok "stage $STAGE: the update" "$(tail -n 20 "$DAEMON_LOG" "$(adapter_log one)" "$(adapter_log two)")"
}

arrived() {
        start_inner one
        start_two
        adapter_says one 'runs as process'
        check "stage $STAGE: one counts on" wait_for 30 inner_counts_past one "$(<"$LUVM_SHARED/count-one")"
        check "stage $STAGE: two counts on" wait_for 30 inner_counts_past two "$(<"$LUVM_SHARED/count-two")"
        check 'the state is normal again' wait_for 10 state_is normal
        like "$(liveupdatectl job "$1" 2>&1)" 'done' "job $1 is done"
        inner_whole one
        inner_whole two
        inner_reports one 'preserve-memory stop save preserve retrieve start load cont'
        inner_reports two 'preserve-memory stop save preserve retrieve start load cont'
        liveupdatectl timeline >&2
}

stage1() {
        begin
        start_inner one
        adapter_says one 'runs as process'
        check 'one boots' wait_for 60 inner_counts_past one 0
        start_two
        check 'two boots' wait_for 60 inner_counts_past two 0
        jump
}

stage2() {
        begin
        arrived 1
        jump
}

stage3() {
        begin
        arrived 2
}
