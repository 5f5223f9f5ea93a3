/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 *   luvm-records FILE
 *
 * Reads the disk of a luvm-inner machine: prints the highest count on it; an error when
 * one of those before it that must still be there is not, or is of another boot.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { SECTOR = 512, SECTORS = 16384 };
#define MAGIC UINT64_C(0x4c55564d494e4e52)

typedef struct Record {
        uint64_t magic, count;
        char boot[40];
} Record;

static Record records[SECTORS];

/* The highest count; 0 with none but the first or none at all. */
static uint64_t read_records(FILE *f) {
        char sector[SECTOR];
        uint64_t last = 0;

        for (size_t i = 0; i < SECTORS && fread(sector, SECTOR, 1, f) == 1; i++) {
                memcpy(&records[i], sector, sizeof(records[i]));
                if (records[i].magic == MAGIC && records[i].count > last)
                        last = records[i].count;
        }
        return last;
}

int main(int argc, char **argv) {
        FILE *f = argc == 2 ? fopen(argv[1], "re") : NULL;

        if (!f) {
                fprintf(stderr, "usage: luvm-records FILE (that can be read)\n");
                return 2;
        }
        uint64_t last = read_records(f);
        (void)fclose(f);
        for (uint64_t count = last >= SECTORS ? last - SECTORS + 1 : 0; count <= last; count++) {
                const Record *r = &records[count % SECTORS];
                if (r->magic != MAGIC || r->count != count || strcmp(r->boot, records[last % SECTORS].boot) != 0) {
                        printf("the record of count %lu is missing\n", (unsigned long)count);
                        return 1;
                }
        }
        printf("%lu\n", (unsigned long)last);
        return 0;
}
