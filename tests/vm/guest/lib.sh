# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2153
#
# What a case may call. Points go out on descriptor 3 as they happen, numbered from 1 in
# each stage; the count is kept in a file, so that a subshell may make points too. What
# must survive the jump goes below $LUVM_SHARED.
#
# Given: STAGE, STAGES, RELEASE (of the running kernel; the one that was due, or the stage
# would not run), KEXEC_COUNT, CAME_FROM, and for the next stage NEXT_KERNEL, NEXT_INITRD,
# NEXT_APPEND (command line words to append; the daemon's configuration has them already)
# and NEXT_CMDLINE (all of it). LUVM_SCALE is how much slower than under KVM things are.

shopt -s extglob
export LUVM_SHARED=/run/luvm/shared
export LIVEUPDATED_BUILD=$LUVM_BUILD
export PATH=$LUVM_BUILD/src/ctl:$LUVM_BUILD/src/daemon:$LUVM_BUILD/tests/vm/guest:$PATH
DAEMON_LOG=$LUVM_SHARED/daemon.log
DAEMON_DIR=/run/luvm/daemon
export STAGES=$LUVM_STAGES
echo 0 >/run/luvm/points

# --- points ---------------------------------------------------------------------------

point() {
        local n
        read -r n </run/luvm/points
        echo $((n + 1)) >/run/luvm/points
        printf '%s %d - %s\n' "$1" $((n + 1)) "${2//#/}" >&3
}

ok() { point ok "$1"; }

# not_ok DESCRIPTION [DIAGNOSTIC...]
not_ok() {
        point 'not ok' "$1"
        shift
        (($# == 0)) || diag "$@"
}

diag() {
        local line
        while IFS= read -r line; do
                printf '# %s\n' "$line" >&3
        done <<<"$*"
}

# bail WHY: nothing after this makes sense; the VM goes.
bail() {
        printf 'Bail out! %s\n' "$*" >&3
        /run/luvm/busybox poweroff -f
}

is() {
        if [[ $1 == "$2" ]]; then ok "$3"; else not_ok "$3" "got:  $1"$'\n'"want: $2"; fi
}

isnt() {
        if [[ $1 != "$2" ]]; then ok "$3"; else not_ok "$3" "got: $1"; fi
}

# like GOT REGEX DESCRIPTION
like() {
        if [[ $1 =~ $2 ]]; then ok "$3"; else not_ok "$3" "got: $1"$'\n'"no match for: $2"; fi
}

# check DESCRIPTION COMMAND...: the command succeeds.
check() {
        local desc=$1 out rc=0
        shift
        out=$("$@" 2>&1 3>&-) || rc=$?
        if ((rc == 0)); then ok "$desc"; else not_ok "$desc" "$* exited with status $rc"$'\n'"$out"; fi
}

# refused STATUS REGEX DESCRIPTION COMMAND...: the command fails with that exit status
# ("any": not 0) and what it says matches.
refused() {
        local want=$1 regex=$2 desc=$3 out rc=0
        shift 3
        out=$("$@" 2>&1 3>&-) || rc=$?
        if ((rc != 0)) && [[ $want == any || $want == "$rc" ]] && [[ $out =~ $regex ]]; then
                ok "$desc"
        else
                not_ok "$desc" "$* exited with status $rc (want $want), no match for: $regex"$'\n'"$out"
        fi
}

# tap_program COMMAND...: runs a program that speaks TAP; its points become this stage's.
# One more point says that it ended with status 0 and as many points as it planned.
tap_program() {
        local line points=0 plan=-1 rc=0
        while IFS= read -r line; do
                case $line in
                1..*) plan=${line#1..} ;;
                'not ok '*) ((++points)); not_ok "${line#not ok +([0-9]) - }" ;;
                'ok '*) ((++points)); ok "${line#ok +([0-9]) - }" ;;
                'luvm-status '*) rc=${line#* } ;;
                *) diag "${line#\# }" ;;
                esac
        done < <("$@" 2>&1 3>&-; echo "luvm-status $?")
        if ((rc == 0 && points == plan)); then
                ok "${1##*/} ran to its end"
        else
                not_ok "${1##*/} ran to its end" "status $rc, $points points, plan $plan"
        fi
}

# --- devices --------------------------------------------------------------------------

# function_of VENDOR DEVICE: the address of the first such PCI function.
function_of() {
        local dir
        for dir in /sys/bus/pci/devices/*; do
                [[ $(<"$dir/vendor") != "$1" || $(<"$dir/device") != "$2" ]] || { echo "${dir##*/}"; return; }
        done
}

# --- waiting --------------------------------------------------------------------------

# wait_for SECONDS COMMAND...: until the command succeeds; 1 when the time, scaled to the
# accelerator, is up.
wait_for() {
        local end=$((SECONDS + $1 * LUVM_SCALE + 1))
        shift
        until "$@" >/dev/null 2>&1 3>&-; do
                ((SECONDS < end)) || return 1
                /run/luvm/busybox usleep 20000
        done
}

# --- bus and daemon -------------------------------------------------------------------

start_bus() {
        [[ ! -S /run/dbus/system_bus_socket ]] || return 0
        mkdir -p /run/dbus /etc/dbus-1/system.d
        cp "$LUVM_TOP/dbus/org.liveupdate1.conf" /etc/dbus-1/system.d/
        [[ -s /etc/machine-id ]] || echo 6c75766d6c75766d6c75766d6c75766d >/etc/machine-id
        # Returns when the socket is there.
        dbus-daemon --system --fork --nosyslog >>"$LUVM_SHARED/dbus.log" 2>&1 3>&- 4>&-
}

stop_bus() {
        local pid
        read -r pid </run/dbus/pid && kill "$pid" && wait_for 5 test ! -e "/proc/$pid"
        rm -f /run/dbus/pid /run/dbus/system_bus_socket
}

# start_daemon [ARGUMENT...]: under luvm-service, a service manager in small: it waits
# for READY=1 and keeps the descriptor store. Fails when the daemon is not ready in time.
start_daemon() {
        luvm-service start "$DAEMON_DIR" --timeout $((30 * LUVM_SCALE)) --log "$DAEMON_LOG" \
                -- "$LUVM_BUILD/src/daemon/liveupdated" "$@" 3>&- 4>&-
}

daemon_pid() { luvm-service pid "$DAEMON_DIR"; }

stop_daemon() { luvm-service stop "$DAEMON_DIR"; }

# kill_daemon: SIGKILL, as a crash; the descriptor store stays for restart_daemon.
kill_daemon() { luvm-service kill "$DAEMON_DIR"; }

restart_daemon() { luvm-service restart "$DAEMON_DIR"; }
