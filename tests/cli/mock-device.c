/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The devices of the mock service: a root port with a switch, behind it a PF with two
 * VFs and a card with two functions in one IOMMU group; a conventional bus; a second
 * domain. They are listed out of order, as the order is the client's affair.
 *
 *   hostile  names with control characters and quotes, links that go in circles or
 *            nowhere, addresses that are none
 *   many     16,384 functions: in each of 64 domains a switch and a PF with 252 VFs
 *   good     everything goes, and nothing changed after the update
 *   fresh    no devices
 */
#include "mock.h"

typedef struct MockDevice {
        const char *address, *class_code, *ids, *port, *driver, *parent, *physfn;
        int group;
} MockDevice;

static const MockDevice canned[] = {
        { "0001:00:00.0", "010802", "144d:a808", "none", "nvme", "", "", -1 },
        { "0000:03:00.0", "020000", "8086:10fb", "none", "vfio-pci", "0000:02:00.0", "", 5 },
        { "0000:03:10.2", "020000", "8086:10ed", "none", "vfio-pci", "0000:02:00.0", "0000:03:00.0", 7 },
        { "0000:03:10.0", "020000", "8086:10ed", "none", "vfio-pci", "0000:02:00.0", "0000:03:00.0", 6 },
        { "0000:00:00.0", "060000", "8086:29c0", "none", "", "", "", 0 },
        { "0000:00:01.0", "060400", "8086:0c01", "root-port", "pcieport", "", "", 1 },
        { "0000:01:00.0", "060400", "104c:8232", "upstream", "pcieport", "0000:00:01.0", "", 2 },
        { "0000:02:00.0", "060400", "104c:8233", "downstream", "pcieport", "0000:01:00.0", "", 3 },
        { "0000:02:01.0", "060400", "104c:8233", "downstream", "pcieport", "0000:01:00.0", "", 4 },
        { "0000:04:00.0", "030000", "10de:1db4", "none", "vfio-pci", "0000:02:01.0", "", 8 },
        { "0000:04:00.1", "040300", "10de:10f2", "none", "snd_hda_intel", "0000:02:01.0", "", 8 },
        { "0000:00:1e.0", "060401", "8086:244e", "pcie-to-pci", "", "", "", 9 },
        { "0000:05:00.0", "0200ff", "10ec:8139", "none", "8139cp", "0000:00:1e.0", "", 9 },
};

static const MockDevice hostile[] = {
        { "0000:00:02.0", "zz\033[2J", "a\"b\\c", "ro\not", "evil\033]0;x\007", "0000:00:03.0", "", 2147483647 },
        { "0000:00:03.0", "fe0000", "\n", "", "", "0000:00:02.0", "", -2147483647 },
        { "0000:00:04.0", "", "", "none", "", "0000:00:04.0", "", 1 },
        { "0000:00:05.0", "020000", "8086:10ed", "none", "", "ffff:ff:1f.7", "0000:00:09.0", 1 },
        { "no\033address \"\\", "060000", "", "none", "", "0000:00:05.0", "", 1 },
        { "", "", "", "", "", "", "", 1 },
};

enum { DOMAINS = 64, FUNCTIONS = 256 };

/* The i-th of FUNCTIONS in a domain: root port, switch port up and down, PF, VFs. */
static int append_made(sd_bus_message *reply, int domain, int i) {
        char path[64], address[32], parent[32] = "", pf[32] = "";
        int bus = i < 3 ? i : i == 3 ? 3 : 4 + (i - 4) / 128, n = i < 4 ? 0 : (i - 4) % 128;

        (void)snprintf(path, sizeof(path), LIVEUPDATE_PATH "/device/made_%d_%d", domain, i);
        (void)snprintf(address, sizeof(address), "%04x:%02x:%02x.%x", domain, bus, n >> 3, n & 7);
        if (i > 0)
                (void)snprintf(parent, sizeof(parent), "%04x:%02x:00.0", domain, i < 3 ? i - 1 : 2);
        if (i > 3)
                (void)snprintf(pf, sizeof(pf), "%04x:03:00.0", domain);
        return sd_bus_message_append(reply, "(osssssssi)", path, address, i < 3 ? "060400" : "020000", "8086:10ed",
                                     i < 3 ? "downstream" : "none", "vfio-pci", parent, pf, domain * FUNCTIONS + i);
}

