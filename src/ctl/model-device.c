/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model.h"

void device_list_done(DeviceList *l) {
        for (size_t i = 0; i < l->n; i++) {
                free(l->items[i].path);
                free(l->items[i].address);
                free(l->items[i].class_code);
                free(l->items[i].ids);
                free(l->items[i].port);
                free(l->items[i].driver);
                free(l->items[i].parent);
                free(l->items[i].physfn);
        }
        free(l->items);
        *l = (DeviceList){};
}

void device_info_done(DeviceInfo *d) {
        free(d->path);
        free(d->address);
        free(d->port);
        free(d->parent);
        free(d->physfn);
        string_list_done(&d->virtfns);
        string_list_done(&d->features);
        string_list_done(&d->enabled);
        free(d->power_state);
        free(d->driver);
        free(d->driver_override);
        free(d->native.name);
        free(d->native.kind);
        free(d->reset_methods);
        free(d->group_type);
        free(d->vfio_device);
        free(d->verdict);
        free(d->outgoing);
        free(d->incoming);
        string_list_done(&d->codes);
        *d = (DeviceInfo){};
}

void plan_row_done(PlanRow *row) {
        free(row->kind);
        free(row->subject);
        free(row->verdict);
        free(row->code);
        free(row->sentence);
        free(row->remedy);
        *row = (PlanRow){};
}

void plan_rows_done(PlanRows *l) {
        for (size_t i = 0; i < l->n; i++)
                plan_row_done(&l->items[i]);
        free(l->items);
        *l = (PlanRows){};
}

void bit_rows_done(BitRows *l) {
        for (size_t i = 0; i < l->n; i++) {
                free(l->items[i].name);
                free(l->items[i].offset);
                free(l->items[i].mask);
                free(l->items[i].class);
                free(l->items[i].reason);
        }
        free(l->items);
        *l = (BitRows){};
}

void verification_done(Verification *v) {
        for (size_t i = 0; i < v->n; i++) {
                free(v->items[i].address);
                free(v->items[i].name);
                free(v->items[i].before);
                free(v->items[i].after);
                free(v->items[i].verdict);
                free(v->items[i].reason);
        }
        free(v->items);
        *v = (Verification){};
}

void explanation_done(Explanation *e) {
        free(e->sentence);
        free(e->remedy);
        *e = (Explanation){};
}
