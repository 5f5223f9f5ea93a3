#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What happens to the connection: nobody there, lost while waiting, the jump, Ctrl-C,
# and monitor.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# --- nobody there ------------------------------------------------------------------------
address=unix:path=$tmp/nothing
ctl status
point 'no bus: status' exits 3
point 'no bus: message' err_has "then start liveupdated with 'systemctl start liveupdate'"
point 'no bus: nothing on stdout' out_is ''
ctl prepare --json
point 'no bus: status of a job verb' exits 3
point 'no bus: code' json /error/code daemon-unreachable
ctl monitor
point 'no bus: monitor' exits 3
address=nonsense
ctl status
point 'an address that is none: status' exits 3
point 'an address that is none: message' err_has 'The bus cannot be reached: '
DBUS_SYSTEM_BUS_ADDRESS=unix:path=$tmp/nothing "$LIVEUPDATECTL" status >"$tmp/out" 2>"$tmp/err"
status=$?
point 'DBUS_SYSTEM_BUS_ADDRESS is honoured' exits 3

start_bus
for verb in status devices plan 'explain veto' 'explain 00:00.0' 'devices 00:00.0' verify bits sessions jobs job timeline prepare freeze kexec update cancel finish unload monitor; do
        # shellcheck disable=SC2086 # a verb may have an argument
        ctl $verb
        point "no daemon on the bus: $verb: status" exits 3
        point "no daemon on the bus: $verb: message" err_has "Start it with 'systemctl start liveupdate'."
done
ctl update --json
point 'no daemon on the bus: code' json /error/code daemon-unreachable

# ssh stands for another host; what it says is how it is called.
mkdir "$tmp/bin"
cat >"$tmp/bin/ssh" <<'END'
#!/bin/sh
printf '%s\n' "$*" >"$SSH_LOG"
exit 255
END
chmod +x "$tmp/bin/ssh"
SSH_LOG=$tmp/ssh PATH=$tmp/bin:$PATH timeout 60 "$LIVEUPDATECTL" -H admin@far.example status >"$tmp/out" 2>"$tmp/err"
status=$?
point '-H: a host that cannot be reached: status' exits 3
point '-H: its name is in the message' err_has admin@far.example
point '-H: ssh is asked for it' grep -q admin@far.example "$tmp/ssh"

# far VERB...: over an ssh that carries bytes, but no descriptors
far() {
        SSH_LOG=$tmp/ssh PATH=$tmp/bin:$PATH ADDRESS=$address timeout 60 "$LIVEUPDATECTL" -H far.example "$@" \
                >"$tmp/out" 2>"$tmp/err"
        status=$?
}
cat >"$tmp/bin/ssh" <<'END'
#!/bin/sh
exec "$CLI_TOOL" bridge "$ADDRESS"
END
start_mock busy
far status
point '-H: status' exits 0
point '-H: no time left, as the clock is another' out_has 'vmm-1 (prepare: waiting): saving'
far update
point '-H: update' eval 'exits 0 && out_has "Job 9 (update) is done."'
printf kernel >"$tmp/kernel"
far load "$tmp/kernel" --json
point '-H: load: status' exits 1
point '-H: load: code' json /error/code no-descriptors
far update --kernel "$tmp/kernel"
point '-H: update --kernel: message' err_has "Run 'liveupdatectl load' on the host itself."
start_mock jump
far update
point '-H: the jump' eval 'exits 0 && err_has "ended in the jump"'
stop_mock
[[ -n $bus_pid ]] && stop_bus
start_bus
far status
point '-H: no daemon there' eval 'exits 3 && err_has "on far.example" && err_has "there."'

# --- waiting -------------------------------------------------------------------------------
# wait_for VERB...: runs it in the background, returns when its first step was told.
wait_for() {
        local line
        rm -f "$tmp/steps"
        mkfifo "$tmp/steps"
        exec 7<>"$tmp/steps"
        "$LIVEUPDATECTL" --address="$address" -v "$@" >"$tmp/out" 2>"$tmp/steps" 7>&- &
        ctl_pid=$!
        read -r -t 30 line <&7
        point "$*: waits" test "$line" = "Job 8 ($1): asking clients"
}
# wait_end: its exit status, and the next line it wrote
wait_end() {
        wait "$ctl_pid"
        status=$?
        read -r -t 30 line <&7
        printf '%s\n' "$line" >"$tmp/err"
}

start_mock hang
wait_for prepare --json
kill -INT "$ctl_pid"
wait_end
point 'Ctrl-C: status' exits 130
point 'Ctrl-C: says how to cancel' err_is \
        "liveupdatectl: Interrupted. Job 8 (prepare) goes on; stop it with 'liveupdatectl cancel'."
point 'Ctrl-C: code' json /error/code interrupted
ctl jobs
point 'Ctrl-C: the job goes on' eval 'out_has running'

start_mock hang
wait_for prepare
kill -KILL "$mock_pid"
wait_end
point 'the daemon ends while a job runs: status' exits 3
point 'the daemon ends while a job runs: message' err_has 'liveupdated ended while the job was running.'

start_mock hang
wait_for prepare --json
kill -KILL "$bus_pid"
wait_end
point 'the connection ends while a job runs: status' exits 3
point 'the connection ends while a job runs: message' err_has \
        'The connection to the bus ended while job 8 (prepare) was running.'
point 'the connection ends while a job runs: code' json /error/code connection-lost

