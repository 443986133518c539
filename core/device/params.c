// SPDX-License-Identifier: MIT
/* The driver's parameters, made of limits that have been checked, and what ADD_DEV refuses. */
#include <string.h>

#include "base/log.h"
#include "device/params.h"
#include "kernel/knobs.h"

static uint32_t basic_attrs(const struct ublk_limits *limits, bool fua_ok)
{
	uint32_t attrs = 0;

	if (limits->attrs & UBLK_DEV_READ_ONLY)
		attrs |= UBLK_ATTR_READ_ONLY;
	if (limits->attrs & UBLK_DEV_ROTATIONAL)
		attrs |= UBLK_ATTR_ROTATIONAL;
	if (limits->attrs & UBLK_DEV_VOLATILE_CACHE)
		attrs |= UBLK_ATTR_VOLATILE_CACHE | (fua_ok ? UBLK_ATTR_FUA : 0);
	return attrs;
}

void params_build(const struct ublk_limits *limits, bool fua_ok, struct ublk_params *params)
{
	struct ublk_param_basic *basic = &params->basic;
	struct ublk_param_discard *discard = &params->discard;

	*params = (struct ublk_params){ .len = sizeof(*params), .types = UBLK_PARAM_TYPE_BASIC };
	basic->attrs = basic_attrs(limits, fua_ok);
	basic->logical_bs_shift = log2_of(limits->logical_block);
	basic->physical_bs_shift = log2_of(limits->physical_block);
	basic->io_min_shift = log2_of(limits->io_min);
	basic->io_opt_shift = log2_of(limits->io_opt);
	basic->max_sectors = limits->max_io_bytes >> 9;
	basic->chunk_sectors = limits->chunk_bytes >> 9;
	basic->dev_sectors = limits->size_bytes >> 9;

	discard->max_discard_sectors = limits->max_discard_bytes >> 9;
	discard->max_write_zeroes_sectors = limits->max_write_zeroes_bytes >> 9;
	if (discard->max_discard_sectors || discard->max_write_zeroes_sectors) {
		params->types |= UBLK_PARAM_TYPE_DISCARD;
		/* The driver wants both even if there are no discards. */
		discard->discard_granularity = limits->discard_granularity;
		discard->max_discard_segments = 1;
	}
	/* 4 is the driver's own; a kernel that does not know the type ignores it. */
	if (limits->dma_align > 4) {
		params->types |= UBLK_PARAM_TYPE_DMA_ALIGN;
		params->dma.alignment = limits->dma_align - 1;
	}
}

static uint32_t align_of(const struct ublk_params *params)
{
	return params->types & UBLK_PARAM_TYPE_DMA_ALIGN ? params->dma.alignment + 1 : 4;
}

void params_limits(const struct ublk_params *params, struct ublk_limits *limits)
{
	const struct ublk_param_basic *basic = &params->basic;

	*limits = (struct ublk_limits){
		.struct_size = sizeof(*limits),
		.attrs = (basic->attrs & UBLK_ATTR_READ_ONLY ? UBLK_DEV_READ_ONLY : 0) |
			 (basic->attrs & UBLK_ATTR_ROTATIONAL ? UBLK_DEV_ROTATIONAL : 0) |
			 (basic->attrs & UBLK_ATTR_VOLATILE_CACHE ? UBLK_DEV_VOLATILE_CACHE : 0),
		.size_bytes = basic->dev_sectors << 9,
		.logical_block = 1u << basic->logical_bs_shift,
		.physical_block = 1u << basic->physical_bs_shift,
		.io_min = 1u << basic->io_min_shift,
		.io_opt = 1u << basic->io_opt_shift,
		.max_io_bytes = basic->max_sectors << 9,
		.chunk_bytes = basic->chunk_sectors << 9,
		.dma_align = align_of(params),
	};
	if (!(params->types & UBLK_PARAM_TYPE_DISCARD))
		return;
	limits->discard_granularity = params->discard.discard_granularity;
	limits->max_discard_bytes = (uint64_t)params->discard.max_discard_sectors << 9;
	limits->max_write_zeroes_bytes = (uint64_t)params->discard.max_write_zeroes_sectors << 9;
}

/* What was rounded to whole granules is still the most that there is. */
static bool takes_range(uint64_t most, uint64_t granule, uint32_t sectors)
{
	const uint64_t longest = (uint64_t)LIMITS_MAX_RANGE_SECTORS << 9;

	return (uint64_t)sectors << 9 <= most || most == longest - longest % granule;
}

