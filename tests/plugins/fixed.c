// SPDX-License-Identifier: MIT
/* fixed: a device of 1 MiB whose submit() takes its data in registered buffers only, which it leaves as they
 * are: for tests of what the host makes of it where the kernel has none. */
#include "ublk-plugin.h"

static const struct ublk_host *host; /* set once by load() */

static int fixed_load(const struct ublk_host *services)
{
	host = services;
	return 0;
}

static int fixed_open(struct ublk_dev *dev, const struct ublk_open_args *args, void **priv)
{
	(void)dev;
	(void)args;
	*priv = NULL;
	return 0;
}

static int fixed_get_limits(void *priv, struct ublk_limits *limits)
{
	(void)priv;
	limits->size_bytes = 1 << 20;
	return 0;
}

static int fixed_queue_init(void *priv, struct ublk_queue *q, const struct ublk_queue_info *info,
			    void **qpriv)
{
	(void)priv;
	(void)info;
	*qpriv = q;
	return 0;
}

static int fixed_submit(void *qpriv, struct ublk_io *io)
{
	host->complete(qpriv, io, (int32_t)io->length);
	return 0;
}

UBLK_PLUGIN_EXPORT const struct ublk_plugin ublk_plugin_v1 = {
	UBLK_PLUGIN_INIT(0),
	.name = "fixed",
	.version = "1",
	.description = "takes registered buffers only, for tests",
	.thread_model = UBLK_THREADS_PARALLEL,
	.submit_ops = UBLK_OPS_READ | UBLK_OPS_WRITE,
	.data_modes = UBLK_DATA_FIXED,
	.load = fixed_load,
	.open = fixed_open,
	.get_limits = fixed_get_limits,
	.queue_init = fixed_queue_init,
	.submit = fixed_submit,
};
