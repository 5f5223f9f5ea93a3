# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
#
# The case systemd-jump with Debian forky's systemd, which opens /dev/liveupdate itself in
# the shutdown, after everything was killed.

# shellcheck source=systemd-jump.sh
. "${BASH_SOURCE[0]%/*}/systemd-jump.sh"
PLAN=22
STAGES=2
SYSTEMD=forky
