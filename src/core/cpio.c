/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A state for each part of an entry. All parts are consumed by take(), so no piece is
 * ever looked at beyond its end.
 */
#include "cpio.h"

static const char trailer[] = "TRAILER!!!";

/* Offsets of the fields, eight hexadecimal digits each (buffer-format.rst). */
enum { FIELD_MODE = 14, FIELD_SIZE = 54, FIELD_NAME_SIZE = 94 };

static bool read_field(const char *header, size_t offset, uint32_t *ret) {
        uint32_t v = 0;

        for (size_t i = offset; i < offset + 8; i++) {
                char c = header[i];
                int digit = c >= '0' && c <= '9'   ? c - '0'
                            : c >= 'a' && c <= 'f' ? c - 'a' + 10
                            : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                   : -1;
                if (digit < 0)
                        return false;
                v = v << 4 | (uint32_t)digit;
        }
        *ret = v;
        return true;
}

static int header_done(CpioParser *p) {
        uint32_t size, n_name;

        if (memcmp(p->text, "070701", 6) != 0 && memcmp(p->text, "070702", 6) != 0)
                return -EBADMSG;
        if (!read_field(p->text, FIELD_MODE, &p->mode) || !read_field(p->text, FIELD_SIZE, &size) ||
            !read_field(p->text, FIELD_NAME_SIZE, &n_name))
                return -EBADMSG;
        if (n_name == 0 || n_name > sizeof(p->text))
                return -EBADMSG;
        p->left = size;
        p->n_name = n_name;
        p->n_text = 0;
        p->state = CPIO_NAME;
        return 0;
}

static int name_done(CpioParser *p) {
        if (p->text[p->n_name - 1] != '\0')
                return -EBADMSG;
        p->state = CPIO_PAD_NAME;
        p->n_text = 0;
        if (streq(p->text, trailer)) {
                p->left = 0;
                p->wanted = false;
                return 0;
        }
        int r = p->entry(p->userdata, p->text, p->mode, p->left);
        p->wanted = r > 0;
        return MIN_OF(r, 0);
}

/* To a multiple of four from the archive's start. */
static size_t padding(const CpioParser *p) {
        return (size_t)(-p->position & 3);
}

/* Up to `want` bytes of a text; true when they are all there. */
static bool take(CpioParser *p, const char *data, size_t size, size_t want, size_t *used) {
        size_t n = MIN_OF(want - p->n_text, size - *used);

        memcpy(p->text + p->n_text, data + *used, n);
        p->n_text += n;
        p->position += n;
        *used += n;
        return p->n_text == want;
}

static bool skip(CpioParser *p, size_t size, size_t *used) {
        size_t n = MIN_OF(padding(p), size - *used);

        p->position += n;
        *used += n;
        return padding(p) == 0;
}

static int contents(CpioParser *p, const char *data, size_t size, size_t *used) {
        size_t n = (size_t)MIN_OF(p->left, (uint64_t)(size - *used));
        int r = 0;

        p->left -= n;
        p->position += n;
        if (p->wanted && n > 0)
                r = p->data(p->userdata, data + *used, n);
        *used += n;
        if (p->left == 0)
                p->state = CPIO_PAD;
        return MIN_OF(r, 0);
}

/* false: something else begins here. */
static bool between(CpioParser *p, const char *data, size_t size, size_t *used) {
        while (*used < size && data[*used] == '\0')
                (*used)++;
        if (*used == size)
                return true;
        if (data[*used] != '0')
                return false;
        p->position = 0;
        p->n_text = 0;
        p->state = CPIO_HEADER;
        return true;
}

int cpio_feed(CpioParser *p, const void *data, size_t size, size_t *ret_used) {
        size_t used = 0;
        int r = 0;

        while (used < size && r >= 0) {
                switch (p->state) {
                case CPIO_BETWEEN:
                        if (!between(p, data, size, &used)) {
                                *ret_used = used;
                                return 0;
                        }
                        break;
                case CPIO_HEADER:
                        if (take(p, data, size, CPIO_HEADER_SIZE, &used))
                                r = header_done(p);
                        break;
                case CPIO_NAME:
                        if (take(p, data, size, p->n_name, &used))
                                r = name_done(p);
                        break;
                case CPIO_PAD_NAME:
                        if (skip(p, size, &used))
                                p->state = p->left > 0 ? CPIO_CONTENTS : CPIO_PAD;
                        break;
                case CPIO_CONTENTS:
                        r = contents(p, data, size, &used);
                        break;
                case CPIO_PAD:
                        if (skip(p, size, &used))
                                p->state = CPIO_BETWEEN;
                        break;
                }
        }
        if (r >= 0)
                *ret_used = used;
        return r;
}

bool cpio_complete(const CpioParser *p) {
        /* Nothing but padding, which the end may cut off. */
        return p->state == CPIO_BETWEEN || p->state == CPIO_PAD || (p->state == CPIO_PAD_NAME && p->left == 0);
}
