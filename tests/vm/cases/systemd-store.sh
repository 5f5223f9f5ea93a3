# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2153
#
# Next to each other on Debian forky: a service whose descriptors systemd itself preserves
# across kernels (FileDescriptorStorePreserve=), and ours. Both use /dev/liveupdate, which has one
# opener at a time. Two updates through systemd's shutdown, and neither loses anything.

PLAN=18
STAGES=3
DEADLINE=220
SYSTEMD=forky

# systemd gives the descriptors back to units that it knows when it starts.
on_host() {
        mkdir -p "$1/units"
        cat >"$1/units/other.service" <<-END
	[Service]
	Type=notify
	ExecStart=$BUILD/tests/vm/guest/luvm-store /run/luvm/shared/number
	FileDescriptorStoreMax=4
	FileDescriptorStorePreserve=yes
	END
}

begin() {
        # shellcheck disable=SC1091
        . "$LUVM_TOP/tests/vm/guest/clients.sh"
        # shellcheck disable=SC1091
        . "$LUVM_TOP/tests/vm/guest/services.sh"
        printf '[Update]\nJump=systemd\n' >/run/liveupdated/liveupdated.conf.d/60-jump.conf
        check "stage $STAGE: the other service starts" systemctl start other
        check "stage $STAGE: systemctl start liveupdate" systemctl start liveupdate
        is "$(<"$LUVM_SHARED/number")" "$STAGE" "stage $STAGE: the other service has its memory"
        start_client_service vm-a --size 16
}

come_back() {
        client_says vm-a 'memory is intact'
        client_says vm-a 'finished'
        check "stage $STAGE: the state is normal again" wait_for 10 state_is normal
}

stage1() {
        begin
        client_says vm-a 'takes part'
        liveupdatectl update
}

stage2() {
        begin
        come_back
        client_says vm-a 'takes part'
        liveupdatectl update
}

stage3() {
        begin
        come_back
        like "$(liveupdatectl jobs)" 'update +done' 'the last job is done'
}
