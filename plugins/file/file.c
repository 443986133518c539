// SPDX-License-Identifier: MIT
/*
 * file: a device whose bytes are in a regular file or on a block device. Here: options, the order
 * of things, limits and the map; opening is in backing.c, lock.c and geometry.c.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"

/* One zeroing of a backing that can only write zeroes must not outlast an io timeout. */
#define SLOW_ZEROES_MAX (16u << 20)

enum { OPT_PATH, OPT_SIZE, OPT_CREATE, OPT_OFFSET, OPT_DIRECT };

static const struct ublk_opt_spec file_opts[] = {
	[OPT_PATH] = { .name = "path",
		       .help = "regular file or block device",
		       .type = UBLK_OPT_PATH,
		       .flags = UBLK_OPTF_REQUIRED },
	[OPT_SIZE] = { .name = "size",
		       .help = "size of the device; default: all of the file from offset on",
		       .min = 512,
		       .type = UBLK_OPT_SIZE },
	[OPT_CREATE] = { .name = "create",
			 .help = "create the file, or extend it, to hold size bytes",
			 .def = "false",
			 .type = UBLK_OPT_BOOL },
	[OPT_OFFSET] = { .name = "offset",
			 .help = "where in the file the device begins",
			 .def = "0",
			 .type = UBLK_OPT_SIZE },
	[OPT_DIRECT] = { .name = "direct",
			 .help = "bypass the page cache (O_DIRECT): where possible, always or never",
			 .def = "auto",
			 .choices = "auto|on|off",
			 .type = UBLK_OPT_ENUM },
};

static const struct ublk_host *host; /* set once by load() */

void file_say(const struct file_dev *file, int level, const char *fmt, ...)
{
	/* A path may be longer than a line: its end, where names differ, is what we show. */
	enum { PATH_SHOWN = 120 };
	size_t len = strlen(file->path);
	size_t cut = len > PATH_SHOWN ? len - PATH_SHOWN : 0;
	char text[380];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ublk_logf(file->host, file->dev, level, "%s%s: %s", cut ? "..." : "", file->path + cut,
		  text);
}

static int file_load(const struct ublk_host *services)
{
	host = services;
	return 0;
}

static int check_options(const struct file_dev *file)
{
	if (file->want_size % 512 || file->offset % 512) {
		file_say(file, UBLK_LOG_ERR,
			 "%s=%" PRIu64 " is not a multiple of 512, the smallest block of a device",
			 file->want_size % 512 ? "size" : "offset",
			 file->want_size % 512 ? file->want_size : file->offset);
		return -EINVAL;
	}
	if (file->offset > INT64_MAX || file->want_size > INT64_MAX - file->offset) {
		file_say(file, UBLK_LOG_ERR, "offset and size reach beyond what a file can hold");
		return -EFBIG;
	}
	return 0;
}

static void file_close(void *priv)
{
	struct file_dev *file = priv;

	backing_undo(file);
	if (file->fd >= 0)
		close(file->fd);
	free(file);
}

static int file_open(struct ublk_dev *dev, const struct ublk_open_args *args, void **priv)
{
	struct file_dev *file = calloc(1, sizeof(*file));
	int err;

	if (!file)
		return -ENOMEM;
	file->host = host;
	file->dev = dev;
	file->path = args->opts[OPT_PATH].str;
	file->want_size = args->opts[OPT_SIZE].u64;
	file->create = args->opts[OPT_CREATE].u64;
	file->offset = args->opts[OPT_OFFSET].u64;
	file->direct_mode = (enum direct_mode)args->opts[OPT_DIRECT].u64;
	file->read_only = args->flags & UBLK_OPEN_READ_ONLY;
	file->fd = -1;

	err = check_options(file);
	if (err)
		goto out;
	err = backing_open(file);
	if (err)
		goto out;
	err = geometry_probe(file);
	if (err)
		goto out;
	file->slot = host->file_register(dev, file->fd);
	if (file->slot < 0) {
		err = file->slot;
		file_say(file, UBLK_LOG_ERR, "the host cannot use the file: %s", strerror(-err));
		goto out;
	}
	*priv = file;
out:
	if (err)
		file_close(file);
	return err;
}

