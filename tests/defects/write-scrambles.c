// SPDX-License-Identifier: MIT
/* Data is encrypted where it lies: in the application's memory. */
/* check: data */
#include "ram.h"

static int bad_write(void *priv, const void *buf, uint64_t length, uint64_t offset, uint32_t flags)
{
	char *data = (char *)buf;

	for (uint64_t i = 0; i < length; i++)
		data[i] ^= 0x55;
	return ram_write(priv, data, length, offset, flags);
}

static int bad_read(void *priv, void *buf, uint64_t length, uint64_t offset, uint32_t flags)
{
	char *data = buf;

	ram_read(priv, buf, length, offset, flags);
	for (uint64_t i = 0; i < length; i++)
		data[i] ^= 0x55;
	return 0;
}

RAM_CALL("write-scrambles", .read = bad_read, .write = bad_write);
