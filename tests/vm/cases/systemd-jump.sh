# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2153
#
# Jump=systemd: the update goes through kexec.target, all services (daemon and clients too)
# are stopped before systemd-shutdown calls reboot(2), and what was preserved arrives all the
# same. A client that nothing stops sees the daemon go and leaves its guest alone. First a
# shutdown that cannot begin: everything is put back, and nothing keeps a session.

PLAN=22
STAGES=2
DEADLINE=150
SYSTEMD=host

begin() {
        # shellcheck disable=SC1091
        . "$LUVM_TOP/tests/vm/guest/clients.sh"
        # shellcheck disable=SC1091
        . "$LUVM_TOP/tests/vm/guest/services.sh"
        printf '[Update]\nJump=systemd\n' >/run/liveupdated/liveupdated.conf.d/60-jump.conf
        check "stage $STAGE: systemctl start liveupdate" systemctl start liveupdate
        start_client_service vm-a --size 16
        start_client_service vm-b --size 16 --direct
        # Nothing stops this one but the final kill.
        mkdir -p /run/systemd/system/client-vm-c.service.d
        printf '[Unit]\nDefaultDependencies=no\n' >/run/systemd/system/client-vm-c.service.d/stays.conf
        start_client_service vm-c --size 4
}

stage1() {
        begin
        client_says vm-a 'takes part'
        client_says vm-b 'takes part'
        client_says vm-c 'takes part'
        liveupdatectl load "$NEXT_KERNEL" --initrd "$NEXT_INITRD" --append "$NEXT_APPEND"
        like "$(liveupdatectl plan)" 'kernel.*limited.*jump-shutdown' 'the plan says that services are stopped'
        systemctl mask --runtime kexec.target 2>/dev/null
        refused any 'kexec.target: .*did not take place .*masked' 'without kexec.target nothing happens' liveupdatectl update
        check 'the state is normal' state_is normal
        is "$(systemctl is-active liveupdate-keeper)" inactive 'nothing keeps a session'
        client_says vm-a 'memory is as it was'
        systemctl unmask --runtime kexec.target 2>/dev/null
        : >"$(client_log vm-a)"
        : >"$(client_log vm-b)"
        systemctl restart client-vm-a client-vm-b
        client_says vm-a 'takes part'
        client_says vm-b 'takes part'
        liveupdatectl update
}

stage2() {
        begin
        is "$(journalctl --no-pager -q -b -u liveupdate-keeper)" '' 'the keeper is not needed on this side'
        like "$(cat "$LUVM_SHARED/client-vm-c-1.log")" 'stays stopped .the jump has begun' 'vm-c saw the daemon go'
        client_says vm-a 'memory is intact'
        client_says vm-b 'memory is intact'
        client_says vm-c 'memory is intact'
        client_says vm-a 'finished'
        client_says vm-b 'finished'
        check 'the state is normal again' wait_for 10 state_is normal
        like "$(liveupdatectl jobs)" 'update +done' 'the job that jumped is done'
        liveupdatectl timeline >&2
        check 'nothing was lost' liveupdatectl status
}
