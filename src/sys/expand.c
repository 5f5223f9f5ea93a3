/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "expand.h"

#include <archive.h>

int archive_enable_compression(struct archive *a, Compression c) {
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
        case COMPRESSION_LZO: /* libarchive runs lzop for it */
        case COMPRESSION_NONE:
        case _COMPRESSION_MAX:
                break;
        }
        return ARCHIVE_FAILED;
}

static int read_all(struct archive *a, bytes_sink_t sink, void *userdata) {
        struct archive_entry *entry;
        la_int64_t offset;
        const void *block;
        size_t size;

        int r = archive_read_next_header(a, &entry);
        while (r == ARCHIVE_OK) {
                r = archive_read_data_block(a, &block, &size, &offset);
                if (r != ARCHIVE_OK || size == 0)
                        continue;
                int n = sink(userdata, block, size);
                if (n < 0)
                        return n;
        }
        return r == ARCHIVE_EOF ? 0 : archive_errno(a) == ENOMEM ? -ENOMEM : -EBADMSG;
}

int expand(Compression c, const void *data, size_t size, bytes_sink_t sink, void *userdata, size_t *ret_used) {
        if (c == COMPRESSION_ZSTD) /* libarchive takes what comes behind the frame for a damaged one */
                return zstd_expand(data, size, sink, userdata, ret_used);
        struct archive *a = archive_read_new();
        if (!a)
                return -ENOMEM;
        int r = -EOPNOTSUPP;
        if (archive_enable_compression(a, c) == ARCHIVE_OK && archive_read_support_format_raw(a) == ARCHIVE_OK &&
            archive_read_support_format_empty(a) == ARCHIVE_OK)
                r = archive_read_open_memory(a, data, size) == ARCHIVE_OK ? read_all(a, sink, userdata) : -EBADMSG;
        if (r >= 0) /* -1: of what was read, before any filter */
                *ret_used = (size_t)MIN_OF((uint64_t)archive_filter_bytes(a, -1), (uint64_t)size);
        (void)archive_read_free(a);
        return r;
}
