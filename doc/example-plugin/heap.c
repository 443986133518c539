// SPDX-License-Identifier: MIT
/* heap: a RAM disk by the map profile: it says where in memory the bytes are, the host moves them. */
#include <errno.h>
#include <stdlib.h>
#include <ublk-plugin.h>

static const struct ublk_opt_spec opts[] = {
	{ "size", "size of the device", "64M", NULL, 4096, 1ull << 40, UBLK_OPT_SIZE, 0 },
};

struct heap_dev {
	uint64_t size;
	char bytes[];
};

static int heap_open(struct ublk_dev *dev, const struct ublk_open_args *args, void **priv)
{
	uint64_t size = args->opts[0].u64 & ~4095ull; /* whole blocks */
	struct heap_dev *disk = calloc(1, sizeof(*disk) + size);

	if (!disk)
		return -ENOMEM;
	disk->size = size;
	*priv = disk;
	return 0;
}

static int heap_get_limits(void *priv, struct ublk_limits *limits)
{
	limits->size_bytes = ((const struct heap_dev *)priv)->size;
	return 0;
}

/* One extent is enough for any io here; FLUSH does not come, as nothing is kept. */
static int heap_map(void *qpriv, const struct ublk_io *io, struct ublk_extent *out, uint32_t max)
{
	out->kind = UBLK_EXT_MEM;
	out->at.addr = ((struct heap_dev *)qpriv)->bytes + io->offset;
	out->length = io->length;
	return 1;
}

const struct ublk_plugin ublk_plugin_v1 = {
	UBLK_PLUGIN_INIT(0),
	.name = "heap",
	.version = "1.0",
	.description = "RAM disk, by the map profile",
	.opts = opts,
	.nr_opts = sizeof(opts) / sizeof(opts[0]),
	.opt_spec_size = sizeof(opts[0]),
	.thread_model = UBLK_THREADS_PARALLEL,
	.map_ops = UBLK_OPS_READ | UBLK_OPS_WRITE | UBLK_OPS_WRITE_ZEROES,
	.map_kinds = UBLK_EXT_MEM,
	.open = heap_open,
	.get_limits = heap_get_limits,
	.close = free,
	.map = heap_map,
};
