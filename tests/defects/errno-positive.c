// SPDX-License-Identifier: MIT
/* open() returns errno as it is. */
/* check: failed-open */
#include "ram.h"

static int bad_open(struct ublk_dev *dev, const struct ublk_open_args *args, void **priv)
{
	int err = ram_open(dev, args, priv);

	return -err;
}

RAM_CALL("errno-positive", .open = bad_open);
