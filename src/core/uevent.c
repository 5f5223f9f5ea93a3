/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "uevent.h"

#include "common/parse.h"

/* What libudev puts in front of the messages it sends on, NUL included. */
static const char udev_prefix[8] = "libudev";

static const char *const action_table[_UEVENT_ACTION_MAX] = {
        [UEVENT_OTHER] = "other",   [UEVENT_ADD] = "add",         [UEVENT_REMOVE] = "remove",
        [UEVENT_CHANGE] = "change", [UEVENT_MOVE] = "move",       [UEVENT_ONLINE] = "online",
        [UEVENT_BIND] = "bind",     [UEVENT_OFFLINE] = "offline", [UEVENT_UNBIND] = "unbind",
};
DEFINE_STRING_TABLE(uevent_action, UeventAction, action_table);

/* The value if s is "KEY=value", else NULL. */
static const char *value_of(const char *s, const char *key) {
        size_t n = strlen(key);

        return strncmp(s, key, n) == 0 && s[n] == '=' ? s + n + 1 : NULL;
}

static bool is_action(const char *s, size_t n) {
        if (n == 0)
                return false;
        for (size_t i = 0; i < n; i++)
                if (s[i] < 'a' || s[i] > 'z')
                        return false;
        return true;
}

static UeventAction find_action(const char *s, size_t n) {
        for (UeventAction a = UEVENT_OTHER + 1; a < _UEVENT_ACTION_MAX; a++)
                if (strlen(action_table[a]) == n && memcmp(action_table[a], s, n) == 0)
                        return a;
        return UEVENT_OTHER;
}

/* "ACTION@DEVPATH" */
static int parse_head(const char *s, Uevent *e) {
        const char *at = strchr(s, '@');

        if (!at || !is_action(s, (size_t)(at - s)) || at[1] != '/')
                return -EBADMSG;
        e->action = find_action(s, (size_t)(at - s));
        e->devpath = at + 1;
        return 0;
}

static void take_first(const char **field, const char *value) {
        if (!*field && value && *value)
                *field = value;
}

/* One pair. The kernel writes its own before those of the driver, so the first of a name
 * counts. -EBADMSG when it says something else than the head. */
static int parse_pair(const char *s, const char *head, Uevent *e, const char **slot) {
        const char *v;
        uint64_t seqnum;

        if ((v = value_of(s, "ACTION"))) {
                size_t n = strlen(v);

                return strncmp(head, v, n) == 0 && head[n] == '@' ? 0 : -EBADMSG;
        }
        if ((v = value_of(s, "DEVPATH")))
                return streq(v, e->devpath) ? 0 : -EBADMSG;
        if ((v = value_of(s, "SEQNUM"))) {
                if (e->seqnum == 0 && parse_u64(v, &seqnum) >= 0)
                        e->seqnum = seqnum;
                return 0;
        }
        e->synthetic = e->synthetic || value_of(s, "SYNTH_UUID");
        take_first(&e->subsystem, value_of(s, "SUBSYSTEM"));
        take_first(&e->driver, value_of(s, "DRIVER"));
        take_first(&e->devpath_old, value_of(s, "DEVPATH_OLD"));
        take_first(slot, value_of(s, "PCI_SLOT_NAME"));
        return 0;
}

/* A name as the kernel gives a function, always with its domain. */
static bool is_function_name(const char *s, size_t n, Address *ret) {
        char name[ADDRESS_TEXT_SIZE];

        if (n < strlen("0000:00:00.0") || n >= sizeof(name))
                return false;
        memcpy(name, s, n);
        name[n] = '\0';
        return address_parse(name, ret) >= 0;
}

/* The last function on the way to the device. */
static bool find_function(const char *devpath, Address *ret, bool *ret_itself) {
        bool found = false;

        while (*devpath == '/') {
                size_t n = strcspn(++devpath, "/");

                if (is_function_name(devpath, n, ret)) {
                        found = true;
                        *ret_itself = devpath[n] == '\0';
                } else
                        *ret_itself = false;
                devpath += n;
        }
        return found;
}

static void find_address(Uevent *e, const char *slot) {
        Address a;
        bool itself = false;

        if (slot && is_function_name(slot, strlen(slot), &a)) {
                e->has_address = e->is_function = true;
                e->address = a;
        } else if (find_function(e->devpath, &a, &itself)) {
                e->has_address = true;
                e->is_function = itself;
                e->address = a;
        }
}

int uevent_parse(const void *message, size_t size, Uevent *ret) {
        const char *s = message, *head = s, *slot = NULL;
        Uevent e = {};

        if (size >= sizeof(udev_prefix) && memcmp(s, udev_prefix, sizeof(udev_prefix)) == 0)
                return 0;
        if (size == 0 || size > UEVENT_SIZE_MAX || s[size - 1] != '\0')
                return -EBADMSG;
        int r = parse_head(head, &e);
        for (s += strlen(s) + 1; r >= 0 && s < head + size; s += strlen(s) + 1)
                r = parse_pair(s, head, &e, &slot);
        if (r < 0)
                return r;
        find_address(&e, slot);
        *ret = e;
        return 1;
}
