/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "spec.h"
#include "keyval.h"

void spec_done(Spec *s) {
        for (size_t i = 0; i < s->n_disks; i++)
                free(s->disks[i].path);
        free(s->disks);
        free(s->name);
        free(s->program);
        free(s->version);
        free(s->directory);
        strv_done(&s->args);
        free(s->machine);
        free(s->ram_id);
        free(s->agent);
        free(s->hook);
        strv_done(&s->devices);
        *s = (Spec){ 0 };
}

int spec_add_disk(Spec *s, const char *path, uint64_t size) {
        Disk *disks = realloc(s->disks, (s->n_disks + 1) * sizeof(*disks));

        if (!disks)
                return -ENOMEM;
        s->disks = disks;
        char *copy = strdup(path);
        if (!copy)
                return -ENOMEM;
        s->disks[s->n_disks++] = (Disk){ .path = copy, .size = size };
        return 0;
}

static int add_memory(const Spec *s, int ram_fd, Strv *l) {
        _cleanup_free_ char *id = keyval_escape(s->ram_id);

        if (!id)
                return -ENOMEM;
        /* share=on: otherwise all of the memory would go into the device state. The path is
         * opened once, by QEMU itself, in whose table ram_fd is. */
        int r = strv_add(l, "-object");
        if (r >= 0)
                r = strv_addf(l, "memory-backend-file,id=%s,size=%lu,share=on,mem-path=/proc/self/fd/%d", id,
                              (unsigned long)s->ram_size, ram_fd);
        if (r >= 0)
                r = strv_add(l, "-m");
        if (r >= 0)
                r = strv_addf(l, "%luB", (unsigned long)s->ram_size);
        if (r >= 0)
                r = strv_add(l, "-machine");
        if (r >= 0)
                r = strv_addf(l, "%s,memory-backend=%s", s->machine, id);
        return r;
}

static int add_monitor(int qmp_fd, Strv *l) {
        /* A listening socket: who was cut off connects again. */
        int r = strv_add(l, "-chardev");
        if (r >= 0)
                r = strv_addf(l, "socket,id=liveupdate-qmp,fd=%d,server=on,wait=off", qmp_fd);
        if (r >= 0)
                r = strv_add(l, "-mon");
        if (r >= 0)
                r = strv_add(l, "chardev=liveupdate-qmp,mode=control");
        return r;
}

int spec_argv(const Spec *s, int ram_fd, int qmp_fd, bool incoming, Strv *ret) {
        _cleanup_strv_ Strv l = { 0 };

        int r = strv_add(&l, s->program);
        for (size_t i = 0; r >= 0 && i < s->args.n; i++)
                r = strv_add(&l, s->args.v[i]);
        if (r >= 0)
                r = add_memory(s, ram_fd, &l);
        if (r >= 0)
                r = add_monitor(qmp_fd, &l);
        if (r >= 0 && (incoming || s->paused))
                r = strv_add(&l, "-S");
        if (r >= 0 && incoming)
                r = strv_add(&l, "-incoming");
        if (r >= 0 && incoming)
                r = strv_add(&l, "defer");
        if (r < 0)
                return r;
        *ret = l;
        l = (Strv){ 0 };
        return 0;
}
