# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2153
#
# The case bench-systemd with Debian forky's systemd, and one more row: a service that gets
# its descriptor back from systemd itself, from the begin of the shutdown until it is ready.

# shellcheck source=bench-systemd.sh
. "${BASH_SOURCE[0]%/*}/bench-systemd.sh"
LONG=1
PLAN=12
STAGES=4
SYSTEMD=forky

eval "$(declare -f on_host | sed '1s/on_host/on_any_host/')"
on_host() {
        on_any_host "$1"
        cat >"$1/units/store.service" <<-END
	[Service]
	Type=notify
	ExecStart=$BUILD/tests/vm/guest/luvm-store /run/luvm/shared/store
	FileDescriptorStoreMax=4
	FileDescriptorStorePreserve=yes
	END
        ln -s ../store.service "$1/units/luvm.target.wants/"
}

# The direct way before this one began it anew.
others() {
        is "$(<"$LUVM_SHARED/store")" 2 "stage $STAGE: systemd has preserved the descriptor store"
        row store 0 $((KERNEL_START - REBOOT)) "$PID1" 0 0 $(($(systemctl show --value -p ActiveEnterTimestampMonotonic store) - PID1))
}
