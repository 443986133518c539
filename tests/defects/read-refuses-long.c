// SPDX-License-Identifier: MIT
/* A READ is refused where it is longer than what the plugin likes, and max_io_bytes does not say so. */
/* check: reads with path */
#include "ram.h"

static int bad_read(void *priv, void *buf, uint64_t length, uint64_t offset, uint32_t flags)
{
	if (length > 65536)
		return -EINVAL;
	return ram_read(priv, buf, length, offset, flags);
}

RAM_CALL("read-refuses-long", .read = bad_read);