static int append_device(sd_bus_message *reply, const MockDevice *d) {
        char *path;

        int r = sd_bus_path_encode(LIVEUPDATE_PATH "/device", d->address, &path);
        if (r < 0)
                return r;
        r = sd_bus_message_append(reply, "(osssssssi)", path, d->address, d->class_code, d->ids, d->port, d->driver,
                                  d->parent, d->physfn, d->group);
        free(path);
        return r;
}

int mock_list_devices(sd_bus_message *msg, const MockDevices *m) {
        bool is_hostile = streq(m->scenario, "hostile"), many = streq(m->scenario, "many");
        const MockDevice *list = is_hostile ? hostile : canned;
        size_t n = is_hostile ? ELEMENTSOF(hostile) : ELEMENTSOF(canned);
        sd_bus_message *reply = NULL;

        int r = sd_bus_message_new_method_return(msg, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(osssssssi)");
        for (size_t i = 0; r >= 0 && !many && !streq(m->scenario, "fresh") && i < n; i++)
                r = append_device(reply, &list[i]);
        for (int domain = DOMAINS - 1; r >= 0 && many && domain >= 0; domain--)
                for (int i = FUNCTIONS - 1; r >= 0 && i >= 0; i--)
                        r = append_made(reply, domain, i);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r >= 0)
                r = sd_bus_send(NULL, reply, NULL);
        sd_bus_message_unref(reply);
        return r < 0 ? r : 1;
}

/* "0000:04:00.0" or the like; NULL if there is none. */
static const MockDevice *find(const char *address) {
        for (size_t i = 0; i < ELEMENTSOF(canned); i++)
                if (streq(canned[i].address, address))
                        return &canned[i];
        return NULL;
}

int mock_print_strings(sd_bus_message *msg, const char *name) {
        const char *separator = "=", *s;

        int r = sd_bus_message_enter_container(msg, 'a', "s");
        while (r >= 0 && (r = sd_bus_message_read(msg, "s", &s)) > 0) {
                (void)printf("%s%s%s", *separator == '=' ? " " : "", *separator == '=' ? name : "", separator);
                (void)printf("%s", s);
                separator = ",";
        }
        return r < 0 ? r : sd_bus_message_exit_container(msg);
}

#define ROW(...) sd_bus_message_append(reply, "(ssssss)", __VA_ARGS__)
#define DEPENDED(address) ROW("depended", address, "goes", "", "", "")

/* The rows of subjects are mixed up, and one subject has two. only: a device's address,
 * or "" for all. */
static int append_plan(sd_bus_message *reply, const char *only) {
        bool gpu = !*only || streq(only, "0000:04:00.0"), vf = !*only || streq(only, "0000:03:10.0");
        int r;

        if ((r = ROW("host", "host", "goes", "", "", "")) < 0 ||
            (r = ROW("kernel", "next kernel", "goes", "", "", "")) < 0 ||
            (gpu && (r = ROW("device", "0000:04:00.0", "cannot", "group-shared",
                             "A device of its group does not go along.", "Bind 0000:04:00.1 to vfio-pci.")) < 0) ||
            (vf && (r = ROW("device", "0000:03:10.0", "limited", "dma-stops", "DMA stops during the update.",
                            "Nothing, or a kernel that keeps it running.")) < 0) ||
            (vf && (r = DEPENDED("0000:03:00.0")) < 0) || (r = DEPENDED("0000:01:00.0")) < 0 ||
            (gpu && (r = ROW("device", "0000:04:00.0", "limited", "dma-stops", "DMA stops during the update.",
                             "Nothing, or a kernel that keeps it running.")) < 0))
                return r;
        /* What asks for 05:00.0 is hindered by a file. */
        return ROW("session", "vmm-1/7", streq(only, "0000:05:00.0") ? "cannot" : "limited", "no-handler",
                   "A file\033[2J may not go.", "Wait\nand see.");
}

