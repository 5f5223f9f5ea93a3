#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Devices, the plan, the bits and the comparison: text against golden files, JSON, exit
# status. UPDATE_GOLDEN=1 writes the golden files anew; look at the difference before it
# goes in.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# both STATUS GOLDEN VERB...: as text and as JSON
both() {
        local expected=$1 name=$2
        shift 2
        ctl "$@"
        point "$name: status" exits "$expected"
        point "$name: text" same "$tmp/out" "$name.txt"
        point "$name: nothing on stderr" err_empty
        ctl "$@" --json
        point "$name: status with --json" exits "$expected"
        point "$name: JSON" same_json "$tmp/out" "$name.json"
}

# wrong MESSAGE ARGUMENT...: status 2, and the daemon is not asked
wrong() {
        local message=$1
        shift
        ctl "$@"
        point "'$*': status" exits 2
        point "'$*': message" err_has "$message"
        point "'$*': nothing on stdout" out_is ''
}

# lines N PATTERN: as many lines match
lines() {
        test "$(grep -c -E -e "$2" "$tmp/out")" = "$1"
}
no_controls() {
        ! grep -q '[[:cntrl:]]' "$tmp/out"
}
sorted() {
        grep -E '^[0-9a-f]{4}:' "$tmp/out" | sort -c
}

start_mock plain

# --- devices ---------------------------------------------------------------------------
both 0 devices devices
ctl devices --tree
point 'devices --tree: status' exits 0
point 'devices --tree: text' same "$tmp/out" devices-tree.txt
LC_ALL=C ctl devices --tree
point 'devices --tree: no character outside ASCII where the locale has none' same "$tmp/out" devices-tree-ascii.txt
ctl devices --dot
point 'devices --dot: status' exits 0
point 'devices --dot: text' same "$tmp/out" devices-dot.txt
ctl devices --no-legend
point 'devices --no-legend: a line for each' test "$(wc -l <"$tmp/out")" = 13
both 0 device devices 03:00.0 0000:00:01.0
ctl devices 0000:09:00.0
point 'a device that is not there: status' exits 1
point 'a device that is not there: message' err_is \
        "liveupdatectl: There is no PCI device 0000:09:00.0 on this host. See 'liveupdatectl devices'."
ctl devices 03:00.0 0000:09:00.0 --json
point 'a device that is not there: code' json /error/code no-such-device
point 'a device that is not there: nothing else' eval '! out_has 03:00.0'

# --- plan --------------------------------------------------------------------------------
both 1 plan plan
point 'plan: request' request Plan
point 'plan: request again' request Plan
both 0 plan-except plan --except 04:00.0
point 'plan --except: not said to the daemon, which judges all' request Plan
request Plan
both 1 plan-device plan --device=0000:04:00.0
point 'plan --device: request' request 'Plan devices=0000:04:00.0'
request 'Plan devices=0000:04:00.0'
ctl plan --device 3:10.0 --device 0:3:0.0 --no-legend -q
point 'plan -q: good news are silent' eval 'exits 0 && out_is ""'
point 'plan: addresses as the kernel writes them' request 'Plan devices=0000:03:10.0,0000:03:00.0'
ctl plan -q
point 'plan -q: bad news are not' eval 'exits 1 && out_has group-shared'
request Plan
ctl plan --except 03:10.0 --except vmm-1
point 'plan --except for something else' eval 'exits 1 && err_empty'
request Plan
ctl plan --except 09:00.0 --except vmm --except 04:00.0
point 'plan --except for nothing: is told' err_is \
        "liveupdatectl: There is no '0000:09:00.0' in this plan for --except. See its SUBJECT column for what there is.
liveupdatectl: There is no 'vmm' in this plan for --except. See its SUBJECT column for what there is."
point 'plan --except for nothing: the others count' exits 0
request Plan
ctl plan --device 05:00.0
point 'plan: a file that cannot go' eval 'exits 1 && out_has "1 cannot"'
ctl plan --device 05:00.0 --except vmm-1
point 'plan --except SESSION' eval 'exits 0 && out_has "(1 excepted)"'
ctl plan --device 05:00.0 --except vmm-1/7
point 'plan --except SESSION/TOKEN' eval 'exits 0 && out_has "(1 excepted)"'
for _ in 1 2 3; do request 'Plan devices=0000:05:00.0'; done