for verb in update kexec; do
        start_mock jump
        ctl "$verb"
        point "$verb: the connection ends in the jump: status" exits 0
        point "$verb: the connection ends in the jump: message" err_is \
                "liveupdatectl: The connection ended in the jump, as it must. See 'liveupdatectl job 8' in the next kernel for the result."
        point "$verb: the connection ends in the jump: nothing on stdout" out_is ''
        start_mock jump
        ctl "$verb" --json
        point "$verb: the connection ends in the jump: JSON" json /state jumping
        point "$verb: the connection ends in the jump: JSON number" json /number 8
done
start_mock jump
ctl freeze
point 'the jump of somebody else while freeze waits: status' exits 3

# --- monitor ---------------------------------------------------------------------------------
# watch OPTION...: starts monitor and reads the present state
watch() {
        rm -f "$tmp/events"
        mkfifo "$tmp/events"
        exec 6<>"$tmp/events"
        "$LIVEUPDATECTL" --address="$address" monitor "$@" >"$tmp/events" 2>"$tmp/monitor-err" 6>&- &
        ctl_pid=$!
        event
}
event() {
        read -r -t 30 line <&6
        printf '%s\n' "$line" >"$tmp/out"
}
# The time of day goes first.
event_is() {
        [[ $line =~ ^[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\.[0-9]{3}\ (.*)$ && ${BASH_REMATCH[1]} == "$1" ]] || {
                printf 'got: %s\n' "$line"
                return 1
        }
}

start_mock plain
watch
point 'monitor: begins with the state' event_is 'state normal'
(ctl prepare)
event
point 'monitor: JobNew' event_is 'job 8 new'
event
point 'monitor: StateChanged' event_is 'state normal -> prepared'
event
point 'monitor: JobRemoved' event_is 'job 8 done'
stop_mock
event
point 'monitor: the daemon went' event_is 'liveupdated went'
start_mock fail
event
point 'monitor: the daemon came' event_is 'liveupdated came'
(ctl prepare)
event
event
point 'monitor: why a job failed' event_is \
        'job 8 failed (veto) A participant refused (a disk is being resized). Remove its reason and start again.'
kill -INT "$ctl_pid"
wait "$ctl_pid"
status=$?
point 'monitor: Ctrl-C is its normal end' exits 0
point 'monitor: nothing on stderr' test ! -s "$tmp/monitor-err"

start_mock plain
watch --json=short
point 'monitor --json: state' eval 'json /event state && json /state normal'
(ctl prepare)
event
point 'monitor --json: JobNew' eval 'json /event job-new && json /number 8 && json /path /org/liveupdate1/job/8'
event
point 'monitor --json: StateChanged' eval 'json /event state-changed && json /from normal && json /to prepared'
event
point 'monitor --json: JobRemoved' eval 'json /event job-removed && json /result done && json /code null'
kill -TERM "$ctl_pid"
wait "$ctl_pid"
status=$?
point 'monitor: SIGTERM is its normal end' exits 0

start_mock good
watch
(ctl plan)
event
point 'monitor: PlanStale, made harmless' event_is 'plan stale: 0000:03:00.0 bad??[2J'
kill -TERM "$ctl_pid"
wait "$ctl_pid"
watch --json=short
(ctl plan)
event
point 'monitor --json: PlanStale' eval 'json /event plan-stale && json /devices/0 0000:03:00.0'
kill -TERM "$ctl_pid"
wait "$ctl_pid"

watch
kill -KILL "$bus_pid"
wait "$ctl_pid"
status=$?
point 'monitor: the connection ends: status' exits 3
cp "$tmp/monitor-err" "$tmp/err"
point 'monitor: the connection ends: message' err_has 'The connection to the bus ended.'

# --- the mock keeps to the contract ------------------------------------------------------------
# members INTERFACE: from XML on stdin, one line for each method, property and signal of
# the interface with its types, sorted.
members() {
        tr -d '\n' | sed -e 's/<!--/\x01/g' -e 's/-->/\x02/g' -e 's/\x01[^\x02]*\x02//g' -e 's/</\n</g' | awk -v want="$1" '
                function attribute(name,   m) {
                        if (!match($0, " " name "=\"[^\"]*\""))
                                return ""
                        m = substr($0, RSTART, RLENGTH)
                        gsub(/^[^"]*"|"$/, "", m)
                        return m
                }
                /^<interface / { inside = attribute("name") == want }
                !inside { next }
                /^<(method|signal) / { head = $1 " " attribute("name"); input = output = "" }
                /^<arg / { if (attribute("direction") == "in") input = input attribute("type"); else output = output attribute("type") }
                /^<\/(method|signal)>/ { print head, input, "->", output }
                /^<(method|signal) .*\/>/ { print head, "->" }
                /^<property / { print $1, attribute("name"), attribute("type"), attribute("access") }' | tr -s ' ' | sort
}
contract() {
        local xml=$TOP/dbus/$1.xml
        [[ $(members "$1" <"$xml" | wc -l) -gt 5 ]] &&
                diff <(members "$1" <"$xml") <("$CLI_TOOL" introspect "$address" "$2" | members "$1")
}
start_mock plain
point 'the mock serves the Manager interface of dbus/' contract org.liveupdate1.Manager /org/liveupdate1
point 'the mock serves the Device interface of dbus/' contract org.liveupdate1.Device \
        /org/liveupdate1/device/_30000_3a03_3a00_2e0
point 'the mock serves the Job interface of dbus/' contract org.liveupdate1.Job /org/liveupdate1/job/5

plan
