// SPDX-License-Identifier: MIT
/* open() fails at the first try, as where a disk has to wake up: what it has was not looked at. */
/* check: none with path */
#include <stdio.h>

#include "ram.h"

static int bad_open(struct ublk_dev *dev, const struct ublk_open_args *args, void **priv)
{
	const char *path = args->opts[OPT_PATH].str;
	char tried[4096];
	int fd;

	snprintf(tried, sizeof(tried), "%s.tried", path ? path : "/nowhere");
	fd = open(tried, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return ram_open(dev, args, priv);
	close(fd);
	return -EAGAIN;
}

RAM_CALL("open-second-try", .open = bad_open);
