#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# liveupdate-restore as a program: what initrds take along, and how it is called.

set -euo pipefail
n=0
point() {
        local text=$1
        shift
        if "$@"; then echo "ok $((++n)) - $text"; else echo "not ok $((++n)) - $text"; fi
}

says() {
        local status=$1 regex=$2 out rc=0
        shift 2
        out=$("$RESTORE" "$@" 2>&1) || rc=$?
        [[ $rc == "$status" && $out =~ $regex ]] || {
                echo "# $* exited with status $rc: $out"
                return 1
        }
}

# Sanitizers bring their own.
libraries() {
        readelf -d "$RESTORE" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | grep -vE '^lib(c|m|asan|ubsan|gcc_s|kmod|inih)\.so|^ld-'
}
nothing() { [[ -z $1 ]] || { echo "# $1"; return 1; }; }

point 'it needs few libraries' nothing "$(libraries)"
point 'help' says 0 'Exits with 0 if all is well' --help
point 'version' says 0 '^liveupdate-restore [0-9]' --version
point 'the modules that it needs' says 0 'vfio-pci.liveupdate_vfio' --list-modules
point 'no arguments' says 2 'takes no arguments' now
point 'an option that there is not' says 2 'nonsense' --nonsense
point 'a time that is none' says 2 'is not a time span' --timeout=soon
echo "1..$n"
