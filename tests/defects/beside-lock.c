// SPDX-License-Identifier: MIT
/* It is the only one to have its file open, and takes that for itself in open(). */
/* check: beside with path */
#include <sys/file.h>

#include "ram.h"

static int locked_open(struct ublk_dev *dev, const struct ublk_open_args *args, void **priv)
{
	int err = ram_open(dev, args, priv);
	struct ram *ram = err ? NULL : *priv;

	if (err || !flock(ram->fd, LOCK_EX | LOCK_NB))
		return err;
	close(ram->fd);
	ram->fd = -1;
	ram_close(ram);
	return -EAGAIN;
}

RAM_CALL("beside-lock", .open = locked_open,
	 .flags = UBLK_PLUGIN_RECOVERS | UBLK_PLUGIN_REISSUE | UBLK_PLUGIN_OPENS_BESIDE);
