# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The demo's clients in a case: started in the background, each with its own log, which
# is all a case reads of them.

client_log() { echo "$LUVM_SHARED/client-$1-$STAGE.log"; }

# start_client NAME [OPTION...]
start_client() {
        "$LUVM_BUILD/tests/demo/demo-client" "$@" >"$(client_log "$1")" 2>&1 3>&- 4>&- &
        echo $! >"/run/luvm/client-$1.pid"
}

kill_client() {
        kill -9 "$(<"/run/luvm/client-$1.pid")"
}

# client_says NAME TEXT: waits until the client has said so; one point.
client_says() {
        if wait_for 20 grep -q -F -e "$2" "$(client_log "$1")"; then
                ok "stage $STAGE: $1: $2"
        else
                not_ok "stage $STAGE: $1: $2" "$(tail -n 5 "$(client_log "$1")" "$DAEMON_LOG")"
        fi
}

# state_is STATE: asks the daemon once.
state_is() {
        [[ $(busctl get-property org.liveupdate1 /org/liveupdate1 org.liveupdate1.Manager State) == "s \"$1\"" ]]
}

# property NAME: of the manager, as busctl prints it.
property() {
        busctl get-property org.liveupdate1 /org/liveupdate1 org.liveupdate1.Manager "$1"
}
