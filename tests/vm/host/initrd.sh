# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Initrds as a distribution makes them, for cases that boot one: by Debian's own dracut or
# initramfs-tools, with what `meson install` installs of ours, for a kernel of the run. Their
# packages are unpacked, not installed: the two builders do not go together, and nobody's host
# gets another udev for a test. The builder runs in an overlay over this machine's root.

# What is not of the base system. One line for each builder.
initrd_packages() {
        case $1 in
        dracut) echo dracut-core udev ;;
        initramfs-tools) echo initramfs-tools-core klibc-utils libklibc udev ;;
        esac
}

# initrd_tool BUILDER: prints the directory with its packages, unpacked; fetched once.
initrd_tool() {
        local final work name
        final=$(cache_dir)/vm/initrd/$1
        if [[ ! -d $final ]]; then
                need apt-get apt
                mkdir -p "${final%/*}"
                work=$(mktemp -d "${final%/*}/.unpacking-XXXXXX")
                chmod 755 "$work"
                read -r -a name < <(initrd_packages "$1")
                (cd "$work" && apt-get -q download "${name[@]}") >"$work/log" 2>&1 || {
                        tail -n 5 "$work/log" >&2
                        rm -rf -- "$work"
                        die "apt-get could not download ${name[*]}"
                }
                for name in "$work"/*.deb; do
                        dpkg-deb -x "$name" "$work/root"
                done
                # As on a system where these are links.
                mkdir -p "$work/root/usr"
                for name in bin sbin lib; do
                        [[ ! -d $work/root/$name ]] || cp -a -- "$work/root/$name" "$work/root/usr/"
                        rm -rf -- "${work:?}/root/$name"
                done
                mv -T -- "$work/root" "$final" 2>/dev/null || [[ -d $final ]]
                rm -rf -- "$work"
        fi
        echo "$final"
}

# make_initrd BUILDER FLAVOUR RELEASE OUT: FLAVOUR is words: "ours" with our part, "systemd"
# with systemd as its PID 1 (dracut), "early" with a client for session vm-a, "forky" made in that root, with its own
# dracut. The case's own files, which mount the guest's root, and the module e1000e are in it anyway.
make_initrd() {
        local builder=$1 flavour=" $2 " release=$3 out=$4 tool='' work dir lower=/ user=()
        if [[ $flavour == *' forky '* ]]; then
                lower=$("$VM_DIR/roots/forky") || exit 1
        else
                tool=$(initrd_tool "$builder") || exit 1
        fi
        need unshare util-linux
        work=$(mktemp -d)
        mkdir -p "$work/work" "$work/root" "$work/new"
        [[ -z $tool ]] || cp -a -- "$tool/." "$work/new"
        mkdir -p "$work/new/var/luvm"
        if [[ $flavour == *' ours '* ]]; then
                DESTDIR=$work/new meson install --no-rebuild -C "$BUILD" >"$work/log" 2>&1 || {
                        tail -n 10 "$work/log" >&2
                        die "meson install failed"
                }
        fi
        if [[ $flavour == *' early '* ]]; then
                mkdir -p "$work/new/etc/liveupdated/early.d" "$work/new/usr/libexec"
                cp -- "$BUILD/tests/vm/guest/luvm-early" "$work/new/usr/libexec/"
                printf '[Client]\nSession=vm-a\nExec=/usr/libexec/luvm-early 1\n[Client]\nSession=never\nExec=/usr/libexec/luvm-early 1\n' \
                        >"$work/new/etc/liveupdated/early.d/vm-a.conf"
        fi
        cp -- "$VM_DIR/guest/mount-root" "$(command -v busybox)" "$work/new/var/luvm/"
        mkdir -p "$work/new/usr/lib/modules" "$work/new/boot" "$work/new/etc/modprobe.d"
        for dir in ${SHIM_MODULES[@]+"${SHIM_MODULES[@]}"}; do
                [[ ${dir##*/} != "$release" ]] || cp -a --reflink=auto -- "$dir" "$work/new/usr/lib/modules/"
        done
        cp -- "$(kernel_config "$release")" "$work/new/boot/config-$release"
        echo 'options vfio enable_unsafe_noiommu_mode=1' >"$work/new/etc/modprobe.d/luvm.conf"
        "prepare_${builder//-/_}" "$work/new" "$flavour"
        ((EUID == 0)) || user=(--user --map-root-user)
        # shellcheck disable=SC2016 # for that shell
        unshare ${user[@]+"${user[@]}"} --mount -- bash -euc '
                work=$1 release=$2
                mount -t overlay overlay -o "lowerdir=$4,upperdir=$work/new,workdir=$work/work${3:+,userxattr}" "$work/root"
                mount --rbind /proc "$work/root/proc"
                mount --rbind /dev "$work/root/dev"
                mount -t tmpfs tmp "$work/root/tmp"
                mount -t tmpfs tmp "$work/root/var/tmp"
                exec chroot "$work/root" /var/luvm/build "$release"
        ' initrd "$work" "$release" "${user[*]-}" "$lower" >"$work/log" 2>&1 || {
                tail -n 20 "$work/log" >&2
                die "$builder made no initrd for $release"
        }
        mv -- "$work/new/var/luvm/initrd" "$out"
        cp -- "$work/log" "$out.log"
        rm -rf -- "$work"
}

