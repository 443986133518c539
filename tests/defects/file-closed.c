// SPDX-License-Identifier: MIT
/* A registered file is closed as soon as it is registered. */
/* check: open */
#include "ram.h"

static int bad_open(struct ublk_dev *dev, const struct ublk_open_args *args, void **priv)
{
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC), slot = host->file_register(dev, fd);

	close(fd);
	return slot < 0 ? slot : ram_open(dev, args, priv);
}

RAM_CALL("file-closed", .open = bad_open);
