/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The netlink ports on a real kernel.
 *
 *   watch COMMAND...   runs it and prints the uevents that came meanwhile, a line each:
 *                      ACTION SUBSYSTEM ADDRESS self|child DRIVER
 *   port FILE          TAP: overruns, foreign senders, storms; FILE is the "uevent" of a
 *                      device that nothing else happens to
 *   ifindex ADDRESS    the interface of this function
 *   vfs IFINDEX        "DESCRIBED of TOTAL"
 *   give IFINDEX       sets all that can be set of VF 1
 *   show IFINDEX       all settings of all VFs, a line each
 *   settings IFINDEX   TAP: the settings of its VFs, of which there are at least 3
 *   up NAME            brings an interface up, by ioctl(2)
 *
 * The kernel sends a uevent from within the call that causes it, so nothing here waits.
 */
#include "core/vf-settings.h"
#include "sys/links.h"
#include "sys/uevent-port.h"

#include "common/parse.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

static unsigned points;

static void point(bool good, const char *what) {
        printf("%s %u - %s\n", good ? "ok" : "not ok", ++points, what);
}

/* For what must not fail if anything is to be seen at all. */
static void must(bool good, const char *what) {
        if (good)
                return;
        fprintf(stderr, "luvm-netlink: %s: %s\n", what, strerror(errno));
        exit(1);
}

static void must_r(int r, const char *what) {
        errno = r < 0 ? -r : 0;
        must(r >= 0, what);
}

/* ---- uevents ---- */

typedef struct Seen {
        unsigned events, lost;
        bool print;
} Seen;

static void on_event(const Uevent *e, void *userdata) {
        Seen *s = userdata;
        char address[ADDRESS_TEXT_SIZE] = "-";

        s->events++;
        if (!s->print)
                return;
        if (e->has_address)
                address_format(e->address, address);
        printf("%s %s %s %s %s\n", uevent_action_to_string(e->action), e->subsystem ?: "-", address,
               e->is_function ? "self" : "child", e->driver ?: "-");
}

static void on_lost(void *userdata) {
        ((Seen *)userdata)->lost++;
}

static int dispatch(UeventPort *p, Seen *s) {
        int r = uevent_dispatch(p, on_event, on_lost, s);

        must_r(r, "uevent_dispatch");
        return r;
}

static int watch(char **command) {
        _cleanup_(uevent_closep) UeventPort *p = NULL;
        Seen s = { .print = true };
        int status;

        must_r(uevent_open(&p), "uevent_open");
        pid_t child = fork();
        must(child >= 0, "fork");
        if (child == 0) {
                execvp(command[0], command);
                _exit(127);
        }
        must(waitpid(child, &status, 0) == child, "waitpid");
        while (dispatch(p, &s) > 0)
                ;
        printf("lost %u\n", s.lost);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static void cause(int fd, unsigned times) {
        for (unsigned i = 0; i < times; i++)
                must(pwrite(fd, "change", 6, 0) == 6, "write to the uevent file");
}

static void overrun(UeventPort *p, int fd) {
        Seen s = {};
        int tiny = 1;

        cause(fd, 3);
        point(dispatch(p, &s) == 3 && s.lost == 0, "events arrive");
        must(setsockopt(uevent_fd(p), SOL_SOCKET, SO_RCVBUF, &tiny, sizeof(tiny)) >= 0, "SO_RCVBUF");
        cause(fd, 100);
        s = (Seen){};
        point(dispatch(p, &s) == 0 && s.lost == 1, "an overrun is told once, and what was left is dropped");
        point(dispatch(p, &s) == 0 && s.lost == 1, "then nothing is left");
        cause(fd, 1);
        point(dispatch(p, &s) == 1 && s.lost == 1, "the next event arrives as ever");
}

static void foreign(int fd) {
        _cleanup_(uevent_closep) UeventPort *p = NULL;
        static const char message[] = "add@/devices/forged\0ACTION=add\0DEVPATH=/devices/forged\0SUBSYSTEM=pci";
        struct sockaddr_nl to = { .nl_family = AF_NETLINK }, own = {};
        socklen_t size = sizeof(own);
        Seen s = {};

        must_r(uevent_open(&p), "uevent_open");
        _cleanup_close_ int other = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);
        must(other >= 0, "socket");
        must(getsockname(uevent_fd(p), (struct sockaddr *)&own, &size) >= 0, "getsockname");
        to.nl_pid = own.nl_pid;
        must(sendto(other, message, sizeof(message), 0, (struct sockaddr *)&to, sizeof(to)) > 0, "send to the port");
        to.nl_pid = 0;
        to.nl_groups = 1;
        must(sendto(other, message, sizeof(message), 0, (struct sockaddr *)&to, sizeof(to)) > 0, "send to the group");
        cause(fd, 1);
        point(dispatch(p, &s) == 1 && s.lost == 0, "what another process sends is no event");
}

