// SPDX-License-Identifier: MIT
/* The second half of a long READ is forgotten. */
/* check: reads */
#include "ram.h"

static int bad_read(void *priv, void *buf, uint64_t length, uint64_t offset, uint32_t flags)
{
	if (length > 65536)
		length /= 2;
	return ram_read(priv, buf, length, offset, flags);
}

RAM_CALL("read-half", .read = bad_read);
