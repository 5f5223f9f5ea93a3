#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The model of the life cycle (update.pml), checked by spin: all states with two clients,
# with and without a descriptor store, for what is asserted and for states without an exit;
# then, with weak fairness, what must come in the end. Last, faults are put into the model,
# and into the table, each of which spin must find: a check that cannot fail says nothing.
#
# PRINT_RULES is the program of that name, CC the compiler (cc). One run takes up to half a
# GiB; MEMLIM below ends one that would take more than 1.5.

set -euo pipefail

here=$(cd -- "$(dirname -- "$0")" && pwd)
compiler=${CC:-cc}
n=0 failed=0 work=''

if ! command -v spin >/dev/null; then
        echo '1..0 # SKIP there is no spin (scripts/deps.sh)'
        exit 0
fi

# point NAME FUNCTION [ARGUMENT...]: what the function prints is what is wrong.
point() {
        local name=$1 wrong
        shift
        n=$((n + 1))
        wrong=$("$@") || wrong+=$'\n'"$1: exit status $?"
        if [[ -z $wrong ]]; then
                echo "ok $n - $name"
        else
                printf '%s\n' "$wrong" | sed 's/^/# /'
                echo "not ok $n - $name"
                failed=$((failed + 1))
        fi
}

# generate DIR [SPIN OPTION...]: pan.c of the model in DIR, which is a copy.
generate() {
        local dir=$1
        shift
        cp -- "$here/update.pml" "$dir/"
        [[ -f $dir/phase-rules.pml ]] || cp -- "$here/phase-rules.pml" "$dir/"
        # It talks of the claims that it sees, too.
        if ! (cd -- "$dir" && spin -a "$@" update.pml) >"$dir/spin.log" 2>&1 || grep -q 'Error:' "$dir/spin.log"; then
                cat -- "$dir/spin.log"
                return 1
        fi
}

# pan DIR OPTIMIZATION CLAIM: all states, and what became of it in DIR/log. CLAIM is - for
# what is asserted and for states without an exit.
pan() {
        local dir=$1 flags=(-DMEMLIM=1500 -DVECTORSZ=1024 -DNOREDUCE) run=(-b -m1000000 -w22)
        if [[ $3 == - ]]; then
                flags+=(-DSAFETY -DNOCLAIM)
        else
                run+=(-a -f -N "$3")
        fi
        [[ -x $dir/pan ]] || (cd -- "$dir" && "$compiler" -w "$2" "${flags[@]}" -o pan pan.c) || return
        (cd -- "$dir" && ./pan "${run[@]}") >"$dir/log" 2>&1
}

# verdict LOG: what pan found; nothing if it has seen all states and found nothing.
verdict() {
        sed -n 's/^pan:[0-9]*: //p' "$1"
        if grep -q -e 'Search not completed' -e 'max search depth' -e 'out of memory' "$1"; then
                echo 'not all states were searched'
        fi
        grep -q 'errors: 0$' "$1" || echo 'pan gives no good verdict'
}

# holds NAME CLAIM [SPIN OPTION...]: checks it, says what came out, prints what is wrong. Of
# one name are claims with the same options.
holds() {
        local dir=$work/$1 claim=$2 wrong
        if [[ ! -d $dir ]]; then
                mkdir -- "$dir"
                generate "$dir" "${@:3}" || return
        fi
        pan "$dir" -O1 "$claim" || return
        wrong=$(verdict "$dir/log")
        printf '# spin: %s, %s (%s): %s states, %s MB: %s\n' "${claim/#-/safety}" "$1" "${*:3}" \
                "$(sed -n 's/^ *\([0-9]*\) states, stored.*/\1/p' "$dir/log")" \
                "$(sed -n 's/^ *\([0-9]*\)\.[0-9]*.total actual memory usage.*/\1/p' "$dir/log")" \
                "${wrong:-no errors}" >&3
        [[ -z $wrong ]] || { echo "$wrong"; cat -- "$dir/log"; }
}

# finds NAME WHAT CLAIM [SPIN OPTION...]: a fault, and the verdict that it must lead to.
finds() {
        local dir=$work/broken-$1 wrong
        mkdir -p -- "$dir"
        generate "$dir" "${@:4}" -DCLIENTS=1 || return
        pan "$dir" -O0 "$3" || return
        wrong=$(verdict "$dir/log")
        echo "# spin: $1: ${wrong%%$'\n'*}" >&3
        grep -q -e "$2" <<<"$wrong" || echo "expected: $2; found: ${wrong:-nothing}"
}

same_table() {
        "$PRINT_RULES" >"$work/printed" || echo 'print-rules failed'
        diff -u --label phase-rules.pml --label src/core/phase.c "$here/phase-rules.pml" "$work/printed" || :
}

