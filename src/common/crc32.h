/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CRC-32 as IEEE 802.3 and gzip use it (polynomial 0xEDB88320, reflected). */
#pragma once

#include "macro.h"

uint32_t crc32_ieee(const void *data, size_t size);
