/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the keys mean; ini-file.c reads the lines. */
#include "config.h"

#include "common/parse.h"
#include "common/utf8.h"

#define WORDS_MAX 4096u /* bytes; more than any architecture's command line */

static const char *const jump_way_table[_JUMP_WAY_MAX] = {
        [JUMP_DIRECT] = "direct",
        [JUMP_SYSTEMD] = "systemd",
};

const char *jump_way_to_string(JumpWay way) {
        return (size_t)way < _JUMP_WAY_MAX ? jump_way_table[way] : NULL;
}

int jump_way_from_string(const char *word) {
        for (JumpWay way = 0; way < _JUMP_WAY_MAX; way++)
                if (streq(word, jump_way_table[way]))
                        return (int)way;
        return -EINVAL;
}

static const ConfigKey keys[] = {
        { "Update", "PrepareTimeoutSec", CONFIG_TIMEOUT, offsetof(Config, prepare_timeout_usec), "5min" },
        { "Update", "FreezeTimeoutSec", CONFIG_TIMEOUT, offsetof(Config, freeze_timeout_usec), "30s" },
        { "Update", "SyncTimeoutSec", CONFIG_TIMEOUT, offsetof(Config, sync_timeout_usec), "30s" },
        { "Update", "FinishTimeoutSec", CONFIG_TIMEOUT, offsetof(Config, finish_timeout_usec), "1h" },
        { "Update", "Jump", CONFIG_JUMP, offsetof(Config, jump), "direct" },
        { "Update", "Inhibit", CONFIG_AUTO, offsetof(Config, inhibit), "auto" },
        { "Kexec", "Kernel", CONFIG_PATH, offsetof(Config, kexec_kernel), "" },
        { "Kexec", "Initrd", CONFIG_PATH, offsetof(Config, kexec_initrd), "" },
        { "Kexec", "CommandLine", CONFIG_WORDS, offsetof(Config, kexec_command_line), "" },
        { "Kexec", "AppendCommandLine", CONFIG_WORDS, offsetof(Config, kexec_append), "" },
        { "Luo", "Device", CONFIG_PATH, offsetof(Config, luo_device), "/dev/liveupdate" },
        { "Luo", "BusyTimeoutSec", CONFIG_SPAN, offsetof(Config, luo_busy_usec), "10s" },
        { "Luo", "Shim", CONFIG_AUTO, offsetof(Config, luo_shim), "auto" },
        { "Luo", "Modules", CONFIG_WORDS, offsetof(Config, luo_modules), "" },
        /* The upper bounds are those of the manifest (MANIFEST_SESSIONS_MAX and so on). */
        { "Limits", "Sessions", CONFIG_NUMBER, offsetof(Config, limit_sessions), "4096", 1, 65536 },
        { "Limits", "FilesPerSession", CONFIG_NUMBER, offsetof(Config, limit_files), "65536", 1, 524288 },
        { "Limits", "Participants", CONFIG_NUMBER, offsetof(Config, limit_participants), "1024", 1, 65536 },
        { "Limits", "Jobs", CONFIG_NUMBER, offsetof(Config, limit_jobs), "64", 1, 65536 },
        { "Limits", "SessionsPerUser", CONFIG_NUMBER, offsetof(Config, limit_user_sessions), "1024", 1, 65536 },
        { "Limits", "FilesPerUser", CONFIG_NUMBER, offsetof(Config, limit_user_files), "65536", 1, 1048576 },
        { "Limits", "ParticipantsPerUser", CONFIG_NUMBER, offsetof(Config, limit_user_participants), "512", 1, 65536 },
        { "Limits", "RequestsPerUser", CONFIG_NUMBER, offsetof(Config, limit_user_requests), "1024", 1, 16384 },
        { "Bus", "AuthorizationTimeoutSec", CONFIG_TIMEOUT, offsetof(Config, authorization_timeout_usec), "2min" },
};

const ConfigKey *config_keys(size_t *ret_n) {
        *ret_n = ELEMENTSOF(keys);
        return keys;
}

typedef struct Parser {
        Config *config;
        bool seen[ELEMENTSOF(keys)]; /* CONFIG_WORDS: has a value from this buffer */
} Parser;

/* ---- values ---- */

static void *field(Config *c, const ConfigKey *k) {
        return (char *)c + k->offset;
}

/* *to becomes a copy of s, or NULL if s is empty. */
static int set_text(char **to, const char *s) {
        char *copy = NULL;

        if (*s) {
                copy = strdup(s);
                if (!copy)
                        return -ENOMEM;
        }
        free(*to);
        *to = copy;
        return 0;
}

