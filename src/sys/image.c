/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bounds: input is what the header says and the file has; output is what the image says
 * its decompressed size is (its last four bytes, see below), and never more than
 * OUTPUT_MAX, so that a decompression bomb costs a second at most. Output that is less
 * than promised is a truncated or damaged payload.
 */
#include "image.h"

#include "common/fd.h"
#include "expand.h"

#include <endian.h>
#include <fcntl.h>
#include <sys/stat.h>

enum {
        INPUT_STEP = 128 * 1024,
        CMDLINE_SECTION_MAX = 64 * 1024,
        SIZE_TRAILER = 4,
};
#define OUTPUT_MAX (UINT64_C(1) << 30)

int image_fd_check(int fd, const char *subject, uint64_t *ret_size, Refusal *refusal) {
        struct stat st;
        int flags = fcntl(fd, F_GETFL);

        if (flags < 0 || fstat(fd, &st) < 0)
                return refuse(refusal, REASON_INVALID_ARGUMENT, subject, "not an open file: %s", strerror(errno));
        if ((flags & O_PATH) || (flags & O_ACCMODE) == O_WRONLY)
                return refuse(refusal, REASON_INVALID_ARGUMENT, subject, "the file is not open for reading");
        if (!S_ISREG(st.st_mode))
                return refuse(refusal, REASON_INVALID_ARGUMENT, subject, "it is not a regular file");
        *ret_size = (uint64_t)st.st_size;
        return 0;
}

static int shrunk(Refusal *refusal) {
        return refuse(refusal, REASON_IMAGE_TRUNCATED, "kernel", "the file became shorter while it was read");
}

static int copy_section(int from, const ImageSection *s, int to, Refusal *refusal) {
        _cleanup_free_ char *buf = malloc(INPUT_STEP);

        if (!buf)
                return refuse_errno(refusal, -ENOMEM, "kernel", NULL);
        for (uint64_t done = 0; done < s->size;) {
                size_t step = (size_t)MIN_OF(s->size - done, (uint64_t)INPUT_STEP);
                ssize_t n = fd_read_at(from, buf, step, s->offset + done);
                int r;

                if (n < 0)
                        return refuse_errno(refusal, (int)n, "kernel", "reading the image");
                if ((size_t)n < step)
                        return shrunk(refusal);
                r = fd_write_all(to, buf, step);
                if (r < 0)
                        return refuse_errno(refusal, r, "kernel", "copying a section of the image");
                done += step;
        }
        return 0;
}

/* A memfd with the sections one after the other, each at a multiple of four bytes, as
 * concatenated initrds must be (Documentation/driver-api/early-userspace/
 * buffer-format.rst). */
static int extract(int fd, const char *name, const ImageSection *sections, size_t n, int *ret_fd, Refusal *refusal) {
        _cleanup_close_ int out = -1;
        int r = memfd_new(name, 0, &out);

        for (size_t i = 0; r >= 0 && i < n; i++) {
                r = copy_section(fd, &sections[i], out, refusal);
                if (r < 0)
                        return r;
                if (i + 1 < n && sections[i].size % 4 > 0)
                        r = fd_write_all(out, "\0\0\0", 4 - sections[i].size % 4);
        }
        if (r < 0)
                return refuse_errno(refusal, r, "kernel", "taking the unified kernel image apart");
        *ret_fd = TAKE_FD(out);
        return 0;
}

/* One line of text: what separates lines or ends the section becomes space, and space at
 * the end goes. */
