// SPDX-License-Identifier: MIT
/* A discard gives up whole pages, those that it only touches, too. */
/* check: discard */
#include "ram.h"

static int bad_discard(void *priv, uint64_t length, uint64_t offset, uint32_t flags)
{
	uint64_t end = (offset + length + 4095) & ~4095ull;

	offset &= ~4095ull;
	return ram_discard(priv, end - offset, offset, flags);
}

RAM_CALL("discard-rounded", .discard = bad_discard);
