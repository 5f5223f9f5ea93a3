/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finding and comparing handover ABI strings. The scanner looks for the '-' of "-vN"
 * and then to both sides, so its cost is one memchr() pass; a string that lies across
 * two pieces is found in a joint of the end of one and the start of the next, and what
 * is found twice is found once.
 */
#include "abi.h"

#include <endian.h>

enum {
        PREFIX_MAX = 12, /* "pci-iov-keep" */
        DIGITS_MAX = 9,  /* so that a version fits 32 bits */
        JOINT_MAX = ABI_STRING_MAX + 1,
        FDT_MAGIC = (int)0xd00dfeed,
        FDT_BEGIN_NODE = 1,
        FDT_PROP = 3,
        FDT_NOP = 4,
        FDT_PROPS_MAX = 64,
};

/* One byte before, "pci-iov-keep-v", the digits and the NUL must fit into the tail. */
_Static_assert(1 + PREFIX_MAX + 2 + DIGITS_MAX + 1 <= JOINT_MAX, "a whole string must fit into the tail");

static bool is_text(char c) {
        return (unsigned char)c >= 0x20 && (unsigned char)c < 0x7f;
}

static bool is_digit(char c) {
        return c >= '0' && c <= '9';
}

/* Version of "PREFIX-vN"; 0 for "". Only called on strings the scanner accepted. */
static unsigned long version_of(const char *s) {
        const char *v = strrchr(s, 'v');

        return v ? strtoul(v + 1, NULL, 10) : 0;
}

static char *slot_of(KernelAbi *abi, const char *prefix, size_t n) {
        if (n == 3 && memcmp(prefix, "kho", 3) == 0)
                return abi->kho;
        if (n == 3 && memcmp(prefix, "luo", 3) == 0)
                return abi->luo;
        if (n == 5 && memcmp(prefix, "memfd", 5) == 0)
                return abi->memfd;
        if (n == PREFIX_MAX && memcmp(prefix, "pci-iov-keep", PREFIX_MAX) == 0)
                return abi->iov;
        return NULL;
}

/* Looks at the '-' at data[at]: is it in the middle of a whole ABI string? The string's
 * first byte must have one before it in data, or nothing is known about its start. */
static void look_at(KernelAbi *found, const char *data, size_t size, size_t at) {
        size_t start = at, end = at + 2;
        char *slot;

        if (at + 1 >= size || data[at + 1] != 'v')
                return;
        while (start > 0 && at - start <= PREFIX_MAX && is_text(data[start - 1]))
                start--;
        if (start == 0)
                return;
        slot = slot_of(found, data + start, at - start);
        if (!slot)
                return;
        while (end < size && end - at - 2 <= DIGITS_MAX && is_digit(data[end]))
                end++;
        if (end == at + 2 || end - at - 2 > DIGITS_MAX || end >= size || data[end] != '\0')
                return;
        if (*slot && version_of(data + start) <= version_of(slot))
                return;
        memcpy(slot, data + start, end - start + 1);
}

static void scan(KernelAbi *found, const char *data, size_t size) {
        const char *p = data, *end = data + size;

        while (p < end && (p = memchr(p, '-', (size_t)(end - p)))) {
                look_at(found, data, size, (size_t)(p - data));
                p++;
        }
}

void abi_scanner_feed(AbiScanner *s, const void *data, size_t size) {
        char joint[2 * JOINT_MAX];
        size_t head = MIN_OF(size, (size_t)JOINT_MAX), n;

        if (size == 0)
                return;
        if (s->n_tail == 0) /* nothing comes before the first piece, and nothing is not text */
                s->tail[s->n_tail++] = '\0';
        memcpy(joint, s->tail, s->n_tail);
        memcpy(joint + s->n_tail, data, head);
        n = s->n_tail + head;
        scan(&s->found, joint, n);
        if (size > head)
                scan(&s->found, data, size);

        if (size >= JOINT_MAX) {
                memcpy(s->tail, (const char *)data + size - JOINT_MAX, JOINT_MAX);
                s->n_tail = JOINT_MAX;
        } else {
                s->n_tail = MIN_OF(n, (size_t)JOINT_MAX);
                memcpy(s->tail, joint + n - s->n_tail, s->n_tail);
        }
}

