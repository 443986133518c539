// SPDX-License-Identifier: MIT
/* FUA is promised and ignored. */
/* check: durable with path */
#include "ram.h"

static int bad_write(void *priv, const void *buf, uint64_t length, uint64_t offset, uint32_t flags)
{
	return ram_write(priv, buf, length, offset, flags & ~(uint32_t)UBLK_IOF_FUA);
}

RAM_CALL("fua-lie", .write = bad_write);
