// SPDX-License-Identifier: MIT
/* max_io_bytes is set to what is offered mostly, which it is not always. */
/* check: offers */
#include "ram.h"

static int bad_get_limits(void *priv, struct ublk_limits *limits)
{
	limits->max_io_bytes = 512u << 10;
	return ram_get_limits(priv, limits);
}

RAM_CALL("limits-constant", .get_limits = bad_get_limits);
