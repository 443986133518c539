// SPDX-License-Identifier: MIT
/* map() looks something up where that takes time. */
/* check: boundaries */
#include "ram.h"

static int bad_map(void *qpriv, const struct ublk_io *io, struct ublk_extent *out, uint32_t max)
{
	if (io->op == UBLK_OP_READ && io->offset == 0)
		usleep(500000);
	return ram_map(qpriv, io, out, max);
}

RAM_MAP("map-sleeps", .map = bad_map);
