# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2153
#
# Next to each other on Debian forky: a service whose descriptors systemd itself preserves
# across kernels (FileDescriptorStorePreserve=), one that has a session from systemd
# (LUOSession=), and ours. All use /dev/liveupdate, which has one opener at a time. Two updates
# through systemd's shutdown, and nobody loses anything; then one by the direct way, on which
# systemd is not asked and hands nothing out again, as docs/systemd.md says; ours comes back.

PLAN=38
STAGES=4
DEADLINE=280
SYSTEMD=forky

# systemd gives the descriptors back to units that it knows when it starts.
on_host() {
        mkdir -p "$1/units"
        cat >"$1/units/store.service" <<-END
	[Service]
	Type=notify
	ExecStart=$BUILD/tests/vm/guest/luvm-store /run/luvm/shared/store
	FileDescriptorStoreMax=4
	FileDescriptorStorePreserve=yes
	END
        cat >"$1/units/session.service" <<-END
	[Unit]
	StartLimitIntervalSec=0
	[Service]
	Type=notify
	ExecStart=$BUILD/tests/vm/guest/luvm-session /run/luvm/shared/session
	LUOSession=mine
	Restart=always
	FileDescriptorStoreMax=4
	FileDescriptorStorePreserve=yes
	END
}

has_number() { [[ $(<"$LUVM_SHARED/$1") == "$2" ]]; }
tried_again() { [[ $(systemctl show --value -p NRestarts "$1") != 0 ]]; }
active() { systemctl is-active --quiet "$1"; }

# begin NUMBER JUMP: the number that both services should have by now, and how to go on.
begin() {
        # shellcheck disable=SC1091
        . "$LUVM_TOP/tests/vm/guest/clients.sh"
        # shellcheck disable=SC1091
        . "$LUVM_TOP/tests/vm/guest/services.sh"
        printf '[Update]\nJump=%s\n' "$2" >/run/liveupdated/liveupdated.conf.d/60-jump.conf
        check "stage $STAGE: the service with a descriptor store starts" systemctl start store
        is "$(<"$LUVM_SHARED/store")" "$1" "stage $STAGE: what it has in there was raised $1 times"
        ((STAGE > 1)) || begin_busy
        check "stage $STAGE: the service with a session starts" systemctl start session
        check "stage $STAGE: systemctl start liveupdate" systemctl start liveupdate
        check "stage $STAGE: so was what is in the session" wait_for 20 has_number session "$1"
        start_client_service vm-a --size 16
}

# Somebody has the device open for a while. Nobody waits for systemd but the service manager
# itself, which starts a service again; liveupdated does on its own.
begin_busy() {
        exec 9<>/dev/liveupdate
        systemctl start --no-block session liveupdate
        check 'device busy: the service has no session, and is started again' wait_for 20 tried_again session
        is "$(systemctl is-active liveupdate)" activating 'device busy: liveupdated waits'
        exec 9>&-
        check 'device free: the service with a session runs' wait_for 20 active session
        check 'device free: liveupdated runs' wait_for 20 active liveupdate
        is "$(systemctl show --value -p NRestarts liveupdate)" 0 'device free: it was not started a second time'
}

come_back() {
        client_says vm-a 'memory is intact'
        client_says vm-a 'finished'
        check "stage $STAGE: the state is normal again" wait_for 10 state_is normal
}

go_on() {
        client_says vm-a 'takes part'
        liveupdatectl update
}

stage1() {
        begin 1 systemd
        go_on
}

stage2() {
        begin 2 systemd
        come_back
        go_on
}

stage3() {
        begin 3 direct
        come_back
        go_on
}

stage4() {
        begin 1 direct
        come_back
        like "$(liveupdatectl jobs)" 'update +done' 'the last job is done'
}
