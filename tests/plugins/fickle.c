// SPDX-License-Identifier: MIT
/*
 * fickle: a file as a device, whose limits are what another file says each time that it is opened: words from
 * the list below. For tests of what becomes of a device whose next server has another plugin. There is a second
 * one that does one thing at a time.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ublk-plugin.h"

#ifndef FICKLE_NAME
#define FICKLE_NAME "fickle"
#define FICKLE_THREADS UBLK_THREADS_PARALLEL
#endif

enum { OPT_PATH, OPT_NOW };

static const struct ublk_opt_spec opts[] = {
	[OPT_PATH] = { .name = "path",
		       .help = "file",
		       .type = UBLK_OPT_PATH,
		       .flags = UBLK_OPTF_REQUIRED },
	[OPT_NOW] = { .name = "now",
		      .help = "file that says what the device is",
		      .type = UBLK_OPT_PATH,
		      .flags = UBLK_OPTF_REQUIRED },
};

struct fickle {
	int fd, slot;
	char now[256];
};

static const struct ublk_host *host;

static int fickle_load(const struct ublk_host *services)
{
	host = services;
	return 0;
}

static int read_now(struct fickle *f, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, f->now, sizeof(f->now) - 1);
	int err = n < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	return err;
}

static void fickle_close(void *priv)
{
	struct fickle *f = priv;

	if (f->fd >= 0)
		close(f->fd);
	free(f);
}

static int fickle_open(struct ublk_dev *dev, const struct ublk_open_args *args, void **priv)
{
	struct fickle *f = calloc(1, sizeof(*f));
	int err;

	if (!f)
		return -ENOMEM;
	f->fd = open(args->opts[OPT_PATH].str, O_RDWR | O_CLOEXEC);
	f->slot = f->fd < 0 ? -errno : host->file_register(dev, f->fd);
	err = f->slot < 0 ? f->slot : read_now(f, args->opts[OPT_NOW].str);
	if (err) {
		ublk_logf(host, dev, UBLK_LOG_ERR, "%s, %s: %s", args->opts[OPT_PATH].str,
			  args->opts[OPT_NOW].str, strerror(-err));
		fickle_close(f);
		return err;
	}
	*priv = f;
	return 0;
}

/* The value of "word=value" among the words, or what there would be without. */
static uint64_t word(const struct fickle *f, const char *name, uint64_t otherwise)
{
	const char *at = strstr(f->now, name);

	return at ? strtoull(at + strlen(name), NULL, 0) : otherwise;
}

static int fickle_limits(void *priv, struct ublk_limits *limits)
{
	const struct fickle *f = priv;
	off_t size = lseek(f->fd, 0, SEEK_END);

	if (size < 0)
		return -errno;
	limits->size_bytes = (uint64_t)size & ~4095ull;
	limits->attrs |= word(f, "cache=", 0) ? UBLK_DEV_VOLATILE_CACHE : 0;
	limits->attrs |= word(f, "rotational=", 0) ? UBLK_DEV_ROTATIONAL : 0;
	if (!word(f, "memory=", 0)) /* whether a write of it is stable, nobody knows */
		limits->map_kinds &= ~(uint32_t)UBLK_EXT_MEM;
	limits->chunk_bytes = (uint32_t)word(f, "chunk=", limits->chunk_bytes);
	limits->dma_align = (uint32_t)word(f, "align=", limits->dma_align);
	limits->max_discard_bytes = word(f, "discard=", limits->max_discard_bytes);
	limits->max_write_zeroes_bytes = word(f, "zeroes=", limits->max_write_zeroes_bytes);
	limits->max_queues = (uint32_t)word(f, "queues=", limits->max_queues);
	return 0;
}

static int fickle_map(void *qpriv, const struct ublk_io *io, struct ublk_extent *out, uint32_t max)
{
	const struct fickle *f = qpriv;

	(void)max; /* one is always enough */
	*out = (struct ublk_extent){
		.length = io->length, .at.offset = io->offset, .kind = UBLK_EXT_FD, .file = f->slot
	};
	return 1;
}

UBLK_PLUGIN_EXPORT const struct ublk_plugin ublk_plugin_v1 = {
	UBLK_PLUGIN_INIT(0),
	.name = FICKLE_NAME,
	.version = "1",
	.description = "a file whose limits change with its server, for tests",
	.opts = opts,
	.nr_opts = sizeof(opts) / sizeof(opts[0]),
	.opt_spec_size = sizeof(struct ublk_opt_spec),
	.thread_model = FICKLE_THREADS,
	.flags = UBLK_PLUGIN_RECOVERS | UBLK_PLUGIN_REISSUE | UBLK_PLUGIN_OPENS_BESIDE,
	.map_ops = UBLK_OPS_READ | UBLK_OPS_WRITE | UBLK_OPS_DISCARD | UBLK_OPS_WRITE_ZEROES,
	.map_kinds = UBLK_EXT_FD | UBLK_EXT_MEM,
	.load = fickle_load,
	.open = fickle_open,
	.get_limits = fickle_limits,
	.close = fickle_close,
	.map = fickle_map,
};
