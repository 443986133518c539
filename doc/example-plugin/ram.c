// SPDX-License-Identifier: MIT
/* ram: a RAM disk by the call profile: functions that have done all, or failed, when they return. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <ublk-plugin.h>

static const struct ublk_opt_spec opts[] = {
	{ "size", "size of the device", "64M", NULL, 4096, 1ull << 40, UBLK_OPT_SIZE, 0 },
};

struct ram_dev {
	uint64_t size;
	char bytes[];
};

static int ram_open(struct ublk_dev *dev, const struct ublk_open_args *args, void **priv)
{
	uint64_t size = args->opts[0].u64 & ~4095ull; /* whole blocks */
	struct ram_dev *disk = calloc(1, sizeof(*disk) + size);

	if (disk)
		disk->size = size;
	*priv = disk;
	return disk ? 0 : -ENOMEM;
}

static int ram_get_limits(void *priv, struct ublk_limits *limits)
{
	limits->size_bytes = ((const struct ram_dev *)priv)->size;
	return 0;
}

static int ram_read(void *priv, void *buf, uint64_t length, uint64_t offset, uint32_t flags)
{
	memcpy(buf, ((const struct ram_dev *)priv)->bytes + offset, length);
	return 0;
}

static int ram_write(void *priv, const void *buf, uint64_t length, uint64_t offset, uint32_t flags)
{
	memcpy(((struct ram_dev *)priv)->bytes + offset, buf, length);
	return 0;
}

const struct ublk_plugin ublk_plugin_v1 = {
	UBLK_PLUGIN_INIT(0),
	.name = "ram",
	.version = "1.0",
	.description = "RAM disk, by the call profile",
	.opts = opts,
	.nr_opts = sizeof(opts) / sizeof(opts[0]),
	.opt_spec_size = sizeof(opts[0]),
	.thread_model = UBLK_THREADS_PARALLEL,
	.open = ram_open,
	.get_limits = ram_get_limits,
	.close = free,
	.read = ram_read,
	.write = ram_write,
};
