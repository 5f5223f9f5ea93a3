# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
#
# Sourced by init for a case with SYSTEMD=: makes /new boot with systemd as PID 1, with
# what `meson install` installs in it, into a target that holds no more than the basics, the
# bus, what the case asks for in UNITS, and the runner. What takes long and changes nothing
# is masked. The runner is an ordinary service, so in an update that goes through systemd it
# is stopped like any other.

cp -a /new/run/luvm/shared/install/. /new/
: >/new/etc/fstab
echo 6c75766d6c75766d6c75766d6c75766d >/new/etc/machine-id

units=/new/etc/systemd/system
rm -rf "$units"
mkdir -p "$units/luvm.target.wants"
for unit in systemd-hwdb-update systemd-journal-flush systemd-journal-catalog-update systemd-update-done \
        systemd-machine-id-commit systemd-binfmt systemd-random-seed systemd-boot-random-seed systemd-pcrphase \
        systemd-pcrphase-sysinit systemd-update-utmp systemd-networkd systemd-resolved systemd-timesyncd \
        systemd-firstboot systemd-sysusers systemd-remount-fs systemd-tpm2-setup systemd-tpm2-setup-early \
        ldconfig apparmor keyboard-setup console-setup ifupdown-pre networking e2scrub_reap rc-local dracut-shutdown; do
        ln -s /dev/null "$units/$unit.service"
done
for unit in dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount sys-kernel-tracing.mount tmp.mount \
        proc-sys-fs-binfmt_misc.automount; do
        ln -s /dev/null "$units/$unit"
done
# Units of the case's own (its on_host).
[ ! -d /new/run/luvm/shared/units ] || cp -a /new/run/luvm/shared/units/. "$units/"
for unit in ${LUVM_UNITS-}; do
        ln -s "/usr/lib/systemd/system/$unit" "$units/luvm.target.wants/$unit"
done
ln -s luvm.target "$units/default.target"

cat >"$units/luvm.target" <<END
[Unit]
Requires=basic.target
After=basic.target
Wants=dbus.socket luvm-runner.service
AllowIsolate=yes
END
# It must not be ended by its own case's end in any other way than at once.
cat >"$units/luvm-runner.service" <<END
[Unit]
Wants=dbus.socket
After=dbus.socket basic.target
[Service]
Environment=PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8
ExecStart=/bin/sh -c '$LUVM_TOP/tests/vm/guest/runner; exec /run/luvm/busybox poweroff -f'
StandardOutput=file:/dev/console
StandardError=inherit
TimeoutStopSec=5s
END
