# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2054
#
# One VM, from its directory to its verdict. The directory DIR holds
#   shared/     the guest's /run/luvm/shared, writable: config, images, logs, artefacts
#   console.log tap.log out.log qemu.log command
# Options of the whole run come in upper-case variables that the run script sets.

# read_case NAME: the case's declarations, with their defaults, as variables.
read_case() {
        local file=$VM_DIR/cases/$1.sh values i
        # In a shell of its own, where its functions are in nobody's way.
        # shellcheck disable=SC2016 # for that shell
        values=$(bash -c '
                set -eu
                PLAN= STAGES=1 MEMORY=1024 CPUS=1 APPEND= DEADLINE=60 DEVICES=() SENDERS=() SHIM=0 COUNTED=0 CONSOLE_ALLOW=() SYSTEMD= UNITS= NEWER_QEMU=0
                . "$1"
                FUNCTIONS=$(compgen -A function || :)
                declare -p PLAN STAGES MEMORY CPUS APPEND DEADLINE DEVICES SENDERS SHIM COUNTED CONSOLE_ALLOW SYSTEMD UNITS NEWER_QEMU FUNCTIONS' case "$file") ||
                die "$file: it cannot be read"
        # declare makes a local variable in a function, but for -g.
        eval "${values//declare -/declare -g -}"
        [[ $PLAN =~ ^[1-9][0-9]*$ && $STAGES =~ ^[1-9][0-9]*$ && $DEADLINE =~ ^[1-9][0-9]*$ ]] ||
                die "$file: PLAN, STAGES and DEADLINE are numbers from 1"
        [[ $SYSTEMD =~ ^(|host|forky)$ ]] || die "$file: SYSTEMD is host or forky"
        ((${#CONSOLE_ALLOW[@]} % 2 == 0)) || die "$file: CONSOLE_ALLOW is pairs of a pattern and a reason"
        for ((i = 1; i <= STAGES; i++)); do
                grep -qx "stage$i" <<<"$FUNCTIONS" || die "$file: there is no function stage$i"
        done
}

# Directories the guest must see at the same path though it has a tmpfs over /tmp,
# /var/tmp and /run, or another root: each becomes a share of its own. Prints "TAG PATH" lines.
hidden_shares() {
        local dir n=0
        for dir in "$TOP" "$BUILD" "${KERNEL_DIRS[@]}" ${SCRIPT:+"${SCRIPT%/*}"} ${QEMU_ROOT:+"$QEMU_ROOT"}; do
                case $ROOT:$dir in
                *:/run/luvm/*) ;;
                /:/tmp/* | /:/var/tmp/* | /:/run/* | /:/dev/shm/* | /?*) echo "luvm$((n++)) $dir" ;;
                esac
        done | awk '!seen[$2]++'
}

# fill_shared DIR NAME MODE STAGES: all that the guest reads.
fill_shared() {
        local shared=$1/shared dir modules=(${MODULES[@]+"${MODULES[@]}"})
        # With the shim's, for a case that asks.
        ((!SHIM)) || modules=("${SHIM_MODULES[@]}")
        mkdir -p "$shared/boot" "$shared/modules"
        ROOT=/
        [[ $SYSTEMD != forky ]] || ROOT=$FORKY
        [[ -z $SYSTEMD ]] || DESTDIR=$shared/install meson install -C "$BUILD" --no-rebuild --quiet ||
                die "meson could not install $BUILD"
        cp --reflink=auto -- "$KERNEL_A" "$shared/kernel-a"
        cp --reflink=auto -- "$KERNEL_B" "$shared/kernel-b"
        cp --reflink=auto -- "$INITRAMFS" "$shared/initramfs"
        ln -s /run/luvm/shared/kernel-a "$shared/boot/vmlinuz-$RELEASE_A"
        [[ $RELEASE_B == "$RELEASE_A" ]] || ln -s /run/luvm/shared/kernel-b "$shared/boot/vmlinuz-$RELEASE_B"
        for dir in ${modules[@]+"${modules[@]}"}; do
                ln -sfn "$dir" "$shared/modules/${dir##*/}"
        done
        hidden_shares >"$shared/mounts"
        cat >"$shared/config" <<-END
	LUVM_TOP='$TOP'
	LUVM_BUILD='$BUILD'
	LUVM_CASE='$2'
	LUVM_MODE='$3'
	LUVM_STAGES='$4'
	LUVM_SCRIPT='$SCRIPT'
	LUVM_SCALE='$SCALE'
	LUVM_JUMP_DEADLINE='${LUVM_JUMP_DEADLINE:-20}'
	LUVM_NEXT_FIXED='$NEXT_FIXED'
	LUVM_RELEASE_A='$RELEASE_A'
	LUVM_RELEASE_B='$RELEASE_B'
	LUVM_SYSTEMD='$SYSTEMD'
	LUVM_UNITS='$UNITS'
	LUVM_QEMU_ROOT='$QEMU_ROOT'
	LUVM_ACCEL='$ACCEL'
	LUVM_TERM='${TERM:-linux}'
	END
}

# sender_arguments: into WRAPPER and NETDEVS. Each entry of SENDERS, "ID BACKLOG", is a
# network with that id for a device, and packets come from it as long as the VM runs. For
# a guest that is slow to boot the rate is lowered, or a ring would not last.
sender_arguments() {
        local sender fd=40
        WRAPPER=() NETDEVS=()
        for sender in ${SENDERS[@]+"${SENDERS[@]}"}; do
                NETDEVS+=(-netdev "dgram,id=${sender% *},local.type=fd,local.str=$fd")
                WRAPPER+=("$((fd++)):${sender#* }")
        done
        ((${#SENDERS[@]} == 0)) || WRAPPER=("$BUILD/tests/vm/host/luvm-sender" "${LUVM_SENDER_RATE:-1250}" "${WRAPPER[@]}" --)
}

# qemu_arguments DIR NAME: into the array QEMU_ARGS. no_timer_check: on a busy host the
# kernel counts too few ticks of an emulated timer, and gives up. An IOMMU must come before the
# devices behind it, all else that was asked for after ours. What begins with a dash is
# another option and its value, for what a device refers to.
qemu_arguments() {
        local dir=$1 tag path device early=() late=()
        for device in ${DEVICES[@]+"${DEVICES[@]}"} ${EXTRA_DEVICES[@]+"${EXTRA_DEVICES[@]}"}; do
                case $device in
                -*) early+=("${device%% *}" "${device#* }") ;;
                *-iommu*) early+=(-device "$device") ;;
                *) late+=(-device "$device") ;;
                esac
        done
        accelerator_arguments "$ACCEL" "${COUNTED:-0}"
        sender_arguments
        QEMU_ARGS=("${ACCEL_ARGS[@]}" -m "${MEMORY_OPTION:-$MEMORY}" -smp "$CPUS" -nodefaults -display none -no-reboot
                ${early[@]+"${early[@]}"} ${NETDEVS[@]+"${NETDEVS[@]}"}
                -kernel "$KERNEL_A" -initrd "$INITRAMFS"
                -append "console=ttyS0 panic=-1 mitigations=off no_timer_check kho=on liveupdate=on luvm.case=$2 luvm.stage=1${APPEND:+ $APPEND}${APPEND_OPTION:+ $APPEND_OPTION}"
                -fsdev "local,id=root,path=$ROOT,security_model=none,readonly=on,multidevs=remap"
                -device virtio-9p-pci,fsdev=root,mount_tag=root
                -fsdev "local,id=shared,path=$dir/shared,security_model=none"
                -device virtio-9p-pci,fsdev=shared,mount_tag=shared)
        while read -r tag path; do
                QEMU_ARGS+=(-fsdev "local,id=$tag,path=$path,security_model=none,readonly=on,multidevs=remap"
                        -device "virtio-9p-pci,fsdev=$tag,mount_tag=$tag")
        done <"$dir/shared/mounts"
        QEMU_ARGS+=(-device virtio-rng-pci
                -device virtio-serial-pci
                -chardev "file,id=tap,path=$dir/tap.log" -device virtserialport,chardev=tap,name=luvm.tap
                ${late[@]+"${late[@]}"})
}

# boot DIR SECONDS: runs QEMU to its end or the deadline; its exit status. A signal to
# this shell takes QEMU along.
boot() {
        local dir=$1 rc=0 pid
        printf '%q ' ${WRAPPER[@]+"${WRAPPER[@]}"} "$QEMU" "${QEMU_ARGS[@]}" >"$dir/command"
        : >"$dir/tap.log"
        : >"$dir/console.log"
        timeout --kill-after=5 "$2" ${WRAPPER[@]+"${WRAPPER[@]}"} "$QEMU" "${QEMU_ARGS[@]}" -serial "file:$dir/console.log" </dev/null >"$dir/qemu.log" 2>&1 &
        pid=$!
        # shellcheck disable=SC2064 # this pid
        trap "kill $pid 2>/dev/null; wait $pid; exit 130" INT TERM
        wait "$pid" || rc=$?
        trap - INT TERM
        return "$rc"
}

# verdict DIR NAME RC SECONDS: prints the case's points and one for the whole of it.
# Fails when the case did.
verdict() {
        local dir=$1 name=$2 rc=$3 seconds=$4 text problem splats
        text=$(judge_port "$dir/tap.log" "$name" "$PLAN" "$STAGES")
        problem=${text##*$'\n'}
        text=${text%"$problem"}
        problem=${problem#problem:}
        printf '%s' "$text"
        splats=$(judge_console "$dir/console.log" ${CONSOLE_ALLOW[@]+"${CONSOLE_ALLOW[@]}"})
        if ((rc == 124 || rc == 137)); then
                problem="it was still running at its deadline of $seconds s and was killed"
        elif ((rc != 0)); then
                problem="QEMU ended with status $rc"
        elif [[ -n $splats ]]; then
                problem="the kernel complained${problem:+; $problem}"
        fi
        if [[ -z $problem ]]; then
                echo "ok - $name: ended well"
                return
        fi
        echo "not ok - $name: ended well"
        echo "# $name: $problem"
        sed 's/^/#   qemu: /' "$dir/qemu.log"
        if [[ -n $splats ]]; then
                excerpt "$dir/console.log"
        else
                echo "# $name: the end of its console:"
                console_tail "$dir/console.log"
        fi
        if [[ -s $dir/shared/daemon.log ]]; then
                echo "# $name: the end of the daemon's log:"
                tail -n 15 "$dir/shared/daemon.log" | sed 's/^/#   /'
        fi
        echo "# $name: all of it is in $dir"
        return 1
}
