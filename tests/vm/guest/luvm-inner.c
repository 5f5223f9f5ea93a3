/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest for the guest: a whole machine's software in a page or two, since under
 * emulation in emulation a kernel takes minutes to boot. It counts, keeps memory that it
 * can check and writes each count to its virtio disk, so that whoever stops it for a
 * while can be held to having lost nothing.
 *
 * Started by its PVH note (xen/include/public/arch-x86/hvm/start_info.h): 32-bit protected
 * mode, no paging. The PIT wakes it 50 times a second; all else is polled. Each line on
 * its console: "inner boot=X count=N checked=N", and "inner BROKEN …" when something is
 * not as it was left. boot is the time stamp counter at its start; checked says how often
 * all memory was verified.
 *
 * The disk is virtio 0.9 (legacy, one queue), whose I/O BAR we place ourselves: the
 * firmware for machines that boot a kernel directly (qboot) does not.
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

enum {
        COM1 = 0x3f8,
        DISK_IO = 0xc000,
        PAGE = 4096,
        PAGES = 2048,
        SECTOR = 512,
        SECTORS = 16384,
        EACH_TIME = 16,
        CHECK_EVERY = 64,
        REPORT_EVERY = 8,
        QUEUE_MAX = 1024,
};

#define MAGIC 0x4c55564d494e4e52ULL
#define MEMORY ((volatile u32(*)[PAGE / 4])0x01000000)

/* The entry: a flat GDT of our own, a stack, main(). */
__asm__(".section .note.pvh, \"a\", @note\n"
        "        .long 4, 4, 18\n" /* name size, value size, XEN_ELFNOTE_PHYS32_ENTRY */
        "        .asciz \"Xen\"\n"
        "        .long _start\n"
        ".text\n"
        "        .globl _start\n"
        "_start: cli\n"
        "        lgdt gdt_pointer\n"
        "        ljmp $8, $1f\n"
        "1:      mov $16, %eax\n"
        "        mov %eax, %ds\n"
        "        mov %eax, %es\n"
        "        mov %eax, %ss\n"
        "        mov $stack_top, %esp\n"
        "        call run\n"
        "timer:  push %eax\n"
        "        incl ticks\n"
        "        mov $0x20, %al\n"
        "        outb %al, $0x20\n"
        "        pop %eax\n"
        "        iret\n"
        ".data\n"
        ".align 8\n"
        "gdt:    .quad 0, 0x00cf9a000000ffff, 0x00cf92000000ffff\n"
        "gdt_pointer: .word 23\n"
        "        .long gdt\n"
        ".bss\n"
        ".align 16\n"
        "        .skip 16384\n"
        "stack_top:\n"
        ".text\n");

void run(void);
extern u8 timer[];
volatile u32 ticks;

static void outb(u16 port, u8 v) {
        __asm__ volatile("outb %0, %1" ::"a"(v), "Nd"(port));
}

static void outw(u16 port, u16 v) {
        __asm__ volatile("outw %0, %1" ::"a"(v), "Nd"(port));
}

static void outl(u16 port, u32 v) {
        __asm__ volatile("outl %0, %1" ::"a"(v), "Nd"(port));
}

static u8 inb(u16 port) {
        u8 v;
        __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
        return v;
}

static u16 inw(u16 port) {
        u16 v;
        __asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port));
        return v;
}

static u32 inl(u16 port) {
        u32 v;
        __asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port));
        return v;
}

/* The console. */

static void put(const char *s) {
        for (; *s; s++) {
                while (!(inb(COM1 + 5) & 0x20))
                        ;
                outb(COM1, (u8)*s);
        }
}

static void put_hex(u32 v) {
        char text[9] = { 0 };

        for (int i = 0; i < 8; i++)
                text[i] = "0123456789abcdef"[v >> (28 - 4 * i) & 15];
        put(text);
}

static void put_number(u32 v) {
        char text[12], *p = text + sizeof(text);

        *--p = 0;
        do
                *--p = (char)('0' + v % 10);
        while (v /= 10);
        put(p);
}

static void broken(const char *what, u32 number) {
        put("inner BROKEN ");
        put(what);
        put(" ");
        put_number(number);
        put("\n");
}

/* Time: IRQ 0 at 50 Hz through the 8259, all else masked. */

#define LAPIC(offset) (*(volatile u32 *)(0xfee00000 + (offset)))

static struct { u16 low, selector, type, high; } idt[33];

static void start_timer(void) {
        struct {
                u16 size;
                u32 base;
        } __attribute__((packed)) pointer = { sizeof(idt) - 1, (u32)idt };

        idt[32].low = (u16)(u32)timer;
        idt[32].high = (u16)((u32)timer >> 16);
        idt[32].selector = 8;
        idt[32].type = 0x8e00;
        __asm__ volatile("lidt %0" ::"m"(pointer));
        LAPIC(0xf0) |= 0x100; /* enabled, so that */
        LAPIC(0x350) = 0x700; /* LINT0 passes the 8259 on (ExtINT) */
        outb(0x20, 0x11);
        outb(0x21, 0x20);
        outb(0x21, 0x04);
        outb(0x21, 0x01);
        outb(0x21, 0xfe);
        outb(0xa1, 0xff);
        outb(0x43, 0x34);
        outb(0x40, (u8)(1193182 / 50));
        outb(0x40, (u8)(1193182 / 50 >> 8));
        __asm__ volatile("sti");
}

static void sleep_a_tick(void) {
        __asm__ volatile("hlt" ::: "memory");
}

/* The disk. */

