// SPDX-License-Identifier: MIT
/* stripe: RAID-0. Chunk i of the device is chunk i / N of member i % N, a file or block device. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backing/backing.h"

enum { OPT_PATHS, OPT_CHUNK, OPT_DIRECT };

static const struct ublk_opt_spec stripe_opts[] = {
	{ "paths", "the members in order: absolute paths with colons between them", NULL, NULL, 0,
	  0, UBLK_OPT_STRING, UBLK_OPTF_REQUIRED },
	{ "chunk", "bytes of a member before the next one's turn: a power of two", "64K", NULL,
	  4096, BACKING_MAX_HINT, UBLK_OPT_SIZE, 0 },
	BACKING_OPT_DIRECT,
};

struct stripe {
	uint64_t chunk;
	uint32_t nr;
	struct backing member[]; /* and behind them their paths */
};

static void stripe_close(void *priv)
{
	struct stripe *s = priv;

	while (s->nr)
		backing_close(&s->member[--s->nr]);
	free(s);
}

static int stripe_open(struct ublk_dev *dev, const struct ublk_open_args *args, void **priv)
{
	const struct ublk_opt *paths = &args->opts[OPT_PATHS], *chunk = &args->opts[OPT_CHUNK];
	size_t len = strlen(paths->str) + 1, most = (len + 1) / 2; /* of two bytes each */
	struct stripe *s = calloc(1, sizeof(*s) + most * sizeof(s->member[0]) + len);
	char *path, *end;
	int err = 0;

	if (!s)
		return -ENOMEM;
	if (chunk->u64 & (chunk->u64 - 1)) {
		ublk_logf(host, dev, UBLK_LOG_ERR, "chunk=%s is not a power of two", chunk->str);
		err = -EINVAL;
	}
	s->chunk = chunk->u64;
	for (path = memcpy(&s->member[most], paths->str, len); path && !err; path = end) {
		end = strstr(path, ":/"); /* other colons are parts of names */
		if (end)
			*end++ = 0;
		backing_init(&s->member[s->nr], dev, args, path, OPT_DIRECT);
		s->member[s->nr].unit = s->chunk;
		err = backing_open(s->member, s->nr++);
	}
	*priv = s;
	if (err)
		stripe_close(s);
	return err;
}

static int stripe_get_limits(void *priv, struct ublk_limits *limits)
{
	const struct stripe *s = priv;
	uint64_t bytes = INT64_MAX / s->nr & -s->chunk, row = s->chunk * s->nr;

	for (uint32_t i = 0; i < s->nr; i++)
		bytes = s->member[i].bytes < bytes ? s->member[i].bytes : bytes;
	backing_limits(s->member, s->nr, limits);
	limits->size_bytes = bytes * s->nr;
	limits->io_min = s->chunk;
	limits->io_opt = row & (row - 1) || row > BACKING_MAX_HINT ? s->chunk : row;
	return 0;
}

static int stripe_map(void *qpriv, const struct ublk_io *io, struct ublk_extent *out, uint32_t max)
{
	const struct stripe *s = qpriv;
	uint64_t at = io->offset, end = io->offset + io->length;
	uint64_t row = at / s->chunk / s->nr, i = at / s->chunk % s->nr;
	uint32_t n;

	for (n = 0; at < end && n < max; n++, at += out[n - 1].length) {
		uint64_t skip = at & (s->chunk - 1), length = s->chunk - skip;

		out[n].length = length < end - at ? length : end - at;
		out[n].at.offset = row * s->chunk + skip;
		out[n].kind = UBLK_EXT_FD;
		out[n].file = s->member[i].slot;
		i = i + 1 < s->nr ? i + 1 : 0;
		row += !i;
	}
	return n;
}

const struct ublk_plugin ublk_plugin_v1 = {
	UBLK_PLUGIN_INIT(0),
	.name = "stripe",
	.version = PACKAGE_VERSION,
	.description = "RAID-0 over files or block devices",
	.opts = stripe_opts,
	.nr_opts = sizeof(stripe_opts) / sizeof(stripe_opts[0]),
	.opt_spec_size = sizeof(stripe_opts[0]),
	.thread_model = UBLK_THREADS_PARALLEL,
	.flags = UBLK_PLUGIN_RECOVERS | UBLK_PLUGIN_REISSUE,
	.map_ops = UBLK_OPS_READ | UBLK_OPS_WRITE | UBLK_OPS_DISCARD | UBLK_OPS_WRITE_ZEROES,
	.map_kinds = UBLK_EXT_FD,
	.load = backing_load,
	.open = stripe_open,
	.get_limits = stripe_get_limits,
	.close = stripe_close,
	.map = stripe_map,
};
