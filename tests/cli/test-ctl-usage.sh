#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Wrong command lines, files that are not there, the terminal, and the manual page.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

start_mock plain
printf 'kernel' >"$tmp/kernel"

# bad MESSAGE ARGUMENT...: exit status 2, says so on stderr with a way out, and the
# daemon is not asked.
bad() {
        local message=$1
        shift
        ctl "$@"
        point "bad usage '$*': status" exits 2
        point "bad usage '$*': message" err_has "$message"
        point "bad usage '$*': nothing on stdout" out_is ''
}

bad "There is no verb 'frobnicate'. Try 'liveupdatectl --help'." frobnicate
bad "There is no verb ''." ''
bad 'Usage: liveupdatectl status.' status now
bad 'Usage: liveupdatectl load KERNEL.' load
bad 'Usage: liveupdatectl load KERNEL.' load a b
bad 'Usage: liveupdatectl prepare.' prepare it
bad 'Usage: liveupdatectl job [NUMBER].' job 1 2
bad "'x' is not the number of a job." job x
bad "'-1' is not the number of a job." job -- -1
bad "'' is not the number of a job." timeline ''
bad "'18446744073709551616' is not the number of a job." job 18446744073709551616
bad "Option '--frob' is not known" --frob
bad "There is no option '-x'." -x
bad "--json takes pretty, short or off, not 'yaml'." --json=yaml
bad "Option '--host' takes an argument." status --host
bad "Option '-H' takes an argument." status -H
bad "--host takes the name of a host, not ''." -H ''
bad "--host takes the name of a host, not '-oProxyCommand=x'." -H -oProxyCommand=x
bad "There is no option '-x'." -qx
bad "Option '--no-' is not known, not unique" --no-
bad "Option '--quiet=yes' is not known, not unique, or takes no argument." --quiet=yes
bad '--cmdline, --append and --reuse-cmdline exclude one another.' load "$tmp/kernel" --append=a --cmdline=b
bad '--cmdline, --append and --reuse-cmdline exclude one another.' load "$tmp/kernel" --append=a --reuse-cmdline
bad '--cmdline takes a command line that is not empty' load "$tmp/kernel" --cmdline=
bad '--append takes something to append' load "$tmp/kernel" --append=
bad "--restore-initrd goes together with --initrd" load "$tmp/kernel" --restore-initrd
bad "--restore-initrd takes yes, no or auto, not 'maybe'." load "$tmp/kernel" --initrd="$tmp/kernel" --restore-initrd=maybe
bad '--kernel-release goes together with --initrd' load "$tmp/kernel" --kernel-release=7
bad 'but not with --restore-initrd=no.' load "$tmp/kernel" --initrd="$tmp/kernel" --kernel-release=7 --restore-initrd=no
bad '--kernel-release takes the name of a directory' load "$tmp/kernel" --kernel-release=../7
bad "'load' does not take --kernel; give the file alone." load --kernel="$tmp/kernel" "$tmp/kernel"
bad "'update' takes options for loading a kernel together with --kernel alone." update --append=quiet
bad "'prepare' does not take options for loading a kernel." prepare --initrd="$tmp/kernel"
bad "'kexec' does not take --kernel." kexec --kernel="$tmp/kernel"
bad "'cancel' does not take --unclaimed and --force." cancel --unclaimed
bad "'status' does not take --no-block." --no-block
bad '--host and --address exclude one another.' -H host
ctl unload
point 'none of this asked the daemon for anything' request UnloadKernel

# file MESSAGE ARGUMENT...: status 1 and a code
file() {
        local code=$1 message=$2
        shift 2
        ctl "$@" --json
        point "'$*': status" exits 1
        point "'$*': message" err_has "$message"
        point "'$*': code" json /error/code "$code"
}

mkfifo "$tmp/fifo"
file cannot-open-file "The kernel '$tmp/absent' cannot be opened: No such file or directory." load "$tmp/absent"
file cannot-open-file "The initrd '$tmp/absent' cannot be opened" load "$tmp/kernel" --initrd "$tmp/absent"
file not-a-file "The kernel '$tmp' is not a regular file. Give the path of one." load "$tmp"
file not-a-file "The kernel '$tmp/fifo' is not a regular file" load "$tmp/fifo"
file not-a-file "The initrd '/dev/null' is not a regular file" update --kernel "$tmp/kernel" --initrd /dev/null