static struct {
        u64 address;
        u32 size;
        u16 flags, next;
} * descriptors;
static volatile u16 *available;
static volatile u16 *used_index;
static u8 ring[8 * PAGE] __attribute__((aligned(4096)));
static struct {
        u32 type, priority;
        u64 sector;
} request;
static volatile u8 request_status;
static u16 queue_size;

typedef struct Record {
        u64 magic, count;
        char boot[40];
} Record;

static union {
        Record record;
        u8 bytes[SECTOR];
} sector __attribute__((aligned(512)));

static u32 config_address(u32 slot, u32 offset) {
        return 0x80000000u | slot << 11 | offset;
}

static u32 read_config(u32 slot, u32 offset) {
        outl(0xcf8, config_address(slot, offset));
        return inl(0xcfc);
}

static void write_config(u32 slot, u32 offset, u32 v) {
        outl(0xcf8, config_address(slot, offset));
        outl(0xcfc, v);
}

static int start_disk(void) {
        u32 slot;

        for (slot = 0; slot < 32 && read_config(slot, 0) != 0x10011af4; slot++)
                ;
        if (slot == 32)
                return -1;
        write_config(slot, 0x10, DISK_IO | 1);
        write_config(slot, 0x04, 0x0405); /* I/O, bus master, no INTx */
        outb(DISK_IO + 18, 0);
        outb(DISK_IO + 18, 3);
        outl(DISK_IO + 4, 0);
        outw(DISK_IO + 14, 0);
        queue_size = inw(DISK_IO + 12);
        if (queue_size < 4 || queue_size > QUEUE_MAX)
                return -1;
        u32 used = (16u * queue_size + 6 + 2u * queue_size + PAGE - 1) & ~(u32)(PAGE - 1);
        descriptors = (void *)ring;
        available = (u16 *)(ring + 16 * queue_size);
        used_index = (u16 *)(ring + used + 2);
        available[0] = 1; /* no interrupts */
        outl(DISK_IO + 8, (u32)ring / PAGE);
        outb(DISK_IO + 18, 7);
        return 0;
}

static void describe(int i, void *address, u32 size, u16 flags) {
        descriptors[i].address = (u32)address;
        descriptors[i].size = size;
        descriptors[i].flags = flags;
        descriptors[i].next = (u16)(i + 1);
}

/* Transfers `sector`; 0 when the disk says that it went well. */
static int transfer(int write, u64 count) {
        u16 before = *used_index;

        request.type = write ? 1 : 0;
        request.sector = count % SECTORS;
        request_status = 0xff;
        describe(0, &request, 16, 1);
        describe(1, &sector, SECTOR, (u16)(write ? 1 : 3));
        describe(2, (void *)&request_status, 1, 2);
        available[2 + available[1] % queue_size] = 0;
        __asm__ volatile("mfence" ::: "memory");
        available[1]++;
        __asm__ volatile("mfence" ::: "memory");
        outw(DISK_IO + 16, 0);
        while (*used_index == before)
                sleep_a_tick();
        return request_status;
}

static char boot[20];

static void write_record(u32 count) {
        for (int i = 0; i < SECTOR; i++)
                sector.bytes[i] = 0;
        sector.record.magic = MAGIC;
        sector.record.count = count;
        for (int i = 0; boot[i]; i++)
                sector.record.boot[i] = boot[i];
        if (transfer(1, count) != 0)
                broken("the disk does not take the record of count", count);
}

static void check_record(u32 count) {
        if (transfer(0, count) != 0 || sector.record.magic != MAGIC || sector.record.count != count)
                broken("the disk has lost the record of count", count);
}

/* Memory. */

static u32 written[PAGES]; /* when each page was */

static u32 mix(u32 a, u32 b) {
        u32 x = (a + 1) * 0x9e3779b9u ^ (b + 1) * 0x85ebca6bu;
        return x ^ x >> 15;
}

static void fill(u32 page, u32 count) {
        for (u32 i = 0; i < PAGE / 4; i++)
                MEMORY[page][i] = mix(mix(page, count), i);
        written[page] = count;
}

static void check_memory(void) {
        for (u32 page = 0; page < PAGES; page++)
                for (u32 i = 0; i < PAGE / 4; i++)
                        if (MEMORY[page][i] != mix(mix(page, written[page]), i)) {
                                broken("memory page", page);
                                break;
                        }
}

static void report(u32 count, u32 checked) {
        put("inner boot=");
        put(boot);
        put(" count=");
        put_number(count);
        put(" checked=");
        put_number(checked);
        put("\n");
}

static void name_boot(void) {
        u32 low, high;

        __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
        for (int i = 0; i < 16; i++)
                boot[i] = "0123456789abcdef"[(i < 8 ? high >> (28 - 4 * i) : low >> (60 - 4 * i)) & 15];
}

void run(void) {
        u32 checked = 0;

        name_boot();
        start_timer();
        if (start_disk() < 0) {
                broken("there is no disk", 0);
                for (;;)
                        sleep_a_tick();
        }
        put("inner starts at ");
        put_hex((u32)run);
        put("\n");
        for (u32 page = 0; page < PAGES; page++)
                fill(page, 0);
        for (u32 count = 0;; count++) {
                if (count > 0)
                        check_record(count - 1 - mix(count, 7) % (count < 100 ? count : 100));
                write_record(count);
                for (u32 i = 0; i < EACH_TIME; i++)
                        fill(mix(count, i) % PAGES, count);
                if (count % CHECK_EVERY == 0) {
                        check_memory();
                        checked++;
                }
                if (count % REPORT_EVERY == 0)
                        report(count, checked);
                sleep_a_tick();
        }
}