# --- explain -----------------------------------------------------------------------------
both 0 explain-vf explain 03:10.0
point 'explain: asks for the one alone' request 'Plan devices=0000:03:10.0'
request 'Plan devices=0000:03:10.0'
both 0 explain-group explain 0000:04:00.0
request 'Plan devices=0000:04:00.0'
request 'Plan devices=0000:04:00.0'
both 0 explain-code explain group-shared
ctl explain none
point 'explain: a code without a remedy' out_is '        Code: none
      Reason: Nothing is wrong.
'
ctl explain none --json
point 'explain: a code without a remedy: null' json /remedy null
ctl explain no-such-code
point 'explain: a code that is not known: status' exits 1
point 'explain: a code that is not known: message' err_has 'There is no such reason code.'

# --- bits and verify -----------------------------------------------------------------------
both 0 bits bits
both 1 verify verify
ctl verify --no-legend
point 'verify --no-legend: the differences alone' test "$(wc -l <"$tmp/out")" = 4
both 1 restore verify --restore
point 'verify --restore: request' request Restore
request Restore

# --- prepare and update ----------------------------------------------------------------------
ctl prepare --device 03:10.0 --device 04:00.0 --except 04:00.0
point 'prepare --device --except: status' exits 0
point 'prepare --device --except: request' request \
        'Prepare devices=0000:03:10.0,0000:04:00.0 exceptions=0000:04:00.0'
ctl update --except 04:00.0 --except vmm-1
point 'update --except: status' exits 0
point 'update --except: request' request 'Update exceptions=0000:04:00.0,vmm-1'

ctl update --jump=systemd --except vmm-1
point 'update --jump: request' request 'Update exceptions=vmm-1 jump=systemd'
ctl kexec --jump direct
point 'kexec --jump: request' request 'Execute jump=direct'
ctl plan --jump=systemd
point 'plan --jump: request' request 'Plan jump=systemd'
wrong "--jump takes direct or systemd, not 'high'." update --jump=high
wrong "'prepare' does not take --jump." prepare --jump=direct

wrong "--device takes a PCI address, such as 0000:01:02.3, not ''." plan --device=
wrong "--except takes a PCI address or a session's name." prepare --except ''
wrong "--except takes a PCI address or a session's name." prepare --except $'a\xff'
wrong "'01:20.0' is not a PCI address" devices 00:00.0 01:20.0
wrong "'1:2:3:4' is not a PCI address" explain 1:2:3:4
wrong "is neither a PCI address, such as 0000:01:02.3, nor a reason code" explain 'No Code'
wrong "is neither a PCI address" explain ''
wrong "'freeze' does not take --device and --except." freeze --device 00:00.0
wrong "'devices' does not take --device and --except." devices --device 00:00.0
wrong "'plan' does not take --tree and --dot." plan --tree
wrong "'plan' does not take --restore." plan --restore
wrong '--tree, --dot and --json exclude one another' devices --tree --dot
wrong '--tree, --dot and --json exclude one another' devices --dot --json
wrong 'the first two show all devices' devices --tree 00:00.0
wrong 'Usage: liveupdatectl explain ADDRESS|CODE.' explain
wrong 'Usage: liveupdatectl plan.' plan 00:00.0
ctl unload
point 'none of this asked the daemon for anything' request UnloadKernel

# --- the terminal ----------------------------------------------------------------------------
esc=$'\e'
timeout 60 "$CLI_TOOL" pty 100 "$LIVEUPDATECTL" --address="$address" plan --except 04:00.0 >"$tmp/out"
point 'plan: goes is green' out_has "${esc}[32mgoes"
point 'plan: a limit is yellow' out_has "${esc}[33mlimited"
point 'plan: what is excepted is yellow' out_has "${esc}[33mcannot (excepted)"
timeout 60 "$CLI_TOOL" pty 100 "$LIVEUPDATECTL" --address="$address" plan >"$tmp/out"
point 'plan: what cannot go is red' out_has "${esc}[31mcannot"
timeout 60 "$CLI_TOOL" pty 100 "$LIVEUPDATECTL" --address="$address" verify >"$tmp/out"
point 'verify: what is against the table is red' out_has "${esc}[31magainst"
timeout 60 "$CLI_TOOL" pty 100 "$LIVEUPDATECTL" --address="$address" devices 03:00.0 >"$tmp/out"
point 'devices: the verdict has a colour' out_has "Verdict: ${esc}[33mlimited${esc}[0m"