static void storm(int fd) {
        _cleanup_(uevent_closep) UeventPort *p = NULL;
        Seen s = {};

        must_r(uevent_open(&p), "uevent_open");
        point(dispatch(p, &s) == 0, "a new port has nothing to tell");
        cause(fd, 5000);
        point(dispatch(p, &s) == 512 && s.lost == 0, "one dispatch hands on so many and no more");
        while (dispatch(p, &s) > 0)
                ;
        point(s.events == 5000 && s.lost == 0, "a storm of 5000 fits");
}

static int port(const char *file) {
        _cleanup_(uevent_closep) UeventPort *p = NULL;
        _cleanup_close_ int fd = open(file, O_WRONLY | O_CLOEXEC);

        must(fd >= 0, file);
        printf("1..8\n");
        must_r(uevent_open(&p), "uevent_open");
        overrun(p, fd);
        foreign(fd);
        storm(fd);
        return 0;
}

/* ---- VF settings ---- */

static void read_vfs(Links *l, int ifindex, VfList *ret) {
        vf_list_done(ret);
        must_r(links_read_vfs(l, ifindex, ret), "links_read_vfs");
}

/* How many differences, and of how many settings of VF 1. */
static size_t differences(const VfList *before, const VfList *after, uint32_t *ret_settings) {
        _cleanup_free_ VfDifference *d = NULL;
        size_t n;

        *ret_settings = 0;
        must_r(vf_list_compare(before, after, &d, &n), "vf_list_compare");
        for (size_t i = 0; i < n; i++)
                if (d[i].vf == 1 && d[i].kind == VF_DIFFERENCE_CHANGED)
                        *ret_settings |= VF_SETTING_BIT(d[i].setting);
        return n;
}

static void print_vf(const char *prefix, const VfSettings *v) {
        char text[VF_SETTING_TEXT_SIZE];

        for (VfSetting s = 0; s < _VF_SETTING_MAX; s++) {
                vf_setting_format(v, s, text);
                printf("%svf %u %s: %s\n", prefix, v->vf, vf_setting_to_string(s), text);
        }
}

static const VfSettings first = {
        .vf = 1,
        .known = VF_SETTINGS_ALL,
        .mac = { 0x02, 0x11, 0x22, 0x33, 0x44, 0x55 },
        .vlan = 4094,
        .vlan_proto = VLAN_PROTO_8021AD,
        .vlan_qos = 6,
        .min_rate = 100,
        .max_rate = 25000,
        .spoof_check = true,
        .link_state = VF_LINK_DISABLE,
        .rss_query = true,
        .trust = true,
};

static const VfSettings second = {
        .vf = 1,
        .known = VF_SETTINGS_ALL,
        .mac = { 0x02, 0x11, 0x22, 0x33, 0x44, 0x56 },
        .vlan = 7,
        .vlan_proto = VLAN_PROTO_8021Q,
        .min_rate = 100,
        .max_rate = 24999,
        .link_state = VF_LINK_ENABLE,
};

static bool no_errors(const VfOutcome *o, int want) {
        for (VfSetting s = 0; s < _VF_SETTING_MAX; s++)
                if (o->errors[s] != want)
                        return false;
        return true;
}

/* Each setting changed, seen as the only change, and put back. */
static void one_by_one(Links *l, int ifindex, const VfList *before) {
        for (VfSetting s = 0; s < _VF_SETTING_MAX; s++) {
                _cleanup_(vf_list_done) VfList now = {};
                uint32_t changed, left;
                VfOutcome o;
                char what[96];

                must_r(links_apply_vf(l, ifindex, &second, VF_SETTING_BIT(s), &o), "links_apply_vf");
                read_vfs(l, ifindex, &now);
                size_t n = differences(before, &now, &changed);
                must_r(links_apply_vf(l, ifindex, &before->items[1], changed, &o), "links_apply_vf");
                read_vfs(l, ifindex, &now);
                (void)snprintf(what, sizeof(what), "%s: changed, it is the one difference; put back, there is none",
                               vf_setting_to_string(s));
                point(n == 1 && changed == VF_SETTING_BIT(s) && differences(before, &now, &left) == 0, what);
        }
}

static void refusals(Links *l, int ifindex, const VfList *before) {
        _cleanup_(vf_list_done) VfList now = {};
        VfSettings bad = second;
        uint32_t changed;
        VfOutcome o;

        bad.min_rate = bad.max_rate + 1;
        int r = links_apply_vf(l, ifindex, &bad, VF_SETTINGS_ALL, &o);
        read_vfs(l, ifindex, &now);
        (void)differences(before, &now, &changed);
        point(r == -EINVAL && o.errors[VF_SETTING_RATE] == -EINVAL && o.errors[VF_SETTING_TRUST] == 0 &&
                      changed == (VF_SETTINGS_ALL & ~VF_SETTING_BIT(VF_SETTING_RATE)),
              "a value that is refused does not keep the others back");
        bad = second;
        bad.vf = before->total;
        r = links_apply_vf(l, ifindex, &bad, VF_SETTINGS_ALL, &o);
        point(r == -EINVAL && no_errors(&o, -EINVAL), "a VF that is not there is refused");
        r = links_apply_vf(l, 1, &second, VF_SETTINGS_ALL, &o);
        point(r == 0 && no_errors(&o, -EOPNOTSUPP), "what a driver cannot set is noted, not an error");
}

