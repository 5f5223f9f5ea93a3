# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2153
#
# A QEMU machine when an update comes to nothing: cancelled after freeze, vetoed by another
# client, a jump that fails, another machine that is told to end, its adapter killed in each
# phase. Each time the guest counts on and has lost nothing; and in the end an update takes it
# along, though the adapter is killed once on the way back.

PLAN=52
STAGES=2
DEADLINE=120

begin() {
        # shellcheck disable=SC1091
        . "$LUVM_TOP/tests/vm/guest/clients.sh"
        # shellcheck disable=SC1091
        . "$LUVM_TOP/tests/vm/guest/inner.sh"
        check 'the bus is up' start_bus
        check "stage $STAGE: the daemon is ready" start_daemon
}

goes_on() {
        check "$1: the state is normal" wait_for 20 state_is normal
        inner_runs one "$1: the guest counts on"
}

# back TEXT: calls the update off, and says how long the guest took from there to count on.
back() {
        local begin n
        n=$(inner_count one)
        begin=${EPOCHREALTIME/./}
        check "$1" liveupdatectl cancel
        until inner_counts_past one "$n" || ((${EPOCHREALTIME/./} - begin > 20000000)); do sleep 0.01; done
        diag "$1: the guest counts on after $(((${EPOCHREALTIME/./} - begin) / 1000)) ms"
}

kill_adapter() {
        kill -9 "$(<"/run/luvm/adapter-$1.pid")"
}

# restart_adapter: the next one finds QEMU as it is.
restart_adapter() {
        : >"$(adapter_log one)"
        start_inner one
        adapter_says one 'runs as process'
}

stage1() {
        begin
        start_inner one
        check 'one boots' wait_for 60 inner_counts_past one 0
        adapter_says one 'runs as process'
        check 'a kernel is loaded' liveupdatectl load "$NEXT_KERNEL" --initrd "$NEXT_INITRD" --append "$NEXT_APPEND"

        check 'prepare' liveupdatectl prepare
        check 'freeze' liveupdatectl freeze
        back 'cancel after freeze'
        goes_on 'after a cancel'
        inner_reports one 'preserve-memory stop save preserve cont'

        start_client vm-v --veto freeze
        client_says vm-v 'takes part'
        refused 1 'vm-v' 'a veto of another client stops the update' liveupdatectl update
        goes_on 'after a veto'
        kill_client vm-v

        check 'prepare for a jump that cannot be' liveupdatectl prepare
        check 'freeze for it' liveupdatectl freeze
        check 'the image is taken away' luvm-kexec unload
        refused 1 'No next kernel is loaded' 'the jump is refused' liveupdatectl kexec
        back 'and cancelled'
        goes_on 'after a refused jump'

        kill_adapter one
        inner_runs one 'with its adapter dead the guest runs'
        restart_adapter
        check 'a kernel is loaded again' liveupdatectl load "$NEXT_KERNEL" --initrd "$NEXT_INITRD" --append "$NEXT_APPEND"
        start_inner two
        check 'two boots' wait_for 60 inner_counts_past two 0
        adapter_says two 'runs as process'
        check 'prepare, with two' liveupdatectl prepare
        check 'freeze, with two' liveupdatectl freeze
        kill -TERM "$(<"/run/luvm/adapter-two.pid")"
        adapter_says two 'goes on (it is to end)'
        goes_on 'after one that was frozen was told to end'
        inner_runs two 'it counts on, to power down'
        kill -9 "$(cut -d ' ' -f 1 /run/liveupdate-qemu/two/process)"

        check 'prepare again' liveupdatectl prepare
        kill_adapter one
        goes_on 'adapter killed while prepared'
        restart_adapter
        check 'prepare once more' liveupdatectl prepare
        check 'freeze again' liveupdatectl freeze
        kill_adapter one
        restart_adapter
        goes_on 'adapter killed while frozen'

        inner_count one >"$LUVM_SHARED/count-one"
        liveupdatectl update
        not_ok 'the update after all that' "$(tail -n 20 "$DAEMON_LOG" "$(adapter_log one)")"
}

is_loading() { grep -q ' loading$' /run/liveupdate-qemu/one/process; }

stage2() {
        begin
        # While it loads, a QEMU is worth nothing without its adapter: begun anew.
        start_inner one
        check 'QEMU is loading' wait_for 30 is_loading
        kill_adapter one
        start_inner one
        adapter_says one 'runs as process'
        check 'the guest counts on' wait_for 30 inner_counts_past one "$(<"$LUVM_SHARED/count-one")"
        check 'the state is normal' wait_for 20 state_is normal
        inner_whole one
}
