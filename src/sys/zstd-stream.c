/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "zstd-stream.h"

#include <zstd.h>

enum { OUTPUT_STEP = 256 * 1024, CHECKSUM_SIZE = 4 };

struct ZstdWriter {
        ZSTD_CCtx *context;
        bytes_sink_t sink;
        void *userdata;
        char out[OUTPUT_STEP];
};

int zstd_writer_new(int level, bytes_sink_t sink, void *userdata, ZstdWriter **ret) {
        _cleanup_(zstd_writer_freep) ZstdWriter *w = calloc(1, sizeof(*w));

        if (!w)
                return -ENOMEM;
        w->sink = sink;
        w->userdata = userdata;
        w->context = ZSTD_createCCtx();
        if (!w->context)
                return -ENOMEM;
        if (ZSTD_isError(ZSTD_CCtx_setParameter(w->context, ZSTD_c_compressionLevel, level)) ||
            ZSTD_isError(ZSTD_CCtx_setParameter(w->context, ZSTD_c_checksumFlag, 1)))
                return -EINVAL;
        *ret = TAKE_PTR(w);
        return 0;
}

ZstdWriter *zstd_writer_free(ZstdWriter *w) {
        if (w)
                (void)ZSTD_freeCCtx(w->context);
        free(w);
        return NULL;
}

static int compress(ZstdWriter *w, const void *data, size_t size, ZSTD_EndDirective directive) {
        ZSTD_inBuffer in = { .src = data, .size = size };
        size_t left;

        do {
                ZSTD_outBuffer out = { .dst = w->out, .size = sizeof(w->out) };

                left = ZSTD_compressStream2(w->context, &out, &in, directive);
                if (ZSTD_isError(left))
                        return -ENOMEM; /* nothing else can go wrong with it */
                int r = out.pos > 0 ? w->sink(w->userdata, w->out, out.pos) : 0;
                if (r < 0)
                        return r;
        } while (directive == ZSTD_e_end ? left > 0 : in.pos < in.size);
        return 0;
}

int zstd_writer_write(ZstdWriter *w, const void *data, size_t size) {
        return compress(w, data, size, ZSTD_e_continue);
}

int zstd_writer_finish(ZstdWriter *w) {
        return compress(w, NULL, 0, ZSTD_e_end);
}

static int expand(ZSTD_DCtx *context, char *buf, ZSTD_inBuffer *in, bytes_sink_t sink, void *userdata) {
        size_t left, all = in->size;

        /* The checksum by itself: if it is wrong, what a call has decompressed is lost with it. */
        in->size -= MIN_OF(in->size, (size_t)CHECKSUM_SIZE);
        do {
                ZSTD_outBuffer out = { .dst = buf, .size = OUTPUT_STEP };
                size_t before = in->pos;

                left = ZSTD_decompressStream(context, &out, in);
                if (ZSTD_isError(left))
                        return -EBADMSG;
                int r = out.pos > 0 ? sink(userdata, buf, out.pos) : 0;
                if (r < 0)
                        return r;
                if (left > 0 && out.pos == 0 && in->pos == before) {
                        if (in->size == all)
                                return -EBADMSG; /* it wants more than there is */
                        in->size = all;
                }
        } while (left > 0);
        return 0;
}

int zstd_expand(const void *data, size_t size, bytes_sink_t sink, void *userdata, size_t *ret_used) {
        _cleanup_free_ char *buf = malloc(OUTPUT_STEP);
        ZSTD_DCtx *context = ZSTD_createDCtx();
        ZSTD_inBuffer in = { .src = data, .size = size };

        int r = buf && context ? expand(context, buf, &in, sink, userdata) : -ENOMEM;
        (void)ZSTD_freeDCtx(context);
        if (r >= 0)
                *ret_used = in.pos;
        return r;
}
