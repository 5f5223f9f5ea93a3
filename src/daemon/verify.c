/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "verify.h"

#include "common/log.h"
#include "daemon/planner.h"
#include "daemon/vf-links.h"
#include "manager-internal.h"

static const char *const verdict_table[_VERIFY_VERDICT_MAX] = {
        [VERIFY_EXPECTED] = "expected",
        [VERIFY_AGAINST] = "against",
        [VERIFY_MISSING] = "missing",
        [VERIFY_RESTORED] = "restored",
};
DEFINE_STRING_TABLE(verify_verdict, VerifyVerdict, verdict_table);

void device_list_done(DeviceList *l) {
        for (size_t i = 0; i < l->n; i++)
                free(l->items[i].snapshot);
        free(l->items);
        *l = (DeviceList){};
}

/* Before the jump. */

static ManifestDevice describe(const Function *f, const PlanSubject *s) {
        return (ManifestDevice){
                .address = f->address,
                .requested = s->kind == PLAN_REQUESTED,
                .vendor = f->vendor,
                .device = f->device,
                .class_code = f->class_code,
                .serial = f->serial,
                .dma_kept = s->dma != DMA_STOP,
                .preservation = s->preservation,
        };
}

int verify_collect(Manager *m) {
        const Topology *t = m->devices ? devices_topology(m->devices) : NULL;
        _cleanup_free_ Address *devices = NULL;
        Plan plan = {};
        size_t n = 0;

        device_list_done(&m->update.devices);
        int r = planner_devices(m, &m->update.request, &devices, &n);
        if (r < 0 || !t || n == 0)
                return r;
        r = planner_make(m, devices, n, (PlannerHints){}, &plan);
        if (r < 0)
                return r;
        DeviceList list = { .items = calloc(MAX_OF(plan.n_subjects, (size_t)1), sizeof(*list.items)) };
        for (size_t i = 0; list.items && i < plan.n_subjects; i++) {
                const PlanSubject *s = &plan.subjects[i];
                if ((s->kind == PLAN_REQUESTED || s->kind == PLAN_DEPENDED) && s->function != TOPOLOGY_NONE)
                        list.items[list.n++] = describe(&t->items[s->function], s);
        }
        plan_done(&plan);
        if (!list.items)
                return -ENOMEM;
        m->update.devices = list;
        return 0;
}

typedef struct Reading {
        Manager *manager;
        uint64_t generation;
        DeviceList devices;
        LinkList links;
        bool restore;
        bool arrival; /* of its own accord: not before all VFs are there */
        VerifyResult result;
        verify_reply_t reply;
        void *userdata;
} Reading;

static Reading *reading_free(Reading *w) {
        device_list_done(&w->devices);
        link_list_done(&w->links);
        free(w);
        return NULL;
}

static int read_snapshot(const Ports *p, ManifestDevice *d) {
        uint8_t space[SNAPSHOT_SIZE_MAX];

        int n = p->pci->read_config(p->pci_self, d->address, space, sizeof(space));
        if (n < 0)
                return 0; /* nothing to compare with, and verify will say so */
        free(d->snapshot);
        d->snapshot = NULL;
        return snapshot_encode(space, (size_t)n, &d->snapshot);
}

static int run_snapshot(void *work) {
        Reading *w = work;
        int r = 0;

        for (size_t i = 0; i < w->devices.n && r >= 0; i++)
                r = read_snapshot(w->manager->ports, &w->devices.items[i]);
        return r;
}

static void snapped(void *work, int r, _unused_ void *userdata) {
        Reading *w = work;
        Manager *m = w->manager;
        Refusal why;

        if (w->generation == m->update.generation && m->phase == PHASE_FREEZING) {
                m->update.devices = w->devices;
                w->devices = (DeviceList){};
                m->update.snapped = r >= 0;
                if (r < 0) {
                        refuse_errno(&why, r, "devices", "reading their configuration space");
                        manager_fail(m, &why);
                }
        }
        reading_free(w);
        update_check(m);
}

int verify_snapshot(Manager *m) {
        if (m->update.devices.n == 0) {
                m->update.snapped = true;
                return 0;
        }
        Reading *w = calloc(1, sizeof(*w));
        if (!w)
                return -ENOMEM;
        *w = (Reading){ .manager = m, .generation = m->update.generation, .devices = m->update.devices };
        m->update.devices = (DeviceList){};
        int r = worker_submit(m->ports->image_lane, run_snapshot, snapped, w, NULL);
        if (r < 0)
                reading_free(w);
        return r;
}

/* After the jump. */

void verify_result_done(VerifyResult *r) {
        free(r->rows);
        *r = (VerifyResult){};
}