# What builds the initrd for --restore-initrd is another program, which fails, says why, or is
# not there; and one that does not fail has something to say, too.
builder() { printf '#!/bin/sh\n%s\n' "$1" >"$tmp/builder" && chmod 755 "$tmp/builder"; }
export LIVEUPDATE_MKINITRD=$tmp/builder
file restore-initrd "$tmp/builder, which builds the initrd, cannot be started: No such file or directory." \
        load "$tmp/kernel" --initrd "$tmp/kernel" --restore-initrd
builder 'echo It is torn. >&2; exit 1'
file restore-initrd 'It is torn.' load "$tmp/kernel" --initrd "$tmp/kernel" --restore-initrd
builder 'exit 3'
file restore-initrd 'did not build the initrd and did not say why (status 0x300).' \
        update --kernel "$tmp/kernel" --initrd "$tmp/kernel" --restore-initrd
ctl freeze
point 'no kernel was loaded, no update begun' request Freeze

# --- the terminal --------------------------------------------------------------------
esc=$'\e'
pty() {
        timeout 60 "$CLI_TOOL" pty "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
        status=$?
}
no_escape() {
        ! grep -q "$esc" "$tmp/out"
}

pty 50 "$LIVEUPDATECTL" --address="$address" status
point 'colours on a terminal' out_has "${esc}[32mnormal${esc}[0m"
pty 50 "$LIVEUPDATECTL" --address="$address" sessions
point 'colours in a table' out_has "${esc}[31mlost"
pty 50 env NO_COLOR=1 "$LIVEUPDATECTL" --address="$address" status
point 'NO_COLOR: none' no_escape
point 'NO_COLOR: the text is there' out_has 'State: normal'
pty 50 env NO_COLOR= "$LIVEUPDATECTL" --address="$address" status
point 'an empty NO_COLOR does not count' out_has "${esc}[32mnormal"
pty 50 env TERM=dumb "$LIVEUPDATECTL" --address="$address" sessions
point 'none on a dumb terminal' no_escape
pty 50 "$LIVEUPDATECTL" --address="$address" --json status
point 'none in JSON' no_escape
pty 5 env SYSTEMD_PAGER="sed 's/^/paged: /'" "$LIVEUPDATECTL" --address="$address" --json status
point 'JSON is not paged' eval '! out_has paged && out_has update_number'
pty 50 "$LIVEUPDATECTL" --address="$address" unload
point 'steps are told on a terminal' out_has 'Job 10 (unload): asking clients'
pty 50 "$LIVEUPDATECTL" --address="$address" -q unload
point '-q: they are not' out_is ''
ctl sessions
point 'none in a pipe' no_escape

start_mock many
pty 50 env SYSTEMD_PAGER="sed 's/^/paged: /'" "$LIVEUPDATECTL" --address="$address" jobs
point 'long output is paged' out_has 'paged: 299'
pty 500 env SYSTEMD_PAGER="sed 's/^/paged: /'" "$LIVEUPDATECTL" --address="$address" jobs
point 'output that fits is not' eval '! out_has paged && out_has 299'
pty 50 env PAGER="sed 's/^/paged: /'" "$LIVEUPDATECTL" --address="$address" jobs
point 'PAGER is used' out_has 'paged: 299'
pty 50 env SYSTEMD_PAGER='' PAGER="sed 's/^/paged: /'" "$LIVEUPDATECTL" --address="$address" jobs
point 'an empty SYSTEMD_PAGER: no pager' eval '! out_has paged && out_has 299'
pty 50 env SYSTEMD_PAGER=/nonexistent/pager "$LIVEUPDATECTL" --address="$address" jobs
point 'a pager that is not there: printed as it is' eval 'exits 0 && out_has 299'
pty 50 env SYSTEMD_PAGER="sed 's/^/paged: /'" "$LIVEUPDATECTL" --address="$address" jobs --no-pager
point '--no-pager' eval '! out_has paged && out_has 299'
pty 50 env SYSTEMD_PAGER='head -n 1' "$LIVEUPDATECTL" --address="$address" jobs
point 'a pager that is left early' exits 0
"$LIVEUPDATECTL" --address="$address" jobs >/dev/full 2>"$tmp/err"
status=$?
point 'a full disk: status' exits 1
point 'a full disk: message' err_has 'The output cannot be written: No space left on device.'

