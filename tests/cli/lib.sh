# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What the command line tests share: TAP, a private bus with the mock service on it, and
# one run of liveupdatectl with what came out. Sourced by test-*.sh, which get
#   LIVEUPDATECTL, MOCK_SERVICE, CLI_TOOL   the programs
# in the environment. Nothing waits for time to pass: a read from a pipe is the signal
# that something is ready, and its time-out is a failure.

: "${LIVEUPDATECTL:?}" "${MOCK_SERVICE:?}" "${CLI_TOOL:?}"
CLI_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
TOP=$(cd "$CLI_DIR/../.." && pwd -P)
export TOP
export LC_ALL=C.UTF-8 TZ=UTC TERM=xterm
unset NO_COLOR PAGER SYSTEMD_PAGER SYSTEMD_LESS LESS DBUS_SYSTEM_BUS_ADDRESS

tmp=$(mktemp -d)
n_points=0
bus_pid=
mock_pid=
address=

cleanup() {
        stop_mock
        stop_bus
        rm -rf -- "$tmp"
}
trap cleanup EXIT

# point DESCRIPTION COMMAND...: one TAP point.
point() {
        local description=$1
        shift
        n_points=$((n_points + 1))
        if "$@" >"$tmp/why" 2>&1; then
                printf 'ok %d - %s\n' "$n_points" "$description"
        else
                printf 'not ok %d - %s\n' "$n_points" "$description"
                printf '# %s\n' "$*"
                sed 's/^/# /' "$tmp/why"
                sed 's/^/# stderr: /' "$tmp/err"
        fi
}

plan() {
        printf '1..%d\n' "$n_points"
}

start_bus() {
        rm -f "$tmp/bus"
        mkfifo "$tmp/bus"
        dbus-daemon --config-file="$CLI_DIR/bus.conf" --address="unix:dir=$tmp" --nofork --nopidfile --print-address=1 >"$tmp/bus" 2>/dev/null &
        bus_pid=$!
        read -r -t 30 address <"$tmp/bus" || {
                echo "Bail out! no private bus"
                exit 1
        }
}

stop_bus() {
        [[ -z $bus_pid ]] && return
        kill "$bus_pid" 2>/dev/null
        wait "$bus_pid" 2>/dev/null
        bus_pid=
}

# start_mock SCENARIO: returns when it has its name on the bus. A bus that an earlier
# scenario killed is started again.
start_mock() {
        local line=
        stop_mock
        if [[ -z $bus_pid ]] || ! kill -0 "$bus_pid" 2>/dev/null; then
                start_bus
        fi
        rm -f "$tmp/mock-in" "$tmp/mock-out"
        mkfifo "$tmp/mock-in" "$tmp/mock-out"
        exec 8<>"$tmp/mock-in" 9<>"$tmp/mock-out"
        "$MOCK_SERVICE" --address="$address" --scenario="$1" --bus-pid="$bus_pid" \
                <"$tmp/mock-in" >"$tmp/mock-out" 8>&- 9>&- &
        mock_pid=$!
        read -r -t 30 line <&9
        [[ $line == ready ]] || {
                echo "Bail out! no mock service for scenario $1"
                exit 1
        }
}

stop_mock() {
        [[ -z $mock_pid ]] && return
        kill "$mock_pid" 2>/dev/null
        wait "$mock_pid" 2>/dev/null
        mock_pid=
}

# request LINE: the next request that the mock got is this one.
request() {
        local line
        read -r -t 30 line <&9 || return
        [[ $line == "$1" ]] || {
                printf 'got:  %s\nnot:  %s\n' "$line" "$1"
                return 1
        }
}

# ctl ARGUMENT...: runs it on the private bus; its output goes to $tmp/out and $tmp/err,
# its exit status to $status.
ctl() {
        timeout 60 "$LIVEUPDATECTL" --address="$address" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
        status=$?
}

# The following are for point.
exits() {
        [[ $status == "$1" ]] || {
                echo "exit status $status, not $1"
                return 1
        }
}

# same FILE GOLDEN: text
same() {
        if [[ -n ${UPDATE_GOLDEN:-} ]]; then
                cp "$1" "$CLI_DIR/golden/$2"
        fi
        diff -u "$CLI_DIR/golden/$2" "$1"
}

# The same but for the widths of columns: without headings they differ between versions
# of libsmartcols.
same_words() {
        if [[ -n ${UPDATE_GOLDEN:-} ]]; then
                cp "$1" "$CLI_DIR/golden/$2"
        fi
        diff -u -w "$CLI_DIR/golden/$2" "$1"
}

# The same value; how json-c lays it out differs from version to version.
same_json() {
        if [[ -n ${UPDATE_GOLDEN:-} ]]; then
                cp "$1" "$CLI_DIR/golden/$2"
        fi
        "$CLI_TOOL" json '' <"$CLI_DIR/golden/$2" | tr ',' '\n' >"$tmp/golden" &&
                "$CLI_TOOL" json '' <"$1" | tr ',' '\n' | diff -u "$tmp/golden" -
}

out_is() {
        printf '%s' "$1" | diff -u - "$tmp/out"
}

out_has() {
        grep -q -F -e "$1" "$tmp/out"
}

err_has() {
        grep -q -F -e "$1" "$tmp/err"
}

# err_is TEXT: one line, with nothing else.
err_is() {
        printf '%s\n' "$1" | diff -u - "$tmp/err"
}

err_empty() {
        [[ ! -s $tmp/err ]]
}

# json POINTER VALUE: what stdout holds is JSON with this value there.
json() {
        local value
        value=$("$CLI_TOOL" json "$1" <"$tmp/out") || {
                echo "no $1 in:"
                cat "$tmp/out"
                return 1
        }
        [[ $value == "$2" ]] || {
                printf '%s is %s, not %s\n' "$1" "$value" "$2"
                return 1
        }
}
