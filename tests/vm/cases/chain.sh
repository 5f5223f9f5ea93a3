# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2153
#
# Ten updates, one after the other: each brings two clients over with their memory, and
# nothing grows or gets slower. 'make check-chain' does the same with a hundred.

PLAN=24
STAGES=11
DEADLINE=200

link() {
        local counted rc=0
        if ! start_bus || ! start_daemon; then
                bail "stage $STAGE: liveupdated does not run"
        fi
        counted=$("$LUVM_TOP/tests/vm/guest/chain" count 2>&1 3>&-) || rc=$?
        is "$rc" 0 "stage $STAGE: both clients are there with what they had, all is counted"
        diag "$counted"
}

jump() {
        link
        liveupdatectl update
        not_ok "stage $STAGE: the update" "$(tail -n 20 "$DAEMON_LOG")"
}

stage1() { jump; }
stage2() { jump; }
stage3() { jump; }
stage4() { jump; }
stage5() { jump; }
stage6() { jump; }
stage7() { jump; }
stage8() { jump; }
stage9() { jump; }
stage10() { jump; }
stage11() {
        local line
        link
        while IFS= read -r line; do
                case $line in
                good:*) ok "${line#good: }" ;;
                BAD:*) not_ok "${line#BAD: }" ;;
                *) diag "${line#\# }" ;;
                esac
        done < <("$LUVM_TOP/tests/vm/guest/chain-verdict" "$LUVM_SHARED/chain" 2>&1)
}
