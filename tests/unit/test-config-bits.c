/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of bits holds together: nothing twice, nothing outside, a reason for each. */
#include "core/config-bits.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static unsigned stride_of(const ConfigBits *b) {
        return b->stride > 0 ? b->stride : b->width;
}

/* Registers of a row; of a Resizable BAR, the most there can be. */
static unsigned count_of(const ConfigBits *b) {
        return b->count == BITS_COUNT_RESIZABLE ? 6 : b->count > 0 ? b->count : 1;
}

static void rows_are_sound(void **state) {
        size_t n;
        const ConfigBits *table = config_bits_table(&n);

        assert_true(n > 50);
        for (size_t i = 0; i < n; i++) {
                const ConfigBits *b = &table[i];
                unsigned end = b->offset + (count_of(b) - 1) * stride_of(b) + b->width;

                assert_true(b->place < _BITS_PLACE_MAX && b->class < _BITS_CLASS_MAX);
                assert_true(b->width == 1 || b->width == 2 || b->width == 4);
                assert_int_equal(b->offset % b->width, 0);
                assert_true(b->mask != 0 && (b->width == 4 || b->mask >> 8 * b->width == 0));
                if (b->place == BITS_CAPABILITY || b->place == BITS_EXTENDED) {
                        assert_true(b->offset >= (b->place == BITS_EXTENDED ? 4 : 2));
                        assert_true(end <= 0x100);
                        assert_non_null(config_capability_name(b->capability, b->place == BITS_EXTENDED));
                } else {
                        assert_int_equal(b->capability, 0);
                        assert_true(end <= 0x40);
                }
        }
}

static void every_row_has_its_reason(void **state) {
        size_t n;
        const ConfigBits *table = config_bits_table(&n);

        for (size_t i = 0; i < n; i++) {
                size_t length = strlen(table[i].reason);

                assert_true(length >= 10 && length <= 120);
                assert_true(isupper((unsigned char)table[i].reason[0]));
                assert_int_not_equal(table[i].reason[length - 1], '.');
                assert_true(strlen(table[i].name) > 0 && strlen(table[i].name) < 70);
        }
}

/* No bit of a register is in two rows, and rows are in the order of their places. */
static void no_bit_is_there_twice(void **state) {
        for (BitsPlace type = BITS_HEADER_0; type <= BITS_HEADER_1; type++) {
                static uint8_t seen[2][256][256];
                size_t n;
                const ConfigBits *table = config_bits_table(&n);

                memset(seen, 0, sizeof(seen));
                for (size_t i = 0; i < n; i++) {
                        const ConfigBits *b = &table[i];

                        if ((b->place == BITS_HEADER_0 || b->place == BITS_HEADER_1) && b->place != type)
                                continue;
                        for (unsigned k = 0; k < count_of(b); k++)
                                for (unsigned byte = 0; byte < b->width; byte++) {
                                        uint8_t *s = &seen[b->place == BITS_EXTENDED][b->capability]
                                                          [b->offset + k * stride_of(b) + byte];
                                        uint8_t bits = (uint8_t)(b->mask >> 8 * byte);

                                        if (*s & bits)
                                                fail_msg("%s overlaps another row", b->name);
                                        *s |= bits;
                                }
                }
        }
}

static void rows_are_in_order(void **state) {
        size_t n;
        const ConfigBits *table = config_bits_table(&n);

        for (size_t i = 1; i < n; i++) {
                const ConfigBits *a = &table[i - 1], *b = &table[i];

                assert_true(a->place <= b->place);
                if (a->place == b->place)
                        assert_true(a->capability < b->capability ||
                                    (a->capability == b->capability && a->offset <= b->offset));
        }
}

static const ConfigBits *row(const char *name) {
        size_t n;
        const ConfigBits *table = config_bits_table(&n);

        for (size_t i = 0; i < n; i++)
                if (streq(table[i].name, name))
                        return &table[i];
        fail_msg("there is no row \"%s\"", name);
        return NULL;
}

/* What the rest of the design stands on. */
static void the_decisions(void **state) {
        static const struct {
                const char *name;
                BitsClass class;
        } want[] = {
                { "Vendor ID", BITS_SAME },
                { "Command: Bus Master", BITS_HANDED },
                { "Command: Memory Space", BITS_EQUAL },
                { "BAR", BITS_EQUAL },
                { "Secondary Bus", BITS_EQUAL },
                { "Memory Window", BITS_EQUAL },
                { "SR-IOV: VF Enable", BITS_EQUAL },
                { "SR-IOV: NumVFs", BITS_EQUAL },
                { "SR-IOV: System Page Size", BITS_EQUAL },
                { "ACS: Control", BITS_EQUAL },
                { "Device Control 2: ARI Forwarding", BITS_EQUAL },
                { "Power Management: Power State", BITS_EQUAL },
                { "MSI: Enable, Vectors", BITS_REWRITTEN },
                { "MSI-X: Enable, Function Mask", BITS_REWRITTEN },
                { "Interrupt Line", BITS_REWRITTEN },
                { "Advanced Error Reporting", BITS_REWRITTEN },
                { "ATS: Control", BITS_REWRITTEN },
                { "Status: events", BITS_REWRITTEN },
        };

        for (size_t i = 0; i < ELEMENTSOF(want); i++)
                assert_int_equal(row(want[i].name)->class, want[i].class);
}

/* Only Bus Master goes by the policy: snapshot_compare() has one policy for it. */
static void only_bus_master_is_handed_over(void **state) {
        size_t n, handed = 0;
        const ConfigBits *table = config_bits_table(&n);

        for (size_t i = 0; i < n; i++)
                handed += table[i].class == BITS_HANDED;
        assert_int_equal(handed, 1);
}

static void words(void **state) {
        for (BitsPlace p = 0; p < _BITS_PLACE_MAX; p++)
                assert_int_equal(bits_place_from_string(bits_place_to_string(p)), p);
        for (BitsClass c = 0; c < _BITS_CLASS_MAX; c++)
                assert_int_equal(bits_class_from_string(bits_class_to_string(c)), c);
        assert_string_equal(config_capability_name(0x10, false), "PCI Express");
        assert_string_equal(config_capability_name(0x10, true), "SR-IOV");
        assert_null(config_capability_name(0x02, false));
        assert_null(config_capability_name(0xffff, false));
        assert_null(config_capability_name(0xffff, true));
        assert_null(config_capability_name(0, true));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(rows_are_sound),
                cmocka_unit_test(every_row_has_its_reason),
                cmocka_unit_test(no_bit_is_there_twice),
                cmocka_unit_test(rows_are_in_order),
                cmocka_unit_test(the_decisions),
                cmocka_unit_test(only_bus_master_is_handed_over),
                cmocka_unit_test(words),
        };

        return cmocka_run_group_tests_name("config-bits", tests, NULL, NULL);
}