# floor_initrd OUT: the usual one, with an init that has session vm-a back before all else.
floor_initrd() {
        local tree
        tree=$(mktemp -d)
        cp -- "$BUILD/tests/vm/guest/luvm-early" "$tree/init"
        cp -- "$VM_DIR/guest/init" "$tree/init.next"
        # Not compressed: that would count, too.
        gzip -dc <"$INITRAMFS" >"$1"
        (cd "$tree" && printf 'init\ninit.next\n' | cpio --quiet -o -H newc -R 0:0) >>"$1"
        rm -rf -- "$tree"
}

kernel_config() {
        if [[ $1 == "$RELEASE_A" ]]; then echo "$(dirname "$KERNEL_A")/config"; else echo "$(dirname "$KERNEL_B")/config"; fi
}

# prepare_BUILDER NEW FLAVOUR: its part for the test, and a script that runs it. The root is
# not a device that a kernel or a builder knows, so the part mounts it.
prepare_dracut() {
        local module=$1/usr/lib/dracut/modules.d/90luvm omit=''
        [[ $2 == *' systemd '* ]] || omit='systemd systemd-initrd dracut-systemd systemd-udevd systemd-journald systemd-modules-load systemd-sysctl systemd-tmpfiles systemd-sysusers systemd-ask-password systemd-hostnamed systemd-ldconfig systemd-pcrphase dbus dbus-broker dbus-daemon'
        mkdir -p "$module"
        cat >"$module/module-setup.sh" <<-'END'
	check() { return 0; }
	depends() { return 0; }
	installkernel() { hostonly='' instmods e1000e; }
	install() {
	        mkdir -p "$initdir/luvm" && cp /var/luvm/busybox /var/luvm/mount-root "$initdir/luvm/"
	        # dracut 112 looks for the interpreters of what can be executed.
	        chmod 644 "$initdir/luvm/mount-root"
	        inst_hook cmdline 95 "$moddir/cmdline.sh"
	        inst_hook mount 00 "$moddir/mount.sh"
	}
	END
        cat >"$module/cmdline.sh" <<-'END'
	root=luvm rootok=1
	END
        cat >"$module/mount.sh" <<-'END'
	ismounted "$NEWROOT" || /luvm/busybox sh /luvm/mount-root "$NEWROOT"
	END
        cat >"$1/var/luvm/build" <<-END
	#!/bin/sh
	exec dracut --force --gzip --nostrip --no-hostonly --no-hostonly-cmdline --no-early-microcode \\
	        --conf /dev/null --confdir /var/luvm --tmpdir /var/tmp --omit '$omit lvm dm dmraid mdraid multipath crypt btrfs nvdimm qemu-net iscsi nfs network kernel-network-modules resume' \\
	        /var/luvm/initrd "\$1"
	END
        chmod 755 "$1/var/luvm/build" "$module"/*.sh
}

prepare_initramfs_tools() {
        local share=$1/usr/share/initramfs-tools
        mkdir -p "$share/hooks" "$share/scripts"
        cat >"$share/hooks/luvm" <<-'END'
	#!/bin/sh -e
	case $1 in prereqs) exit 0 ;; esac
	. /usr/share/initramfs-tools/hook-functions
	manual_add_modules e1000e
	mkdir -p "$DESTDIR/luvm"
	cp /var/luvm/busybox /var/luvm/mount-root "$DESTDIR/luvm/"
	END
        cat >"$share/scripts/luvm" <<-'END'
	mount_top() { :; }
	mount_premount() { :; }
	mount_bottom() { :; }
	mountroot() { /luvm/mount-root "$rootmnt"; }
	END
        cat >"$1/var/luvm/build" <<-'END'
	#!/bin/sh
	set -e
	cp -r /etc/initramfs-tools /var/tmp/conf
	sed -i 's/^MODULES=.*/MODULES=list/; s/^COMPRESS=.*/COMPRESS=gzip/' /var/tmp/conf/initramfs.conf
	exec mkinitramfs -d /var/tmp/conf -o /var/luvm/initrd "$1"
	END
        chmod 755 "$1/var/luvm/build" "$share/hooks/luvm"
}
