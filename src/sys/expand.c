/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "expand.h"

#include "common/fd.h"

#include <archive.h>
#include <sys/stat.h>

enum { INPUT_STEP = 128 * 1024 };

typedef struct Source {
        int fd, error;
        uint64_t offset, left;
        char buf[INPUT_STEP];
} Source;

static la_ssize_t on_read(struct archive *a, void *data, const void **ret) {
        Source *s = data;
        ssize_t n = fd_read_at(s->fd, s->buf, (size_t)MIN_OF(s->left, (uint64_t)sizeof(s->buf)), s->offset);

        if (n < 0) {
                s->error = (int)n;
                archive_set_error(a, (int)-n, "reading the file: %s", strerror((int)-n));
                return -1;
        }
        s->offset += (uint64_t)n;
        s->left -= (uint64_t)n;
        *ret = s->buf;
        return n;
}

static int enable_filter(struct archive *a, Compression c) {
        switch (c) {
        case COMPRESSION_GZIP:
                return archive_read_support_filter_gzip(a);
        case COMPRESSION_BZIP2:
                return archive_read_support_filter_bzip2(a);
        case COMPRESSION_LZMA:
                return archive_read_support_filter_lzma(a);
        case COMPRESSION_XZ:
                return archive_read_support_filter_xz(a);
        case COMPRESSION_LZ4:
                return archive_read_support_filter_lz4(a);
        case COMPRESSION_ZSTD:
                return archive_read_support_filter_zstd(a);
        case COMPRESSION_LZO:
        case COMPRESSION_NONE:
        case _COMPRESSION_MAX:
                break;
        }
        return ARCHIVE_FAILED;
}

/* Nothing in it is something, too. */
static bool prepare(struct archive *a, Compression c) {
        return enable_filter(a, c) == ARCHIVE_OK && archive_read_support_format_raw(a) == ARCHIVE_OK &&
               archive_read_support_format_empty(a) == ARCHIVE_OK;
}

static int read_all(struct archive *a, Source *s, bytes_sink_t sink, void *userdata) {
        struct archive_entry *entry;
        la_int64_t offset;
        const void *block;
        size_t size;

        int r = archive_read_open(a, s, NULL, on_read, NULL);
        if (r == ARCHIVE_OK && archive_filter_count(a) < 2) /* the reading itself is one */
                return -EOPNOTSUPP;
        if (r == ARCHIVE_OK)
                r = archive_read_next_header(a, &entry);
        while (r == ARCHIVE_OK) {
                r = archive_read_data_block(a, &block, &size, &offset);
                /* A block may be empty, and that is not the end. */
                int k = r == ARCHIVE_OK && size > 0 ? sink(userdata, block, size) : 0;
                if (k < 0)
                        return k;
        }
        if (r == ARCHIVE_EOF)
                return 0;
        return s->error < 0 ? s->error : archive_errno(a) == ENOMEM ? -ENOMEM : -EBADMSG;
}

int expand(int fd, uint64_t offset, uint64_t size, Compression c, bytes_sink_t sink, void *userdata, Expanded *ret) {
        _cleanup_free_ Source *s = calloc(1, sizeof(*s));
        struct archive *a = archive_read_new();
        int r = -ENOMEM;

        *ret = (Expanded){};
        if (s && a) {
                s->fd = fd;
                s->offset = offset;
                s->left = size;
                r = prepare(a, c) ? read_all(a, s, sink, userdata) : -EOPNOTSUPP;
                /* -1: of what was read, before any filter */
                ret->used = (uint64_t)MAX_OF(archive_filter_bytes(a, -1), 0);
                (void)snprintf(ret->why, sizeof(ret->why), "%s", archive_error_string(a) ?: "no reason given");
        }
        (void)archive_read_free(a);
        return r;
}

int expand_file(int fd, Buffer *ret) {
        Expanded expanded;
        struct stat st;
        char head[16];

        ssize_t n = fstat(fd, &st) < 0 ? -errno : fd_read_at(fd, head, sizeof(head), 0);
        if (n < 0)
                return (int)n;
        Compression c = compression_detect(head, (size_t)n);
        if (c != COMPRESSION_NONE)
                return expand(fd, 0, (uint64_t)st.st_size, c, buffer_append, ret, &expanded);
        int r = fd_read_all(fd, ret->max, &ret->data, &ret->size);
        ret->room = ret->size;
        return r;
}
