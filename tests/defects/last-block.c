// SPDX-License-Identifier: MIT
/* The end is compared with < where <= was meant. */
/* check: boundaries */
#include "ram.h"

static int bad_read(void *priv, void *buf, uint64_t length, uint64_t offset, uint32_t flags)
{
	const struct ram *ram = priv;

	if (!(offset + length < ram->size))
		return -EINVAL;
	return ram_read(priv, buf, length, offset, flags);
}

RAM_CALL("last-block", .read = bad_read);
