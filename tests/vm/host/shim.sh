# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The kernel module for the guest. Built for each kernel that a run uses, from a copy, so
# that the source tree stays clean, and together with the test modules of guest/kmod; the
# result is a module tree of its own, the kernel's modules and ours in updates/, which
# only cases that ask for it (SHIM=1) get to see. Kept in the cache, named by a hash of all
# that went in.

# shim_key BZIMAGE BUILD: of sources, kernel and compiler.
shim_key() {
        {
                gcc --version | head -n 1
                cat -- "$1" "$2/Module.symvers" "$2/.config"
                cat -- "$TOP"/kernel-shim/*.[ch] "$TOP/kernel-shim/Kbuild" "$VM_DIR"/guest/kmod/* "$VM_DIR/host/shim.sh"
        } | sha256sum | cut -c 1-16
}

# shim_compile SOURCE BUILD WORK: leaves the modules in WORK. A kernel that was built with
# other tools than are installed here is no reason to stop; kbuild says so as a warning.
shim_compile() {
        mkdir -p "$3"
        cp -- "$1"/Kbuild "$1"/*.[ch] "$3/" 2>/dev/null || :
        make -C "$2" M="$3" modules >"$3/log" 2>&1 || {
                tail -n 30 "$3/log" >&2
                die "${1#"$TOP"/} does not build for $2"
        }
        ! grep -n 'warning:' "$3/log" | grep -v ' differs from the one used to build the kernel$' >&2 || die "${1#"$TOP"/} builds with warnings"
}

# shim_tree BZIMAGE RELEASE: prints DIR; its modules are in DIR/lib/modules/RELEASE.
shim_tree() {
        local kernel build cache final work dir
        kernel=$(dirname "$1")
        build=$kernel/build cache=$(cache_dir)/vm/shim
        [[ -f $build/Module.symvers && -d $kernel/modules/lib/modules/$2 ]] ||
                die "$1 has no build/ and modules/ beside it, so the shim cannot be built for it"
        need make make
        need depmod kmod
        final=$cache/$(shim_key "$1" "$build")
        if [[ ! -d $final ]]; then
                mkdir -p "$cache"
                work=$(mktemp -d "$cache/.building-XXXXXX")
                # shellcheck disable=SC2064 # now
                trap "rm -rf -- '$work'" EXIT
                shim_compile "$TOP/kernel-shim" "$build" "$work/shim"
                shim_compile "$VM_DIR/guest/kmod" "$build" "$work/kmod"
                mkdir -p "$work/tree/lib/modules"
                dir=$work/tree/lib/modules/$2
                cp -a --reflink=auto -- "$kernel/modules/lib/modules/$2" "$dir"
                mkdir -p "$dir/updates"
                cp -- "$work"/shim/*.ko "$work"/kmod/*.ko "$dir/updates/"
                depmod -b "$work/tree" -E "$build/Module.symvers" "$2"
                mv -T -- "$work/tree" "$final"
                rm -rf -- "$work"
                find "$cache" -mindepth 1 -maxdepth 1 -type d -mtime +14 -exec rm -rf -- {} +
        fi
        touch -c -- "$final"
        echo "$final"
}

# prepare_shim: for both kernels, into the array SHIM_MODULES. One run at a time builds.
prepare_shim() {
        local lock tree
        SHIM_MODULES=()
        mkdir -p "$(cache_dir)/vm"
        exec {lock}>"$(cache_dir)/vm/shim.lock"
        flock "$lock"
        tree=$(shim_tree "$KERNEL_A" "$RELEASE_A") || exit 1
        SHIM_MODULES+=("$tree/lib/modules/$RELEASE_A")
        KERNEL_DIRS+=("$tree")
        if [[ $RELEASE_B != "$RELEASE_A" && $RELEASE_B != unknown ]]; then
                tree=$(shim_tree "$KERNEL_B" "$RELEASE_B") || exit 1
                SHIM_MODULES+=("$tree/lib/modules/$RELEASE_B")
                KERNEL_DIRS+=("$tree")
        fi
        exec {lock}>&-
}

# can_shim BZIMAGE: its headers are beside it, and it has patch 0001.
can_shim() {
        grep -qsw liveupdate_register_file_handler "$(dirname "$1")/build/Module.symvers"
}

# wants_shim: one of the cases does; for a script or a shell, if it can be built.
wants_shim() {
        local name
        if [[ $MODE != case ]]; then
                can_shim "$KERNEL_A" && can_shim "$KERNEL_B"
                return
        fi
        for name in "${CASES[@]}"; do
                ! (read_case "$name"; ((SHIM))) || return 0
        done
        return 1
}
