/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "handlers.h"

#include "clock.h"
#include "common/log.h"
#include "core/shim-text.h"

typedef struct Loading {
        handlers_load_t load;
        handlers_say_t say;
        void *userdata;
        unsigned n_failed;
} Loading;

/* consequence: what it means if it is not loaded. */
static void load_one(Loading *l, const char *name, const char *consequence) {
        uint64_t start = clock_monotonic_usec();
        char text[512];
        int priority = LOG_PRI_ERR;

        int r = l->load(name);
        if (r == 0)
                return;
        if (r > 0) {
                priority = LOG_PRI_INFO;
                (void)snprintf(text, sizeof(text), "The kernel module %s is loaded (%lu ms).", name,
                               (unsigned long)((clock_monotonic_usec() - start) / USEC_PER_MSEC));
        } else if (r == -ENOENT) {
                priority = LOG_PRI_NOTICE;
                (void)snprintf(text, sizeof(text),
                               "There is no kernel module %s for this kernel here, or modprobe.d(5) forbids it: %s.",
                               name, consequence);
        } else
                (void)snprintf(text, sizeof(text), "The kernel module %s does not load (%s): %s.", name, strerror(-r),
                               consequence);
        l->n_failed += r < 0;
        l->say(l->userdata, priority, text);
}

unsigned handlers_load(const Config *c, handlers_load_t load, handlers_say_t say, void *userdata) {
        Loading l = { .load = load, .say = say, .userdata = userdata };
        _cleanup_free_ char *words = NULL;
        char *save = NULL;

        if (c->luo_shim)
                load_one(&l, SHIM_MODULE, "VFIO devices cannot go along");
        if (!c->luo_modules)
                return l.n_failed;
        words = strdup(c->luo_modules);
        for (char *word = words ? strtok_r(words, " \t", &save) : NULL; word; word = strtok_r(NULL, " \t", &save))
                load_one(&l, word, "the files that it has the handler of are lost, and others with them");
        return l.n_failed;
}