static int extract_cmdline(int fd, const ImageSection *s, char **ret, Refusal *refusal) {
        _cleanup_free_ char *text = NULL;
        size_t size = (size_t)s->size;
        ssize_t n;

        if (s->size > CMDLINE_SECTION_MAX)
                return refuse(refusal, REASON_CMDLINE_TOO_LONG, "command line", "section .cmdline has %llu bytes",
                              (unsigned long long)s->size);
        text = malloc(size + 1);
        if (!text)
                return refuse_errno(refusal, -ENOMEM, "kernel", NULL);
        n = fd_read_at(fd, text, size, s->offset);
        if (n < 0)
                return refuse_errno(refusal, (int)n, "kernel", "reading section .cmdline");
        if ((size_t)n < size)
                return shrunk(refusal);
        for (size_t i = 0; i < size; i++)
                if (text[i] == '\n' || text[i] == '\r' || text[i] == '\0')
                        text[i] = ' ';
        while (size > 0 && text[size - 1] == ' ')
                size--;
        text[size] = '\0';
        *ret = TAKE_PTR(text);
        return 0;
}

/* The first bytes of the image that is size bytes at offset. */
static int read_head(int fd, uint64_t offset, uint64_t size, char **ret, size_t *ret_size, Refusal *refusal) {
        _cleanup_free_ char *head = malloc(IMAGE_HEAD_SIZE);
        ssize_t n;

        if (!head)
                return refuse_errno(refusal, -ENOMEM, "kernel", NULL);
        n = fd_read_at(fd, head, (size_t)MIN_OF(size, (uint64_t)IMAGE_HEAD_SIZE), offset);
        if (n < 0)
                return refuse_errno(refusal, (int)n, "kernel", "reading the image");
        *ret = TAKE_PTR(head);
        *ret_size = (size_t)n;
        return 0;
}

static int open_uki(int fd, const void *head, size_t head_size, uint64_t file_size, bool with_initrd, KernelFile *file,
                    Refusal *refusal) {
        _cleanup_free_ char *inner = NULL;
        size_t inner_size = 0, n = 0;
        ImageSection initrd[2];
        UkiSections sections;
        int r;

        r = uki_parse(head, head_size, file_size, &sections, refusal);
        if (r < 0)
                return r;
        /* Before anything is copied: what is not a kernel need not be. */
        r = read_head(fd, sections.linux_image.offset, sections.linux_image.size, &inner, &inner_size, refusal);
        if (r < 0)
                return r;
        r = boot_header_parse(inner, inner_size, sections.linux_image.size, &file->header, refusal);
        if (r < 0)
                return r;
        r = extract(fd, "kernel", &sections.linux_image, 1, &file->kernel_fd, refusal);
        if (r < 0)
                return r;
        /* Microcode comes first: the kernel looks for it in the first archive. */
        if (with_initrd && sections.ucode.size > 0)
                initrd[n++] = sections.ucode;
        if (with_initrd && sections.initrd.size > 0)
                initrd[n++] = sections.initrd;
        if (n > 0) {
                r = extract(fd, "initrd", initrd, n, &file->initrd_fd, refusal);
                if (r < 0)
                        return r;
        }
        if (sections.cmdline.size > 0) {
                r = extract_cmdline(fd, &sections.cmdline, &file->cmdline, refusal);
                if (r < 0)
                        return r;
        }
        file->uki = true;
        file->size = sections.linux_image.size;
        return 0;
}

static int open_file(int fd, bool with_initrd, KernelFile *file, Refusal *refusal) {
        _cleanup_free_ char *head = NULL;
        size_t head_size = 0;
        ImageKind kind;
        uint64_t size;
        int r;

        r = image_fd_check(fd, "kernel", &size, refusal);
        if (r < 0)
                return r;
        r = read_head(fd, 0, size, &head, &head_size, refusal);
        if (r < 0)
                return r;
        r = image_kind(head, head_size, size, &kind, refusal);
        if (r < 0)
                return r;
        if (kind == IMAGE_KIND_BZIMAGE) {
                file->kernel_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
                if (file->kernel_fd < 0)
                        return refuse_errno(refusal, -errno, "kernel", "duplicating the descriptor");
                file->size = size;
                return boot_header_parse(head, head_size, size, &file->header, refusal);
        }
        return open_uki(fd, head, head_size, size, with_initrd, file, refusal);
}