# --- a password ------------------------------------------------------------------------
# A program stands for polkit's agent; only who is not root has one.
start_mock password
mkdir "$tmp/agent"
cat >"$tmp/agent/pkttyagent" <<'END'
#!/bin/sh
echo "$1" | grep -q '^--notify-fd=[0-9]*$' && echo "agent $2" >&2
echo $$ >"${0%/*}/pid"
fd=${1#*=}
eval "exec $fd>&-"
exec sleep 1000
END
chmod +x "$tmp/agent/pkttyagent"
# The build tree may be below a home directory that is closed to others.
cp -- "$LIVEUPDATECTL" "$tmp/agent/"
nobodys=$tmp/agent/${LIVEUPDATECTL##*/}
chmod 755 "$tmp"
chmod 777 "$tmp/agent"
gone() {
        [[ -s $1 ]] && ! kill -0 "$(<"$1")"
}
as_nobody() {
        pty 50 setpriv --reuid=65534 --clear-groups env PATH="$tmp/agent:$PATH" DBUS_SYSTEM_BUS_ADDRESS="$address" "$@"
}
if ((EUID == 0)); then
        as_nobody "$nobodys" unload
        point "an agent is there to ask" out_has 'agent --fallback'
        point 'an agent is there to ask: status' exits 0
        point 'it has gone with liveupdatectl' gone "$tmp/agent/pid"
        as_nobody "$nobodys" --no-ask-password unload
        point '--no-ask-password: no agent' eval '! out_has agent && exits 4'
        as_nobody "$nobodys" jobs
        point 'none for what everybody may see' eval '! out_has agent && exits 0'
        as_nobody env PATH=/nonexistent "$nobodys" unload
        point 'where there is no agent, it goes on' exits 0
fi

# --- the manual page -------------------------------------------------------------------
ctl --help
cp "$tmp/out" "$tmp/help"
point '--help: status' exits 0
ctl help
point 'help and --help are the same' diff -u "$tmp/help" "$tmp/out"
ctl --version
point '--version' out_has 'liveupdatectl '
ctl help --json
cp "$tmp/out" "$tmp/help-json"
page=$TOP/docs/liveupdatectl.md
for ((i = 0; ; i++)); do
        name=$("$CLI_TOOL" json "/verbs/$i/name" <"$tmp/help-json" 2>/dev/null) || break
        arguments=$("$CLI_TOOL" json "/verbs/$i/arguments" <"$tmp/help-json")
        point "verb $name is in the manual page" grep -q -F -e "### \`$name${arguments:+ $arguments}" "$page"
        point "verb $name is in --help" grep -q -e "^  $name " "$tmp/help"
done
point 'there are as many verbs in the manual page' test "$(grep -c '^### `[a-z]' "$page")" = "$i"
for ((i = 0; ; i++)); do
        name=$("$CLI_TOOL" json "/options/$i/name" <"$tmp/help-json" 2>/dev/null) || break
        point "option --$name is in the manual page" grep -q -e "^- .*\`--${name}[=\`\\[]" "$page"
        point "option --$name is in --help" grep -q -e "^  .*--$name" "$tmp/help"
done
point 'there are as many options in the manual page' test "$(grep -c '^- .*`--[a-z]' "$page")" = "$i"
for status in 0 1 2 3 4 5 130; do
        point "exit status $status is in the manual page" grep -q "^| $status |" "$page"
        point "exit status $status is in --help" grep -q "^  $status " "$tmp/help"
done

# --- completion ------------------------------------------------------------------------
complete_words() {
        PATH=$(dirname "$LIVEUPDATECTL"):$PATH bash -c '
                . "$1"
                shift
                COMP_WORDS=(liveupdatectl "$@")
                COMP_CWORD=$#
                _liveupdatectl
                printf "%s\n" "${COMPREPLY[@]}"' - "$TOP/src/ctl/completion.bash" "$@"
}
point 'completion of verbs' test "$(complete_words un)" = unload
point 'completion of options' test "$(complete_words load --app)" = --append
point 'completion of values' test "$(complete_words --json = sh)" = short
point 'completion of files' test "$(complete_words load "$tmp/ker")" = "$tmp/kernel"
point 'completion of verbs after options' test "$(complete_words --json = short unl)" = unload

# Of addresses, which bash takes apart at the colons. A program stands for liveupdatectl.
mkdir "$tmp/bin"
cat >"$tmp/bin/liveupdatectl" <<'END'
#!/bin/sh
if [ "$1" = --help ]; then
        exec "$REAL" --help
fi
[ "$*" = 'devices --no-legend --no-pager' ] || exit 1
printf '0000:01:00.0 x\n0000:02:00.0 y\n0000:02:00.1 z\n'
END
chmod +x "$tmp/bin/liveupdatectl"
complete_address() {
        (export REAL=$LIVEUPDATECTL && LIVEUPDATECTL=$tmp/bin/liveupdatectl && complete_words "$@") | tr '\n' ' '
}
point 'completion of addresses' test "$(complete_address devices 000)" = '0000:01:00.0 0000:02:00.0 0000:02:00.1 '
point 'completion of addresses after a colon' test "$(complete_address explain 0000 :)" = '01:00.0 02:00.0 02:00.1 '
point 'completion of addresses in the middle' test "$(complete_address plan --device 0000 : 02)" = '02:00.0 02:00.1 '
point 'completion of addresses with =' test "$(complete_address plan --except = 0000 : 02 : 00.1)" = '00.1 '
point 'completion of a second address' test "$(complete_address devices 0000 : 01 : 00.0 0000 : 01)" = '01:00.0 '
point 'no addresses where none belong' test "$(complete_address freeze 0000)" = ' '

# loaded TEXT INITRD_SIZE: the daemon was asked for this. Others were asked for before that
# nobody looked at.
loaded() {
        local line=
        while read -r -t 30 line <&9 && [[ $line != LoadKernel* ]]; do :; done
        point "$1" test "$line" = "LoadKernel kernel=$(stat -c %s "$tmp/kernel") initrd=$2 cmdline=''"
}
printf 'an initrd' >"$tmp/initrd"
both=$(cat "$tmp/kernel" "$tmp/initrd" | wc -c)

# shellcheck disable=SC2016 # for that shell
builder 'echo "$*" | grep -q -- "--kernel=/proc/self/fd/3 --initrd=/proc/self/fd/4 --output=/proc/self/fd/5 --kernel-release=7$" &&
        cat /proc/self/fd/3 /proc/self/fd/4 >/proc/self/fd/5 && echo Mind the gap. >&2'
ctl load "$tmp/kernel" --initrd "$tmp/initrd" --restore-initrd --kernel-release=7
point 'what was built is loaded: status' exits 0
point 'what was said on the way' err_has 'Mind the gap.'
loaded 'what was built is loaded' "$both"

# Without the option the builder decides.
# shellcheck disable=SC2016 # for that shell
builder 'echo "$*" | grep -q -- --if-useful && cat /proc/self/fd/3 /proc/self/fd/4 >/proc/self/fd/5'
ctl load "$tmp/kernel" --initrd "$tmp/initrd"
point 'useful: said' err_has "What comes in will be restored before '$tmp/initrd' is unpacked."
loaded 'useful: what was built is loaded' "$both"
ctl load "$tmp/kernel" --initrd "$tmp/initrd" --restore-initrd=no
loaded 'no: the initrd is loaded as it is' 9
builder 'exit 3'
ctl load "$tmp/kernel" --initrd "$tmp/initrd" --restore-initrd=auto
point 'not useful: nothing is said' eval "! err_has '$tmp/initrd'"
loaded 'not useful: the initrd is loaded as it is' 9
builder 'echo It is torn. >&2; exit 1'
ctl load "$tmp/kernel" --initrd "$tmp/initrd"
point 'it cannot be built: said' err_has "'$tmp/initrd' is loaded as it is, without a restore-only initrd around it: It is torn."
loaded 'it cannot be built: the initrd is loaded as it is' 9
rm "$tmp/builder"
ctl load "$tmp/kernel" --initrd "$tmp/initrd"
point 'no builder is installed: nothing is said' eval "! err_has '$tmp/initrd'"
loaded 'no builder is installed: the initrd is loaded as it is' 9

plan
