# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# For the scripts here: each checks one kind of rule and prints TAP. Sourced; goes to the
# top of the source tree.

set -euo pipefail
export LC_ALL=C
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."

POINTS=0 BAD=0

plan() {
        echo "1..$1"
}

# point NAME COMMAND...: good if the command succeeds and prints nothing; else that is
# what is wrong.
point() {
        local problems rc=0
        problems=$("${@:2}" 2>&1) || rc=$?
        POINTS=$((POINTS + 1))
        if [[ -z $problems && $rc == 0 ]]; then
                echo "ok $POINTS - $1"
                return
        fi
        BAD=$((BAD + 1))
        # shellcheck disable=SC2001 # at each line
        sed 's/^/# /' <<<"${problems:-exit status $rc}"
        echo "not ok $POINTS - $1"
}

skip_all() {
        echo "1..0 # SKIP $*"
        exit 0
}

# The files of the project, what git ignores left out; also without git.
files() {
        find . -name .git -prune -o -path './build*' -prune -o -path ./.cache -prune -o -type f -print |
                sed 's,^\./,,' | sort
}

# text_files: those that people write.
text_files() {
        files | grep -vE '^tests/(fixtures|fuzz/corpus)/|\.(bin|png|o|ko)$'
}

shell_files() {
        local file line
        while IFS= read -r file; do
                case $file in
                *.sh | *.bash)
                        echo "$file"
                        continue
                        ;;
                esac
                IFS= read -r line <"$file" 2>/dev/null || continue
                [[ ! $line =~ ^'#!'.*[/\ ](ba)?sh ]] || echo "$file"
        done < <(text_files)
}

end() {
        ((!BAD))
}
