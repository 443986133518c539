// SPDX-License-Identifier: MIT
/*
 * sized: a device of zeroes whose resize() does what its option says, for tests of what the host makes of it.
 */
#include <errno.h>
#include <unistd.h>

#include "ublk-plugin.h"

enum { OPT_RESIZE, OPT_UNTIL, OPT_SIZE };

/* As in the choices. */
enum { DONE, REFUSED, FAILED, MUTE, NONSENSE, STUCK, SLOW };

static const struct ublk_opt_spec opts[] = {
	[OPT_RESIZE] = { .name = "resize",
			 .help = "what comes of a resize: refused when checked, failed when done, ...",
			 .def = "done",
			 .choices = "done|refused|failed|mute|nonsense|stuck|slow",
			 .type = UBLK_OPT_ENUM },
	[OPT_UNTIL] = { .name = "until",
			.help = "slow comes back as soon as this file is there, with ENOSPC beyond 8 MiB",
			.def = "/nowhere",
			.type = UBLK_OPT_PATH },
	[OPT_SIZE] = { .name = "size", .help = "at first", .def = "1M", .type = UBLK_OPT_SIZE },
};

static const struct ublk_host *host; /* set once by load() */
static struct ublk_dev *device;	     /* by open() */
static uint64_t how, first;
static const char *until;

static int sized_load(const struct ublk_host *services)
{
	host = services;
	return 0;
}

static int sized_open(struct ublk_dev *dev, const struct ublk_open_args *args, void **priv)
{
	device = dev;
	how = args->opts[OPT_RESIZE].u64;
	until = args->opts[OPT_UNTIL].str;
	first = args->opts[OPT_SIZE].u64;
	*priv = NULL;
	return 0;
}

static int sized_get_limits(void *priv, struct ublk_limits *limits)
{
	(void)priv;
	limits->size_bytes = first;
	return 0;
}

static int sized_resize(void *priv, uint64_t size, uint32_t flags)
{
	(void)priv;
	if (flags & UBLK_RESIZE_CHECK) {
		if (how != REFUSED)
			return 0;
		host->log(device, UBLK_LOG_ERR, "the landlord does not allow it");
		host->log(device, UBLK_LOG_ERR, "and that is that");
		return -EINVAL;
	}
	if (how == FAILED && size != 1 << 20) {
		host->log(device, UBLK_LOG_ERR, "the walls do not move");
		return -EROFS;
	}
	if (how == MUTE && size != 1 << 20)
		return -ENOSPC;
	while (how == SLOW && access(until, F_OK))
		usleep(10000);
	if (how == SLOW && size > 8 << 20)
		return -ENOSPC;
	while (how == STUCK)
		pause();
	return how == NONSENSE ? 17 : 0;
}

static int sized_map(void *qpriv, const struct ublk_io *io, struct ublk_extent *out, uint32_t max)
{
	(void)qpriv;
	(void)max;
	*out = (struct ublk_extent){ .length = io->length, .kind = UBLK_EXT_ZERO };
	return 1;
}

UBLK_PLUGIN_EXPORT const struct ublk_plugin ublk_plugin_v1 = {
	UBLK_PLUGIN_INIT(0),
	.name = "sized",
	.version = "1",
	.description = "resizes as it is told, for tests",
	.opts = opts,
	.nr_opts = sizeof(opts) / sizeof(opts[0]),
	.opt_spec_size = sizeof(struct ublk_opt_spec),
	.thread_model = UBLK_THREADS_PARALLEL,
	.flags = UBLK_PLUGIN_NEEDS_FILES | /* to look for one */
		 UBLK_PLUGIN_RECOVERS | UBLK_PLUGIN_REISSUE | UBLK_PLUGIN_OPENS_BESIDE,
	.map_ops = UBLK_OPS_READ | UBLK_OPS_WRITE,
	.map_kinds = UBLK_EXT_ZERO,
	.load = sized_load,
	.open = sized_open,
	.get_limits = sized_get_limits,
	.resize = sized_resize,
	.map = sized_map,
};