/* The device's size in whole blocks, or 0 after saying why there is none. */
static uint64_t whole_blocks(const struct file_dev *file, uint32_t block)
{
	uint64_t rest = file->bytes % block;

	if (file->offset % block || (file->want_size && rest)) {
		file_say(file, UBLK_LOG_ERR,
			 "%s=%" PRIu64 " is not a multiple of the logical block, %u bytes",
			 file->offset % block ? "offset" : "size",
			 file->offset % block ? file->offset : file->bytes, block);
		return 0;
	}
	if (rest == file->bytes) {
		file_say(file, UBLK_LOG_ERR,
			 "has %" PRIu64
			 " bytes to serve, less than one block of %u; give size= and "
			 "create=true to extend it",
			 file->bytes, block);
		return 0;
	}
	if (rest)
		file_say(file, UBLK_LOG_WARN,
			 "its last %" PRIu64 " bytes are not a whole block of %u; the device ends "
			 "before them",
			 rest, block);
	return file->bytes - rest;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static int file_get_limits(void *priv, struct ublk_limits *limits)
{
	const struct file_dev *file = priv;
	const struct geometry *geo = &file->geo;

	limits->logical_block = larger(limits->logical_block, geo->logical_block);
	limits->size_bytes = whole_blocks(file, limits->logical_block);
	if (!limits->size_bytes)
		return -EINVAL;
	if (geo->physical_block)
		limits->physical_block = geo->physical_block;
	limits->physical_block = larger(limits->physical_block, limits->logical_block);
	limits->io_min = geo->io_min > limits->physical_block ? geo->io_min : 0;
	limits->io_opt = geo->io_opt > limits->physical_block ? geo->io_opt : 0;
	limits->dma_align = larger(limits->dma_align, geo->dma_align);
	if (geo->discard_granularity)
		limits->discard_granularity =
			larger(geo->discard_granularity, limits->logical_block);
	if (!geo->discard || file->read_only)
		limits->max_discard_bytes = 0;
	if (file->read_only)
		limits->max_write_zeroes_bytes = 0;
	else if (geo->slow_zeroes && limits->max_write_zeroes_bytes > SLOW_ZEROES_MAX)
		limits->max_write_zeroes_bytes = SLOW_ZEROES_MAX;
	if (file->read_only)
		limits->attrs |= UBLK_DEV_READ_ONLY;
	else if (geo->volatile_cache)
		limits->attrs |= UBLK_DEV_VOLATILE_CACHE;
	if (geo->rotational)
		limits->attrs |= UBLK_DEV_ROTATIONAL;
	return 0;
}

static int file_start(void *priv, const struct ublk_limits *final_limits)
{
	struct file_dev *file = priv;

	(void)final_limits;
	file->created = file->grown = false; /* from here on it holds a user's data: keep it */
	return 0;
}

static int file_map(void *qpriv, const struct ublk_io *io, struct ublk_extent *out, uint32_t max)
{
	const struct file_dev *file = qpriv;

	(void)max; /* one is always enough */
	*out = (struct ublk_extent){ .length = io->op == UBLK_OP_FLUSH ? 1 : io->length,
				     .at.offset = file->offset + io->offset,
				     .kind = UBLK_EXT_FD,
				     .file = file->slot };
	return 1;
}

const struct ublk_plugin ublk_plugin_v1 = {
	UBLK_PLUGIN_INIT(0),
	.name = "file",
	.version = PACKAGE_VERSION,
	.description = "A regular file or block device, or a part of it",
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
	.start = file_start,
	.close = file_close,
	.map = file_map,
};
