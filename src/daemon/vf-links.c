/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vf-links.h"

#include "common/log.h"
#include "manager-internal.h"

void link_list_done(LinkList *l) {
        for (size_t i = 0; i < l->n; i++)
                vf_list_done(&l->items[i].vfs);
        free(l->items);
        *l = (LinkList){};
}

int link_list_copy(const LinkList *from, LinkList *ret) {
        LinkList list = { .items = calloc(MAX_OF(from->n, (size_t)1), sizeof(*list.items)) };

        if (!list.items)
                return -ENOMEM;
        for (; list.n < from->n; list.n++) {
                list.items[list.n] = from->items[list.n];
                if (vf_list_copy(&from->items[list.n].vfs, &list.items[list.n].vfs) < 0) {
                        link_list_done(&list);
                        return -ENOMEM;
                }
        }
        *ret = list;
        return 0;
}

/* Before the jump. */

typedef struct Recording {
        Manager *manager;
        uint64_t generation;
        LinkList links;
        int *errors; /* of each: 0, -ENODEV without an interface, or why it could not be read */
} Recording;

static Recording *recording_free(Recording *w) {
        link_list_done(&w->links);
        free(w->errors);
        free(w);
        return NULL;
}

/* A PF that VFIO has goes along, or is lost, with what its user set. */
static bool has_settings(const Function *f) {
        return f->is_pf && f->num_vfs > 0 && !str_empty(f->driver) && strncmp(f->driver, "vfio", 4) != 0;
}

static int collect(const Topology *t, Recording *w) {
        size_t n = 0;

        for (size_t i = 0; i < t->n; i++)
                n += has_settings(&t->items[i]);
        w->links.items = calloc(MAX_OF(n, (size_t)1), sizeof(*w->links.items));
        w->errors = calloc(MAX_OF(n, (size_t)1), sizeof(*w->errors));
        if (!w->links.items || !w->errors)
                return -ENOMEM;
        for (size_t i = 0; i < t->n; i++)
                if (has_settings(&t->items[i]))
                        w->links.items[w->links.n++].pf = t->items[i].address;
        return 0;
}

static int run_record(void *work) {
        Recording *w = work;
        const Ports *p = w->manager->ports;

        for (size_t i = 0; i < w->links.n; i++) {
                ManifestLink *l = &w->links.items[i];

                w->errors[i] = p->links->read(p->links_self, l->pf, &l->vfs);
                if (w->errors[i] >= 0 && !vf_list_valid(&l->vfs))
                        w->errors[i] = -EBADMSG;
        }
        return 0;
}

/* Leaves those that say something. What could not be read is noted, for this kernel's
 * operator and for the next kernel. */
static void sift(Manager *m, Recording *w) {
        char address[ADDRESS_TEXT_SIZE];
        size_t n = 0, n_unread = 0;

        for (size_t i = 0; i < w->links.n; i++) {
                ManifestLink l = w->links.items[i];

                l.unread = w->errors[i] < 0;
                if (l.unread) {
                        vf_list_done(&l.vfs);
                        if (w->errors[i] == -ENODEV)
                                continue;
                        address_format(l.pf, address);
                        log_errno(w->errors[i], "Reading the VF settings of %s; they do not go along", address);
                        n_unread++;
                } else if (l.vfs.n == 0) {
                        vf_list_done(&l.vfs);
                        continue;
                }
                w->links.items[n++] = l;
        }
        w->links.n = n;
        if (n_unread > 0)
                manager_notice(m,
                               "The VF settings of %zu network interfaces could not be read, and do not go along: "
                               "that of %s is the last of them. The log says why.",
                               n_unread, address);
}

static void recorded(void *work, int r, _unused_ void *userdata) {
        Recording *w = work;
        Manager *m = w->manager;

        if (w->generation == m->update.generation && m->phase == PHASE_FREEZING) {
                if (r >= 0) {
                        sift(m, w);
                        m->update.links = w->links;
                        w->links = (LinkList){};
                }
                m->update.links_read = true;
        }
        recording_free(w);
        update_check(m);
}

