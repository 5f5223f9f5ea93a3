/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A user of VFIO for the cases of the kernel shim: what a VM manager does, a step at a
 * time. It holds devices, memory and sessions by name, and does what the lines on its
 * standard input say; each line is answered with one line, "ok", what was asked for, or
 * the name of an error. guest/vfio.sh is the other end. Directly on /dev/liveupdate,
 * through the project's own port; VFIO and iommufd as in luvm-vfs.
 *
 *   luvm-vfio serve
 *   luvm-vfio peek ADDRESS OFFSET   a register of BAR 0, without VFIO, by sysfs
 *
 * The commands are in the tables of the files below; words in capitals are names. With
 * `timed` before it a command's answer has microseconds after it.
 *   device   open DEVICE ADDRESS | bind D | attach D | close D | master D on|off |
 *            config D OFFSET SIZE [VALUE] | read D OFFSET | write D OFFSET VALUE |
 *            resettable D | reset D | interrupts D msi|msix | interrupted D
 *   memory   memory MEMORY MIB | map M IOVA | map-identity M | physical |
 *            fill M OFFSET LENGTH SEED | same M OFFSET LENGTH SEED | address M OFFSET
 *   session  create SESSION | recover S | bus-create S | bus-recover S |
 *            preserve S device|memory|file WHAT TOKEN [MEMORY-TOKEN] | take S TOKEN device|memory NAME |
 *            finish S | drop S | load KERNEL INITRD CMDLINE... | reboot
 *   edu      edu-to D M OFFSET LENGTH | edu-from D M OFFSET LENGTH
 *   ring     ring-setup D M ENTRIES | ring-open D M | ring-poll M [MILLISECONDS] |
 *            ring-state M
 */
#include <fcntl.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <time.h>

#include "luvm-vfio.h"

static const Command *const TABLES[] = {
        device_commands, memory_commands, session_commands, edu_commands, ring_commands,
};

int word_number(const Words *w, unsigned i, uint64_t *ret) {
        char *end;

        errno = 0;
        *ret = strtoull(w->word[i], &end, 0);
        return errno != 0 || end == w->word[i] || *end != '\0' ? -EINVAL : 0;
}

void answer(Words *w, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        (void)vsnprintf(w->answer, sizeof(w->answer), format, ap);
        va_end(ap);
}

static int run(Client *c, Words *w) {
        for (unsigned t = 0; t < ELEMENTSOF(TABLES); t++)
                for (const Command *command = TABLES[t]; command->name; command++)
                        if (strcmp(command->name, w->word[0]) == 0)
                                return w->n > command->words ? command->run(c, w) : -E2BIG;
        return -ENOSYS;
}

static void split(Words *w, char *line) {
        char *save, *word = strtok_r(line, " \n", &save);

        for (w->n = 0; word && w->n < WORDS_MAX; word = strtok_r(NULL, " \n", &save))
                w->word[w->n++] = word;
}

static uint64_t now_usec(void) {
        struct timespec t;

        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* One line, and its answer. */
static void serve_line(Client *c, char *line) {
        uint64_t start = now_usec();
        bool timed;
        Words w;
        int r = -EINVAL;

        split(&w, line);
        strcpy(w.answer, "ok");
        timed = w.n > 1 && strcmp(w.word[0], "timed") == 0;
        if (timed)
                memmove(w.word, w.word + 1, --w.n * sizeof(w.word[0]));
        if (w.n > 0)
                r = run(c, &w);
        if (r < 0 && c->refusal[0] != '\0')
                (void)snprintf(w.answer, sizeof(w.answer), "%s", c->refusal);
        else if (r < 0)
                answer(&w, "%s", strerrorname_np(-r) ?: "EUNKNOWN");
        c->refusal[0] = '\0';
        fputs(w.answer, stdout);
        if (timed)
                printf(" %" PRIu64, now_usec() - start);
        putchar('\n');
        fflush(stdout);
}

static int serve(void) {
        static Client c;
        char *line = NULL;
        size_t size = 0;

        c.iommu = -EBADF;
        c.luo = luo_device(&c.luo_device, NULL, 10000000);
        for (unsigned i = 0; i < SESSIONS_MAX; i++)
                c.sessions[i].fd = -EBADF;
        while (getline(&line, &size, stdin) > 0)
                serve_line(&c, line);
        free(line);
        return EXIT_SUCCESS;
}

static int peek(const char *address, const char *offset) {
        char path[128];
        unsigned long at = strtoul(offset, NULL, 0);
        void *bar;
        int fd;

        (void)snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource0", address);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        bar = fd < 0 ? MAP_FAILED : mmap(NULL, 0x10000, PROT_READ, MAP_SHARED, fd, 0);
        if (bar == MAP_FAILED || at + 4 > 0x10000) {
                perror(path);
                return EXIT_FAILURE;
        }
        printf("%u\n", *(volatile uint32_t *)((uint8_t *)bar + at));
        return EXIT_SUCCESS;
}

int main(int argc, char **argv) {
        if (argc == 2 && strcmp(argv[1], "serve") == 0)
                return serve();
        if (argc == 4 && strcmp(argv[1], "peek") == 0)
                return peek(argv[2], argv[3]);
        fputs("usage: luvm-vfio serve\n"
              "       luvm-vfio peek ADDRESS OFFSET\n",
              stderr);
        return 2;
}
