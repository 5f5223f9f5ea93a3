/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "options.h"

static const char *const without_value[] = {
        "S",
        "alt-grab",
        "audio-help",
        "ctrl-grab",
        "curses",
        "daemonize",
        "enable-fips",
        "enable-kvm",
        "enable-sync-profile",
        "full-screen",
        "h",
        "help",
        "mem-prealloc",
        "no-acpi",
        "no-fd-bootchk",
        "no-frame",
        "no-hpet",
        "no-quit",
        "no-reboot",
        "no-shutdown",
        "no-user-config",
        "nodefaults",
        "nographic",
        "old-param",
        "only-migratable",
        "portrait",
        "preconfig",
        "s",
        "sdl",
        "semihosting",
        "show-cursor",
        "singlestep",
        "snapshot",
        "usb",
        "version",
        "win2k-hack",
        "xen-attach",
        "xen-domid-restrict",
};

static bool takes_value(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(without_value); i++)
                if (streq(without_value[i], name))
                        return false;
        return true;
}

int qemu_option_next(char *const *args, size_t *at, QemuOption *ret) {
        const char *word = args ? args[*at] : NULL;

        if (!word)
                return 0;
        (*at)++;
        *ret = (QemuOption){ 0 };
        if (word[0] != '-' || !word[1]) {
                ret->value = word;
                return 1;
        }
        ret->name = word + (word[1] == '-' ? 2 : 1);
        if (!takes_value(ret->name))
                return 1;
        if (!args[*at])
                return -EINVAL;
        ret->value = args[(*at)++];
        return 1;
}
