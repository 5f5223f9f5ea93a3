/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shim.h"

#include "common/fd.h"
#include "fd-kind.h"
#include "modules.h"

#include <fcntl.h>
#include <limits.h>

static int read_text(const ShimReal *s, const char *name, char **ret, size_t *ret_size) {
        return shim_read_text(s->root, name, ret, ret_size);
}

static int real_facts(void *self, ShimFacts *ret) {
        _cleanup_free_ char *compatible = NULL, *features = NULL;
        size_t n_compatible = 0, n_features = 0;
        ShimFacts facts = {};

        int r = read_text(self, "compatible", &compatible, &n_compatible);
        if (r >= 0)
                r = read_text(self, "features", &features, &n_features);
        if (r >= 0)
                r = shim_parse_compatible(compatible, n_compatible, facts.compatible);
        if (r >= 0)
                r = shim_parse_features(features, n_features, &facts.features);
        if (r >= 0)
                *ret = facts;
        return r;
}

static int real_set_policy(void *self, Address address, ShimPolicy policy) {
        const ShimReal *s = self;
        char path[PATH_MAX], text[ADDRESS_TEXT_SIZE], line[64];

        if ((size_t)snprintf(path, sizeof(path), "%s/sys/kernel/" SHIM_MODULE "/policy", s->root) >= sizeof(path))
                return -ENAMETOOLONG;
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0)
                return errno == ENOENT || errno == ENOTDIR ? -ENODEV : -errno;
        address_format(address, text);
        int n = snprintf(line, sizeof(line), "%s %s\n", text, shim_policy_to_string(policy));
        /* One write is one policy. */
        ssize_t written = write(fd, line, (size_t)n);
        return written < 0 ? -errno : written == n ? 0 : -EIO;
}

static int real_get_policies(void *self, ShimSetting **ret, size_t *ret_n) {
        _cleanup_free_ char *text = NULL;
        size_t size;

        int r = read_text(self, "policy", &text, &size);
        return r < 0 ? r : shim_parse_policies(text, size, ret, ret_n);
}

static int real_list(void *self, ShimDirection direction, ShimList *ret) {
        const ShimReal *s = self;

        return shim_read_list(s->root, direction, ret);
}

static int real_held(void *self, ShimHeld **ret, size_t *ret_n) {
        _cleanup_free_ char *text = NULL;
        size_t size;

        int r = read_text(self, "held", &text, &size);
        return r < 0 ? r : shim_parse_held(text, size, ret, ret_n);
}

static int real_other_compatible(void *self, const char *release, char ret[static SHIM_COMPATIBLE_SIZE]) {
        const ShimReal *s = self;

        return modules_info(s->root, release, SHIM_MODULE, SHIM_MODULE_INFO, ret, SHIM_COMPATIBLE_SIZE);
}

int shim_parse_fdinfo(const char *text, Address *ret) {
        static const char key[] = "vfio-device-syspath:";

        for (const char *line = text; *line; line += *line == '\n') {
                size_t n = strcspn(line, "\n");
                const char *slash = memrchr(line, '/', n);
                char name[ADDRESS_TEXT_SIZE] = "";

                if (n > strlen(key) && memcmp(line, key, strlen(key)) == 0 && slash &&
                    (size_t)(line + n - slash - 1) < sizeof(name)) {
                        memcpy(name, slash + 1, (size_t)(line + n - slash - 1));
                        if (address_parse(name, ret) >= 0)
                                return 0;
                }
                line += n;
        }
        return -ENODATA;
}

/* fdinfo is of this process, whatever the root. */
static int real_identify(_unused_ void *self, int fd, Address *ret) {
        _cleanup_free_ char *text = NULL;
        char path[64];

        if (!streq(fd_kind(fd), "vfio"))
                return -ENOTTY;
        (void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
        int r = file_read_at(AT_FDCWD, path, 64 * 1024, &text, NULL);
        return r < 0 ? r : shim_parse_fdinfo(text, ret);
}

static const ShimOps real_ops = {
        .facts = real_facts,
        .set_policy = real_set_policy,
        .get_policies = real_get_policies,
        .list = real_list,
        .held = real_held,
        .other_compatible = real_other_compatible,
        .identify = real_identify,
};

Shim shim_real(ShimReal *s, const char *root) {
        *s = (ShimReal){ .root = root };
        return (Shim){ .ops = &real_ops, .self = s };
}

int shim_apply_policy(const Shim *s, Address address, ShimPolicy policy) {
        _cleanup_free_ ShimSetting *set = NULL;
        ShimPolicy found = SHIM_POLICY_DEFAULT;
        size_t n = 0;

        int r = shim_set_policy(s, address, policy);
        if (r >= 0)
                r = shim_get_policies(s, &set, &n);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++)
                if (address_compare(set[i].address, address) == 0)
                        found = set[i].policy;
        return found == policy ? 0 : -EIO;
}
