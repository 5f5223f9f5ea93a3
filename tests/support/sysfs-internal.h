/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the files of the builder: the tree, and the model's way to the files. */
#pragma once

#include "sysfs-tree.h"

#define MUST(expression)                                                                                      \
        do {                                                                                                  \
                if (!(expression)) {                                                                          \
                        fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #expression, strerror(errno)); \
                        abort();                                                                              \
                }                                                                                             \
        } while (0)

struct SysfsTree {
        char *root;
        int root_fd, pool_fd;
        bool keep, written, no_iommu;
        SysfsNode **nodes;
        size_t n, n_allocated;
        int n_groups;
};

void make_directories(int fd, const char *path);
void remove_tree(const char *path);
/* The directory of a node, all attributes and the links to and from it. */
void write_node(SysfsNode *n);