/* What the scenario has instead of a plan, if anything. */
static int append_scenario(sd_bus_message *reply, const char *scenario, const char *only) {
        if (streq(scenario, "good"))
                return ROW("device", "0000:03:00.0", "limited", "dma-stops", "DMA stops during the update.", "");
        if (streq(scenario, "wrong"))
                return ROW("device", "0000:03:00.0", "perhaps", "", "Nobody knows.", "");
        return streq(scenario, "fresh") ? 0 : append_plan(reply, only);
}

/* The devices go to stdout; the first one is for the answer. */
static int read_plan_request(sd_bus_message *msg, const char **ret_only) {
        const char *only = "", *key, *jump = "";

        int r = sd_bus_message_enter_container(msg, 'a', "s");
        if (r >= 0)
                r = sd_bus_message_read(msg, "s", &only);
        if (r < 0 || (r = sd_bus_message_rewind(msg, true)) < 0)
                return r;
        (void)printf("Plan");
        r = mock_print_strings(msg, "devices");
        if (r >= 0)
                r = sd_bus_message_enter_container(msg, 'a', "{sv}");
        if (r >= 0 && (r = sd_bus_message_read(msg, "{sv}", &key, "s", &jump)) > 0)
                (void)printf(" %s=%s", key, jump);
        (void)putchar('\n');
        (void)fflush(stdout);
        *ret_only = only;
        return MIN_OF(r, 0);
}

int mock_plan(sd_bus_message *msg, const MockDevices *m, sd_bus_error *error) {
        sd_bus_message *reply = NULL;
        const char *only;

        int r = read_plan_request(msg, &only);
        if (r < 0)
                return r;
        if (streq(m->scenario, "refuse"))
                return sd_bus_error_set(error, LIVEUPDATE_ERROR_PREFIX "NoSuchDevice",
                                        "0000:09:00.0: There is no such device. See 'liveupdatectl devices'.");
        r = sd_bus_message_new_method_return(msg, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(ssssss)");
        if (r >= 0)
                r = append_scenario(reply, m->scenario, only);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r >= 0)
                r = sd_bus_send(m->bus, reply, NULL);
        sd_bus_message_unref(reply);
        if (r >= 0 && streq(m->scenario, "good"))
                r = sd_bus_emit_signal(m->bus, LIVEUPDATE_PATH, LIVEUPDATE_MANAGER_INTERFACE, "PlanStale", "as", 2,
                                       "0000:03:00.0", "bad\n\033[2J");
        return r < 0 ? r : 1;
}

/* One device that is held and goes along, one that came in; one that nobody knows. */
int mock_list_preserved(sd_bus_message *msg, const MockDevices *m) {
        if (!streq(m->scenario, "good"))
                return sd_bus_reply_method_return(msg, "a(ssssss)", 0);
        return sd_bus_reply_method_return(msg, "a(ssssss)", 4, "0000:03:00.0", "held", "", "", "held", "",
                                          "0000:03:00.0", "outgoing", "pf", "stop", "preserved", "", "0000:04:00.0",
                                          "incoming", "function", "continue", "bound", "vfio-pci", "0000:ff:00.0",
                                          "incoming", "function", "stop", "missing", "");
}

