// SPDX-License-Identifier: MIT
/*
 * null: a device with nothing behind it. Writes, discards and zeroing are dropped; reads are zeroes
 * (fill=zero) or leave the pages as they are (fill=none).
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "ublk-plugin.h"

enum { OPT_SIZE, OPT_FILL };

static const struct ublk_opt_spec null_opts[] = {
	[OPT_SIZE] = { .name = "size",
		       .help = "size of the device",
		       .def = "250G",
		       .min = 512,
		       .type = UBLK_OPT_SIZE },
	[OPT_FILL] = { .name = "fill",
		       .help = "what reads return: zeroes, or whatever the pages held before",
		       .def = "zero",
		       .choices = "zero|none",
		       .type = UBLK_OPT_ENUM },
};

struct null_dev {
	struct ublk_dev *dev;
	uint64_t size;
	uint32_t kind; /* UBLK_EXT_ZERO or UBLK_EXT_VOID */
};

static const struct ublk_host *host; /* set once by load() */

static int null_load(const struct ublk_host *services)
{
	host = services;
	return 0;
}

static int null_open(struct ublk_dev *dev, const struct ublk_open_args *args, void **priv)
{
	static const uint32_t kinds[] = { UBLK_EXT_ZERO, UBLK_EXT_VOID }; /* as in the choices */
	struct null_dev *null = malloc(sizeof(*null));

	if (!null)
		return -ENOMEM;
	null->dev = dev;
	null->size = args->opts[OPT_SIZE].u64;
	null->kind = kinds[args->opts[OPT_FILL].u64];
	*priv = null;
	return 0;
}

static int null_get_limits(void *priv, struct ublk_limits *limits)
{
	const struct null_dev *null = priv;

	if (null->size % limits->logical_block) {
		ublk_logf(host, null->dev, UBLK_LOG_ERR,
			  "size=%" PRIu64 " is not a multiple of the logical block, %u bytes; "
			  "give another size or logical block",
			  null->size, limits->logical_block);
		return -EINVAL;
	}
	limits->size_bytes = null->size;
	limits->map_kinds &= null->kind;
	return 0;
}

static int null_resize(void *priv, uint64_t size, uint32_t flags)
{
	struct null_dev *null = priv;

	if (!(flags & UBLK_RESIZE_CHECK))
		null->size = size;
	return 0;
}

static void null_close(void *priv)
{
	free(priv);
}

static int null_map(void *qpriv, const struct ublk_io *io, struct ublk_extent *out, uint32_t max)
{
	const struct null_dev *null = qpriv;

	(void)max; /* one is always enough */
	*out = (struct ublk_extent){ .length = io->length, .kind = null->kind };
	return 1;
}

const struct ublk_plugin ublk_plugin_v1 = {
	UBLK_PLUGIN_INIT(0),
	.name = "null",
	.version = PACKAGE_VERSION,
	.description = "Drops what is written, reads zeroes",
	.opts = null_opts,
	.nr_opts = sizeof(null_opts) / sizeof(null_opts[0]),
	.opt_spec_size = sizeof(null_opts[0]),
	.thread_model = UBLK_THREADS_PARALLEL,
	.flags = UBLK_PLUGIN_RECOVERS | UBLK_PLUGIN_REISSUE | UBLK_PLUGIN_OPENS_BESIDE,
	.map_ops = UBLK_OPS_READ | UBLK_OPS_WRITE | UBLK_OPS_DISCARD | UBLK_OPS_WRITE_ZEROES,
	.map_kinds = UBLK_EXT_ZERO | UBLK_EXT_VOID,
	.load = null_load,
	.open = null_open,
	.get_limits = null_get_limits,
	.resize = null_resize,
	.close = null_close,
	.map = null_map,
};
