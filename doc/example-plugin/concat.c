// SPDX-License-Identifier: MIT
/* concat: two files, one after the other, as one device. A whole plugin; see README.md. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <ublk-plugin.h>

struct part {
	int fd, slot;
	uint64_t size;
};

static const struct ublk_opt_spec opts[] = {
	{ "first", "file with the first bytes", 0, 0, 0, 0, UBLK_OPT_PATH, UBLK_OPTF_REQUIRED },
	{ "second", "file with the rest", 0, 0, 0, 0, UBLK_OPT_PATH, UBLK_OPTF_REQUIRED },
};
static const struct ublk_host *host;

static int concat_load(const struct ublk_host *services)
{
	host = services;
	return 0;
}

static void concat_close(void *priv)
{
	struct part *parts = priv;

	close(parts[0].fd);
	close(parts[1].fd);
	free(parts);
}

static int concat_open(struct ublk_dev *dev, const struct ublk_open_args *args, void **priv)
{
	int mode = args->flags & UBLK_OPEN_READ_ONLY ? O_RDONLY : O_RDWR, err = 0;
	struct part *parts = calloc(2, sizeof(*parts));

	if (!parts)
		return -ENOMEM;
	for (int i = 0; i < 2; i++) {
		parts[i].fd = open(args->opts[i].str, mode | O_CLOEXEC);
		parts[i].slot = parts[i].fd < 0 ? -errno : host->file_register(dev, parts[i].fd);
		parts[i].size = lseek(parts[i].fd, 0, SEEK_END) & ~4095ull; /* whole blocks */
		if (parts[i].slot < 0 && !err) {
			err = parts[i].slot;
			ublk_logf(host, dev, UBLK_LOG_ERR, "%s: %s", args->opts[i].str,
				  strerror(-err));
		}
	}
	*priv = parts;
	if (err)
		concat_close(parts);
	return err;
}

static int concat_get_limits(void *priv, struct ublk_limits *limits)
{
	const struct part *parts = priv;

	limits->size_bytes = parts[0].size + parts[1].size;
	limits->attrs |= UBLK_DEV_VOLATILE_CACHE; /* so that the host syncs both on a flush */
	return 0;
}

/* All that this plugin does: say in which file, and where in it, the bytes of an io are. */
static int concat_map(void *priv, const struct ublk_io *io, struct ublk_extent *out, uint32_t max)
{
	const struct part *parts = priv;
	uint64_t at = io->offset, left = io->length;
	uint32_t nr = 0;

	for (; left && nr < max; nr++) {
		int i = at >= parts[0].size;
		uint64_t start = at - (i ? parts[0].size : 0), room = parts[i].size - start;

		out[nr].kind = UBLK_EXT_FD;
		out[nr].file = parts[i].slot;
		out[nr].at.offset = start;
		out[nr].length = left < room ? left : room;
		at += out[nr].length;
		left -= out[nr].length;
	}
	return (int)nr;
}

const struct ublk_plugin ublk_plugin_v1 = {
	UBLK_PLUGIN_INIT(0),
	.name = "concat",
	.version = "1.0",
	.description = "Two files, one after the other",
	.opts = opts,
	.nr_opts = 2,
	.opt_spec_size = sizeof(opts[0]),
	.thread_model = UBLK_THREADS_PARALLEL,
	.map_ops = UBLK_OPS_READ | UBLK_OPS_WRITE | UBLK_OPS_DISCARD | UBLK_OPS_WRITE_ZEROES,
	.map_kinds = UBLK_EXT_FD,
	.load = concat_load,
	.open = concat_open,
	.get_limits = concat_get_limits,
	.close = concat_close,
	.map = concat_map,
};
