// SPDX-License-Identifier: MIT
/* close() writes what open() has read, though the former server goes on. */
/* check: beside with path */
#include "ram.h"

static int write_through(void *priv, const void *buf, uint64_t length, uint64_t offset,
			 uint32_t flags)
{
	(void)flags;
	ram_write(priv, buf, length, offset, 0);
	return ram_save(priv, length, offset);
}

static int read_again(void *priv, void *buf, uint64_t length, uint64_t offset, uint32_t flags)
{
	const struct ram *ram = priv;

	(void)flags;
	return pread(ram->fd, buf, length, (off_t)offset) == (ssize_t)length ? 0 : -EIO;
}

static void save_zeroes(void *priv)
{
	struct ram *ram = priv;

	memset(ram->store, 0, ram->size);
	ram_close(ram);
}

RAM_CALL("beside-saves", .read = read_again, .write = write_through, .close = save_zeroes,
	 .flags = UBLK_PLUGIN_RECOVERS | UBLK_PLUGIN_REISSUE | UBLK_PLUGIN_OPENS_BESIDE);
