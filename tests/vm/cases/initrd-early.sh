# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2153
#
# The fast way home: a client has its memory back in the initrd, before anything of the host
# runs, and stays; the daemon in the host adopts the session, dies and adopts it again, and
# the client's other half claims it there and finishes it.

PLAN=20
STAGES=2
SHIM=1

on_host() {
        # shellcheck source=../host/initrd.sh
        . "$VM_DIR/host/initrd.sh"
        make_initrd initramfs-tools 'ours early' "$RELEASE_B" "$1/initrd-early"
}

stage1() {
        # shellcheck source=../guest/clients.sh
        . "$LUVM_TOP/tests/vm/guest/clients.sh"
        printf '[Kexec]\nInitrd=%s\nAppendCommandLine=%s boot=luvm init=%s\n' "$LUVM_SHARED/initrd-early" "$NEXT_APPEND" \
                "$LUVM_TOP/tests/vm/guest/pid1" >/run/liveupdated/liveupdated.conf.d/60-early.conf
        check 'the bus is up' start_bus
        check 'the daemon is ready' start_daemon
        start_client vm-a --size 16
        start_client vm-b --size 16
        client_says vm-a 'takes part'
        client_says vm-b 'takes part'
        liveupdatectl update
        not_ok 'the update' "$(tail -n 20 "$DAEMON_LOG")"
}

# processes REGEX: how many have such a command line.
processes() { grep -lze "$1" /proc/[0-9]*/cmdline 2>/dev/null | wc -l; }

no_steward() { (($(processes '^@usr/lib/liveupdated/liveupdate-restore') == 0)); }

# when REGEX: the time of a line of the kernel's log, in milliseconds.
when() { dmesg | sed -n "s/^\[ *\([0-9]*\)\.\([0-9]\{3\}\)[0-9]*\] .*$1.*/\1\2/p" | head -n 1; }

stage2() {
        # shellcheck source=../guest/clients.sh
        . "$LUVM_TOP/tests/vm/guest/clients.sh"
        local init client
        init=$(when 'Run \/init as init process') client=$(when 'luvm-early: @\/usr')
        like "$(dmesg)" 'luvm-early: @/usr/libexec/luvm-early of session, session vm-a: [0-9]{8} bytes' \
                'the client had its memory in the initrd'
        isnt "${init:-0} ${client:-0}" '0 0' "it is known when: $((10#${client:-0} - 10#${init:-0})) ms after /init began"
        is "$(processes '^@/usr/libexec/luvm-early')" 1 'it is still there, and no other for what did not come in'
        is "$(processes '^@usr/lib/liveupdated/liveupdate-restore')" 1 'so is the steward'
        check 'the bus is up' start_bus
        check 'the daemon is ready' start_daemon
        like "$(cat "$DAEMON_LOG")" 'Session vm-a was retrieved in the initrd; it is claimed' 'the session is adopted'
        like "$(cat "$DAEMON_LOG")" '1 sessions of the initrd are adopted' 'all of it is safe'
        check 'the steward goes' wait_for 10 no_steward
        kill_daemon
        check 'the daemon dies, and comes back' restart_daemon
        like "$(liveupdatectl sessions)" 'vm-a +[^ ]+ .*claimed' 'it still has the session'
        start_client vm-a --size 16
        start_client vm-b --size 16
        client_says vm-a 'memory is intact'
        client_says vm-a 'finished'
        client_says vm-b 'memory is intact'
        check 'the state is normal again' wait_for 20 state_is normal
        like "$(liveupdatectl job 1 2>&1)" 'done' 'the job is done'
}
