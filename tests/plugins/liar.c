// SPDX-License-Identifier: MIT
/* liar: a file whose flush does nothing, for tests that have to find that out. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ublk-plugin.h"

struct liar {
	int fd, slot;
};

static const struct ublk_opt_spec liar_opts[] = {
	{ .name = "path", .help = "file", .type = UBLK_OPT_PATH, .flags = UBLK_OPTF_REQUIRED },
};

static const struct ublk_host *host;

static int liar_load(const struct ublk_host *services)
{
	host = services;
	return 0;
}

static void liar_close(void *priv)
{
	struct liar *liar = priv;

	close(liar->fd);
	free(liar);
}

static int liar_open(struct ublk_dev *dev, const struct ublk_open_args *args, void **priv)
{
	struct liar *liar = calloc(1, sizeof(*liar));
	int err;

	if (!liar)
		return -ENOMEM;
	liar->fd = open(args->opts[0].str, O_RDWR | O_CLOEXEC);
	liar->slot = liar->fd < 0 ? -errno : host->file_register(dev, liar->fd);
	if (liar->slot < 0) {
		err = liar->slot;
		ublk_logf(host, dev, UBLK_LOG_ERR, "%s: %s", args->opts[0].str, strerror(-err));
		liar_close(liar);
		return err;
	}
	*priv = liar;
	return 0;
}

static int liar_limits(void *priv, struct ublk_limits *limits)
{
	const struct liar *liar = priv;
	off_t size = lseek(liar->fd, 0, SEEK_END);

	if (size < 0)
		return -errno;
	limits->size_bytes = (uint64_t)size & ~4095ull;
	limits->attrs |= UBLK_DEV_VOLATILE_CACHE;
	return 0;
}

static int liar_map(void *qpriv, const struct ublk_io *io, struct ublk_extent *out, uint32_t max)
{
	const struct liar *liar = qpriv;

	(void)max;
	out[0] = (struct ublk_extent){ .length = io->length,
				       .at.offset = io->offset,
				       .kind = UBLK_EXT_FD,
				       .file = liar->slot };
	return 1;
}

/* This is the lie. */
static int liar_flush(void *priv)
{
	(void)priv;
	return 0;
}

const struct ublk_plugin ublk_plugin_v1 = {
	UBLK_PLUGIN_INIT(0),
	.name = "liar",
	.version = "0.1",
	.description = "A file whose flush does nothing",
	.opts = liar_opts,
	.nr_opts = 1,
	.opt_spec_size = sizeof(struct ublk_opt_spec),
	.thread_model = UBLK_THREADS_PARALLEL,
	.flags = UBLK_PLUGIN_RECOVERS | UBLK_PLUGIN_REISSUE,
	.map_ops = UBLK_OPS_READ | UBLK_OPS_WRITE,
	.map_kinds = UBLK_EXT_FD,
	.load = liar_load,
	.open = liar_open,
	.get_limits = liar_limits,
	.close = liar_close,
	.map = liar_map,
	.flush = liar_flush,
};
