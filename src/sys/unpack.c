/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <unistd.h>

enum { INPUT_STEP = 128 * 1024 };

struct Unpack {
        struct archive *archive;
        bool started, ended;
        int fd, error;
        uint64_t offset, left;
        char buf[INPUT_STEP];
};

ssize_t unpack_read_at(int fd, void *buf, size_t size, uint64_t offset) {
        size_t done = 0;

        while (done < size) {
                ssize_t n = pread(fd, (char *)buf + done, size - done, (off_t)(offset + done));

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                done += (size_t)n;
        }
        return (ssize_t)done;
}

static la_ssize_t on_read(struct archive *a, void *data, const void **ret) {
        Unpack *u = data;
        ssize_t n = unpack_read_at(u->fd, u->buf, (size_t)MIN_OF(u->left, (uint64_t)sizeof(u->buf)), u->offset);

        if (n < 0) {
                u->error = (int)n;
                archive_set_error(a, (int)-n, "reading the file: %s", strerror((int)-n));
                return -1;
        }
        u->offset += (uint64_t)n;
        u->left -= (uint64_t)n;
        *ret = u->buf;
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

int unpack_open(int fd, uint64_t offset, uint64_t size, Compression compression, Unpack **ret) {
        _cleanup_(unpack_closep) Unpack *u = malloc(sizeof(*u));

        if (!u)
                return -ENOMEM;
        u->archive = archive_read_new();
        u->fd = fd;
        u->error = 0;
        u->offset = offset;
        u->left = size;
        u->started = u->ended = false;
        if (!u->archive)
                return -ENOMEM;
        if (enable_filter(u->archive, compression) != ARCHIVE_OK)
                return -EOPNOTSUPP;
        *ret = TAKE_PTR(u);
        return 0;
}

Unpack *unpack_close(Unpack *u) {
        if (!u)
                return NULL;
        if (u->archive)
                (void)archive_read_free(u->archive);
        free(u);
        return NULL;
}

static int start(Unpack *u) {
        struct archive_entry *entry;

        u->started = true;
        int r = archive_read_support_format_raw(u->archive);
        if (r == ARCHIVE_OK)
                r = archive_read_open(u->archive, u, NULL, on_read, NULL);
        if (r == ARCHIVE_OK)
                r = archive_read_next_header(u->archive, &entry);
        return r;
}

ssize_t unpack_read(Unpack *u, const void **ret) {
        const void *block = NULL;
        la_int64_t offset;
        size_t size = 0;
        int r = ARCHIVE_OK;

        if (u->ended)
                return 0;
        if (!u->started)
                r = start(u);
        /* A block may be empty, and that is not the end. */
        while (r == ARCHIVE_OK && size == 0)
                r = archive_read_data_block(u->archive, &block, &size, &offset);
        if (r == ARCHIVE_EOF) {
                u->ended = true;
                return 0;
        }
        if (r != ARCHIVE_OK)
                return u->error < 0 ? u->error : -EBADMSG;
        *ret = block;
        return (ssize_t)size;
}

const char *unpack_error(const Unpack *u) {
        return archive_error_string(u->archive) ?: "no reason given";
}

/* The last filter is what on_read() feeds. */
uint64_t unpack_consumed(const Unpack *u) {
        la_int64_t n = archive_filter_bytes(u->archive, -1);

        return n > 0 ? (uint64_t)n : 0;
}
