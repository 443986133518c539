// SPDX-License-Identifier: MIT
/* The RAM disk with limits narrower than what is offered, and no patience with what goes beyond: every check
 * passes. */
/* check: none */
#include "ram.h"

enum { OPT_DEPTH = OPT_PATH + 1, OPT_CHUNK };

static const struct ublk_opt_spec narrow_opts[] = {
	[OPT_SIZE] = { .name = "size",
		       .help = "size of the device",
		       .def = "32M",
		       .type = UBLK_OPT_SIZE },
	[OPT_PATH] = { .name = "path", .help = "file that keeps it", .type = UBLK_OPT_PATH },
	[OPT_DEPTH] = { .name = "depth",
			.help = "requests at once of a queue; 0: what is offered",
			.def = "0",
			.type = UBLK_OPT_SIZE },
	[OPT_CHUNK] = { .name = "chunk",
			.help = "no request crosses a multiple of it; 0: none",
			.def = "0",
			.type = UBLK_OPT_SIZE },
};

static uint32_t depth, chunk; /* by open(), the same each time in a process */

static int narrow_open(struct ublk_dev *dev, const struct ublk_open_args *args, void **priv)
{
	depth = (uint32_t)args->opts[OPT_DEPTH].u64;
	chunk = (uint32_t)args->opts[OPT_CHUNK].u64;
	return ram_open(dev, args, priv);
}

static int narrow_get_limits(void *priv, struct ublk_limits *limits)
{
	if (depth && depth < limits->max_depth)
		limits->max_depth = depth;
	limits->chunk_bytes = chunk;
	return ram_get_limits(priv, limits);
}

static int narrow_queue_init(void *priv, struct ublk_queue *q, const struct ublk_queue_info *info,
			     void **qpriv)
{
	(void)priv, (void)q;
	*qpriv = NULL;
	return depth && info->depth > depth ? -EINVAL : 0;
}

static bool crosses(uint64_t length, uint64_t offset)
{
	return chunk && offset / chunk != (offset + length - 1) / chunk;
}

static int narrow_read(void *priv, void *buf, uint64_t length, uint64_t offset, uint32_t flags)
{
	return crosses(length, offset) ? -EINVAL : ram_read(priv, buf, length, offset, flags);
}

static int narrow_write(void *priv, const void *buf, uint64_t length, uint64_t offset,
			uint32_t flags)
{
	return crosses(length, offset) ? -EINVAL : ram_write(priv, buf, length, offset, flags);
}

RAM_CALL("good-narrow", .opts = narrow_opts,
	 .nr_opts = sizeof(narrow_opts) / sizeof(narrow_opts[0]), .open = narrow_open,
	 .get_limits = narrow_get_limits, .queue_init = narrow_queue_init, .read = narrow_read,
	 .write = narrow_write);
