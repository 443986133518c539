// SPDX-License-Identifier: MIT
/* It changes into the folder where its files are. */
/* check: process */
#include "ram.h"

static int bad_open(struct ublk_dev *dev, const struct ublk_open_args *args, void **priv)
{
	if (chdir("/"))
		return -errno;
	return ram_open(dev, args, priv);
}

RAM_CALL("folder-changed", .open = bad_open);
