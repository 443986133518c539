// SPDX-License-Identifier: MIT
/* A READ of a certain length never comes back. */
/* check: reads */
#include "ram.h"

static int bad_read(void *priv, void *buf, uint64_t length, uint64_t offset, uint32_t flags)
{
	while (length == 1024)
		pause();
	return ram_read(priv, buf, length, offset, flags);
}

RAM_CALL("hang", .read = bad_read);
