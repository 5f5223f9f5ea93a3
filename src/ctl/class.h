/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "common/macro.h"

/* What a PCI class code (class, subclass, interface: 24 bits) means, in words; never
 * NULL, "device" where even the class is not known. */
const char *class_name(uint32_t class_code);
/* The words and the six digits: "NVMe controller [010802]". */
void class_format(uint32_t class_code, char *buf, size_t size);
/* The same from six digits; text that is no such number comes back as it is. */
void class_format_text(const char *digits, char *buf, size_t size);
/* The number behind six hexadecimal digits; -EINVAL. */
int class_parse(const char *digits, uint32_t *ret);