int mock_hold(sd_bus_message *msg, const char *method, sd_bus_error *error) {
        const char *address, *key;
        int rebind = 0;

        int r = sd_bus_message_read(msg, "s", &address);
        if (r >= 0)
                r = sd_bus_message_enter_container(msg, 'a', "{sv}");
        while (r >= 0 && (r = sd_bus_message_enter_container(msg, 'e', "sv")) > 0) {
                r = sd_bus_message_read(msg, "sv", &key, "b", &rebind);
                if (r >= 0)
                        r = sd_bus_message_exit_container(msg);
        }
        if (r < 0)
                return r;
        (void)printf("%s %s%s\n", method, address, rebind ? " rebind" : "");
        (void)fflush(stdout);
        if (streq(address, "0000:04:00.1") && !rebind)
                return sd_bus_error_set(error, LIVEUPDATE_ERROR_PREFIX "DriverInUse",
                                        "0000:04:00.1: Another driver has the device (snd_hda_intel).");
        return sd_bus_reply_method_return(msg, "");
}

int mock_list_bits(sd_bus_message *msg) {
        return sd_bus_reply_method_return(msg, "a(sssss)", 3, "vendor-id", "0x00", "0xffff", "same",
                                          "The device must be the one that was preserved.", "command", "0x04",
                                          "0x0400", "rewritten", "Interrupts are set up anew.", "msi-address",
                                          "MSI+0x04", "0xffffffff", "handed-over", "The new kernel\nwrites its own.");
}

int mock_verify(sd_bus_message *msg, const MockDevices *m, sd_bus_error *error) {
        if (streq(m->scenario, "refuse"))
                return sd_bus_error_set(error, LIVEUPDATE_ERROR_PREFIX "ManifestMissing",
                                        "The previous kernel's daemon left no record.");
        if (streq(m->scenario, "good"))
                return sd_bus_reply_method_return(msg, "ta(ssssss)", UINT64_C(1), 1, "0000:03:00.0", "msi-address",
                                                  "fee00000", "fee01000", "expected",
                                                  "The new kernel writes its own.");
        if (streq(m->scenario, "wrong"))
                return sd_bus_reply_method_return(msg, "ta(ssssss)", UINT64_C(0), 1, "0000:03:00.0", "msi-address",
                                                  "fee00000", "fee01000", "perhaps", "Nobody knows.");
        if (streq(m->scenario, "fresh"))
                return sd_bus_reply_method_return(msg, "ta(ssssss)", UINT64_C(0), 0);
        return sd_bus_reply_method_return(
                msg, "ta(ssssss)", UINT64_C(211), 4, "0000:03:00.0", "msi-address", "fee00000", "fee01000", "expected",
                "The new kernel writes its own.", "0000:03:10.0", "bar0", "f7a00000", "f7b00000", "against",
                "The guest has\033[2J it mapped.", "0000:03:10.2", "device", "10ed", "", "missing",
                "The device is not there any more.", "0000:03:00.0", "vf 2 mac", "02:00:00:00:00:01",
                "00:00:00:00:00:00", "against", "The VF's user relies on what it was given");
}

int mock_restore(sd_bus_message *msg, const MockDevices *m, sd_bus_error *error) {
        int r = sd_bus_message_read(msg, "a{sv}", 0);
        if (r < 0)
                return r;
        (void)puts("Restore");
        (void)fflush(stdout);
        if (streq(m->scenario, "refuse"))
                return sd_bus_error_set(error, LIVEUPDATE_ERROR_PREFIX "WrongState",
                                        "restore: the state is prepared. See 'liveupdatectl status'.");
        if (streq(m->scenario, "good"))
                return sd_bus_reply_method_return(msg, "ta(ssssss)", UINT64_C(9), 1, "0000:03:00.0", "vf 2 mac",
                                                  "02:00:00:00:00:01", "00:00:00:00:00:00", "restored",
                                                  "It was put back");
        return sd_bus_reply_method_return(msg, "ta(ssssss)", UINT64_C(7), 2, "0000:03:00.0", "vf 2 mac",
                                          "02:00:00:00:00:01", "00:00:00:00:00:00", "restored", "It was put back",
                                          "0000:03:00.0", "vf 2 trust", "on", "off", "against",
                                          "The network driver cannot put it back: Operation not supported");
}