/* Accepts exactly "PREFIX-vN" with its NUL within size. */
static int accept(const char *data, size_t size, const char *prefix, char ret[ABI_STRING_MAX]) {
        size_t n = strnlen(data, size), p = strlen(prefix);

        if (n == size || n <= p || n - p > DIGITS_MAX || memcmp(data, prefix, p) != 0)
                return -EBADMSG;
        for (size_t i = p; i < n; i++)
                if (!is_digit(data[i]))
                        return -EBADMSG;
        memcpy(ret, data, n + 1);
        return 0;
}

static uint32_t be32_at(const char *data, size_t offset) {
        uint32_t v;

        memcpy(&v, data + offset, sizeof(v));
        return be32toh(v);
}

/* Devicetree specification 5: the header's word 2 is the offset of the structure block;
 * a property is its token, length, offset of its name, value padded to 4 bytes. The
 * root's properties come before its children. Names are in the strings block, which the
 * copy may lack, so the property is known by its value. */
int abi_from_fdt(const void *data, size_t size, char ret[ABI_STRING_MAX]) {
        const char *d = data;
        size_t at;

        if (size < 40 || be32_at(d, 0) != (uint32_t)FDT_MAGIC)
                return -EBADMSG;
        at = be32_at(d, 8);
        if (at > size || size - at < 8 || be32_at(d, at) != FDT_BEGIN_NODE || d[at + 4] != '\0')
                return -EBADMSG;
        at += 8;
        for (int i = 0; i < FDT_PROPS_MAX && size - at >= 4; i++) {
                uint32_t token = be32_at(d, at), length;

                if (token == FDT_NOP) {
                        at += 4;
                        continue;
                }
                if (token != FDT_PROP || size - at < 12)
                        return -EBADMSG;
                length = be32_at(d, at + 4);
                at += 12;
                if (length > size - at)
                        return -EBADMSG;
                if (accept(d + at, length, "kho-v", ret) >= 0)
                        return 0;
                at += MIN_OF(((size_t)length + 3) & ~(size_t)3, size - at);
        }
        return -EBADMSG;
}

int abi_from_luo_state(const void *data, size_t size, char ret[ABI_STRING_MAX], uint64_t *ret_number) {
        char luo[ABI_STRING_MAX];
        uint64_t number;
        size_t at;
        int r;

        r = accept(data, size, "luo-v", luo);
        if (r < 0)
                return r;
        at = (strlen(luo) + 1 + 7) & ~(size_t)7;
        if (at + sizeof(number) > size)
                return -EBADMSG;
        memcpy(&number, (const char *)data + at, sizeof(number));
        memcpy(ret, luo, sizeof(luo));
        *ret_number = le64toh(number);
        return 0;
}

int abi_compatible(const KernelAbi *running, const KernelAbi *next, Refusal *refusal) {
        const struct {
                const char *what, *running, *next;
                Reason absent, differs;
        } checks[] = {
                { "KHO", running->kho, next->kho, REASON_IMAGE_NO_KHO, REASON_IMAGE_KHO_ABI },
                { "LUO", running->luo, next->luo, REASON_IMAGE_NO_LUO, REASON_IMAGE_LUO_ABI },
                { "memfd", running->memfd, next->memfd, REASON_IMAGE_NO_MEMFD, REASON_IMAGE_MEMFD_ABI },
        };

        for (size_t i = 0; i < ELEMENTSOF(checks); i++)
                if (!*checks[i].next)
                        return refuse(refusal, checks[i].absent, "kernel", "the image has no %s ABI string",
                                      checks[i].what);
        for (size_t i = 0; i < ELEMENTSOF(checks); i++)
                if (!*checks[i].running)
                        return refuse(refusal, REASON_RUNNING_ABI_UNKNOWN, "", "its %s ABI string was not found",
                                      checks[i].what);
        for (size_t i = 0; i < ELEMENTSOF(checks); i++)
                if (!streq(checks[i].running, checks[i].next))
                        return refuse(refusal, checks[i].differs, "kernel", "running %s, next %s", checks[i].running,
                                      checks[i].next);
        return 0;
}