int vf_links_record(Manager *m) {
        const Topology *t = m->devices ? devices_topology(m->devices) : NULL;
        Recording *w;

        if (!t || !m->ports->links) {
                m->update.links_read = true;
                return 0;
        }
        w = calloc(1, sizeof(*w));
        if (!w)
                return -ENOMEM;
        *w = (Recording){ .manager = m, .generation = m->update.generation };
        int r = collect(t, w);
        if (r >= 0 && w->links.n > 0)
                r = worker_submit(m->ports->image_lane, run_record, recorded, w, NULL);
        else if (r >= 0) {
                m->update.links_read = true;
                recording_free(w);
                return 0;
        }
        if (r < 0)
                recording_free(w);
        return r;
}

int vf_links_fill(const Manager *m, Manifest *manifest) {
        const LinkList *all = &m->update.links;

        for (size_t i = 0; i < all->n; i++) {
                int r = manifest_add_link(manifest, &all->items[i]);

                if (r == -ENOMEM)
                        return r;
                if (r < 0) {
                        log_errno(r, "The VF settings of %zu network interfaces do not go along", all->n - i);
                        break;
                }
        }
        return 0;
}

/* After the jump. */

void vf_links_arrive(Manager *m, Manifest *from) {
        link_list_done(&m->arrived_links);
        m->arrived_links = (LinkList){ .items = TAKE_PTR(from->links), .n = from->n_links };
        from->n_links = from->n_links_allocated = from->n_vfs = 0;
}

/* One PF: what it was told before, what it says now, and what came of putting it back. */
typedef struct Check {
        const Ports *ports;
        const ManifestLink *link;
        VfList now;
        VfDifference *differences;
        size_t n;
        int *errors; /* of each difference, after it was tried to put it back; NULL: it was not */
        VfList again;
        int again_error;
} Check;

static void check_done(Check *c) {
        vf_list_done(&c->now);
        vf_list_done(&c->again);
        free(c->differences);
        free(c->errors);
}

static unsigned n_known(const VfSettings *v) {
        return (unsigned)__builtin_popcount(v->known);
}

/* What was known and is not among the differences. */
static uint64_t count_equal(const Check *c) {
        uint64_t n = 0;

        for (size_t i = 0; i < c->link->vfs.n; i++)
                n += n_known(&c->link->vfs.items[i]);
        for (size_t i = 0; i < c->n; i++) {
                const VfDifference *d = &c->differences[i];
                if (d->before)
                        n -= d->setting < _VF_SETTING_MAX ? 1 : n_known(d->before);
        }
        return n;
}

/* Puts the changed settings back, VF by VF, and reads all again: what counts is what the
 * driver says then, not that it took the request. */
static int put_back(Check *c) {
        const Ports *p = c->ports;
        int gone = 0;

        c->errors = calloc(MAX_OF(c->n, (size_t)1), sizeof(*c->errors));
        if (!c->errors)
                return -ENOMEM;
        for (size_t i = 0, next; i < c->n; i = next) {
                VfOutcome outcome = {};
                uint32_t changed = 0;
                int r = gone;

                for (next = i; next < c->n && c->differences[next].vf == c->differences[i].vf; next++)
                        if (c->differences[next].kind == VF_DIFFERENCE_CHANGED)
                                changed |= VF_SETTING_BIT(c->differences[next].setting);
                if (changed && !gone)
                        r = p->links->apply(p->links_self, c->link->pf, c->differences[i].before, changed, &outcome);
                if (r == -ENODEV || r == -EPERM)
                        gone = r; /* what is left would only fail the same */
                for (size_t k = i; k < next; k++)
                        if (c->differences[k].kind == VF_DIFFERENCE_CHANGED)
                                c->errors[k] = outcome.errors[c->differences[k].setting] ?: gone;
        }
        c->again_error = p->links->read(p->links_self, c->link->pf, &c->again);
        return 0;
}

static const VfSettings *find_vf(const VfList *l, uint32_t vf) {
        size_t low = 0, high = l->n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                if (l->items[middle].vf < vf)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low < l->n && l->items[low].vf == vf ? &l->items[low] : NULL;
}

