# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2153
#
# The harness itself, and the kernels: three kernels in one boot of QEMU, a memfd carried
# across both updates by luvm-kexec alone.

PLAN=12
STAGES=3

# make_data FILE: 4 MiB that no other stage has.
make_data() {
        head -c 4194304 /dev/urandom >"$1"
        sha256sum <"$1" >"$LUVM_SHARED/sum-$STAGE"
}

jump() {
        make_data /run/data
        luvm-kexec jump selftest "$STAGE" /run/data "$NEXT_KERNEL" "$NEXT_INITRD" "$NEXT_CMDLINE"
        # Only an error comes here.
        not_ok "stage $STAGE: the jump"
}

# What came in is what stage N - 1 sent, and it can be had only once.
arrived() {
        local from=$((STAGE - 1)) got
        got=$(luvm-kexec retrieve selftest "$from" | sha256sum)
        is "$got" "$(<"$LUVM_SHARED/sum-$from")" "the memory of stage $from is intact"
        refused any 'No such file' 'a finished session is gone' luvm-kexec retrieve selftest "$from"
        is "$RELEASE" "$DUE_RELEASE" "stage $STAGE runs the kernel that was due"
}

stage1() {
        is "$KEXEC_COUNT" 0 'a cold boot has no updates behind it'
        check '/dev/liveupdate is there' test -c /dev/liveupdate
        check 'the running image is in /boot' test -r "/boot/vmlinuz-$RELEASE"
        check 'modules load' modprobe vfio-pci
        refused any 'No such file' 'nothing came in' luvm-kexec retrieve selftest 1
        jump
}

stage2() {
        arrived
        jump
}

stage3() {
        arrived
        is "$CAME_FROM" "$(<"$LUVM_SHARED/release-2")" 'the kernel knows which one it came from'
}
