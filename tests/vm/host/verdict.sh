# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Judges one VM that has ended: what came out of the verdict port against the plan, how
# QEMU ended, and whether the kernels complained on the console. The console never makes
# a case pass; it can only fail it.

# A line of the kernel's (they bear a time stamp) that no test may cause.
SPLAT='\[ *[0-9]+\.[0-9]+\].*(BUG:|WARNING:|KASAN|UBSAN:|Kernel panic|Oops|general protection fault|INFO: (task|rcu)|possible (recursive|circular) locking|inconsistent lock state|suspicious RCU usage|kmemleak: [0-9]+ new)'

# judge_port PORT CASE PLAN STAGES: renders the port's text as TAP points without numbers
# ("ok - CASE: …") and prints them; the last line is "problem:" and
# what is wrong, if anything.
judge_port() {
        tr -d '\r' <"$1" | awk -v name="$2" -v plan="$3" -v stages="$4" '
        function wrong(text) { if (problem == "") problem = text }
        ended { wrong("the port goes on after the final line"); next }
        /^# luvm: stage [0-9]+ of / {
                if ($4 != stage + 1) wrong("stage " $4 " came after stage " stage + 0)
                stage = $4; number = 0
                print "# " name ": stage " $4 " on " $8
                next
        }
        /^# luvm: end of / {
                if ($5 != name || $7 != stages || stage != stages) wrong("it ended after stage " stage " of " stages)
                ended = 1
                next
        }
        /^Bail out! / { if (!bailed++) problem = substr($0, 11); next }
        /^(not )?ok [0-9]+ - / {
                n = $1 == "ok" ? $2 : $3
                if (n != ++number) wrong("point " number " of stage " stage " is missing")
                number = n
                text = $0; sub(/^(not )?ok [0-9]+ - /, "", text)
                if (++points > plan) { wrong("more points than the plan of " plan); print "# " $0; next }
                print ($1 == "ok" ? "ok" : "not ok") " - " name ": " text
                if ($1 != "ok") failed++
                next
        }
        /^#/ { print; next }
        { print "# " $0 }
        END {
                if (failed) wrong(failed " points failed")
                if (!ended) wrong(stage ? "it did not get to its end (last seen in stage " stage ")" : "the guest never reported")
                if (points < plan) wrong(points + 0 " of " plan " points came")
                for (i = points + 1; i <= plan; i++) print "not ok - " name ": point " i " did not come"
                print "problem:" problem
        }'
}

# splats CONSOLE: a line for each offending one: it and the next five, without their time
# stamps, with " | " between them, so that an allowance can say who it is for.
splats() {
        tr -d '\r\0' <"$1" | SPLAT=$SPLAT awk '
        { text = $0; sub(/^\[ *[0-9]+\.[0-9]+\] */, "", text) }
        { for (i = n; i > 0 && i > n - 6; i--) if (age[i]++ < 5) found[i] = found[i] " | " text }
        $0 ~ ENVIRON["SPLAT"] { found[++n] = text }
        END { for (i = 1; i <= n; i++) print found[i] }'
}

# judge_console CONSOLE [PATTERN REASON]...: prints what offends, if anything, as splats
# does. What matches an allowed PATTERN does not count.
judge_console() {
        local lines
        lines=$(splats "$1")
        shift
        while (($# >= 2)); do
                lines=$(grep -avE -e "$1" <<<"$lines" || :)
                shift 2
        done
        [[ -z $lines ]] || head -n 10 <<<"$lines"
}

# excerpt CONSOLE: the first splat with its surroundings, as TAP comments.
excerpt() {
        tr -d '\r' <"$1" | grep -aE -m 1 -A 25 "$SPLAT" | sed 's/^/#   /'
}

# console_tail CONSOLE: the end of the console, as TAP comments.
console_tail() {
        [[ -s $1 ]] || { echo '#   (the console is empty)'; return; }
        tr -d '\r' <"$1" | tail -n 25 | sed 's/^/#   /'
}
