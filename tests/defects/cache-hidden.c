// SPDX-License-Identifier: MIT
/* There is a cache that may be lost, and the limits do not say so. */
/* check: durable with path */
#include "ram.h"

static int bad_get_limits(void *priv, struct ublk_limits *limits)
{
	limits->size_bytes = ((const struct ram *)priv)->size;
	return 0;
}

RAM_CALL("cache-hidden", .get_limits = bad_get_limits);
