// SPDX-License-Identifier: MIT
/* Zeroes are written in whole pages. */
/* check: write-zeroes */
#include "ram.h"

static int bad_write_zeroes(void *priv, uint64_t length, uint64_t offset, uint32_t flags)
{
	uint64_t end = (offset + length + 4095) & ~4095ull;

	offset &= ~4095ull;
	return ram_write_zeroes(priv, end - offset, offset, flags);
}

RAM_CALL("zeroes-rounded", .write_zeroes = bad_write_zeroes);
