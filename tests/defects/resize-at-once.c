// SPDX-License-Identifier: MIT
/* UBLK_RESIZE_CHECK is not looked at: what shrinks is gone when it was only asked for. */
/* check: resize */
#include "ram.h"

static int bad_resize(void *priv, uint64_t size, uint32_t flags)
{
	return ram_resize(priv, size, flags & ~(uint32_t)UBLK_RESIZE_CHECK);
}

RAM_CALL("resize-at-once", .resize = bad_resize);
