# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2054
#
# Which accelerator works here. A /dev/kvm that opens but cannot run a guest exists in
# the field, so KVM counts only after the test kernel came up under it. The verdict holds
# for one boot of this machine and one QEMU and is kept in the cache.

TRIAL_SECONDS=5

# kvm_works KERNEL INITRAMFS: boots as far as the first line of guest/init.
kvm_works() {
        local dir console
        [[ -r /dev/kvm && -w /dev/kvm ]] || return 1
        dir=$(mktemp -d)
        console=$dir/console
        timeout --kill-after=1 "$TRIAL_SECONDS" "$QEMU" -accel kvm -cpu host -machine q35 -m 512 -nodefaults \
                -display none -no-reboot -serial "file:$console" -kernel "$1" -initrd "$2" \
                -append 'console=ttyS0 panic=-1 mitigations=off luvm.trial' >/dev/null 2>&1 </dev/null || :
        if grep -q '^luvm: alive' "$console" 2>/dev/null; then
                rm -rf -- "$dir"
                return 0
        fi
        rm -rf -- "$dir"
        return 1
}

# find_accelerator KERNEL INITRAMFS: prints kvm or tcg.
find_accelerator() {
        local key file known verdict=tcg
        if [[ -n ${LUVM_ACCEL-} ]]; then
                [[ $LUVM_ACCEL =~ ^(kvm|tcg|icount)$ ]] || die "LUVM_ACCEL is kvm, tcg or icount, not $LUVM_ACCEL"
                echo "$LUVM_ACCEL"
                return
        fi
        key="$(</proc/sys/kernel/random/boot_id) $("$QEMU" --version | head -n 1) $([[ -w /dev/kvm ]] && echo w)"
        file=$(cache_dir)/vm/accelerator
        if [[ -r $file ]]; then
                { read -r known && read -r verdict; } <"$file" || known=
                if [[ $known == "$key" ]]; then
                        echo "$verdict"
                        return
                fi
        fi
        verdict=tcg
        ! kvm_works "$1" "$2" || verdict=kvm
        mkdir -p "${file%/*}"
        printf '%s\n%s\n' "$key" "$verdict" >"$file.$$"
        mv -- "$file.$$" "$file"
        echo "$verdict"
}

# cpu_takes ACCELERATOR MODEL: QEMU can give a guest all of that CPU model.
cpu_takes() {
        echo quit | timeout 10 "$QEMU" -accel "$1" -cpu "$2,enforce" -machine q35 -S -nodefaults -display none \
                -monitor stdio >/dev/null 2>&1
}

# accelerator_arguments ACCELERATOR [COUNTED]: into the array ACCEL_ARGS. An invariant TSC is
# asked for where it can be had, so that time can be told exactly across a jump. Two ways to
# have TCG with a clock that goes by the guest's instructions, so that a busy host does not
# count: COUNTED=1, for a case that measures, where nothing is waited for; and icount, 4 ns an
# instruction, where the guest's waiting takes the host's time. KVM cannot do that.
accelerator_arguments() {
        case $1 in
        kvm) ACCEL_ARGS=(-accel kvm -machine q35,kernel-irqchip=split -cpu host) ;;
        tcg) ACCEL_ARGS=(-accel tcg,thread=multi -machine q35 -cpu max) ;;
        icount) ACCEL_ARGS=(-accel tcg,thread=single -icount shift=2 -machine q35 -cpu max) ;;
        esac
        case $1${2:-0} in
        tcg1) ACCEL_ARGS=(-icount 'shift=0,sleep=off' "${ACCEL_ARGS[@]/thread=multi/thread=single}") ;;
        esac
        ! cpu_takes "${1/icount/tcg}" "${ACCEL_ARGS[-1]},+invtsc" || ACCEL_ARGS[-1]+=,+invtsc
}
