// SPDX-License-Identifier: MIT
/* Long discards are refused, though the limits offer them. */
/* check: discard */
#include "ram.h"

static int bad_discard(void *priv, uint64_t length, uint64_t offset, uint32_t flags)
{
	if (length > 1 << 20)
		return -EOPNOTSUPP;
	return ram_discard(priv, length, offset, flags);
}

RAM_CALL("discard-long", .discard = bad_discard);
