# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2153
#
# The real polkitd with the policy as it is installed: rules let one user prepare and cancel
# and forbid it to another, who has no rule is denied without a password, and each action
# stands alone. When polkitd is gone nobody but root may do anything.

PLAN=29
STAGES=1

begin() {
        # shellcheck disable=SC1091
        . "$LUVM_TOP/tests/vm/guest/clients.sh"
        # Where every user may run it.
        install -m 755 "$LUVM_BUILD/src/ctl/liveupdatectl" /usr/local/bin/liveupdatectl
        install -D -m 644 "$LUVM_TOP/dbus/org.liveupdate1.policy" /usr/share/polkit-1/actions/org.liveupdate1.policy
        mkdir -p /etc/polkit-1/rules.d
        cat >/etc/polkit-1/rules.d/10-luvm.rules <<-'END'
	polkit.addRule(function(action, subject) {
	        if (action.id != "org.liveupdate1.prepare" && action.id != "org.liveupdate1.cancel")
	                return polkit.Result.NOT_HANDLED;
	        if (subject.user == "daemon")
	                return polkit.Result.YES;
	        if (subject.user == "bin")
	                return polkit.Result.NO;
	        return polkit.Result.NOT_HANDLED;
	});
	END
        # Not to be started by the bus once it is gone.
        rm -f /usr/share/dbus-1/system-services/org.freedesktop.PolicyKit1.service
        check 'the bus is up' start_bus
        /usr/lib/polkit-1/polkitd --no-debug >"$LUVM_SHARED/polkitd.log" 2>&1 3>&- 4>&- &
        POLKITD=$!
        check 'polkitd is there' wait_for 30 has_owner org.freedesktop.PolicyKit1
        is "$(pkaction | grep -c '^org\.liveupdate1\.')" 6 'it knows the six actions'
        check 'the daemon is ready' start_daemon
}

# as USER ARGUMENT...: liveupdatectl.
as() {
        local user=$1
        shift
        setpriv --reuid "$user" --regid "$(id -g "$user")" --clear-groups -- \
                /usr/local/bin/liveupdatectl --no-ask-password "$@"
}

# denied WHO WHAT ARGUMENT...
denied() {
        refused "$DENIED" 'not allowed' "$1 may not $2" as "$1" "${@:3}"
}

DENIED=4

stage1() {
        begin
        start_client vm-a
        client_says vm-a 'takes part'
        check 'load' liveupdatectl load "$NEXT_KERNEL" --initrd "$NEXT_INITRD" --append "$NEXT_APPEND"

        denied bin 'prepare: a rule says no' prepare
        denied sys 'prepare: no rule, and no password' prepare
        check 'the state is normal' state_is normal
        check 'daemon may prepare: a rule says yes' as daemon prepare
        check 'the state is prepared' state_is prepared
        client_says vm-a 'prepared'
        like "$(busctl get-property org.liveupdate1 /org/liveupdate1/job/2 org.liveupdate1.Job StartedByUid)" \
                "^u $(id -u daemon)\$" 'the job is in its name'

        denied daemon 'freeze: that is another action' freeze
        denied daemon 'jump' kexec
        denied daemon 'unload the kernel' unload
        denied bin 'cancel' cancel
        denied sys 'cancel' cancel
        check 'the state is prepared still' state_is prepared
        check 'daemon may cancel' as daemon cancel
        check 'the state is normal again' state_is normal
        client_says vm-a 'resumed (told to)'
        denied daemon 'finish' finish
        check 'everybody may look' as sys status

        # The rule is polkitd's: without it nobody is asked.
        kill "$POLKITD"
        check 'polkitd is gone' wait_for 10 gone
        denied daemon 'prepare without polkitd' prepare
        check 'root may' liveupdatectl prepare
        check 'cancel' liveupdatectl cancel
        denied bin 'prepare without polkitd' prepare
}

has_owner() {
        [[ $(busctl call org.freedesktop.DBus / org.freedesktop.DBus NameHasOwner s "$1") == 'b true' ]]
}

gone() { ! has_owner org.freedesktop.PolicyKit1; }
