// SPDX-License-Identifier: MIT
/* map() covers the first 64 KiB, and takes for granted that it is asked again. */
/* check: boundaries */
#include "ram.h"

static int bad_map(void *qpriv, const struct ublk_io *io, struct ublk_extent *out, uint32_t max)
{
	int n = ram_map(qpriv, io, out, max);

	if (out->length > 65536)
		out->length = 65536;
	return n;
}

RAM_MAP("map-short", .map = bad_map);
