#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every verb against the mock service: text against golden files, JSON, exit status.
# UPDATE_GOLDEN=1 writes the golden files anew; look at the difference before it goes in.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# both GOLDEN VERB...: as text and as JSON
both() {
        local name=$1
        shift
        ctl "$@"
        point "$name: status" exits 0
        point "$name: text" same "$tmp/out" "$name.txt"
        point "$name: nothing on stderr" err_empty
        ctl "$@" --json
        point "$name: status with --json" exits 0
        point "$name: JSON" same_json "$tmp/out" "$name.json"
        cp "$tmp/out" "$tmp/pretty"
        ctl "$@" --json=short
        point "$name: --json=short is one line" test "$(wc -l <"$tmp/out")" = 1
        point "$name: --json=short has the same value" test "$("$CLI_TOOL" json '' <"$tmp/out")" = \
                "$("$CLI_TOOL" json '' <"$tmp/pretty")"
        ctl "$@" --json=off
        point "$name: --json=off is text" same "$tmp/out" "$name.txt"
}

# --- looking -----------------------------------------------------------------------
start_mock plain
both status status
cp "$tmp/out" "$tmp/status"
ctl
point 'status is the default verb' diff -u "$tmp/status" "$tmp/out"
both sessions sessions
both jobs jobs
both job-5 job 5
both job-6 job 6
both job-last job
both timeline timeline
both timeline-5 timeline 5
both timeline-none timeline 7
ctl version
point 'version' grep -q -x 'liveupdatectl [0-9.]*' "$tmp/out"
ctl version --json
point 'version --json' json /version "$(sed -n "s/^ *version: '\(.*\)',/\1/p" "$TOP/meson.build")"
both help help

ctl sessions --no-legend
point '--no-legend: no headings, no count' same_words "$tmp/out" sessions-no-legend.txt
ctl jobs --no-legend
point '--no-legend for jobs' same_words "$tmp/out" jobs-no-legend.txt
LC_ALL=C ctl timeline
point 'no character outside ASCII where the locale has none' same "$tmp/out" timeline-ascii.txt
ctl job 99
point 'a job that is not there: status' exits 1
point 'a job that is not there: message' err_is \
        "liveupdatectl: There is no job 99; the oldest ones are forgotten. See 'liveupdatectl jobs'."
ctl job 99 --json
point 'a job that is not there: code' json /error/code no-such-job
point 'a job that is not there: no job' json /job null

start_mock busy
# An address on this host is asked with a clock: a deadline of 1 us is long over.
both status-busy status

start_mock fresh
both status-fresh status
both sessions-fresh sessions
both jobs-fresh jobs
ctl job
point 'no job at all: status' exits 1
point 'no job at all: message' err_has 'There is no job yet.'
ctl timeline
point 'no timeline at all' err_has 'No job has a timeline yet.'

start_mock denied
ctl status
point 'status without the right to list sessions: status' exits 0
point 'status without the right to list sessions: text' same "$tmp/out" status-denied.txt
ctl status --json
point 'status without the right to list sessions: null' json /sessions null
ctl sessions
point 'sessions without the right: status' exits 4
point 'sessions without the right: message' err_is \
        'liveupdatectl: You are not allowed to do this (Rejected by the policy). Run it as root, for example with sudo.'
ctl sessions --json=short
point 'sessions without the right: code' json /error/code not-authorised

start_mock wrong
ctl status
point 'an answer of another form: status' exits 1
point 'an answer of another form: message' err_has 'not the form this liveupdatectl knows'
ctl status --json
point 'an answer of another form: code' json /error/code protocol

# --- jobs that end well --------------------------------------------------------------
printf 'kernel!' >"$tmp/kernel"
printf 'an initrd' >"$tmp/initrd"
running=$(sed 's/ *$//' /proc/cmdline)

# done_verb KIND REQUEST VERB...: twice, as text and as JSON
done_verb() {
        local kind=$1 expected=$2
        shift 2
        start_mock plain
        ctl "$@"
        point "$*: status" exits 0
        point "$*: text" out_is "Job 8 ($kind) is done.
"
        point "$*: no progress where stderr is no terminal" err_empty
        point "$*: request" request "$expected"
        ctl "$@" --json
        point "$*: JSON number" json /number 9
        point "$*: JSON kind" json /kind "$kind"
        point "$*: JSON state" json /state 'done'
        point "$*: request again" request "$expected"
        ctl "$@" -q
        point "$*: -q is silent" out_is ''
}

