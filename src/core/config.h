/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The settings of liveupdated.conf and its drop-ins. Text comes in as buffers, in the
 * order of their weight: a later one overrides an earlier one, and an empty value puts
 * the default back. What is unknown or wrong never stops the daemon: it is reported as
 * a warning with file and line, and the value that was there stays.
 *
 * The keys are a table of data (config_keys()), which tests hold against
 * conf/liveupdated.conf and the man page.
 */
#pragma once

#include "ini-file.h"

/* "No limit" is a number that can be added to any time of a clock without overflow. */
#define CONFIG_FOREVER (UINT64_MAX / 2)

/* How the machine gets into the next kernel. */
typedef enum JumpWay {
        JUMP_DIRECT,  /* reboot(2), by the daemon itself */
        JUMP_SYSTEMD, /* kexec.target: all services are stopped first */
        _JUMP_WAY_MAX,
} JumpWay;

const char *jump_way_to_string(JumpWay way);
int jump_way_from_string(const char *word);

/* What one request says of it; where it says nothing the setting counts. */
typedef struct JumpChoice {
        bool given;
        JumpWay way;
} JumpChoice;

typedef struct Config {
        /* [Update], microseconds; CONFIG_FOREVER: no limit */
        uint64_t prepare_timeout_usec;
        uint64_t freeze_timeout_usec;
        uint64_t sync_timeout_usec;
        uint64_t finish_timeout_usec;

        JumpWay jump;
        bool inhibit; /* logind holds reboots back while an update is under way */

        /* [Kexec]; NULL: not set */
        char *kexec_kernel;
        char *kexec_initrd;
        char *kexec_command_line;
        char *kexec_append;

        /* [Luo] */
        char *luo_device;
        uint64_t luo_busy_usec;
        bool luo_shim;     /* load the kernel module, and use it */
        char *luo_modules; /* other modules with handlers; NULL: none */

        /* [Limits] */
        uint64_t limit_sessions;
        uint64_t limit_files;
        uint64_t limit_participants;
        uint64_t limit_jobs;
        uint64_t limit_user_sessions;
        uint64_t limit_user_files;
        uint64_t limit_user_participants;
        uint64_t limit_user_requests;

        /* [Bus], microseconds; CONFIG_FOREVER: no limit */
        uint64_t authorization_timeout_usec;
} Config;

typedef enum ConfigType {
        CONFIG_TIMEOUT, /* a time span; 0 and "infinity" mean: no limit */
        CONFIG_SPAN,    /* a time span in which 0 means 0 */
        CONFIG_NUMBER,
        CONFIG_PATH,  /* absolute; empty: not set */
        CONFIG_AUTO,  /* "auto" or "no", as bool */
        CONFIG_JUMP,  /* "direct" or "systemd", as JumpWay */
        CONFIG_WORDS, /* one line of text; lines of one file add up, with a space between */
} ConfigType;

typedef struct ConfigKey {
        const char *section;
        const char *name;
        ConfigType type;
        size_t offset;        /* in Config */
        const char *fallback; /* the default, as it is written in a file */
        uint64_t min, max;    /* of CONFIG_NUMBER */
} ConfigKey;

/* The deadline of a timeout that begins now; UINT64_MAX: none. */
static inline uint64_t config_deadline(uint64_t now_usec, uint64_t timeout_usec) {
        return timeout_usec >= CONFIG_FOREVER ? UINT64_MAX : now_usec + timeout_usec;
}

/* The defaults. -ENOMEM. */
int config_init(Config *c);
void config_done(Config *c);
/* Applies a buffer. filename is for the warnings ("FILE:LINE: TEXT"), which warn (may
 * be NULL) gets one by one. -ENOMEM is the only error; c is as far as it came then. */
int config_parse(Config *c, const char *filename, const char *buf, size_t size, config_warn_t warn, void *userdata);

const ConfigKey *config_keys(size_t *ret_n);
