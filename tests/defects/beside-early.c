// SPDX-License-Identifier: MIT
/* It looks at its file in open(), also when another server still writes to that. */
/* check: beside with path */
#include "ram.h"

static int write_through(void *priv, const void *buf, uint64_t length, uint64_t offset,
			 uint32_t flags)
{
	(void)flags;
	ram_write(priv, buf, length, offset, 0);
	return ram_save(priv, length, offset);
}

RAM_CALL("beside-early", .write = write_through,
	 .flags = UBLK_PLUGIN_RECOVERS | UBLK_PLUGIN_REISSUE | UBLK_PLUGIN_OPENS_BESIDE);
