// SPDX-License-Identifier: MIT
/* A message ends with a newline, as printf() wants it. */
/* check: open */
#include "ram.h"

static int bad_open(struct ublk_dev *dev, const struct ublk_open_args *args, void **priv)
{
	host->log(dev, UBLK_LOG_INFO, "hello\n");
	return ram_open(dev, args, priv);
}

RAM_CALL("log-lines", .open = bad_open);