static int add_words(char **to, const char *s, bool append) {
        _cleanup_free_ char *joined = NULL;

        if (!utf8_printable(s, strlen(s)))
                return -EINVAL;
        if (!append || !*to)
                return strlen(s) > WORDS_MAX ? -ERANGE : set_text(to, s);
        if (strlen(*to) + 1 + strlen(s) > WORDS_MAX)
                return -ERANGE;
        if (asprintf(&joined, "%s %s", *to, s) < 0) {
                joined = NULL; /* asprintf leaves it undefined */
                return -ENOMEM;
        }
        free(*to);
        *to = TAKE_PTR(joined);
        return 0;
}

static int set_value(Config *c, const ConfigKey *k, const char *value, bool append) {
        uint64_t v;
        int r;

        switch (k->type) {
        case CONFIG_TIMEOUT:
        case CONFIG_SPAN:
                r = parse_timespan(value, &v);
                if (r < 0)
                        return r;
                *(uint64_t *)field(c, k) =
                        k->type == CONFIG_TIMEOUT && v == 0 ? CONFIG_FOREVER : MIN_OF(v, CONFIG_FOREVER);
                return 0;
        case CONFIG_NUMBER:
                r = parse_u64(value, &v);
                if (r < 0)
                        return r;
                if (v < k->min || v > k->max)
                        return -ERANGE;
                *(uint64_t *)field(c, k) = v;
                return 0;
        case CONFIG_PATH:
                if (*value && (*value != '/' || !utf8_printable(value, strlen(value))))
                        return -EINVAL;
                return set_text(field(c, k), value);
        case CONFIG_AUTO:
                if (!streq(value, "auto") && !streq(value, "no"))
                        return -EINVAL;
                *(bool *)field(c, k) = streq(value, "auto");
                return 0;
        case CONFIG_JUMP:
                r = jump_way_from_string(value);
                if (r >= 0)
                        *(JumpWay *)field(c, k) = (JumpWay)r;
                return MIN_OF(r, 0);
        case CONFIG_WORDS:
                return add_words(field(c, k), value, append);
        }
        return -EINVAL;
}

static void complain_value(const IniFile *f, const ConfigKey *k, const char *value, int r) {
        static const char *const wanted[] = {
                [CONFIG_TIMEOUT] = "a time span such as 500ms, 30s, 2min or infinity",
                [CONFIG_SPAN] = "a time span such as 500ms, 30s, 2min or infinity",
                [CONFIG_NUMBER] = "a decimal number",
                [CONFIG_PATH] = "an absolute path",
                [CONFIG_AUTO] = "auto or no",
                [CONFIG_JUMP] = "direct or systemd",
                [CONFIG_WORDS] = "printable UTF-8 text",
        };

        if (r == -ERANGE && k->type == CONFIG_NUMBER)
                ini_file_complain(f, "%s=%.64s is not between %llu and %llu; the line is ignored", k->name, value,
                                  (unsigned long long)k->min, (unsigned long long)k->max);
        else if (r == -ERANGE)
                ini_file_complain(f, "%s=%.64s is too large; the line is ignored", k->name, value);
        else
                ini_file_complain(f, "%s=%.64s is not %s; the line is ignored", k->name, value, wanted[k->type]);
}

static int on_value(void *userdata, const IniFile *f, const char *section, size_t nth, const char *name,
                    const char *value) {
        Parser *p = userdata;
        bool section_known = false;

        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                const ConfigKey *k = &keys[i];

                if (!streq(k->section, section))
                        continue;
                section_known = true;
                if (!streq(k->name, name))
                        continue;
                bool reset = str_empty(value);
                int r = set_value(p->config, k, reset ? k->fallback : value, p->seen[i] && !reset);
                if (r == -ENOMEM)
                        return r;
                if (r < 0)
                        complain_value(f, k, value, r);
                else
                        p->seen[i] = !reset;
                return 0;
        }
        if (!*section)
                ini_file_complain(f, "%s= stands before the first section; the line is ignored", name);
        else if (section_known)
                ini_file_complain(f, "unknown key %s= in section [%s]; the line is ignored", name, section);
        else
                ini_file_complain(f, "unknown section [%s]; %s= is ignored", section, name);
        return 0;
}

int config_parse(Config *c, const char *filename, const char *buf, size_t size, config_warn_t warn, void *userdata) {
        Parser p = { .config = c };
        IniFile f = {
                .filename = filename,
                .on_value = on_value,
                .userdata = &p,
                .warn = warn,
                .warn_userdata = userdata,
        };

        return ini_file_parse(&f, buf, size);
}

int config_init(Config *c) {
        *c = (Config){};
        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                int r = set_value(c, &keys[i], keys[i].fallback, false);
                if (r < 0) {
                        config_done(c);
                        return r;
                }
        }
        return 0;
}

void config_done(Config *c) {
        for (size_t i = 0; i < ELEMENTSOF(keys); i++)
                if (keys[i].type == CONFIG_PATH || keys[i].type == CONFIG_WORDS)
                        free(*(char **)field(c, &keys[i]));
        *c = (Config){};
}
