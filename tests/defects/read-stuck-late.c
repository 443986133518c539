// SPDX-License-Identifier: MIT
/* A READ of the device's last block never comes back: a lock that the end of the list leaves held, say. */
/* check: reads with path */
#include "ram.h"

static int bad_read(void *priv, void *buf, uint64_t length, uint64_t offset, uint32_t flags)
{
	const struct ram *ram = priv;

	while (offset + length == ram->size)
		pause();
	return ram_read(priv, buf, length, offset, flags);
}

RAM_CALL("read-stuck-late", .read = bad_read);