static bool is_back(const Check *c, const VfDifference *d) {
        const VfSettings *now = find_vf(&c->again, d->vf);

        return now && (now->known & VF_SETTING_BIT(d->setting)) &&
               !(vf_settings_changed(d->before, now) & VF_SETTING_BIT(d->setting));
}

/* Of a VF as a whole, or of one setting. */
static void describe(const VfDifference *d, const char *name, VerifyRow *row) {
        if (d->setting < _VF_SETTING_MAX) {
                (void)snprintf(row->name, sizeof(row->name), "vf %u %s", d->vf, name);
                vf_setting_format(d->before, d->setting, row->before);
                vf_setting_format(d->after, d->setting, row->after);
                return;
        }
        (void)snprintf(row->name, sizeof(row->name), "vf %u", d->vf);
        (void)snprintf(row->before, sizeof(row->before), "%s", d->before ? "present" : "absent");
        (void)snprintf(row->after, sizeof(row->after), "%s",
                       d->after                        ? "present"
                       : d->kind == VF_DIFFERENCE_GONE ? "absent"
                                                       : "unknown");
}

static void judge(const Check *c, size_t i, VerifyRow *row) {
        static const char *const reasons[_VF_DIFFERENCE_MAX] = {
                [VF_DIFFERENCE_CHANGED] = "The VF's user relies on what it was given",
                [VF_DIFFERENCE_UNREADABLE] = "The network driver does not tell it any more",
                [VF_DIFFERENCE_GONE] = "There is no such VF any more; it can be put back when there is",
                [VF_DIFFERENCE_NEW] = "There was no such VF before the jump",
        };
        const VfDifference *d = &c->differences[i];

        row->verdict = VERIFY_AGAINST;
        row->reason = reasons[d->kind];
        if (!c->errors || d->kind != VF_DIFFERENCE_CHANGED)
                return;
        row->error = c->errors[i] ?: c->again_error;
        if (row->error < 0)
                row->reason = row->error == -EOPNOTSUPP ? "The network driver cannot put it back"
                                                        : "It could not be put back";
        else if (is_back(c, d)) {
                row->verdict = VERIFY_RESTORED;
                row->reason = "It was put back";
        } else
                row->reason = "The network driver took it and did not put it back";
}

static int tell(const Check *c, VerifyResult *result) {
        int r = 0;

        for (size_t i = 0; i < c->n && r >= 0; i++) {
                const VfDifference *d = &c->differences[i];
                VerifyRow row = { .address = c->link->pf };

                describe(d, d->setting < _VF_SETTING_MAX ? vf_setting_to_string(d->setting) : "", &row);
                judge(c, i, &row);
                if (row.verdict == VERIFY_RESTORED)
                        result->settings.restored++;
                else
                        result->settings.against++;
                r = verify_add_row(result, &row);
        }
        return r;
}

static int missing(const ManifestLink *l, int error, const char *reason, VerifyResult *result) {
        VerifyRow row = { .address = l->pf, .verdict = VERIFY_MISSING, .reason = reason, .error = error };

        (void)snprintf(row.name, sizeof(row.name), "vf settings");
        result->settings.missing++;
        return verify_add_row(result, &row);
}

static int compare_link(const Ports *p, const ManifestLink *l, bool restore, VerifyResult *result) {
        _cleanup_(check_done) Check c = { .ports = p, .link = l };

        if (l->unread)
                return missing(l, 0, "They could not be read before the jump", result);
        int r = p->links ? p->links->read(p->links_self, l->pf, &c.now) : -ENODEV;
        if (r == -ENODEV)
                return missing(l, 0, "There is no network interface of this PF", result);
        if (r < 0)
                return missing(l, r, "They cannot be read", result);
        r = vf_list_compare(&l->vfs, &c.now, &c.differences, &c.n);
        if (r < 0)
                return r;
        result->settings.equal += count_equal(&c);
        if (restore)
                r = put_back(&c);
        return r < 0 ? r : tell(&c, result);
}

int vf_links_compare(const Ports *p, const LinkList *links, bool restore, VerifyResult *result) {
        int r = 0;

        for (size_t i = 0; i < links->n && r >= 0; i++)
                r = compare_link(p, &links->items[i], restore, result);
        return r;
}
