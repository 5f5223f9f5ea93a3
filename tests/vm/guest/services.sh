# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# For cases with systemd as PID 1: the demo's clients as services. What client_log and
# client_says (clients.sh) look at is the same.

# start_client_service NAME [OPTION...]: ordered as docs say that a VM manager is.
start_client_service() {
        local name=$1
        shift
        cat >"/run/systemd/system/client-$name.service" <<-END
	[Unit]
	After=liveupdate.target
	Wants=liveupdate.target
	[Service]
	ExecStart=$LUVM_BUILD/tests/demo/demo-client $name $*
	StandardOutput=append:$(client_log "$name")
	StandardError=inherit
	END
        systemctl daemon-reload
        systemctl start "client-$name.service"
}
