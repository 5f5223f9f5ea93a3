# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What the host's side of the VM harness shares: messages, the cache directory, and a
# look at a kernel image. Sourced, never run; sets nothing but functions and VM_DIR, TOP.

VM_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
TOP=$(cd "$VM_DIR/../.." && pwd -P)
export VM_DIR TOP

say() {
        local dir=${0%/*}
        printf '%s/%s: %s\n' "${dir##*/}" "${0##*/}" "$*" >&2
}

die() {
        say "$*"
        exit 1
}

# need COMMAND PACKAGE...: stops with what to install when a command is missing.
need() {
        command -v "$1" >/dev/null || die "$1 is missing (Debian package ${*:2}); run scripts/deps.sh vm"
}

cache_dir() {
        local base=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}
        [[ $base == /* ]] || die "XDG_CACHE_HOME is not an absolute path: $base"
        printf '%s/liveupdated\n' "$base"
}

# u16 FILE OFFSET: a little-endian 16-bit number.
u16() {
        od -An -v -tu1 -j "$2" -N 2 -- "$1" | awk 'NF == 2 { print $1 + 256 * $2 }'
}

# kernel_release BZIMAGE: the release an x86 kernel image names in its setup header
# (Documentation/arch/x86/boot.rst: "HdrS" at 0x202, kernel_version at 0x20e counts
# from 0x200). Fails with a message if the file is not such an image.
kernel_release() {
        local image=$1 magic offset release
        [[ -f $image && -r $image ]] || { say "$image: no such file, or not readable"; return 1; }
        magic=$(od -An -v -tx1 -j $((0x202)) -N 4 -- "$image" | tr -d ' \n')
        [[ $magic == 48647253 ]] || { say "$image: not an x86 kernel image (no HdrS header)"; return 1; }
        offset=$(u16 "$image" $((0x20e)))
        release=$(od -An -v -c -w1 -j $((0x200 + offset)) -N 128 -- "$image" |
                awk '{ if ($1 == "" || $1 == "\\0") exit; printf "%s", $1 }')
        [[ $release =~ ^[0-9]+\.[0-9]+[A-Za-z0-9.+~_-]*$ ]] || { say "$image: its header names no release"; return 1; }
        printf '%s\n' "$release"
}
