/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "crc32.h"

uint32_t crc32_ieee(const void *data, size_t size) {
        const unsigned char *p = data;
        uint32_t table[256], crc = UINT32_MAX;

        for (uint32_t i = 0; i < ELEMENTSOF(table); i++) {
                table[i] = i;
                for (int bit = 0; bit < 8; bit++)
                        table[i] = table[i] >> 1 ^ (table[i] & 1 ? UINT32_C(0xEDB88320) : 0);
        }
        for (size_t i = 0; i < size; i++)
                crc = crc >> 8 ^ table[(crc ^ p[i]) & 0xFF];
        return ~crc;
}
