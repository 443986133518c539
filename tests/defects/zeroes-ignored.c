// SPDX-License-Identifier: MIT
/* NOUNMAP is not known here, so nothing is done. */
/* check: write-zeroes */
#include "ram.h"

static int bad_write_zeroes(void *priv, uint64_t length, uint64_t offset, uint32_t flags)
{
	if (flags & UBLK_IOF_NOUNMAP)
		return 0;
	return ram_write_zeroes(priv, length, offset, flags);
}

RAM_CALL("zeroes-ignored", .write_zeroes = bad_write_zeroes);
