# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2153
#
# The runner's parts: which stage is this, is it true, what comes next, and the three
# kinds of stage (a case's function, a user's script, a shell).

# open_port FD NAME: opens the virtio port of that name. A port has one opener at a time;
# children that stay must not inherit it.
open_port() {
        local dir name
        for dir in /sys/class/virtio-ports/*; do
                [[ -r $dir/name ]] || continue
                read -r name <"$dir/name"
                [[ $name == "$2" ]] || continue
                eval "exec $1>/dev/${dir##*/}"
                return
        done
        return 1
}

# image_of STAGE: a or b. They alternate unless the host named one for all updates.
image_of() {
        if (($1 == 1 || (!LUVM_NEXT_FIXED && $1 % 2))); then echo a; else echo b; fi
}

# The last luvm.stage= counts: every update appends one.
read_stage() {
        local word words
        STAGE=0
        read -r -a words </proc/cmdline
        for word in "${words[@]}"; do
                [[ $word == luvm.stage=+([0-9]) ]] && STAGE=${word#*=}
        done
        read -r RELEASE </proc/sys/kernel/osrelease
        NEXT_KERNEL=$LUVM_SHARED/kernel-$(image_of $((STAGE + 1)))
        DUE_RELEASE=$LUVM_RELEASE_A
        [[ $(image_of "$STAGE") == a ]] || DUE_RELEASE=$LUVM_RELEASE_B
        NEXT_INITRD=$LUVM_SHARED/initramfs
        NEXT_APPEND="luvm.stage=$((STAGE + 1))"
        # For those who load by hand.
        NEXT_CMDLINE="$(</proc/cmdline) $NEXT_APPEND"
        export STAGE RELEASE DUE_RELEASE NEXT_KERNEL NEXT_INITRD NEXT_APPEND NEXT_CMDLINE
}

# The kernel's record of the jump: u32 version, char previous_release[65], u32 count
# (include/linux/kho/abi/kexec_metadata.h). Sets CAME_FROM and KEXEC_COUNT.
read_kexec_metadata() {
        local blob=/sys/kernel/debug/kho/in/sub_fdts/kexec-metadata bytes i char
        CAME_FROM='' KEXEC_COUNT=0
        [[ -e $blob ]] || return 0
        read -r -d '' -a bytes < <(/run/luvm/busybox od -An -v -tu1 "$blob")
        KEXEC_COUNT=$((bytes[69] + 256 * bytes[70]))
        for ((i = 4; i < 69 && bytes[i] != 0; i++)); do
                printf -v char '%03o' "${bytes[i]}"
                printf -v char '%b' "\\0$char"
                CAME_FROM+=$char
        done
}

# Stage N + 1 has N updates behind it, the last from the kernel of stage N, and runs the
# kernel that was due.
check_stage() {
        local before='' problem=''
        read_kexec_metadata
        if ((STAGE < 1 || STAGE > STAGES)); then
                problem="came to stage $STAGE, but $LUVM_CASE has $STAGES"
        elif ((KEXEC_COUNT != STAGE - 1)); then
                problem="stage $STAGE should have $((STAGE - 1)) handovers behind it, the kernel counts $KEXEC_COUNT"
        elif [[ $DUE_RELEASE != unknown && $RELEASE != "$DUE_RELEASE" ]]; then
                problem="stage $STAGE should run $DUE_RELEASE, but $RELEASE runs"
        elif ((STAGE > 1)); then
                read -r before <"$LUVM_SHARED/release-$((STAGE - 1))"
                [[ $CAME_FROM == "$before" ]] ||
                        problem="stage $STAGE should come from $before, the kernel says $CAME_FROM"
        elif [[ -e $LUVM_SHARED/release-1 ]]; then
                problem="stage 1 a second time: the machine was reset, or the update lost its command line"
        fi
        [[ -z $problem ]] || { bail "$problem"; return 1; }
        echo "$RELEASE" >"$LUVM_SHARED/release-$STAGE"
}

# What the daemon is to load for the next stage.
write_drop_in() {
        printf '[Kexec]\nKernel=%s\nInitrd=%s\nAppendCommandLine=%s\n' \
                "$NEXT_KERNEL" "$NEXT_INITRD" "$NEXT_APPEND" >/run/liveupdated/liveupdated.conf.d/50-luvm.conf
}

# The update that a stage has asked for takes the machine away. If it does not come, the
# stage has failed.
await_jump() {
        sleep "$((LUVM_JUMP_DEADLINE * LUVM_SCALE))"
        bail "stage $STAGE ended, but no update came within $((LUVM_JUMP_DEADLINE * LUVM_SCALE)) s"
}

finish() {
        find_leaks
        printf '# luvm: end of %s after %s stages\n' "$LUVM_CASE" "$STAGE" >&3
}

# On a debug kernel: what is found is written to the console, and so comes into the
# verdict. It takes two looks, and only objects older than five seconds count
# (mm/kmemleak.c: MSECS_MIN_AGE).
find_leaks() {
        local leaks=/sys/kernel/debug/kmemleak
        [[ -w $leaks ]] || return 0
        echo scan >"$leaks"
        sleep 6
        echo scan >"$leaks"
        /run/luvm/busybox cat "$leaks"
}

run_case_stage() {
        # shellcheck disable=SC1090
        . "$LUVM_TOP/tests/vm/cases/$LUVM_CASE.sh"
        "stage$STAGE"
        if ((STAGE < STAGES)); then await_jump; else finish; fi
}

# The script's exit status is its stage's point. A stage that ends by the jump itself
# gets its point from the next one.
run_script_stage() {
        local rc=0
        open_port 4 luvm.out || { bail "no virtio port for the script's output"; return; }
        ((STAGE == 1)) || ok "stage $((STAGE - 1)): the update came to $RELEASE"
        if ! start_bus || ! start_daemon; then
                not_ok "stage $STAGE: liveupdated runs"
                tail -n 20 "$DAEMON_LOG" >&4
                return
        fi
        "$LUVM_SCRIPT" </dev/null >&4 2>&1 3>&- 4>&- || rc=$?
        if ((rc != 0)); then
                not_ok "stage $STAGE: the script exited with status $rc"
        elif ((STAGE < STAGES)); then
                await_jump
        else
                ok "stage $STAGE: the script succeeded on $RELEASE"
                finish
        fi
}

run_shell() {
        start_bus && start_daemon || echo "luvm: liveupdated does not run; its log is $DAEMON_LOG"
        echo "luvm: stage $STAGE on $RELEASE. 'exit' powers off; 'liveupdatectl update' goes to the next kernel."
        cd "$LUVM_TOP" || :
        bash -i 3>&-
}