int mock_explain(sd_bus_message *msg, sd_bus_error *error) {
        const char *code;

        int r = sd_bus_message_read(msg, "s", &code);
        if (r < 0)
                return r;
        if (streq(code, "group-shared"))
                return sd_bus_reply_method_return(msg, "ss", "A device of its group does not go along.",
                                                  "Bind all of the group to vfio-pci,\nor leave it out.");
        if (streq(code, "none"))
                return sd_bus_reply_method_return(msg, "ss", "Nothing is wrong.", "");
        return sd_bus_error_set(error, LIVEUPDATE_ERROR_PREFIX "InvalidArgument",
                                "code: There is no such reason code. See the codes in 'liveupdatectl plan'.");
}

static bool is_pf(const MockDevice *d) {
        return streq(d->address, "0000:03:00.0");
}

static int get_string(sd_bus *bus, const char *path, const char *interface, const char *property,
                      sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const MockDevice *d = userdata;
        const char *v = streq(property, "Address")                      ? d->address
                        : streq(property, "Port")                       ? d->port
                        : streq(property, "Parent")                     ? d->parent
                        : streq(property, "PhysFn")                     ? d->physfn
                        : streq(property, "Driver")                     ? d->driver
                        : streq(property, "DriverOverride") && is_pf(d) ? "vfio-pci"
                        : streq(property, "PowerState")                 ? "D0"
                        : streq(property, "ResetMethods") && is_pf(d)   ? "flr bus\033[2J"
                        : streq(property, "GroupType") && d->group >= 0 ? "DMA"
                        : streq(property, "VfioDevice") && is_pf(d)     ? "vfio3"
                        : streq(property, "Outgoing") && is_pf(d)       ? "preserved"
                        : streq(property, "Incoming") && is_pf(d)       ? "finished"
                        : streq(property, "Verdict") && is_pf(d)        ? "limited"
                        : streq(property, "Verdict")                    ? "goes"
                                                                        : "";

        return sd_bus_message_append(reply, "s", v);
}

static int get_strings(sd_bus *bus, const char *path, const char *interface, const char *property,
                       sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const MockDevice *d = userdata;

        if (streq(property, "VirtFns") && is_pf(d))
                return sd_bus_message_append(reply, "as", 2, "0000:03:10.0", "0000:03:10.2");
        if (streq(property, "Features"))
                return sd_bus_message_append(reply, "as", 3, "pcie", "msix", "sriov");
        if (streq(property, "Enabled") && is_pf(d))
                return sd_bus_message_append(reply, "as", 2, "msix", "bus-master");
        if (streq(property, "Codes") && is_pf(d))
                return sd_bus_message_append(reply, "as", 1, "dma-stops");
        return sd_bus_message_append(reply, "as", 0);
}

static int get_number(sd_bus *bus, const char *path, const char *interface, const char *property,
                      sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const MockDevice *d = userdata;

        if (streq(property, "Held"))
                return sd_bus_message_append(reply, "b", is_pf(d));
        if (streq(property, "Class"))
                return sd_bus_message_append(reply, "u", (uint32_t)strtoul(d->class_code, NULL, 16));
        if (streq(property, "Revision"))
                return sd_bus_message_append(reply, "y", 1);
        if (streq(property, "Serial"))
                return sd_bus_message_append(reply, "t", is_pf(d) ? UINT64_C(0xa0369fffff123456) : UINT64_C(0));
        if (streq(property, "Group"))
                return sd_bus_message_append(reply, "i", d->group);
        if (streq(property, "NumaNode"))
                return sd_bus_message_append(reply, "i", is_pf(d) ? 0 : -1);
        if (streq(property, "NumVfs"))
                return sd_bus_message_append(reply, "q", is_pf(d) ? 2 : 0);
        return sd_bus_message_append(reply, "q", is_pf(d) ? 63 : 0);
}

