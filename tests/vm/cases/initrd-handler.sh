# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2054,SC2153
#
# The next boot has no handler for a file that is preserved: its kernel module is neither in
# the next initrd nor among the host's modules. The plan refuses the update; forced, it ends
# in a boot that goes on without what was to come in, all of it, and a daemon that says so.

PLAN=23
STAGES=2
SHIM=1
DEADLINE=90
DEVICES=('pcie-root-port,id=rp1,chassis=1,slot=1' 'e1000e,bus=rp1')

begin() {
        # shellcheck source=../guest/vfio.sh
        . "$LUVM_TOP/tests/vm/guest/vfio.sh"
        # shellcheck source=../guest/clients.sh
        . "$LUVM_TOP/tests/vm/guest/clients.sh"
        NIC=$(function_of 0x8086 0x10d3)
        # With its settings, before the daemon does it; in the next boot there is none.
        ((STAGE > 1)) || load_shim
        check "stage $STAGE: the bus is up" start_bus
        check "stage $STAGE: the daemon is ready" start_daemon --state-directory="$LUVM_SHARED/state"
}

# initrd_with MODULE OUT: the next initrd, and behind it a second archive with the module.
initrd_with() {
        local tree=/run/luvm/tree
        mkdir -p "$tree/usr/lib/modules/$NEXT_RELEASE/extra" "$tree/usr/lib/liveupdated"
        cp "$1" "$tree/usr/lib/modules/$NEXT_RELEASE/extra/"
        cp "$LUVM_BUILD/src/restore/liveupdate-restore" "$tree/usr/lib/liveupdated/"
        (cd "$tree" && find . | cpio --quiet -o -H newc | cat "$NEXT_INITRD" - >"$2")
}

load() { liveupdatectl load "$NEXT_KERNEL" --initrd "$1" --append "$NEXT_APPEND"; }

# findings: of the plan for the device and all files, those that are about handlers.
findings() { liveupdatectl plan --device "$NIC" | grep -c 'initrd-handler-missing'; }

stage1() {
        local module
        begin
        to_vfio "$NIC"
        start_vfio vm
        vfio_do physical
        vfio_do open nic "$NIC"
        vfio_do bind nic
        start_client vm-a --size 16
        client_says vm-a 'takes part'
        vfio_is ok 'a session of the daemon' bus-create vm
        vfio_is ok 'the daemon preserves the device' preserve vm device nic 2

        NEXT_RELEASE=$LUVM_RELEASE_B
        check 'a kernel is loaded' load "$NEXT_INITRD"
        is "$(findings)" 0 'among the host'\''s modules: that is enough, nothing is earlier than the daemon'
        module=$(modinfo -k "$NEXT_RELEASE" -n liveupdate_vfio)
        initrd_with "$module" /run/luvm/initrd-with
        # Nor will the next boot find it there.
        mv "$LUVM_SHARED/modules/$NEXT_RELEASE" "$LUVM_SHARED/modules/away"
        check 'it is in the initrd' load /run/luvm/initrd-with
        is "$(findings)" 0 'that is enough, too'
        head -c 400000 "$NEXT_INITRD" >/run/luvm/initrd-cut
        refused 1 'initrd-damaged' 'an initrd that ends too early is refused' \
                liveupdatectl --json=short load "$NEXT_KERNEL" --initrd /run/luvm/initrd-cut --append "$NEXT_APPEND"
        check 'it is in none' load "$NEXT_INITRD"
        is "$(findings)" 2 'the plan says so of the device and of the file'
        refused 1 'initrd-handler-missing' 'the update is refused' liveupdatectl --json=short update
        check 'nothing has happened' state_is normal
        check 'forced, it is prepared' liveupdatectl prepare --except vm
        cat /proc/sys/kernel/random/boot_id >"$LUVM_SHARED/boot-id"
        liveupdatectl update
        not_ok 'the update' "$(tail -n 20 "$DAEMON_LOG")"
}

stage2() {
        begin
        isnt "$(cat /proc/sys/kernel/random/boot_id)" "$(<"$LUVM_SHARED/boot-id")" 'this is another boot'
        check 'which has no module' test ! -e /sys/module/liveupdate_vfio
        like "$(property Notice)" 'nothing of it arrived' 'the loss is reported'
        like "$(liveupdatectl --json=short jobs)" 'handover-lost' 'the job says so, too'
        refused any '' 'the session is not there' liveupdatectl session vm-a
        check 'the state is normal' state_is normal
}
