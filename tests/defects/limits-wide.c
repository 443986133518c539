// SPDX-License-Identifier: MIT
/* max_io_bytes is set to what would be nice, not to what is offered. */
/* check: open */
#include "ram.h"

static int bad_get_limits(void *priv, struct ublk_limits *limits)
{
	limits->max_io_bytes = 4u << 20;
	return ram_get_limits(priv, limits);
}

RAM_CALL("limits-wide", .get_limits = bad_get_limits);
