/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pci-attributes.h"

#include "common/parse.h"
#include "common/utf8.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>

/* Longest value that is believed; the kernel's own are shorter by far. */
enum { VALUE_MAX = 512 };

int scan_note(const ScanNotes *notes, const char *format, ...) {
        char text[256];
        va_list ap;

        if (!notes->topology)
                return 0;
        va_start(ap, format);
        (void)vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        return topology_note(notes->topology, "%s: %s.", notes->address, text);
}

/* 1 and the value, 0 if there is none, or -ENOMEM. */
static int judge_value(const ScanNotes *notes, const char *name, char *buf, ssize_t n) {
        if (n < 0) {
                /* ENODEV: the function goes while we look. */
                if (errno == ENOENT || errno == ENODEV)
                        return 0;
                return scan_note(notes, "%s cannot be read: %s", name, strerror(errno));
        }
        if (n == VALUE_MAX)
                return scan_note(notes, "%s is too long to be true", name);
        if (n > 0 && buf[n - 1] == '\n')
                n--;
        if (!utf8_printable(buf, (size_t)n))
                return scan_note(notes, "%s is not text", name);
        buf[n] = '\0';
        return 1;
}

/* The kernel gives all of an attribute to one read(2). */
static int read_value(int dir_fd, const ScanNotes *notes, const char *name, char buf[static VALUE_MAX]) {
        int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), r;
        ssize_t n = fd;

        if (fd >= 0)
                n = read(fd, buf, VALUE_MAX);
        r = judge_value(notes, name, buf, n);
        fd_close(fd);
        return r;
}

/* The last part of where a link points to, in *ret (in buf). */
static int read_link(int dir_fd, const ScanNotes *notes, const char *name, char buf[static VALUE_MAX], char **ret) {
        int r = judge_value(notes, name, buf, readlinkat(dir_fd, name, buf, VALUE_MAX));
        char *slash;

        if (r <= 0)
                return r;
        slash = strrchr(buf, '/');
        *ret = slash ? slash + 1 : buf;
        if (!**ret)
                return scan_note(notes, "%s points to nothing that has a name", name);
        return 1;
}

static int keep(const char *value, char **ret) {
        char *copy = strdup(value);

        if (!copy)
                return -ENOMEM;
        free(*ret);
        *ret = copy;
        return 0;
}

/* A text; "" is none. */
static int read_text(int dir_fd, const ScanNotes *notes, const char *name, char **ret) {
        char buf[VALUE_MAX];
        int r = read_value(dir_fd, notes, name, buf);

        return r <= 0 || !*buf ? MIN_OF(r, 0) : keep(buf, ret);
}

static int read_number(int dir_fd, const ScanNotes *notes, const char *name, uint32_t max, uint32_t *ret) {
        char buf[VALUE_MAX];
        uint32_t n;
        int r = read_value(dir_fd, notes, name, buf);

        if (r <= 0)
                return r;
        if (parse_u32(buf, &n) < 0 || n > max)
                return scan_note(notes, "%s is not a number it can be: \"%.32s\"", name, buf);
        *ret = n;
        return 1;
}

static int read_driver(int dir_fd, const ScanNotes *notes, Function *f) {
        char buf[VALUE_MAX], *name;
        int r = read_link(dir_fd, notes, "driver", buf, &name);

        return r <= 0 ? r : keep(name, &f->driver);
}

static int read_driver_override(int dir_fd, const ScanNotes *notes, Function *f) {
        char buf[VALUE_MAX];
        int r = read_value(dir_fd, notes, "driver_override", buf);

        /* What printf says of NULL stands for none. */
        return r <= 0 || !*buf || streq(buf, "(null)") ? MIN_OF(r, 0) : keep(buf, &f->driver_override);
}

static int read_physfn(int dir_fd, const ScanNotes *notes, Function *f) {
        char buf[VALUE_MAX], *name;
        int r = read_link(dir_fd, notes, "physfn", buf, &name);

        if (r <= 0)
                return r;
        f->is_vf = true;
        if (address_parse(name, &f->physfn) >= 0)
                return 0;
        /* A VF of nobody: an address that no function has. */
        f->physfn = (Address){ .domain = UINT32_MAX, .bus = 0xff, .slot = 0x1f, .function = 7 };
        return scan_note(notes, "physfn points to \"%.64s\", which is no address", name);
}

