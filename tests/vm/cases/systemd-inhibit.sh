# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2153
#
# An operator who wants to reboot or kexec while an update is prepared: the real logind holds
# it back with our sentence. Who overrules it stops the daemon like any service; then the update
# is cancelled and the clients go on.

PLAN=22
STAGES=1
DEADLINE=100
SYSTEMD=host
UNITS=systemd-logind.service

locks() {
        systemd-inhibit --list --no-legend --no-pager | grep liveupdated
}

# From systemd 257 on root is refused, too; before, it has to ask.
reboot_by_script() {
        local version
        read -r _ version _ < <(systemctl --version)
        if ((version >= 257)); then systemctl reboot; else systemctl reboot --check-inhibitors=yes; fi </dev/null
}

LOGIND=(org.freedesktop.login1 /org/freedesktop/login1 org.freedesktop.login1.Manager)

# schedule MODE SECONDS: as shutdown(8), which counts in minutes.
schedule() {
        check "a $1 is scheduled" busctl call "${LOGIND[@]}" ScheduleShutdown st "$1" $((($(date +%s) + $2) * 1000000))
}

stage1() {
        # shellcheck disable=SC1091
        . "$LUVM_TOP/tests/vm/guest/clients.sh"
        # shellcheck disable=SC1091
        . "$LUVM_TOP/tests/vm/guest/services.sh"
        check 'logind is there' wait_for 20 systemctl is-active systemd-logind
        check 'systemctl start liveupdate' systemctl start liveupdate
        start_client_service vm-a --size 16
        start_client_service vm-b --size 16 --direct
        client_says vm-a 'takes part'
        client_says vm-b 'takes part'
        check 'a kernel is loaded' liveupdatectl load "$NEXT_KERNEL" --initrd "$NEXT_INITRD" --append "$NEXT_APPEND"
        refused any '' 'nothing is held back before' locks
        schedule reboot 3600
        refused 1 'shutdown-scheduled' 'a shutdown that is scheduled already would not be held back' \
                liveupdatectl --json=short prepare
        check 'it is called off' busctl call "${LOGIND[@]}" CancelScheduledShutdown
        check 'PREPARE' liveupdatectl prepare
        check 'logind has a lock of ours' wait_for 10 locks
        refused any 'liveupdatectl cancel' 'reboot is refused, with what to do' systemctl reboot --check-inhibitors=yes
        refused any 'liveupdatectl cancel' 'poweroff, too' systemctl poweroff --check-inhibitors=yes
        refused any 'inhibit|liveupdatectl cancel' 'a terminal is not needed for that' reboot_by_script
        check 'the update is still prepared' state_is prepared
        systemctl kill --signal=KILL liveupdate
        check 'a killed daemon comes back' wait_for 20 state_is prepared
        check 'with its lock' wait_for 10 locks
        # What systemd does first when it is rebooted all the same.
        check 'the daemon is stopped' systemctl stop liveupdate
        client_says vm-a 'resumed (told to)'
        client_says vm-b 'resumed (told to)'
        refused any '' 'nothing is held back any more' locks
        check 'and starts again' systemctl start liveupdate
}
