// SPDX-License-Identifier: MIT
/* One buffer for all calls, though they may overlap. */
/* check: parallel */
#include "ram.h"

static char bounce[1 << 20];

static int bad_write(void *priv, const void *buf, uint64_t length, uint64_t offset, uint32_t flags)
{
	memcpy(bounce, buf, length);
	sched_yield();
	usleep(100);
	return ram_write(priv, bounce, length, offset, flags);
}

RAM_CALL("shared-buffer", .write = bad_write);