static int read_group(int dir_fd, const ScanNotes *notes, Function *f) {
        char buf[VALUE_MAX], *name;
        uint32_t group;
        int r = read_link(dir_fd, notes, "iommu_group", buf, &name);

        if (r <= 0)
                return r;
        if (parse_u32(name, &group) < 0 || group > INT_MAX)
                return scan_note(notes, "iommu_group points to \"%.64s\", which is no number", name);
        f->group = (int)group;
        return read_text(dir_fd, notes, "iommu_group/type", &f->group_type);
}

static int read_numa_node(int dir_fd, const ScanNotes *notes, Function *f) {
        char buf[VALUE_MAX];
        uint32_t node;
        int r = read_value(dir_fd, notes, "numa_node", buf);

        if (r <= 0 || streq(buf, "-1"))
                return MIN_OF(r, 0);
        if (parse_u32(buf, &node) < 0 || node > INT_MAX)
                return scan_note(notes, "numa_node is not a number it can be: \"%.32s\"", buf);
        f->numa_node = (int)node;
        return 0;
}

/* The words of pci_power_names in the kernel's drivers/pci/pci.c; "error" is no state. */
static int read_power(int dir_fd, const ScanNotes *notes, Function *f) {
        char buf[VALUE_MAX];
        int r = read_value(dir_fd, notes, "power_state", buf), state;

        if (r <= 0)
                return r;
        state = power_state_from_string(buf);
        if (state < 0)
                return scan_note(notes, "power_state is \"%.32s\"", buf);
        f->power = (PowerState)state;
        return 0;
}

static bool is_vfio_device(const char *name) {
        static const char noiommu[] = "noiommu-"; /* VFIO's no-IOMMU mode */
        uint32_t n;

        if (strncmp(name, noiommu, strlen(noiommu)) == 0)
                name += strlen(noiommu);
        return strncmp(name, "vfio", 4) == 0 && parse_u32(name + 4, &n) >= 0;
}

/* vfio-dev/vfioN is there with any VFIO driver; N/dev only if there is a cdev for it. */
static int read_vfio(int dir_fd, Function *f) {
        char path[NAME_MAX + 8];
        struct dirent *e;
        int fd, r = 0;
        DIR *dir;

        if (!f->driver)
                return 0;
        fd = openat(dir_fd, "vfio-dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return 0;
        dir = fdopendir(fd);
        if (!dir) {
                fd_close(fd);
                return -ENOMEM;
        }
        while (r >= 0 && !f->vfio_cdev && (e = readdir(dir))) {
                (void)snprintf(path, sizeof(path), "%s/dev", e->d_name);
                if (is_vfio_device(e->d_name) && faccessat(fd, path, F_OK, 0) == 0)
                        r = keep(e->d_name, &f->vfio_cdev);
        }
        (void)closedir(dir);
        return r;
}

int attributes_read(int dir_fd, const ScanNotes *notes, Function *f) {
        static int (*const readers[])(int dir_fd, const ScanNotes *notes, Function *f) = {
                read_driver, read_driver_override, read_physfn, read_group, read_numa_node, read_power,
        };
        int r = 0;

        for (size_t i = 0; i < ELEMENTSOF(readers) && r >= 0; i++)
                r = readers[i](dir_fd, notes, f);
        if (r >= 0)
                r = read_text(dir_fd, notes, "reset_method", &f->reset_methods);
        if (r >= 0)
                r = read_vfio(dir_fd, f);
        return MIN_OF(r, 0);
}

int attributes_read_sriov(int dir_fd, const ScanNotes *notes, Function *f) {
        const struct {
                const char *name;
                uint16_t *field;
        } numbers[] = {
                { "sriov_totalvfs", &f->total_vfs },
                { "sriov_numvfs", &f->num_vfs },
                { "sriov_offset", &f->vf_offset },
                { "sriov_stride", &f->vf_stride },
        };
        uint32_t n = 0;
        int r;

        for (size_t i = 0; i < ELEMENTSOF(numbers); i++) {
                r = read_number(dir_fd, notes, numbers[i].name, UINT16_MAX, &n);
                if (r < 0)
                        return r;
                if (r == 0)
                        continue;
                *numbers[i].field = (uint16_t)n;
                f->is_pf = true;
        }
        return 0;
}

int attributes_read_modalias(int dir_fd, const ScanNotes *notes, char **ret) {
        *ret = NULL;
        return read_text(dir_fd, notes, "modalias", ret);
}
