// SPDX-License-Identifier: MIT
/* A write of an odd number of blocks loses the last. */
/* check: data */
#include "ram.h"

static int bad_write(void *priv, const void *buf, uint64_t length, uint64_t offset, uint32_t flags)
{
	return ram_write(priv, buf, length > 512 ? length & ~1023ull : length, offset, flags);
}

RAM_CALL("write-lost", .write = bad_write);
