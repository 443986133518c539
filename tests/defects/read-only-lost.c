// SPDX-License-Identifier: MIT
/* attrs are set, not added: the user's READ_ONLY is gone. */
/* check: read-only */
#include "ram.h"

static int bad_get_limits(void *priv, struct ublk_limits *limits)
{
	limits->size_bytes = ((const struct ram *)priv)->size;
	limits->attrs = UBLK_DEV_VOLATILE_CACHE | UBLK_DEV_FUA;
	return 0;
}

RAM_CALL("read-only-lost", .get_limits = bad_get_limits);
