// SPDX-License-Identifier: MIT
/* open() that fails forgets what it has opened before. */
/* check: failed-open */
#include "ram.h"

static int bad_open(struct ublk_dev *dev, const struct ublk_open_args *args, void **priv)
{
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC), err = ram_open(dev, args, priv);

	if (!err)
		close(fd);
	return err;
}

RAM_CALL("open-leaks", .open = bad_open);