static int open_into(int fd, bool with_initrd, KernelFile *ret, Refusal *refusal) {
        KernelFile file = KERNEL_FILE_INIT;
        int r = open_file(fd, with_initrd, &file, refusal);

        if (r < 0) {
                kernel_file_done(&file);
                return r;
        }
        *ret = file;
        return 0;
}

int kernel_file_open(int fd, KernelFile *ret, Refusal *refusal) {
        return open_into(fd, true, ret, refusal);
}

int kernel_file_open_kernel(int fd, KernelFile *ret, Refusal *refusal) {
        return open_into(fd, false, ret, refusal);
}

void kernel_file_done(KernelFile *file) {
        file->kernel_fd = fd_close(file->kernel_fd);
        file->initrd_fd = fd_close(file->initrd_fd);
        free(file->cmdline);
        file->cmdline = NULL;
}

typedef struct Payload {
        AbiScanner scanner;
        uint64_t done, expected;
} Payload;

static int on_payload(void *userdata, const void *data, size_t size) {
        Payload *p = userdata;

        p->done += size;
        if (p->done > p->expected)
                return -EFBIG;
        abi_scanner_feed(&p->scanner, data, size);
        return 0;
}

static int check_payload(const Payload *p, int r, Compression c, const char *why, Refusal *refusal) {
        if (r == -EOPNOTSUPP)
                return refuse(refusal, REASON_IMAGE_UNSUPPORTED_COMPRESSION, "kernel", "its compression is %s",
                              compression_to_string(c));
        if (r == -EBADMSG)
                return refuse(refusal, REASON_IMAGE_TRUNCATED, "kernel",
                              "decompressing it failed after %llu bytes: %s", (unsigned long long)p->done, why);
        if (r < 0 && r != -EFBIG)
                return refuse_errno(refusal, r, "kernel", "decompressing it");
        if (p->done != p->expected)
                return refuse(refusal, REASON_IMAGE_TRUNCATED, "kernel",
                              "decompressing it gave %s %llu bytes, it should have %llu",
                              p->done > p->expected ? "more than" : "only",
                              (unsigned long long)MIN_OF(p->done, p->expected), (unsigned long long)p->expected);
        return 0;
}

/* The kernel's build appends the decompressed size to what does not end with it by itself
 * as gzip does (size_append, scripts/Makefile.lib), so it is always in the last four
 * bytes of the payload; for the others these bytes are not part of the stream. */
int kernel_file_abi(const KernelFile *file, KernelAbi *ret, Refusal *refusal) {
        uint64_t offset = file->header.payload_offset, size = file->header.payload_size;
        Payload payload = {};
        Expanded expanded;
        char head[16];
        uint32_t expected;

        ssize_t n = fd_read_at(file->kernel_fd, &expected, SIZE_TRAILER, offset + size - SIZE_TRAILER);
        if (n == SIZE_TRAILER)
                n = fd_read_at(file->kernel_fd, head, sizeof(head), offset);
        if (n < 0)
                return refuse_errno(refusal, (int)n, "kernel", "reading the image");
        if (n < (ssize_t)sizeof(head))
                return shrunk(refusal);
        Compression c = compression_detect(head, (size_t)n);
        if (c != COMPRESSION_GZIP)
                size -= SIZE_TRAILER;
        payload.expected = le32toh(expected);
        if (payload.expected > OUTPUT_MAX)
                return refuse(refusal, REASON_IMAGE_TRUNCATED, "kernel", "its decompressed size cannot be %llu bytes",
                              (unsigned long long)payload.expected);
        int r = expand(file->kernel_fd, offset, size, c, on_payload, &payload, &expanded);
        r = check_payload(&payload, r, c, expanded.why, refusal);
        if (r < 0)
                return r;
        *ret = payload.scanner.found;
        return 0;
}
