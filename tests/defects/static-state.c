// SPDX-License-Identifier: MIT
/* What belongs to a device is in a static variable. */
/* check: twice */
#include "ram.h"

static struct ram *the_ram;

static int bad_open(struct ublk_dev *dev, const struct ublk_open_args *args, void **priv)
{
	return ram_open(dev, args, (void **)&the_ram) ? -ENOMEM : (*priv = NULL, 0);
}

static int bad_get_limits(void *priv, struct ublk_limits *limits)
{
	(void)priv;
	return ram_get_limits(the_ram, limits);
}

static void bad_close(void *priv)
{
	(void)priv;
	ram_close(the_ram);
}

static int bad_read(void *priv, void *buf, uint64_t length, uint64_t offset, uint32_t flags)
{
	(void)priv;
	return ram_read(the_ram, buf, length, offset, flags);
}

RAM_CALL("static-state", .open = bad_open, .get_limits = bad_get_limits, .close = bad_close,
	 .read = bad_read, .write = NULL, .flush = NULL, .discard = NULL, .write_zeroes = NULL,
	 .resize = NULL);
