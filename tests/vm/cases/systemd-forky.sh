# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
#
# The case systemd with Debian forky's systemd, which opens /dev/liveupdate itself.

# shellcheck source=systemd.sh
. "${BASH_SOURCE[0]%/*}/systemd.sh"
PLAN=26
STAGES=2
SYSTEMD=forky
