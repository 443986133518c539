// SPDX-License-Identifier: MIT
/* file: a device whose bytes are in a regular file or on a block device. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ublk-plugin.h"

enum { OPT_PATH };

static const struct ublk_opt_spec file_opts[] = {
	[OPT_PATH] = { .name = "path",
		       .help = "regular file or block device",
		       .type = UBLK_OPT_PATH,
		       .flags = UBLK_OPTF_REQUIRED },
};

struct file_dev {
	struct ublk_dev *dev;
	const char *path;
	uint64_t size;
	int fd, slot;
};

static const struct ublk_host *host; /* set once by load() */

static int file_load(const struct ublk_host *services)
{
	host = services;
	return 0;
}

static int file_open(struct ublk_dev *dev, const struct ublk_open_args *args, void **priv)
{
	struct file_dev *file = calloc(1, sizeof(*file));
	int err = -ENOMEM;

	if (!file)
		return err;
	file->dev = dev;
	file->path = args->opts[OPT_PATH].str;
	file->fd = open(file->path, O_RDWR | O_CLOEXEC);
	if (file->fd < 0) {
		err = -errno;
		ublk_logf(host, dev, UBLK_LOG_ERR, "%s: cannot open: %s", file->path,
			  strerror(-err));
		goto out_free;
	}
	file->size = (uint64_t)lseek(file->fd, 0, SEEK_END);
	file->slot = host->file_register(dev, file->fd);
	if (file->slot < 0) {
		err = file->slot;
		goto out_close;
	}
	*priv = file;
	return 0;
out_close:
	close(file->fd);
out_free:
	free(file);
	return err;
}

static int file_get_limits(void *priv, struct ublk_limits *limits)
{
	const struct file_dev *file = priv;

	limits->size_bytes = file->size - file->size % limits->logical_block;
	limits->attrs |= UBLK_ATTR_VOLATILE_CACHE;
	return 0;
}

static void file_close(void *priv)
{
	struct file_dev *file = priv;

	close(file->fd);
	free(file);
}

static int file_map(void *qpriv, const struct ublk_io *io, struct ublk_extent *out, uint32_t max)
{
	const struct file_dev *file = qpriv;

	(void)max; /* one is always enough */
	*out = (struct ublk_extent){ .length = io->op == UBLK_OP_FLUSH ? 1 : io->length,
				     .at.offset = io->offset,
				     .kind = UBLK_EXT_FD,
				     .file = file->slot };
	return 1;
}

const struct ublk_plugin ublk_plugin_v1 = {
	UBLK_PLUGIN_INIT(0),
	.name = "file",
	.version = PACKAGE_VERSION,
	.description = "A regular file or block device as a device",
	.opts = file_opts,
	.nr_opts = sizeof(file_opts) / sizeof(file_opts[0]),
	.opt_spec_size = sizeof(file_opts[0]),
	.thread_model = UBLK_THREADS_PARALLEL,
	.map_ops = UBLK_OPS_READ | UBLK_OPS_WRITE | UBLK_OPS_FLUSH | UBLK_OPS_DISCARD |
		   UBLK_OPS_WRITE_ZEROES,
	.map_kinds = UBLK_EXT_FD,
	.load = file_load,
	.open = file_open,
	.get_limits = file_get_limits,
	.close = file_close,
	.map = file_map,
};
