/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The main() of a fuzz target that is built without libFuzzer: runs the target once
 * over every file of the directories given as arguments and reports each as a point of
 * TAP. What the target finds wrong it aborts on, which the missing plan gives away. A
 * directory without files is a failure: it would test nothing.
 */
#include "common/fd.h"

#include <dirent.h>
#include <fcntl.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 16 * 1024 * 1024 };

static int visible(const struct dirent *d) {
        return d->d_name[0] != '.';
}

/* Number of files run, or a negative errno. Sorted, so that two runs print the same. */
static int replay_directory(const char *path, int *count) {
        _cleanup_close_ int dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct dirent **entries = NULL;
        int n, r = 0;

        if (dir_fd < 0)
                return -errno;
        n = scandir(path, &entries, visible, alphasort);
        if (n < 0)
                return -errno;
        for (int i = 0; i < n; i++) {
                _cleanup_free_ char *data = NULL;
                size_t size;
                int q = file_read_at(dir_fd, entries[i]->d_name, INPUT_MAX, &data, &size);

                if (q < 0) {
                        printf("not ok %d - %s: %s\n", ++*count, entries[i]->d_name, strerror(-q));
                        r = q;
                } else {
                        (void)LLVMFuzzerTestOneInput((const uint8_t *)data, size);
                        printf("ok %d - %s\n", ++*count, entries[i]->d_name);
                }
                (void)fflush(stdout);
                free(entries[i]);
        }
        free(entries);
        return r < 0 ? r : n;
}

int main(int argc, char **argv) {
        int count = 0, failed = 0;

        for (int i = 1; i < argc; i++) {
                int r = replay_directory(argv[i], &count);

                if (r <= 0) {
                        printf("not ok %d - %s: %s\n", ++count, argv[i], r < 0 ? strerror(-r) : "no files");
                        failed = 1;
                }
        }
        if (count == 0)
                failed = 1;
        printf("1..%d\n", count);
        return failed;
}
