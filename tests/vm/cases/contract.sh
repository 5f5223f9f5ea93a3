# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
#
# The contract suite of the LUO port on the real /dev/liveupdate, on both sides of a
# kexec. The same rows run on the fake in the unit tests.

PLAN=94
STAGES=2

stage1() {
        tap_program "$LUVM_BUILD/tests/contract/contract-luo" --real --stage=1
        luvm-kexec jump contract-jump 1 /etc/hostname "$NEXT_KERNEL" "$NEXT_INITRD" "$NEXT_CMDLINE"
        not_ok 'the jump'
}

stage2() {
        tap_program "$LUVM_BUILD/tests/contract/contract-luo" --real --stage=2
}
