# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2153
#
# A QEMU machine as a service of systemd, the template unit's: over an update by the direct
# way, and over one through kexec.target, which ends the unit and its QEMU before reboot(2).
# The unit is active in each kernel, and the guest counts on. A crashed adapter is started
# anew by systemd, and finds its machine running.

PLAN=25
STAGES=3
MEMORY=1280
DEADLINE=150
SYSTEMD=host

begin() {
        # shellcheck disable=SC1091
        . "$LUVM_TOP/tests/vm/guest/clients.sh"
        # shellcheck disable=SC1091
        . "$LUVM_TOP/tests/vm/guest/inner.sh"
        ((STAGE < 2)) || printf '[Update]\nJump=systemd\n' >/run/liveupdated/liveupdated.conf.d/60-jump.conf
        start_inner_unit vm1
}

was_restarted() { [[ $(systemctl show --value -p NRestarts liveupdate-qemu@vm1) -ge 1 ]] && systemctl -q is-active liveupdate-qemu@vm1; }

main_pid() { systemctl show --value -p MainPID liveupdate-qemu@vm1; }

arrived() {
        check "stage $STAGE: the guest counts on" wait_for 30 inner_counts_past vm1 "$(<"$LUVM_SHARED/count-vm1")"
        check "stage $STAGE: the state is normal" wait_for 20 state_is normal
        inner_whole vm1
        inner_reports vm1 'preserve-memory stop save preserve retrieve start load cont'
}

stage1() {
        local before
        begin
        check 'the guest boots' wait_for 60 inner_counts_past vm1 0
        before=$(main_pid)
        systemctl kill --kill-who=main --signal=KILL liveupdate-qemu@vm1
        check 'a killed adapter is started anew' wait_for 20 was_restarted
        isnt "$(main_pid)" "$before" 'as another process'
        inner_runs vm1 'and its guest counts on'

        inner_count vm1 >"$LUVM_SHARED/count-vm1"
        liveupdatectl update
        not_ok 'the update' "$(tail -n 20 "$(adapter_log vm1)")"
}

stage2() {
        begin
        arrived
        inner_count vm1 >"$LUVM_SHARED/count-vm1"
        liveupdatectl update
}

stage3() {
        begin
        arrived
        like "$(liveupdatectl jobs)" 'update +done' 'the job that jumped is done'
}
