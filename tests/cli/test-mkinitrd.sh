#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# liveupdate-mkinitrd as a program: how it is called, and what it refuses. What it builds is
# booted by the VM case initrd-restore.

set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf -- "$tmp"' EXIT
n=0
point() {
        local text=$1
        shift
        if "$@"; then echo "ok $((++n)) - $text"; else echo "not ok $((++n)) - $text"; fi
}

says() {
        local status=$1 regex=$2 out rc=0
        shift 2
        out=$("$@" 2>&1) || rc=$?
        [[ $rc == "$status" && $out =~ $regex ]] || {
                echo "# $* exited with status $rc: $out"
                return 1
        }
}

# Sanitizers bring their own.
libraries() {
        readelf -d "$FIRST" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | grep -vE '^lib(c|m|asan|ubsan|gcc_s|zstd|inih)\.so|^ld-'
}
nothing() { [[ -z $1 ]] || { echo "# $1"; return 1; }; }

build() { "$MKINITRD" --output="$tmp/out" "$@"; }

point '/init needs few libraries' nothing "$(libraries)"
point '/init is of no use to anybody else' says 2 'there is no other use for it' "$FIRST"
point 'help' says 0 'Builds a restore-only initrd' "$MKINITRD" --help
point 'version' says 0 '^liveupdate-mkinitrd [0-9]' "$MKINITRD" --version
point 'nothing' says 2 'needs --initrd=, --output= and one of' "$MKINITRD"
point 'no kernel' says 2 'needs --initrd=' build --initrd="$tmp/initrd"
point 'an argument' says 2 'and nothing else' build --initrd=x --kernel=x now
point 'an option that there is not' says 2 'nonsense' "$MKINITRD" --nonsense
point 'a kernel that is not there' says 1 "^The kernel $tmp/none cannot be read: No such" build --kernel="$tmp/none" --initrd="$tmp/none"
echo 'no kernel' >"$tmp/file"
point 'no kernel at all' says 1 '^The kernel cannot be read: ' build --kernel="$tmp/file" --initrd="$tmp/file"
point 'an initrd that is not there' says 1 "The host's initrd $tmp/none cannot be read: No such" build --kernel-release=1.2.3 --initrd="$tmp/none"
point 'no initrd' says 1 'neither a cpio archive nor a compressed one' build --kernel-release=1.2.3 --initrd="$tmp/file"
point 'not useful: small' says 3 '^$' build --kernel-release=1.2.3 --initrd="$tmp/file" --if-useful
truncate -s 16M "$tmp/large"
point 'not useful: no clients' says 3 '^$' build --kernel-release=1.2.3 --initrd="$tmp/large" --if-useful
point 'useful or not: not there' says 1 'cannot be read: No such' build --kernel-release=1.2.3 --initrd="$tmp/none" --if-useful
point 'nothing was written' test ! -e "$tmp/out"
echo "1..$n"
