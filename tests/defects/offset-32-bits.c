// SPDX-License-Identifier: MIT
/* Offsets are computed in 32 bits. */
/* check: data with size=8G */
#include "ram.h"

static int bad_write(void *priv, const void *buf, uint64_t length, uint64_t offset, uint32_t flags)
{
	uint32_t at = (uint32_t)offset;

	return ram_write(priv, buf, length, at, flags);
}

RAM_CALL("offset-32-bits", .write = bad_write);
