# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2153
#
# A freeze that fails inside reboot(2), after everything that userspace can check went well:
# a file of the second of three clients, whose handler (guest/kmod) says no. The job says
# so and which file it was, every client is told to go on, in reverse order, with its memory
# as it was when it stood still. Then the same update succeeds.

PLAN=53
STAGES=2
SHIM=1
DEADLINE=90

CLIENTS=(vm-a vm-b vm-c)
FREEZE=/sys/module/luvm_freeze/parameters
SIGNALS=/run/luvm/signals

begin() {
        # shellcheck disable=SC1091
        . "$LUVM_TOP/tests/vm/guest/clients.sh"
        # Before the first open of /dev/liveupdate, which must find the handler.
        check "stage $STAGE: the module with the handler" modprobe luvm_freeze
        check "stage $STAGE: the bus is up" start_bus
        check "stage $STAGE: the daemon is ready" start_daemon
}

# One after the other, so that the order of their registrations is known.
start_clients() {
        local client
        start_client vm-a
        client_says vm-a "$1"
        start_client vm-b --direct --also /dev/luvm-freeze
        client_says vm-b "$1"
        start_client vm-c
        client_says vm-c "$1"
}

# asked PHASE: the participants that were asked for it, in that order, by number.
asked() {
        grep -F "\"data\":[\"$1\"" "$SIGNALS" | sed 's/.*participant\/_*\([0-9]*\)".*/\1/' | tr '\n' ' '
}

heard() { (($(asked resume | wc -w) >= $1)); }

# checksum CLIENT TEXT: the last checksum in a line with that text.
checksum() { grep -F "$2" "$(client_log "$1")" | tail -n 1 | sed 's/.*checksum //'; }

# fails NUMBER NAME ROUND: the handler refuses an update with this error.
fails() {
        local client
        : >"$SIGNALS"
        for client in "${CLIENTS[@]}"; do
                : >"$(client_log "$client")"
        done
        echo "$1" >"$FREEZE/freeze_error"
        refused 1 "freeze-failed.*could not freeze a preserved file.*reboot.*$2; token 0x3, handler luvm-freeze-v1" \
                "$3: the update ends with code, sentence, subject and file" liveupdatectl --json=short update
        check "$3: the state is normal" wait_for 10 state_is normal
        is "$(<"$FREEZE/freezes")" "$3" "$3: the handler was asked, in the kernel"
        check "$3: all three hear it" wait_for 10 heard 3
        is "$(asked resume)" '3 2 1 ' "$3: told to go on in reverse order"
        is "$(asked freeze)" '1 2 3 ' "$3: of that in which they were asked"
        for client in "${CLIENTS[@]}"; do
                client_says "$client" 'memory is as it was'
                is "$(checksum "$client" 'memory is as it was')" "$(checksum "$client" 'frozen:')" \
                        "$3: $client went on where it stood"
                client_says "$client" 'memory is resizable'
        done
        is "$(liveupdatectl --no-legend sessions)" '' "$3: no session is left"
        like "$(liveupdatectl jobs)" 'update.*failed' "$3: the job has failed"
}

stage1() {
        begin
        start_clients 'takes part'
        busctl --json=short --match="type='signal',member='PhaseRequested'" monitor >>"$SIGNALS" 2>"$SIGNALS.err" 3>&- 4>&- &
        check 'the signals are seen' wait_for 10 grep -q Monitoring "$SIGNALS.err"
        check 'load' liveupdatectl load "$NEXT_KERNEL" --initrd "$NEXT_INITRD" --append "$NEXT_APPEND"
        fails 5 EIO 1
        fails 28 ENOSPC 2
        is "$(cat /sys/kernel/kexec/loaded 2>/dev/null || cat /sys/kernel/kexec_loaded)" 1 'the kernel is still loaded'
        echo 0 >"$FREEZE/freeze_error"
        liveupdatectl update
        not_ok 'the update that nothing is in the way of' "$(tail -n 20 "$DAEMON_LOG")"
}

stage2() {
        begin
        start_clients 'memory is intact'
        client_says vm-b 'finished'
        check 'the state is normal' wait_for 10 state_is normal
        like "$(liveupdatectl jobs)" 'update.*done' 'the job is done'
        is "$(<"$FREEZE/freezes")" 0 'in this kernel nothing was frozen'
}