done_verb load "LoadKernel kernel=7 initrd=0 cmdline=''" load "$tmp/kernel"
done_verb load "LoadKernel kernel=7 initrd=9 cmdline='quiet root=/dev/vda'" \
        load --initrd "$tmp/initrd" --cmdline 'quiet root=/dev/vda' "$tmp/kernel"
done_verb load "LoadKernel kernel=7 initrd=0 cmdline='$running some=thing'" load "$tmp/kernel" --append=some=thing
done_verb load "LoadKernel kernel=7 initrd=0 cmdline='$running'" load "$tmp/kernel" --reuse-cmdline
done_verb unload UnloadKernel unload
done_verb prepare Prepare prepare
done_verb freeze Freeze freeze
done_verb execute Execute kexec
done_verb update Update update
done_verb cancel Cancel cancel
done_verb finish 'Finish =-1' finish
done_verb finish 'Finish unclaimed=1' finish --unclaimed
done_verb finish 'Finish force=1' finish --force

start_mock plain
ctl update --kernel="$tmp/kernel" --initrd="$tmp/initrd"
point 'update --kernel: status' exits 0
point 'update --kernel: loads first' request "LoadKernel kernel=7 initrd=9 cmdline=''"
point 'update --kernel: then updates' request Update
point 'update --kernel: tells the update' out_is 'Job 9 (update) is done.
'

start_mock early
ctl prepare -v
point 'a job that ends before the reply: status' exits 0
point 'a job that ends before the reply: text' out_is 'Job 8 (prepare) is done.
'
point 'a job that ends before the reply: its step' err_is 'Job 8 (prepare): being quick'

start_mock plain
ctl prepare --verbose
point '-v tells the steps' err_is 'Job 8 (prepare): asking clients
Job 8 (prepare): preserving'

start_mock hang
ctl prepare --no-block
point '--no-block: status' exits 0
point '--no-block: the number alone' out_is '8
'
ctl freeze --no-block --json
point '--no-block --json: number' json /number 9
point '--no-block --json: path' json /path /org/liveupdate1/job/9
point '--no-block --json: state' json /state queued

# --- jobs that do not ------------------------------------------------------------------
start_mock fail
ctl update
point 'failed job: status' exits 1
point 'failed job: nothing on stdout' out_is ''
point 'failed job: message' err_is 'liveupdatectl: Job 8 (update) failed: vmm-1: A participant refused (a disk is being resized). Remove its reason and start again.'
ctl update --json
point 'failed job: code' json /error/code veto
point 'failed job: subject' json /error/subject vmm-1
point 'failed job: the job' json /job/state failed
point 'failed job: sentence' json /error/sentence 'A participant refused (a disk is being resized). Remove its reason and start again.'

start_mock fail
ctl update --kernel "$tmp/kernel"
point 'a kernel that cannot be loaded: status' exits 1
point 'a kernel that cannot be loaded: message' err_has 'Job 8 (load) failed'
point 'a kernel that cannot be loaded: request' request "LoadKernel kernel=7 initrd=0 cmdline=''"
ctl jobs
point 'a kernel that cannot be loaded: no update after it' test "$(grep -c update "$tmp/out")" = 1

start_mock cancelled
ctl prepare
point 'cancelled job: status' exits 5
point 'cancelled job: message' err_is 'liveupdatectl: Job 8 (prepare) was cancelled: The job was cancelled. Start it again when it is wanted.'
ctl prepare --json
point 'cancelled job: code' json /error/code cancelled

start_mock refuse
ctl freeze
point 'refused: status' exits 1
point 'refused: message' err_is "liveupdatectl: This cannot be done in the present state. See 'liveupdatectl status'."
ctl freeze --json
point 'refused: the error name as a code' json /error/code wrong-state
ctl load "$tmp/kernel"
point 'load refused: status' exits 1

start_mock cancel-error
ctl freeze
point 'refused as cancelled: status' exits 5

start_mock denied
ctl update
point 'denied: status' exits 4
ctl update --json
point 'denied: code' json /error/code not-authorised

start_mock password
ctl unload
point 'a password may be asked for: status' exits 0
ctl --no-ask-password unload
point '--no-ask-password: status' exits 4
point '--no-ask-password: message' err_has 'A password is needed'
ctl --no-ask-password unload --json
point '--no-ask-password: code' json /error/code not-authorised

plan
