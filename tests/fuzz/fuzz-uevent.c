/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each input in memory that ends with it. What is understood lies inside the message,
 * ends inside it, and is understood the same way a second time.
 */
#include "core/uevent.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok) {
        if (!ok)
                abort();
}

static void inside(const char *s, const char *message, size_t size) {
        if (!s)
                return;
        must(s >= message && s < message + size);
        must(memchr(s, '\0', (size_t)(message + size - s)) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *message = malloc(MAX_OF(size, (size_t)1));
        Uevent e = {}, again = {};

        if (!message)
                return 0;
        if (size > 0)
                memcpy(message, data, size);
        int r = uevent_parse(message, size, &e);
        must(r == 1 || r == 0 || r == -EBADMSG);
        must(uevent_parse(message, size, &again) == r);
        if (r != 1) {
                must(!e.devpath);
                return 0;
        }
        must(uevent_action_to_string(e.action) && e.devpath && e.devpath[0] == '/');
        inside(e.devpath, message, size);
        inside(e.devpath_old, message, size);
        inside(e.subsystem, message, size);
        inside(e.driver, message, size);
        must(e.has_address || !e.is_function);
        must(!e.has_address || (e.address.slot < 32 && e.address.function < 8));
        must(again.devpath == e.devpath && again.action == e.action && again.seqnum == e.seqnum);
        return 0;
}
