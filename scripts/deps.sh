#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# deps.sh [build|vm|lint|fuzz|bench|all]...
#
# Installs with apt what the build (the default), the VM tests, the style checks, the
# fuzz targets or the benchmarks need, on Debian 12 and 13. Says what before it does it;
# when nothing is missing it says nothing and is done. Needs root or sudo only to install.

set -euo pipefail

# One line says what a group is for. Names that hold for Debian 12 and 13 alike.
build_packages() {
        # compiler and build system
        echo gcc libc6-dev make meson ninja-build pkgconf
        # libraries
        echo libsystemd-dev libjson-c-dev libarchive-dev libsmartcols-dev libinih-dev
        echo libpci-dev libnl-3-dev libnl-route-3-dev libkmod-dev libzstd-dev
        # tests: the unit test library, a private bus, the model checker
        echo libcmocka-dev dbus spin
}

vm_packages() {
        build_packages
        # the machine
        echo qemu-system-x86 seabios ipxe-qemu
        # its initramfs
        echo busybox-static cpio gzip
        # its kernel: the source and how to check it, what it is built with, depmod
        echo debian-archive-keyring xz-utils patch
        echo bc flex bison binutils libelf-dev kmod
        # what looks at our module's source
        echo sparse perl
        # used in the guest: busctl, modprobe, polkit's daemon, an agent for a guest in it
        echo systemd polkitd qemu-guest-agent
        # the root of a newer Debian, a newer QEMU
        echo mmdebstrap
}

# The compiler's runtime for sanitizers and libFuzzer bears the version of clang in its
# name; clang does not pull it in without recommendations.
clang_packages() {
        local version
        # shellcheck disable=SC2016 # dpkg-query expands it
        version=$({
                dpkg-query -W -f 'Depends: ${Depends}\n' clang || apt-cache depends --important clang || :
        } 2>/dev/null | sed -n 's/.*Depends: clang-\([0-9]*\).*/\1/p')
        echo clang ${version:+"libclang-rt-$version-dev"}
}

# The tree is formatted with version 14, where there is one.
lint_packages() {
        clang_packages
        echo shellcheck
        if command -v clang-format-14 >/dev/null || available clang-format-14; then echo clang-format-14; else echo clang-format; fi
}

fail() {
        printf 'deps.sh: %s\n' "$*" >&2
        exit 1
}

available() {
        [[ $(apt-cache policy "$1" 2>/dev/null) =~ Candidate:\ [^\(] ]]
}

as_root() {
        if ((EUID == 0)); then
                "$@"
        elif command -v sudo >/dev/null; then
                sudo -- "$@"
        else
                fail "not root, and there is no sudo; run as root: $*"
        fi
}

apt() {
        as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0 "$@"
}

UPDATED=0
update() {
        ((!UPDATED)) || return 0
        echo "deps.sh: updating apt's package lists" >&2
        apt update >&2 || fail "apt-get update failed"
        UPDATED=1
}

group() {
        case $1 in
        build) build_packages ;;
        vm) vm_packages ;;
        lint) lint_packages ;;
        fuzz) build_packages; clang_packages ;;
        bench) build_packages; echo pciutils ;;
        all) vm_packages; lint_packages; echo pciutils ;;
        esac
}

# find_missing GROUP...: into the array MISSING.
find_missing() {
        local name
        for name in "$@"; do group "$name"; done | tr ' ' '\n' | sort -u >"$work/wanted"
        # Fails, and says so, for each package that dpkg has never seen.
        # shellcheck disable=SC2016 # dpkg-query expands them
        { xargs dpkg-query -W -f '${Package} ${db:Status-Status}\n' <"$work/wanted" 2>/dev/null || :; } |
                sed -n 's/ installed$//p' | sort -u >"$work/installed"
        comm -23 "$work/wanted" "$work/installed" >"$work/missing"
        mapfile -t MISSING <"$work/missing"
}

# Whether apt's lists know all of them; they may be missing (a fresh container), or older
# than a name.
known() {
        local name
        for name; do available "$name" || return 1; done
}

install() {
        echo "deps.sh: installing with apt: $*" >&2
        apt install --no-install-recommends "$@" >&2
}

main() {
        local name
        (($#)) || set -- build
        for name in "$@"; do
                [[ $name =~ ^(build|vm|lint|fuzz|bench|all)$ ]] || fail "unknown group '$name' (build, vm, lint, fuzz, bench or all)"
        done
        find_missing "$@"
        ((${#MISSING[@]})) || return 0
        if ! known "${MISSING[@]}" clang; then
                update
                find_missing "$@"
        fi
        install "${MISSING[@]}" && return
        # The archive may have moved on since the lists were fetched.
        ((!UPDATED)) || fail "apt-get could not install them"
        update
        install "${MISSING[@]}" || fail "apt-get could not install them"
}

case ${1-} in
-h | --help) sed -n '4,8s/^# \{0,1\}//p' "$0"; exit 0 ;;
esac
# shellcheck disable=SC1091
system=$(. /etc/os-release 2>/dev/null && echo " ${ID-} ${ID_LIKE-} ") || system=
if [[ $system != *' debian '* ]] || ! command -v apt-get >/dev/null; then
        fail "this is not Debian; install by hand what the packages in $0 hold"
fi
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
main "$@"
