// SPDX-License-Identifier: MIT
/*
 * hang: does not return from one of its functions, for tests of the host's patience. Where it does
 * not hang, it is a device of zeroes. It says so on its log before it hangs.
 */
#include <string.h>
#include <unistd.h>

#include "ublk-plugin.h"

enum { OPT_WHERE };

/* As in the choices. */
enum { NOWHERE, OPEN, GET_LIMITS, START, QUEUE_INIT, QUEUE_EXIT, STOP, CLOSE };

static const struct ublk_opt_spec opts[] = {
	[OPT_WHERE] = { .name = "where",
			.help = "function that does not return",
			.def = "nowhere",
			.choices = "nowhere|open|get-limits|start|queue-init|queue-exit|stop|close",
			.type = UBLK_OPT_ENUM },
};

static const struct ublk_host *host; /* set once by load() */
static struct ublk_dev *device;	     /* by open() */
static uint64_t where;

static void hang_here(uint64_t here)
{
	if (where != here)
		return;
	host->log(device, UBLK_LOG_WARN, "hanging");
	for (;;)
		pause();
}

static int hang_load(const struct ublk_host *services)
{
	host = services;
	return 0;
}

static int hang_open(struct ublk_dev *dev, const struct ublk_open_args *args, void **priv)
{
	device = dev;
	where = args->opts[OPT_WHERE].u64;
	*priv = NULL;
	hang_here(OPEN);
	return 0;
}

static int hang_get_limits(void *priv, struct ublk_limits *limits)
{
	(void)priv;
	limits->size_bytes = 1 << 20;
	hang_here(GET_LIMITS);
	return 0;
}

static int hang_start(void *priv, const struct ublk_limits *final_limits)
{
	(void)priv;
	(void)final_limits;
	hang_here(START);
	return 0;
}

static void hang_stop(void *priv)
{
	(void)priv;
	hang_here(STOP);
}

static void hang_close(void *priv)
{
	(void)priv;
	hang_here(CLOSE);
}

/* The last queue: the others are waiting for requests by then. */
static int hang_queue_init(void *priv, struct ublk_queue *q, const struct ublk_queue_info *info,
			   void **qpriv)
{
	(void)priv;
	(void)q;
	*qpriv = NULL;
	if (info->qid == 1)
		hang_here(QUEUE_INIT);
	return 0;
}

static void hang_queue_exit(void *qpriv)
{
	(void)qpriv;
	hang_here(QUEUE_EXIT);
}

static int hang_map(void *qpriv, const struct ublk_io *io, struct ublk_extent *out, uint32_t max)
{
	(void)qpriv;
	(void)max;
	out->length = io->length;
	out->kind = UBLK_EXT_ZERO;
	return 1;
}

UBLK_PLUGIN_EXPORT const struct ublk_plugin ublk_plugin_v1 = {
	UBLK_PLUGIN_INIT(0),
	.name = "hang",
	.version = "1",
	.description = "does not return, for tests",
	.opts = opts,
	.nr_opts = sizeof(opts) / sizeof(opts[0]),
	.opt_spec_size = sizeof(struct ublk_opt_spec),
	.thread_model = UBLK_THREADS_PARALLEL,
	.map_ops = UBLK_OPS_READ | UBLK_OPS_WRITE,
	.map_kinds = UBLK_EXT_ZERO,
	.data_modes = UBLK_DATA_MAPPED,
	.load = hang_load,
	.open = hang_open,
	.get_limits = hang_get_limits,
	.start = hang_start,
	.stop = hang_stop,
	.close = hang_close,
	.queue_init = hang_queue_init,
	.queue_exit = hang_queue_exit,
	.map = hang_map,
};
