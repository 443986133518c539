/* SPDX-License-Identifier: MIT */
/* The callbacks of a plugin that loads and does nothing; each fixture breaks one thing of it. */
#ifndef FIXTURE_H
#define FIXTURE_H

#include "ublk-plugin.h"

static inline int fixture_open(struct ublk_dev *dev, const struct ublk_open_args *args, void **priv)
{
	(void)dev, (void)args, (void)priv;
	return 0;
}

static inline int fixture_get_limits(void *priv, struct ublk_limits *limits)
{
	(void)priv;
	limits->size_bytes = 1u << 20;
	return 0;
}

static inline int fixture_map(void *qpriv, const struct ublk_io *io, struct ublk_extent *out,
			      uint32_t max)
{
	(void)qpriv, (void)max;
	out->length = io->length;
	out->kind = UBLK_EXT_ZERO;
	return 1;
}

#define FIXTURE_BODY(name_)                                                                        \
	.name = name_, .version = "1.0", .description = "Fixture " name_,                          \
	.thread_model = UBLK_THREADS_PARALLEL, .map_ops = UBLK_OPS_READ | UBLK_OPS_WRITE,          \
	.map_kinds = UBLK_EXT_ZERO, .open = fixture_open, .get_limits = fixture_get_limits,        \
	.map = fixture_map

#endif
