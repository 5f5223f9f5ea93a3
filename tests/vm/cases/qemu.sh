# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2153
#
# Two QEMU machines live through two changes of the host's kernel: their counters, boots
# and memory go on, their disks have every write.

PLAN=41
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

jump() {
        inner_count one >"$LUVM_SHARED/count-one"
        inner_count two >"$LUVM_SHARED/count-two"
        liveupdatectl update
        not_ok "stage $STAGE: the update" "$(tail -n 20 "$DAEMON_LOG" "$(adapter_log one)" "$(adapter_log two)")"
}

arrived() {
        start_inner one
        start_inner two
        adapter_says one 'runs as process'
        adapter_says two 'runs as process'
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
        start_inner two
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
