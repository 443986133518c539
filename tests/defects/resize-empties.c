// SPDX-License-Identifier: MIT
/* Memory of another size is new memory. */
/* check: resize */
#include "ram.h"

static int bad_resize(void *priv, uint64_t size, uint32_t flags)
{
	struct ram *ram = priv;
	int err = ram_resize(priv, size, flags);

	if (!err && !(flags & UBLK_RESIZE_CHECK))
		memset(ram->store, 0, ram->size);
	return err;
}

RAM_CALL("resize-empties", .resize = bad_resize);
