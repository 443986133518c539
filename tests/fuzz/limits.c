// SPDX-License-Identifier: MIT
/*
 * What a plugin's get_limits() may return (device/limits.c): what passes makes parameters that the driver
 * takes, by the driver's own rules.
 */
#include "fuzz.h"

#include "device/internal.h"
#include "device/params.h"

static int nothing(void)
{
	return 0;
}

/* A user's choices, out of those that the configuration lets through. */
static void choose(struct device_config *cfg, struct fuzz_input *in)
{
	device_config_init(cfg);
	cfg->queues = fuzz_u32(in) % (MAX_QUEUES + 1);
	cfg->depth = fuzz_u32(in) % (MAX_DEPTH + 1);
	cfg->max_io = fuzz_u32(in) % (MAX_IO_LIMIT / 4096 + 1) * 4096;
	cfg->logical_block = "\0\x02\x04\x08\x10"[fuzz_byte(in) % 5] << 8;
	cfg->physical_block = fuzz_byte(in) % 2 ? 512u << fuzz_byte(in) % 20 : 0;
	cfg->read_only = fuzz_byte(in) % 2;
	if (cfg->physical_block && cfg->physical_block < cfg->logical_block)
		cfg->physical_block = cfg->logical_block;
}

static void choose_plugin(struct ublk_plugin *desc, struct fuzz_input *in)
{
	static const uint32_t models[] = { UBLK_THREADS_SERIAL, UBLK_THREADS_PER_QUEUE,
					   UBLK_THREADS_PARALLEL };

	*desc = (struct ublk_plugin){ .name = "fuzz" };
	desc->map_ops = fuzz_byte(in) & 31;
	desc->submit_ops = fuzz_byte(in) & 31 & ~desc->map_ops;
	desc->map_kinds = fuzz_byte(in) & 15;
	desc->data_modes = fuzz_byte(in) & 3;
	desc->thread_model = models[fuzz_byte(in) % 3];
	if (fuzz_byte(in) % 2)
		memcpy(&desc->flush, &(int (*)(void)){ nothing }, sizeof(desc->flush));
}

/* Members that the input does not speak of stay as they were offered. */
static void get_limits(struct ublk_limits *limits, struct fuzz_input *in)
{
	uint32_t words[sizeof(*limits) / 4];

	memcpy(words, limits, sizeof(words));
	while (in->size) {
		uint8_t what = fuzz_byte(in);
		uint32_t *word = &words[what % (sizeof(words) / 4)];

		if (what & 0x80)
			*word = 1u << fuzz_byte(in) % 32;
		else
			*word = fuzz_u32(in);
	}
	memcpy(limits, words, sizeof(words));
	limits->struct_size = sizeof(*limits);
}

/* As ublk_validate_params() and the block layer have it, and sums that must not overflow. */
static void check_params(const struct ublk_limits *l, bool fua_ok)
{
	const uint32_t page = 4096;
	struct ublk_params p;

	params_build(l, fua_ok, &p);
	FUZZ_CHECK(p.types & UBLK_PARAM_TYPE_BASIC);
	FUZZ_CHECK(p.basic.logical_bs_shift >= 9 && p.basic.logical_bs_shift <= 12);
	FUZZ_CHECK(p.basic.logical_bs_shift <= p.basic.physical_bs_shift);
	FUZZ_CHECK(p.basic.physical_bs_shift <= 28 && p.basic.io_min_shift <= 28);
	FUZZ_CHECK(p.basic.io_opt_shift <= 28);
	FUZZ_CHECK(p.basic.max_sectors && p.basic.max_sectors <= l->max_io_bytes >> 9);
	FUZZ_CHECK(p.basic.max_sectors >= page >> 9);
	FUZZ_CHECK(p.basic.max_sectors % (1u << (p.basic.logical_bs_shift - 9)) == 0);
	FUZZ_CHECK(p.basic.chunk_sectors % (1u << (p.basic.logical_bs_shift - 9)) == 0);
	FUZZ_CHECK(p.basic.dev_sectors && p.basic.dev_sectors <= INT64_MAX >> 9);
	FUZZ_CHECK(p.basic.dev_sectors % (1u << (p.basic.logical_bs_shift - 9)) == 0);
	if (p.types & UBLK_PARAM_TYPE_DISCARD) {
		FUZZ_CHECK(p.discard.max_discard_segments == 1);
		FUZZ_CHECK(p.discard.discard_granularity);
		FUZZ_CHECK(p.discard.max_discard_sectors <= INT32_MAX >> 9);
		FUZZ_CHECK(p.discard.max_write_zeroes_sectors <= INT32_MAX >> 9);
		FUZZ_CHECK(p.discard.max_discard_sectors % (p.discard.discard_granularity >> 9) ==
			   0);
	}
	if (p.types & UBLK_PARAM_TYPE_DMA_ALIGN)
		FUZZ_CHECK(p.dma.alignment < page && !(p.dma.alignment & (p.dma.alignment + 1)));
	FUZZ_CHECK(l->max_queues && l->max_queues <= MAX_QUEUES);
	FUZZ_CHECK(l->max_depth && l->max_depth <= MAX_DEPTH);
	FUZZ_CHECK((uint64_t)l->max_depth * l->sqes_per_io + l->background_sqes <= LIMITS_MAX_SQES);
	FUZZ_CHECK((uint64_t)l->max_queues * l->max_depth * l->io_scratch_bytes <=
		   LIMITS_MAX_SCRATCH);
}

/* Would another plugin get on with these choices? Then none of them is to blame. */
static bool user_may_be_wrong(const struct device_config *cfg)
{
	return cfg->logical_block || cfg->physical_block || cfg->max_io;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	struct ublk_limits offered, got;
	struct device_config cfg;
	struct ublk_plugin desc;
	struct fuzz_log log;
	int err;

	choose(&cfg, &in);
	choose_plugin(&desc, &in);
	limits_offer(&cfg, &desc, &offered);
	got = offered;
	get_limits(&got, &in);
	fuzz_log_begin(&log);
	err = limits_check_plugin("fuzz", &offered, &got, &cfg);
	fuzz_log_end(&log, err);
	FUZZ_CHECK(err != -EINVAL || got.logical_block <= MAX_LOGICAL_BLOCK,
		   "nobody could do as told: %s", log.first);
	if (!err) {
		FUZZ_CHECK(got.max_queues <= offered.max_queues);
		limits_settle(&cfg, &desc, &got);
		fuzz_log_begin(&log);
		err = limits_check("fuzz", &got, &cfg);
		fuzz_log_end(&log, err);
	}
	FUZZ_CHECK(!err || err == -EPROTO || (err == -EINVAL && user_may_be_wrong(&cfg)), "%d: %s",
		   err, log.first);
	if (!err)
		check_params(&got, device_fua_ok(&desc, &got));
	device_config_free(&cfg);
	return 0;
}
