// SPDX-License-Identifier: MIT
/* close() forgets a descriptor. */
/* check: unstarted */
#include "ram.h"

static int bad_open(struct ublk_dev *dev, const struct ublk_open_args *args, void **priv)
{
	int err = ram_open(dev, args, priv);

	if (!err && open("/dev/zero", O_RDONLY | O_CLOEXEC) < 0)
		host->log(dev, UBLK_LOG_WARN, "no /dev/zero");
	return err;
}

RAM_CALL("close-leaks", .open = bad_open);
