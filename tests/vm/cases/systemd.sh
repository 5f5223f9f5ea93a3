# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2153
#
# systemd as PID 1, this machine's own, or (systemd-forky) one that uses LUO itself: the daemon is the unit that `meson install` puts
# there, and the clients are services. Started with systemctl, an update goes by the
# direct way; the same job is completed in the next kernel. A daemon that is killed comes back
# with systemd's descriptor store.

PLAN=26
STAGES=2
DEADLINE=120
SYSTEMD=host

begin() {
        # shellcheck disable=SC1091
        . "$LUVM_TOP/tests/vm/guest/clients.sh"
        # shellcheck disable=SC1091
        . "$LUVM_TOP/tests/vm/guest/services.sh"
}

# since UNIT PROPERTY: when, in microseconds.
since() { systemctl show --value -p "$2" "$1"; }

store_is_empty() {
        [[ $(systemctl show --value -p NFileDescriptorStore liveupdate) == 0 ]]
}

stage1() {
        local started
        begin
        check 'systemctl start liveupdate' systemctl start liveupdate
        is "$(systemctl is-active liveupdate)" active 'the daemon runs'
        diag "$(systemctl --version | head -n 1)"
        is "$(property CrashCancels)" 'b false' 'a crash would cancel nothing'
        start_client_service vm-a --size 16
        start_client_service vm-b --size 16 --direct
        client_says vm-a 'takes part'
        client_says vm-b 'takes part'

        check 'a kernel is loaded' liveupdatectl load "$NEXT_KERNEL" --initrd "$NEXT_INITRD" --append "$NEXT_APPEND"
        check 'PREPARE' liveupdatectl prepare
        started=$(since client-vm-a ActiveEnterTimestampMonotonic)
        systemctl kill --signal=KILL liveupdate
        check 'the killed daemon comes back' wait_for 20 state_is prepared
        isnt "$(systemctl show --value -p NRestarts liveupdate)" 0 'because systemd has restarted it'
        is "$(since client-vm-a ActiveEnterTimestampMonotonic)" "$started" 'a VM manager ordered after its target is not touched'
        isnt "$(systemctl show --value -p NFileDescriptorStore liveupdate)" 0 'with what is in the descriptor store'

        cat /proc/sys/kernel/random/boot_id >"$LUVM_SHARED/boot-id"
        check 'FREEZE' liveupdatectl freeze
        liveupdatectl kexec
        not_ok 'the jump' "$(journalctl --no-pager -u liveupdate)"
}

stage2() {
        begin
        is "$(systemctl is-active liveupdate liveupdate.target)" $'inactive\ninactive' 'nobody has started the daemon yet'
        isnt "$(cat /proc/sys/kernel/random/boot_id)" "$(<"$LUVM_SHARED/boot-id")" 'this is another boot'
        start_client_service vm-a --size 16
        is "$(systemctl is-active liveupdate liveupdate.target)" $'active\nactive' 'a VM manager pulls it in'
        check 'and is started when its target is reached' test \
                "$(since liveupdate.target ActiveEnterTimestampMonotonic)" -le "$(since client-vm-a ExecMainStartTimestampMonotonic)"
        start_client_service vm-b --size 16 --direct
        client_says vm-a 'memory is intact'
        client_says vm-b 'memory is intact'
        client_says vm-a 'finished'
        client_says vm-b 'finished'
        check 'the state is normal again' wait_for 10 state_is normal
        like "$(liveupdatectl jobs)" 'execute +done' 'the job that jumped is done'
        liveupdatectl timeline >&2
        systemctl stop client-vm-a client-vm-b
        check 'nothing is left in the descriptor store' wait_for 10 store_is_empty
        check 'systemctl stop liveupdate' systemctl stop liveupdate
        is "$(systemctl show --value -p Result liveupdate)" success 'it ended well'
        is "$(systemctl is-active liveupdate.target)" inactive 'and its target with it'
}
