# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2153
#
# The case systemd-store with ten updates through systemd's shutdown. Run by
# 'make check-systemd-ten' alone: it takes some eight minutes under emulation.

# shellcheck source=systemd-store.sh
. "${BASH_SOURCE[0]%/*}/systemd-store.sh"
LONG=1
PLAN=101
STAGES=11
DEADLINE=700
SYSTEMD=forky

arrive() {
        begin "$STAGE" systemd
        come_back
        diag "update $((STAGE - 1)): blackout of $(liveupdatectl --json=short timeline | sed -n 's/.*"blackout_usec":\([0-9]*\).*/\1/p') us"
}

link() {
        arrive
        go_on
}

stage1() {
        begin 1 systemd
        go_on
}
stage2() { link; }
stage3() { link; }
stage4() { link; }
stage5() { link; }
stage6() { link; }
stage7() { link; }
stage8() { link; }
stage9() { link; }
stage10() { link; }
stage11() {
        arrive
        like "$(liveupdatectl jobs)" 'update +done' 'the last job is done'
}
