// SPDX-License-Identifier: MIT
/* What a device can be that is made of one or more backings: the strictest of each. */
#include "config.h"

#include "backing/backing.h"

static uint32_t larger(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void narrow(const struct backing *file, struct ublk_limits *limits)
{
	const struct geometry *geo = &file->geo;

	limits->logical_block = larger(limits->logical_block, geo->logical_block);
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
	else if (geo->slow_zeroes)
		limits->max_write_zeroes_bytes =
			smaller(limits->max_write_zeroes_bytes, SLOW_ZEROES_MAX);
	if (file->read_only)
		limits->attrs |= UBLK_DEV_READ_ONLY;
	else if (geo->volatile_cache)
		limits->attrs |= UBLK_DEV_VOLATILE_CACHE;
	if (geo->rotational)
		limits->attrs |= UBLK_DEV_ROTATIONAL;
}

void backing_limits(const struct backing *files, uint32_t nr, struct ublk_limits *limits)
{
	const struct ublk_limits offered = *limits;

	narrow(&files[0], limits);
	for (uint32_t i = 1; i < nr; i++) {
		struct ublk_limits one = offered;

		narrow(&files[i], &one);
		limits->logical_block = larger(limits->logical_block, one.logical_block);
		limits->physical_block = larger(limits->physical_block, one.physical_block);
		limits->io_min = larger(limits->io_min, one.io_min);
		limits->io_opt = larger(limits->io_opt, one.io_opt);
		limits->dma_align = larger(limits->dma_align, one.dma_align);
		limits->discard_granularity =
			larger(limits->discard_granularity, one.discard_granularity);
		limits->max_discard_bytes =
			smaller(limits->max_discard_bytes, one.max_discard_bytes);
		limits->max_write_zeroes_bytes =
			smaller(limits->max_write_zeroes_bytes, one.max_write_zeroes_bytes);
		limits->attrs |= one.attrs;
	}
}
