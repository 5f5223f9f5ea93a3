/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "newc.h"

enum { FIELD_SIZE = 8, MAGIC_SIZE = 6, N_FIELDS = 13 };

/* In the order of the head. */
enum {
        F_INO,
        F_MODE,
        F_UID,
        F_GID,
        F_N_LINKS,
        F_MTIME,
        F_SIZE,
        F_MAJOR,
        F_MINOR,
        F_RDEV_MAJOR,
        F_RDEV_MINOR,
        F_NAME_SIZE,
        F_CHECK,
};

static int parse_field(const char *text, uint32_t *ret) {
        uint32_t v = 0;

        for (size_t i = 0; i < FIELD_SIZE; i++) {
                char c = text[i];
                unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                                 : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                                 : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10
                                                        : 16;
                if (digit > 15)
                        return -EBADMSG;
                v = v << 4 | digit;
        }
        *ret = v;
        return 0;
}

static int parse_head(NewcReader *r) {
        uint32_t f[N_FIELDS];

        if (memcmp(r->head, "070701", MAGIC_SIZE) != 0 && memcmp(r->head, "070702", MAGIC_SIZE) != 0)
                return -EBADMSG;
        for (size_t i = 0; i < N_FIELDS; i++)
                if (parse_field(r->head + MAGIC_SIZE + i * FIELD_SIZE, &f[i]) < 0)
                        return -EBADMSG;
        if (f[F_NAME_SIZE] == 0 || f[F_NAME_SIZE] > NEWC_NAME_MAX)
                return -EBADMSG;
        r->e = (NewcEntry){
                .ino = f[F_INO],
                .mode = f[F_MODE],
                .uid = f[F_UID],
                .gid = f[F_GID],
                .n_links = f[F_N_LINKS],
                .mtime = f[F_MTIME],
                .size = f[F_SIZE],
                .major = f[F_MAJOR],
                .minor = f[F_MINOR],
                .rdev_major = f[F_RDEV_MAJOR],
                .rdev_minor = f[F_RDEV_MINOR],
                .name = r->name,
        };
        r->name_size = f[F_NAME_SIZE];
        return 0;
}

static int finish_entry(NewcReader *r) {
        int n = r->sink && r->sink->end ? r->sink->end(r->sink->userdata) : 0;

        r->padding = newc_padding(r->e.size);
        r->state = NEWC_PADDING;
        return n;
}

static int start_entry(NewcReader *r) {
        if (r->name[r->name_size - 1] != '\0')
                return -EBADMSG;
        r->e.trailer = streq(r->name, NEWC_TRAILER);
        int n = r->sink && r->sink->entry ? r->sink->entry(r->sink->userdata, &r->e) : 0;
        if (n < 0)
                return n;
        r->left = r->e.size;
        /* The padding of the name is skipped as that of nobody's data. */
        r->padding = newc_padding((uint64_t)NEWC_HEAD_SIZE + r->name_size);
        r->state = NEWC_BODY;
        return 0;
}

/* Collects up to want bytes into buf; how many it took. */
static size_t collect(NewcReader *r, char *buf, size_t want, const char *data, size_t size) {
        size_t n = MIN_OF(want - r->have, size);

        memcpy(buf + r->have, data, n);
        r->have += n;
        return n;
}

/* Zeros, or a head; -ENODATA: in a file of several kinds the next kind. */
static ssize_t between(NewcReader *r, const char *data, size_t size) {
        size_t n = 0;

        while (n < size && data[n] == '\0')
                n++;
        if (n > 0)
                return (ssize_t)n;
        if (*data != '0')
                return -ENODATA;
        r->state = NEWC_HEAD;
        r->have = 0;
        return 0;
}

static ssize_t body(NewcReader *r, const char *data, size_t size) {
        size_t n = MIN_OF(r->padding, size);
        int k = 0;

        if (n > 0) {
                r->padding -= n;
                return (ssize_t)n;
        }
        n = MIN_OF((size_t)r->left, size);
        if (n > 0 && r->sink && r->sink->data)
                k = r->sink->data(r->sink->userdata, data, n);
        if (k < 0)
                return k;
        r->left -= (uint32_t)n;
        return (ssize_t)n;
}

static ssize_t padding(NewcReader *r, size_t size) {
        size_t n = MIN_OF(r->padding, size);

        r->padding -= n;
        return (ssize_t)n;
}

static ssize_t step(NewcReader *r, const char *data, size_t size) {
        switch (r->state) {
        case NEWC_BETWEEN:
                return between(r, data, size);
        case NEWC_HEAD:
                return (ssize_t)collect(r, r->head, NEWC_HEAD_SIZE, data, size);
        case NEWC_NAME:
                return (ssize_t)collect(r, r->name, r->name_size, data, size);
        case NEWC_BODY:
                return body(r, data, size);
        case NEWC_PADDING:
                return padding(r, size);
        }
        return -EBADMSG;
}

/* What follows from having all of something, which may need no further byte. */
static int advance(NewcReader *r) {
        int n = 0;

        if (r->state == NEWC_HEAD && r->have == NEWC_HEAD_SIZE) {
                n = parse_head(r);
                r->have = 0;
                r->state = NEWC_NAME;
        } else if (r->state == NEWC_NAME && r->have == r->name_size)
                n = start_entry(r);
        if (n >= 0 && r->state == NEWC_BODY && r->padding == 0 && r->left == 0)
                n = finish_entry(r);
        if (n >= 0 && r->state == NEWC_PADDING && r->padding == 0) {
                r->state = NEWC_BETWEEN;
                r->ended = r->one_archive && r->e.trailer;
        }
        return n;
}

ssize_t newc_feed(NewcReader *r, const void *data, size_t size) {
        size_t done = 0;

        while (done < size && !r->ended) {
                ssize_t n = step(r, (const char *)data + done, size - done);
                if (n == -ENODATA && r->state == NEWC_BETWEEN)
                        break;
                if (n < 0)
                        return n;
                done += (size_t)n;
                r->position += (uint64_t)n;
                int k = advance(r);
                if (k < 0)
                        return k;
        }
        return (ssize_t)done;
}

int newc_end(const NewcReader *r) {
        return r->state == NEWC_BETWEEN ? 0 : -EBADMSG;
}

void newc_write_head(char ret[static NEWC_HEAD_SIZE + 1], const NewcEntry *e) {
        (void)snprintf(ret, NEWC_HEAD_SIZE + 1, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", e->ino,
                       e->mode, e->uid, e->gid, e->n_links, e->mtime, e->size, e->major, e->minor, e->rdev_major,
                       e->rdev_minor, (uint32_t)strlen(e->name) + 1, 0U);
}
