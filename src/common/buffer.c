/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "buffer.h"

int buffer_append(void *userdata, const void *data, size_t size) {
        Buffer *b = userdata;

        if (size > b->max - b->size)
                return -EFBIG;
        if (b->room - b->size < size) {
                size_t room = MAX_OF(2 * b->room, b->size + size);
                char *bigger = realloc(b->data, room);
                if (!bigger)
                        return -ENOMEM;
                b->data = bigger;
                b->room = room;
        }
        if (size > 0)
                memcpy(b->data + b->size, data, size);
        b->size += size;
        return 0;
}

void buffer_done(Buffer *b) {
        free(b->data);
        *b = (Buffer){ .max = b->max };
}
