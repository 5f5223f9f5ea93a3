# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2153
#
# systemd as PID 1, this machine's own: the daemon is the unit that `meson install` puts
# there, and the clients are services. Started with systemctl, an update goes by the
# direct way; the same job is completed in the next kernel. A daemon that is killed comes back
# with systemd's descriptor store.

PLAN=23
STAGES=2
DEADLINE=120
SYSTEMD=host

begin() {
        # shellcheck disable=SC1091
        . "$LUVM_TOP/tests/vm/guest/clients.sh"
        # shellcheck disable=SC1091
        . "$LUVM_TOP/tests/vm/guest/services.sh"
        check "stage $STAGE: systemctl start liveupdate" systemctl start liveupdate
        is "$(systemctl is-active liveupdate)" active "stage $STAGE: the daemon runs"
}

stage1() {
        begin
        diag "$(systemctl --version | head -n 1)"
        is "$(property CrashCancels)" 'b false' 'a crash would cancel nothing'
        start_client_service vm-a --size 16
        start_client_service vm-b --size 16 --direct
        client_says vm-a 'takes part'
        client_says vm-b 'takes part'

        check 'PREPARE' liveupdatectl prepare
        systemctl kill --signal=KILL liveupdate
        check 'the killed daemon comes back' wait_for 20 state_is prepared
        isnt "$(systemctl show --value -p NRestarts liveupdate)" 0 'because systemd has restarted it'
        isnt "$(systemctl show --value -p NFileDescriptorStore liveupdate)" 0 'with what is in the descriptor store'

        isnt "$(cat /proc/sys/kernel/random/boot_id)" '' 'this boot has an id'
        cat /proc/sys/kernel/random/boot_id >"$LUVM_SHARED/boot"
        check 'FREEZE' liveupdatectl freeze
        liveupdatectl kexec
        not_ok 'the jump' "$(journalctl --no-pager -u liveupdate)"
}

stage2() {
        begin
        isnt "$(cat /proc/sys/kernel/random/boot_id)" "$(<"$LUVM_SHARED/boot")" 'this is another boot'
        start_client_service vm-a --size 16
        start_client_service vm-b --size 16 --direct
        client_says vm-a 'memory is intact'
        client_says vm-b 'memory is intact'
        client_says vm-a 'finished'
        client_says vm-b 'finished'
        check 'the state is normal again' wait_for 10 state_is normal
        like "$(liveupdatectl job 1 2>&1)" 'done' 'job 1 crossed the kexec and is done'
        liveupdatectl timeline >&2
        is "$(systemctl show --value -p NFileDescriptorStore liveupdate)" 0 'nothing is left in the descriptor store'
        check 'systemctl stop liveupdate' systemctl stop liveupdate
        is "$(systemctl show --value -p Result liveupdate)" success 'it ended well'
}
