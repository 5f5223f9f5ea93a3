# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
#
# What the scripts here share. Sourced; sets TOP (the source tree), BUILDS (where build
# trees go: $LIVEUPDATED_BUILDS, or build/) and JOBS.

TOP=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
BUILDS=$(realpath -m -- "${LIVEUPDATED_BUILDS:-$TOP/build}")
JOBS=$(nproc)

say() {
        printf '== %s\n' "$*"
}

die() {
        printf '%s: %s\n' "${0##*/}" "$*" >&2
        exit 1
}

# configure DIR [MESON OPTION...]: sets the build tree up, or anew if it was set up with
# other options. CC in the environment chooses the compiler.
configure() {
        local dir=$1 wanted
        shift
        wanted="${CC-cc} $*"
        [[ -f $dir/build.ninja && -f $dir/.options && $(<"$dir/.options") == "$wanted" ]] && return
        rm -rf -- "$dir"
        meson setup "$dir" "$TOP" "$@" || return
        printf '%s\n' "$wanted" >"$dir/.options"
}