# The table alone moves the phase: besides it there is only where a daemon begins.
other_changes() {
        sed '/^#ifdef BREAK_/,/^#endif/d' "$here/update.pml" |
                grep -nE '(^|[^a-z_])phase = ' | grep -v 'phase = PHASE_FIRST' || :
        [[ $(grep -c 'apply_rule(' "$here/update.pml") -eq 1 ]] || echo 'apply_rule() is not used exactly once'
}

# unreached DIR: statements that no run has come to. Those of let_go(), which stands in
# many places, are not looked at, nor is what must not be reached.
unreached() {
        sed -n '/^unreached in/,$s/^\t.*\.pml:\([0-9]*\), state \([0-9]*\), "\(.*\)"$/\1 \2 \3/p' "$1/log" |
                grep -vE ' (-end-|assert\(0\)|kernel\[[a-z0-9]*\] = [0-9]*)$' | sort || :
}

# What is reached with a store or without one is no dead letter; that goes for each rule of
# the table, too, as apply_rule() stands in one place.
not_in_use() {
        comm -12 <(unreached "$work/store") <(unreached "$work/no-store")
}

# change_rules NAME SED-SCRIPT: a table with a fault, for finds().
change_rules() {
        mkdir -p -- "$work/broken-$1"
        sed -e "$2" "$here/phase-rules.pml" >"$work/broken-$1/phase-rules.pml"
        ! cmp -s "$here/phase-rules.pml" "$work/broken-$1/phase-rules.pml" || echo "the table was not changed"
}

finds_rule() {
        change_rules "$1" "$2"
        finds "$1" "$3" "${@:4}"
}

# A rule that nothing uses is seen as such.
finds_unused() {
        local dir=$work/broken-unused
        change_rules unused 's/^\( *\):: p == PHASE_UPDATED .*/&\n\1:: p == PHASE_UPDATED \&\& e == EVENT_CANCEL -> p = PHASE_CANCELLING; f = EFFECT_ROLLBACK/'
        generate "$dir" -DCLIENTS=1 && pan "$dir" -O0 - || return
        verdict "$dir/log"
        unreached "$dir" | grep -q ' effect = ' || echo 'the rule is not reported as unreached'
}

check_all() {
        point 'the rules are those of src/core/phase.c' same_table
        point 'nothing but the rules changes the phase' other_changes
        point 'with a descriptor store nothing is lost, leaked or stuck' holds store - -DCLIENTS=2 -DSTORE=1
        point 'without one nothing is leaked or stuck' holds no-store - -DCLIENTS=2 -DSTORE=0
        point 'each rule and each statement is used' not_in_use
        point 'whoever got ready resumes or is in the new kernel' holds two resumed -DCLIENTS=2 -DDEATHS=0 -DCHECK=0
        point '… when clients die' holds one resumed -DCLIENTS=1 -DCHECK=0
        point '… without a store' holds one-no-store resumed -DCLIENTS=1 -DCHECK=0 -DSTORE=0
        point 'every state is left in the end' holds two ends -DCLIENTS=2 -DDEATHS=0 -DCHECK=0
        point '… when clients die' holds one ends -DCLIENTS=1 -DCHECK=0
        point '… without a store' holds one-no-store ends -DCLIENTS=1 -DCHECK=0 -DSTORE=0

        local cycle='acceptance cycle' assertion='assertion violated'
        point 'finds: a rollback tells nobody' finds resume "$cycle" resumed -DBREAK_RESUME -DCHECK=0
        point 'finds: a rollback leaves sessions in the store' finds store-drop "$assertion" - -DBREAK_STORE
        point 'finds: a FINISH that waits for no client' finds hands "$assertion" - -DBREAK_HANDS
        point 'finds: a claimed session is not stored' finds store-put "$assertion" - -DBREAK_PUT
        point 'finds: CANCELLING has no exit' finds cancelling 'invalid end state' - -DBREAK_CANCEL
        point 'finds: nobody has a deadline' finds deadline 'invalid end state' - -DBREAK_DEADLINE
        point 'finds: delays have no limit' finds delay "$cycle" ends -DBREAK_DELAY -DCHECK=0
        point 'finds: a restart takes FREEZING for PREPARED' finds restart "$assertion" - -DBREAK_RESTART
        point 'finds: a crash between RETRIEVE_SESSION and the store' finds gap "$assertion" - -DGAPS
        point 'finds: a table without a way out of CANCELLING' finds_rule no-exit \
                '/p == PHASE_CANCELLING/d' "$assertion" -
        point 'finds: a table in which an interrupted update is forgotten' finds_rule interrupted \
                '/EVENT_INTERRUPTED ->/s/p = PHASE_CANCELLING; f = EFFECT_ROLLBACK/p = PHASE_NORMAL; f = EFFECT_NONE/' \
                "$assertion" -
        point 'finds: a rule that nothing uses' finds_unused
        echo "1..$n"
}

work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
exec 3>&1
check_all
((failed == 0))