# --- other answers -----------------------------------------------------------------------------
start_mock good
both 0 devices-held devices
ctl devices --tree
point 'devices --tree: what is on its way' out_has 'held, preserved'
ctl device hold 03:00.0 0000:04:00.0
point 'device hold: status' exits 0
point 'device hold: the first' request 'HoldDevice 0000:03:00.0'
point 'device hold: the second' request 'HoldDevice 0000:04:00.0'
ctl device hold 04:00.1 05:00.0
point 'device hold: refused' exits 1
point 'device hold: why' err_has 'Another driver has the device (snd_hda_intel).'
point 'device hold: asked' request 'HoldDevice 0000:04:00.1'
ctl device hold --rebind 04:00.1
point 'device hold --rebind: status' exits 0
point 'device hold --rebind: request' request 'HoldDevice 0000:04:00.1 rebind'
ctl device release 03:00.0
point 'device release: status' exits 0
point 'device release: request' request 'ReleaseDevice 0000:03:00.0'
wrong 'liveupdatectl: Usage: liveupdatectl device hold' device keep 03:00.0
wrong 'liveupdatectl: Usage: liveupdatectl device hold' device release --rebind 03:00.0
wrong "'3:0' is not a PCI address" device hold 3:0
wrong "'devices' does not take --rebind." devices --rebind
ctl plan
point 'plan with limits: status' exits 0
ctl plan --json
point 'plan with limits: verdict' json /verdict limited
ctl verify
point 'verify, all as expected: status' exits 0
point 'verify, all as expected: text' out_has '1 value is equal, 1 changed as expected, 0 changed and must not, 0 missing.'
ctl verify -q
point 'verify -q: silent' eval 'exits 0 && out_is ""'
ctl verify --restore
point 'verify --restore, all put back: status' exits 0
point 'verify --restore, all put back: text' out_has '0 changed and must not, 0 missing, 1 put back.'
ctl verify --restore -q
point 'verify --restore -q: silent' eval 'exits 0 && out_is ""'

start_mock wrong
ctl plan
point 'plan: a verdict that is not known is no good' exits 1
ctl plan --json
point 'plan: a verdict that is not known counts as cannot' json /verdict cannot
ctl verify
point 'verify: a verdict that is not known is no good' exits 1

start_mock fresh
ctl devices
point 'no devices' eval 'exits 0 && out_is "No devices.
"'
ctl devices --tree
point 'no devices: tree' out_is 'No devices.
'
ctl devices --json=short
point 'no devices: JSON' out_is '{"devices":[]}
'
ctl plan
point 'an empty plan' eval 'exits 0 && out_is "The plan is empty: there is nothing to judge.
"'
ctl plan --json
point 'an empty plan: JSON' eval 'json /verdict goes && json /rows "[]"'
ctl bits
point 'no bits' out_is 'No rows.
'
ctl verify
point 'nothing compared' eval 'exits 0 && out_has "0 values are equal"'
ctl explain 00:00.0
point 'explain: a device that is not listed' out_is '0000:00:00.0, not listed: goes

'

start_mock refuse
ctl plan --device 09:00.0
point 'plan refused: status' exits 1
point 'plan refused: message' err_has '0000:09:00.0: There is no such device.'
ctl explain 09:00.0 --json
point 'explain refused: code' json /error/code no-such-device
ctl verify --json
point 'verify refused: code' eval 'exits 1 && json /error/code manifest-missing'
ctl verify --restore
point 'verify --restore refused' eval 'exits 1 && err_has "the state is prepared"'

# --- what must do no harm ------------------------------------------------------------------------
start_mock hostile
both 0 devices-hostile devices
ctl devices --tree
point 'hostile: tree' same "$tmp/out" devices-hostile-tree.txt
ctl devices --dot
point 'hostile: graph' same "$tmp/out" devices-hostile-dot.txt
point 'hostile: no control characters' no_controls
ctl explain 00:02.0
point 'hostile: a circle of bridges' eval 'exits 0 && out_has 0000:00:03.0'

# 64 domains with 256 functions each, listed backwards
start_mock many
ctl devices
point 'many: table' eval 'exits 0 && out_has "16384 devices."'
point 'many: sorted' sorted
ctl devices --tree
point 'many: tree' eval 'exits 0 && lines 64 "^pci00..:00 *root bus"'
point 'many: tree: the VFs are below their PF' lines $((64 * 252)) \
        '^        [├└]─00..:0[45]:.{4} .* VF of 00..:03:00.0$'
ctl devices --dot
point 'many: graph' lines $((64 * 252)) style=dashed
ctl devices --json
point 'many: JSON' eval 'exits 0 && json /devices/16383/address 003f:05:0f.3 && json /devices/3/vfs 252'
ctl devices --json=short
point 'many: JSON in one line' test "$(wc -l <"$tmp/out")" = 1

plan