static void without_rights(int ifindex) {
        int status;

        (void)fflush(stdout);
        pid_t child = fork();
        must(child >= 0, "fork");
        if (child == 0) {
                _cleanup_(links_closep) Links *l = NULL;
                VfOutcome o;

                bool good = setuid(65534) == 0 && links_open(&l) == 0 &&
                            links_apply_vf(l, ifindex, &first, VF_SETTINGS_ALL, &o) == -EPERM &&
                            o.errors[VF_SETTING_MAC] == -EPERM && o.errors[VF_SETTING_VLAN] == 0;
                _exit(good ? 0 : 1);
        }
        must(waitpid(child, &status, 0) == child, "waitpid");
        point(WIFEXITED(status) && WEXITSTATUS(status) == 0, "without the right to it nothing further is tried");
}

static int settings(int ifindex) {
        _cleanup_(links_closep) Links *l = NULL;
        _cleanup_(vf_list_done) VfList fresh = {}, before = {}, now = {};
        uint32_t changed;
        VfOutcome o;

        printf("1..%u\n", 4 + _VF_SETTING_MAX + 5);
        must_r(links_open(&l), "links_open");
        read_vfs(l, ifindex, &fresh);
        must(fresh.n >= 3 && fresh.items[1].vf == 1, "three VFs");
        print_vf("# ", &fresh.items[1]);
        point(fresh.n == fresh.total && fresh.items[1].known == VF_SETTINGS_ALL, "all is known of all VFs");

        int r = links_apply_vf(l, ifindex, &first, VF_SETTINGS_ALL, &o);
        point(r == 0 && no_errors(&o, 0), "all settings are taken");
        read_vfs(l, ifindex, &before);
        print_vf("# ", &before.items[1]);
        point(vf_settings_changed(&first, &before.items[1]) == 0 && before.items[1].known == VF_SETTINGS_ALL,
              "they are read back as they were set");
        point(differences(&fresh, &before, &changed) == _VF_SETTING_MAX && changed == VF_SETTINGS_ALL,
              "no other VF changed");
        one_by_one(l, ifindex, &before);
        refusals(l, ifindex, &before);
        without_rights(ifindex);

        r = links_apply_vf(l, ifindex, &first, VF_SETTINGS_ALL, &o);
        read_vfs(l, ifindex, &now);
        point(r == 0 && differences(&before, &now, &changed) == 0, "in the end all is as it was");
        return 0;
}

static int give(int ifindex) {
        _cleanup_(links_closep) Links *l = NULL;
        VfOutcome o;

        must_r(links_open(&l), "links_open");
        must_r(links_apply_vf(l, ifindex, &first, VF_SETTINGS_ALL, &o), "links_apply_vf");
        return no_errors(&o, 0) ? 0 : 1;
}

static int show(int ifindex) {
        _cleanup_(links_closep) Links *l = NULL;
        _cleanup_(vf_list_done) VfList list = {};

        must_r(links_open(&l), "links_open");
        read_vfs(l, ifindex, &list);
        for (size_t i = 0; i < list.n; i++)
                print_vf("", &list.items[i]);
        return 0;
}

static int vfs(int ifindex) {
        _cleanup_(links_closep) Links *l = NULL;
        _cleanup_(vf_list_done) VfList list = {};

        must_r(links_open(&l), "links_open");
        read_vfs(l, ifindex, &list);
        printf("%zu of %u\n", list.n, list.total);
        return 0;
}

static int ifindex_of(const char *text) {
        Address a;
        int index;

        must_r(address_parse(text, &a), text);
        must_r(links_pf_ifindex("/sys", a, &index), text);
        printf("%d\n", index);
        return 0;
}

static int bring_up(const char *name) {
        _cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        struct ifreq request = {};

        (void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
        if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) < 0)
                return EXIT_FAILURE;
        request.ifr_flags |= IFF_UP;
        return ioctl(fd, SIOCSIFFLAGS, &request) < 0 ? EXIT_FAILURE : 0;
}

int main(int argc, char **argv) {
        uint32_t index;

        if (argc >= 3 && streq(argv[1], "watch"))
                return watch(argv + 2);
        if (argc == 3 && streq(argv[1], "port"))
                return port(argv[2]);
        if (argc == 3 && streq(argv[1], "ifindex"))
                return ifindex_of(argv[2]);
        if (argc == 3 && streq(argv[1], "up"))
                return bring_up(argv[2]);
        if (argc == 3 && parse_u32(argv[2], &index) >= 0 && index <= INT32_MAX) {
                if (streq(argv[1], "vfs"))
                        return vfs((int)index);
                if (streq(argv[1], "give"))
                        return give((int)index);
                if (streq(argv[1], "show"))
                        return show((int)index);
                if (streq(argv[1], "settings"))
                        return settings((int)index);
        }
        fprintf(stderr, "usage: luvm-netlink watch COMMAND... | port FILE | ifindex ADDRESS | vfs IFINDEX | "
                        "give IFINDEX | show IFINDEX | settings IFINDEX | up NAME\n");
        return 2;
}