static int get_struct(sd_bus *bus, const char *path, const char *interface, const char *property,
                      sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const MockDevice *d = userdata;
        uint16_t vendor = (uint16_t)strtoul(d->ids, NULL, 16), device = (uint16_t)strtoul(d->ids + 5, NULL, 16);

        if (streq(property, "Ids"))
                return sd_bus_message_append(reply, "(qqqq)", vendor, device, 0x8086, 3);
        if (streq(property, "Buses"))
                return streq(d->port, "none") ? sd_bus_message_append(reply, "(yy)", 0, 0)
                                              : sd_bus_message_append(reply, "(yy)", 1, 4);
        return is_pf(d) ? sd_bus_message_append(reply, "(ss)", "ixgbe", "module")
                        : sd_bus_message_append(reply, "(ss)", "", "none");
}

static const sd_bus_vtable device_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Address", "s", get_string, 0, 0),
        SD_BUS_PROPERTY("Class", "u", get_number, 0, 0),
        SD_BUS_PROPERTY("Ids", "(qqqq)", get_struct, 0, 0),
        SD_BUS_PROPERTY("Revision", "y", get_number, 0, 0),
        SD_BUS_PROPERTY("Serial", "t", get_number, 0, 0),
        SD_BUS_PROPERTY("Port", "s", get_string, 0, 0),
        SD_BUS_PROPERTY("Buses", "(yy)", get_struct, 0, 0),
        SD_BUS_PROPERTY("Parent", "s", get_string, 0, 0),
        SD_BUS_PROPERTY("PhysFn", "s", get_string, 0, 0),
        SD_BUS_PROPERTY("VirtFns", "as", get_strings, 0, 0),
        SD_BUS_PROPERTY("NumVfs", "q", get_number, 0, 0),
        SD_BUS_PROPERTY("TotalVfs", "q", get_number, 0, 0),
        SD_BUS_PROPERTY("Features", "as", get_strings, 0, 0),
        SD_BUS_PROPERTY("Enabled", "as", get_strings, 0, 0),
        SD_BUS_PROPERTY("PowerState", "s", get_string, 0, 0),
        SD_BUS_PROPERTY("Driver", "s", get_string, 0, 0),
        SD_BUS_PROPERTY("DriverOverride", "s", get_string, 0, 0),
        SD_BUS_PROPERTY("NativeDriver", "(ss)", get_struct, 0, 0),
        SD_BUS_PROPERTY("ResetMethods", "s", get_string, 0, 0),
        SD_BUS_PROPERTY("Group", "i", get_number, 0, 0),
        SD_BUS_PROPERTY("GroupType", "s", get_string, 0, 0),
        SD_BUS_PROPERTY("NumaNode", "i", get_number, 0, 0),
        SD_BUS_PROPERTY("VfioDevice", "s", get_string, 0, 0),
        SD_BUS_PROPERTY("Outgoing", "s", get_string, 0, 0),
        SD_BUS_PROPERTY("Incoming", "s", get_string, 0, 0),
        SD_BUS_PROPERTY("Held", "b", get_number, 0, 0),
        SD_BUS_PROPERTY("Verdict", "s", get_string, 0, 0),
        SD_BUS_PROPERTY("Codes", "as", get_strings, 0, 0),
        SD_BUS_VTABLE_END,
};

static int find_device(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret,
                       sd_bus_error *error) {
        char *address = NULL;

        int r = sd_bus_path_decode(path, LIVEUPDATE_PATH "/device", &address);
        if (r <= 0)
                return r;
        const MockDevice *d = find(address);
        free(address);
        *ret = (void *)d;
        return d != NULL;
}

int mock_add_devices(const MockDevices *m) {
        return sd_bus_add_fallback_vtable(m->bus, NULL, LIVEUPDATE_PATH "/device", "org.liveupdate1.Device",
                                          device_vtable, find_device, NULL);
}
