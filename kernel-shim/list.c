// SPDX-License-Identifier: GPL-2.0-only
/*
 * The lists as text that is read in pieces: all of it is made each time, and what lies in
 * the reader's window is kept. Lines have one length, so that a list that changes between
 * two pieces does not tear one.
 */
#include <linux/string.h>

#include "liveupdate_vfio.h"

#define LUV_LINE 96

const char *const luv_dma_names[] = { "stop", "continue", "identity" };
const char *const luv_kind_names[] = { "function", "pf", "vf" };

/**
 * luv_list_line - add a line to a text that is read
 * @w: what is wanted of the text
 * @pad: pad with blanks to the common length, and end the line
 * @id: the function that it begins with
 * @fmt: what follows, as of printf()
 */
void luv_list_line(struct luv_window *w, bool pad, unsigned long id, const char *fmt, ...)
{
	char line[LUV_LINE + 1];
	loff_t from, to;
	va_list args;
	int len;

	len = scnprintf(line, sizeof(line), "%04lx:%02lx:%02lx.%lx ", id >> 16, PCI_BUS_NUM(id),
			PCI_SLOT(id), PCI_FUNC(id));
	va_start(args, fmt);
	len += vscnprintf(line + len, sizeof(line) - len, fmt, args);
	va_end(args);
	if (pad) {
		memset(line + len, ' ', LUV_LINE - len);
		line[LUV_LINE - 1] = '\n';
		len = LUV_LINE;
	}

	from = max(w->at, w->start);
	to = min(w->at + len, w->end);
	if (from < to)
		memcpy(w->buf + (from - w->start), line + (from - w->at), to - from);
	w->at += len;
}
