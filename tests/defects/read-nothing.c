// SPDX-License-Identifier: MIT
/* What was never written is not put into the buffer: it is nothing, after all. */
/* check: reads */
#include "ram.h"

static int bad_read(void *priv, void *buf, uint64_t length, uint64_t offset, uint32_t flags)
{
	const struct ram *ram = priv;

	for (uint64_t at = 0; at < length; at += 512)
		if (ram->store[offset + at])
			ram_read(priv, (char *)buf + at, 512, offset + at, flags);
	return 0;
}

RAM_CALL("read-nothing", .read = bad_read);