int verify_add_row(VerifyResult *result, const VerifyRow *row) {
        if (result->n_rows == result->n_allocated) {
                size_t n = MAX_OF(result->n_allocated * 2, (size_t)16);
                VerifyRow *rows = reallocarray(result->rows, n, sizeof(*rows));
                if (!rows)
                        return -ENOMEM;
                result->rows = rows;
                result->n_allocated = n;
        }
        result->rows[result->n_rows++] = *row;
        return 0;
}

typedef struct DiffTarget {
        VerifyResult *result;
        Address address;
} DiffTarget;

static int on_diff(void *userdata, const SnapshotDiff *diff) {
        const DiffTarget *target = userdata;

        if (diff->verdict == SNAPSHOT_EQUAL)
                return 0;
        VerifyRow row = {
                .address = target->address,
                .verdict = diff->verdict == SNAPSHOT_EXPECTED ? VERIFY_EXPECTED : VERIFY_AGAINST,
                .reason = diff->reason,
        };
        (void)snprintf(row.name, sizeof(row.name), "%s", diff->name);
        (void)snprintf(row.before, sizeof(row.before), "0x%0*x", diff->width * 2, diff->before);
        (void)snprintf(row.after, sizeof(row.after), "0x%0*x", diff->width * 2, diff->after);
        return verify_add_row(target->result, &row);
}

static int missing(VerifyResult *result, Address address, const char *reason) {
        result->missing++;
        return verify_add_row(result, &(VerifyRow){ .address = address, .verdict = VERIFY_MISSING, .reason = reason });
}

/* What is agreed about Bus Master now: until its descriptor is retrieved it is as it was
 * handed over; then its user may stop or start DMA, but what was to run on does so until
 * FINISH, unless there is an IOMMU. */
static SnapshotBusMaster bus_master(const ManifestDevice *d, const ShimList *incoming) {
        const ShimDevice *now = shim_list_find(incoming, d->address);

        if (d->dma_kept)
                return !now || now->state == SHIM_WAITING || (now->dma == SHIM_DMA_RUNS && now->state != SHIM_FINISHED)
                               ? BUS_MASTER_KEPT
                               : BUS_MASTER_ANY;
        return now && now->state == SHIM_WAITING ? BUS_MASTER_CLEARED : BUS_MASTER_ANY;
}

/* VFs run, but have no devices and decode no memory, until their number is written into
 * the PF's sriov_numvfs. */
static bool is_unadopted(const ShimDevice *d) {
        return d && d->kind == SHIM_KIND_VF && d->state == SHIM_MISSING;
}

static bool vfs_wait(const DeviceList *devices, const ShimList *incoming) {
        for (size_t i = 0; i < devices->n; i++)
                if (is_unadopted(shim_list_find(incoming, devices->items[i].address)))
                        return true;
        return false;
}

static int compare_one(const Ports *p, const ManifestDevice *d, const ShimList *incoming, VerifyResult *result) {
        uint8_t before[SNAPSHOT_SIZE_MAX], after[SNAPSHOT_SIZE_MAX];
        DiffTarget target = { .result = result, .address = d->address };
        SnapshotCount count = {};
        size_t n_before = 0;

        if (str_empty(d->snapshot) || snapshot_decode(d->snapshot, before, &n_before) < 0 || n_before == 0)
                return missing(result, d->address, "Its configuration space could not be read before the jump");
        int n = p->pci->read_config(p->pci_self, d->address, after, sizeof(after));
        if (n < 0 && is_unadopted(shim_list_find(incoming, d->address)))
                return missing(result, d->address, "The user of its PF has not adopted it yet");
        if (n < 0)
                return missing(result, d->address, "There is no function at this address any more");
        SnapshotPolicy policy = {
                .conservative = d->preservation == PRESERVATION_CONSERVATIVE,
                .bus_master = bus_master(d, incoming),
        };
        int r = snapshot_compare(before, n_before, after, (size_t)n, policy, on_diff, &target, &count);
        result->equal += count.equal;
        result->expected += count.expected;
        result->against += count.against;
        return r;
}

static int run_compare(void *work) {
        Reading *w = work;
        const Ports *p = w->manager->ports;
        ShimList incoming = {};
        int r = 0;

        (void)shim_list(&p->shim, SHIM_INCOMING, &incoming);
        if (w->arrival && vfs_wait(&w->devices, &incoming))
                r = -EAGAIN;
        for (size_t i = 0; i < w->devices.n && r >= 0; i++)
                r = compare_one(p, &w->devices.items[i], &incoming, &w->result);
        shim_list_done(&incoming);
        return r < 0 ? r : vf_links_compare(p, &w->links, w->restore, &w->result);
}

