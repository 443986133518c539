// SPDX-License-Identifier: MIT
/* A READ at the end of the device reads on beyond its memory. */
/* check: boundaries */
#include "ram.h"

static int bad_read(void *priv, void *buf, uint64_t length, uint64_t offset, uint32_t flags)
{
	const struct ram *ram = priv;

	if (offset + length == ram->size)
		*(volatile char *)buf = *(volatile char *)(ram->store + ram->room + (1ull << 40));
	return ram_read(priv, buf, length, offset, flags);
}

RAM_CALL("crash", .read = bad_read);