static const char *ranges_unkept(const struct ublk_param_discard *discard,
				 const struct ublk_limits *limits)
{
	if (!takes_range(limits->max_discard_bytes, limits->discard_granularity,
			 discard->max_discard_sectors))
		return limits->max_discard_bytes ? "it offers longer discards than the plugin takes"
						 : "it offers discards, and the plugin takes none";
	if (!takes_range(limits->max_write_zeroes_bytes, limits->logical_block,
			 discard->max_write_zeroes_sectors))
		return limits->max_write_zeroes_bytes
			       ? "it offers longer writes of zeroes than the plugin takes"
			       : "it offers writes of zeroes, and the plugin takes none";
	return NULL;
}

const char *params_unkept(const struct ublk_params *params, const struct ublk_limits *limits,
			  bool fua_ok, bool in_place)
{
	const uint32_t chunk = limits->chunk_bytes >> 9, attrs = params->basic.attrs;

	if (chunk && (!params->basic.chunk_sectors || chunk % params->basic.chunk_sectors))
		return "its requests may cross a border of the plugin's (chunk_bytes)";
	if (in_place && limits->dma_align > align_of(params))
		return "its requests may be in memory that is aligned less than the plugin needs "
		       "(dma_align)";
	/* Nothing is written, so that nothing has to become stable. */
	if (attrs & UBLK_ATTR_READ_ONLY)
		return NULL;
	if (limits->attrs & UBLK_DEV_VOLATILE_CACHE && !(attrs & UBLK_ATTR_VOLATILE_CACHE))
		return "the plugin has a volatile cache, and the kernel was told of none that it "
		       "would have to flush";
	/* Without a cache, each write is stable when it ends. */
	if (limits->attrs & UBLK_DEV_VOLATILE_CACHE && attrs & UBLK_ATTR_FUA && !fua_ok)
		return "it offers writes that are stable when they end (FUA), which are not with "
		       "the plugin";
	return params->types & UBLK_PARAM_TYPE_DISCARD ? ranges_unkept(&params->discard, limits)
						       : NULL;
}

static bool recovery_flags_ok(uint64_t flags)
{
	switch (flags & (UBLK_F_USER_RECOVERY | UBLK_F_USER_RECOVERY_REISSUE |
			 UBLK_F_USER_RECOVERY_FAIL_IO)) {
	case 0:
	case UBLK_F_USER_RECOVERY:
	case UBLK_F_USER_RECOVERY | UBLK_F_USER_RECOVERY_REISSUE:
	case UBLK_F_USER_RECOVERY | UBLK_F_USER_RECOVERY_FAIL_IO:
		return true;
	default:
		return false;
	}
}

/* NULL, or what is wrong with the features that are asked for. */
static const char *flags_wrong(const struct ublksrv_ctrl_dev_info *info)
{
	const uint64_t flags = info->flags;
	const uint64_t no_copy = UBLK_F_USER_COPY | UBLK_F_SUPPORT_ZERO_COPY | UBLK_F_AUTO_BUF_REG;

	if (!recovery_flags_ok(flags))
		return "user_recovery_reissue and user_recovery_fail_io exclude each other, and "
		       "both need user_recovery";
	if (flags & UBLK_F_QUIESCE && !(flags & UBLK_F_USER_RECOVERY))
		return "quiesce needs user_recovery";
	/* Root's devices lose the flag before the driver looks at it. */
	if (flags & UBLK_F_UNPRIVILEGED_DEV && flags & no_copy && !knobs_privileged())
		return "an unprivileged device must copy: none of user_copy, support_zero_copy and "
		       "auto_buf_reg";
	if (flags & UBLK_F_INTEGRITY && !(flags & UBLK_F_USER_COPY))
		return "integrity needs user_copy";
	if (flags & UBLK_F_ZONED && !(flags & (UBLK_F_USER_COPY | UBLK_F_SUPPORT_ZERO_COPY)))
		return "zoned needs user_copy or support_zero_copy";
	if (flags & UBLK_F_IO_DESC_SIZE && (info->io_desc_size < sizeof(struct ublksrv_io_desc) ||
					    info->io_desc_size > 256 || info->io_desc_size % 8))
		return "io_desc_size must be a multiple of 8 from 24 to 256";
	return NULL;
}

int add_check(const struct ublksrv_ctrl_dev_info *info)
{
	const char *wrong = flags_wrong(info);

	if (!info->queue_depth || info->queue_depth > MAX_DEPTH)
		log_err("--depth %u: must be from 1 to %u", info->queue_depth, MAX_DEPTH);
	else if (!info->nr_hw_queues || info->nr_hw_queues > MAX_QUEUES)
		log_err("--queues %u: must be from 1 to %u", info->nr_hw_queues, MAX_QUEUES);
	else if (info->dev_id != UINT32_MAX && info->dev_id > MAX_DEV_ID)
		log_err("--id %u: must be from 0 to %u", info->dev_id, MAX_DEV_ID);
	else if (wrong)
		log_err("the ublk driver refuses this combination of features: %s", wrong);
	else
		return 0;
	return -EINVAL;
}
