# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
#
# The case systemd-inhibit with Debian forky's systemd, where logind refuses root as well.

# shellcheck source=systemd-inhibit.sh
. "${BASH_SOURCE[0]%/*}/systemd-inhibit.sh"
PLAN=22
STAGES=1
SYSTEMD=forky
