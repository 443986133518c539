// SPDX-License-Identifier: MIT
/* It returns what a system call does. */
/* check: data */
#include "ram.h"

static int bad_write(void *priv, const void *buf, uint64_t length, uint64_t offset, uint32_t flags)
{
	(void)priv;
	(void)flags;
	return pwrite(-1, buf, length, (off_t)offset) == (ssize_t)length ? 0 : -1;
}

RAM_CALL("minus-one", .write = bad_write);