static void compared(void *work, int r, _unused_ void *userdata) {
        Reading *w = work;

        if (r >= 0 && w->restore)
                log_info("%zu VF settings were put back, %zu are still not as they were.", w->result.settings.restored,
                         w->result.settings.against);
        w->reply(w->userdata, r, &w->result);
        verify_result_done(&w->result);
        reading_free(w);
}

static int copy_list(const DeviceList *from, DeviceList *ret) {
        DeviceList list = { .items = calloc(MAX_OF(from->n, (size_t)1), sizeof(*list.items)) };

        if (!list.items)
                return -ENOMEM;
        for (; list.n < from->n; list.n++) {
                list.items[list.n] = from->items[list.n];
                list.items[list.n].snapshot = strdup(from->items[list.n].snapshot ?: "");
                if (!list.items[list.n].snapshot) {
                        device_list_done(&list);
                        return -ENOMEM;
                }
        }
        *ret = list;
        return 0;
}

int verify_allowed(const Manager *m, bool restore, Refusal *refusal) {
        if (m->arrived.n == 0 && m->arrived_links.n == 0)
                return refuse(refusal, REASON_NO_SUCH_DEVICE, "verify",
                              "no device came through a live update to this kernel");
        if (restore && m->phase != PHASE_NORMAL && m->phase != PHASE_UPDATED && m->phase != PHASE_FINISHING)
                return refuse(refusal, REASON_WRONG_STATE, "restore", "the state is %s", phase_to_string(m->phase));
        return 0;
}

static int start(Manager *m, bool arrival, bool restore, verify_reply_t reply, void *userdata) {
        Reading *w = calloc(1, sizeof(*w));

        if (!w)
                return -ENOMEM;
        *w = (Reading){ .manager = m, .arrival = arrival, .restore = restore, .reply = reply, .userdata = userdata };
        int r = copy_list(&m->arrived, &w->devices);
        if (r >= 0)
                r = link_list_copy(&m->arrived_links, &w->links);
        if (r >= 0) {
                w->result.n_devices = w->devices.n;
                w->result.n_links = w->links.n;
                r = worker_submit(m->ports->image_lane, run_compare, compared, w, NULL);
        }
        if (r < 0)
                reading_free(w);
        return r;
}

int verify_compare(Manager *m, verify_reply_t reply, void *userdata) {
        return start(m, false, false, reply, userdata);
}

int verify_restore(Manager *m, verify_reply_t reply, void *userdata) {
        return start(m, false, true, reply, userdata);
}

static void log_result(const VerifyResult *r) {
        if (r->n_devices > 0)
                log_info("Configuration space of %zu devices: %lu registers are equal, %zu changed as expected, %zu "
                         "against the table; %zu devices are missing.",
                         r->n_devices, (unsigned long)r->equal, r->expected, r->against, r->missing);
        if (r->n_links > 0)
                log_info("VF settings of %zu network interfaces: %lu are equal, %zu are not; those of %zu interfaces "
                         "are missing.",
                         r->n_links, (unsigned long)r->settings.equal, r->settings.against, r->settings.missing);
}

static void notice_result(Manager *m, const VerifyResult *r) {
        if (r->against > 0 || r->missing > 0 || r->settings.against > 0 || r->settings.missing > 0)
                manager_notice(
                        m,
                        "After the live update not all is as it must be: registers %zu, devices missing %zu, VF "
                        "settings %zu, network interfaces without them %zu. See 'liveupdatectl verify'%s.",
                        r->against, r->missing, r->settings.against, r->settings.missing,
                        r->settings.against > 0 ? "; its --restore puts VF settings back" : "");
}

static void arrived_compared(void *userdata, int r, const VerifyResult *result) {
        Manager *m = userdata;
        Job *j = job_list_find(&m->jobs, m->arrived_job);

        m->verify_waits = r == -EAGAIN;
        if (r < 0) {
                if (r != -ECANCELED && r != -EAGAIN)
                        log_errno(r, "Comparing the devices with what they were before the jump");
                return;
        }
        log_result(result);
        if (j) {
                j->registers_equal = result->equal;
                j->registers_expected = (uint32_t)result->expected;
                j->registers_against = (uint32_t)result->against;
                j->devices_missing = (uint32_t)result->missing;
                EMIT(m, job_changed, j);
        }
        notice_result(m, result);
}

void verify_arrived(Manager *m) {
        m->verify_waits = false;
        if (m->arrived.n == 0 && m->arrived_links.n == 0)
                return;
        int r = start(m, true, false, arrived_compared, m);
        if (r < 0)
                log_errno(r, "Comparing the devices with what they were before the jump");
}
