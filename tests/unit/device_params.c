// SPDX-License-Identifier: MIT
/*
 * Limits: each rule broken in turn, and a model of the driver's own checks, which nothing that
 * passes ours may fail.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "device/params.h"
#include "capture.h"
#include "tap.h"

#define PAGE 4096u

static struct device_config cfg;
static struct ublk_limits offered, limits;
static struct capture cap;
static const char *said;

static struct ublk_limits an_offer(void)
{
	return (struct ublk_limits){ .struct_size = sizeof(struct ublk_limits),
				     .logical_block = 512,
				     .physical_block = 4096,
				     .max_io_bytes = 512 << 10,
				     .dma_align = 4,
				     .discard_granularity = 4096,
				     .max_discard_bytes = UINT64_MAX,
				     .max_write_zeroes_bytes = UINT64_MAX,
				     .map_kinds = UBLK_EXT_FD | UBLK_EXT_ZERO,
				     .max_queues = 4,
				     .max_depth = 128 };
}

static void setup(void)
{
	device_config_init(&cfg);
	offered = an_offer();
	limits = offered;
	limits.size_bytes = 1 << 30;
}

static void teardown(void)
{
	device_config_free(&cfg);
}

static int check(void)
{
	int err;

	capture_begin(&cap, STDERR_FILENO);
	err = limits_check_paged("file", &limits, &cfg, PAGE);
	said = capture_end(&cap);
	return err;
}

static int check_plugin(void)
{
	int err;

	capture_begin(&cap, STDERR_FILENO);
	err = limits_check_plugin("file", &offered, &limits, &cfg);
	said = capture_end(&cap);
	return err;
}

/* One line, and it says so. */
#define says(text)                                                                                 \
	do {                                                                                       \
		ck_assert_msg(strstr(said, text) != NULL, "no \"%s\" in: %s", text, said);         \
		ck_assert_ptr_eq(strchr(said, '\n'), strrchr(said, '\n'));                         \
	} while (0)

START_TEST(the_offer_passes)
{
	ck_assert_int_eq(check_plugin(), 0);
	ck_assert_int_eq(check(), 0);
	ck_assert_str_eq(said, "");
	ck_assert_uint_eq(limits.io_min, 4096);
	ck_assert_uint_eq(limits.io_opt, 4096);
	ck_assert_uint_eq(limits.max_discard_bytes, (1u << 31) - 4096);
	ck_assert_uint_eq(limits.max_write_zeroes_bytes, (1u << 31) - 512);
}
END_TEST

/* What a plugin sets wrong, and what is said about it. */
#define MEMBER(member, value, text)                                                                \
	{                                                                                          \
#member, offsetof(struct ublk_limits, member),                                     \
			sizeof(((struct ublk_limits *)0)->member), value, text                     \
	}
static const struct wrong {
	const char *member;
	size_t offset, size;
	uint64_t value;
	const char *text;
} wrongs[] = {
	MEMBER(logical_block, 300, "logical_block to a power of two from 512 to 4096; it set 300"),
	MEMBER(logical_block, 0, "logical_block to a power of two"),
	MEMBER(logical_block, 256, "logical_block to a power of two"),
	MEMBER(logical_block, 8192, "logical_block to a power of two"),
	MEMBER(physical_block, 256, "physical_block to a power of two from its logical_block 512"),
	MEMBER(physical_block, 5000, "physical_block to a power of two"),
	MEMBER(physical_block, 1u << 29, "physical_block to a power of two"),
	MEMBER(io_min, 3000, "io_min to 0 or a power of two"),
	MEMBER(io_min, 1u << 29, "io_min to 0 or a power of two"),
	MEMBER(io_opt, 3000, "io_opt to 0 or a power of two"),
	MEMBER(io_opt, 1u << 31, "io_opt to 0 or a power of two"),
	MEMBER(size_bytes, 0, "size_bytes; it left 0"),
	MEMBER(size_bytes, 1000, "the nearest would be 512 and 1024"),
	MEMBER(size_bytes, 1ull << 63, "size_bytes to at most 9223372036854775807"),
	MEMBER(max_io_bytes, 0, "max_io_bytes to a multiple of 4096"),
	MEMBER(max_io_bytes, 2048, "max_io_bytes to a multiple of 4096"),
	MEMBER(max_io_bytes, 5000, "max_io_bytes to a multiple of 4096"),
	MEMBER(max_io_bytes, 64 << 20, "max_io_bytes to a multiple of 4096"),
	MEMBER(chunk_bytes, 100, "chunk_bytes to 0 or a multiple of its logical_block 512"),
	MEMBER(dma_align, 0, "dma_align to a power of two up to 4096"),
	MEMBER(dma_align, 24, "dma_align to a power of two up to 4096"),
	MEMBER(dma_align, 8192, "dma_align to a power of two up to 4096"),
	MEMBER(discard_granularity, 0, "discard_granularity to a power of two from 512 to"),
	MEMBER(discard_granularity, 3072, "discard_granularity to a power of two from 512 to"),
	MEMBER(discard_granularity, 256, "discard_granularity to a power of two from 512 to"),
	MEMBER(discard_granularity, 1u << 31, "discard_granularity to a power of two from 512 to"),
	MEMBER(max_discard_bytes, 512, "max_discard_bytes to 0 or at least a granule of 4096"),
	MEMBER(max_write_zeroes_bytes, 100, "max_write_zeroes_bytes to 0 or at least"),
	MEMBER(max_queues, 0, "max_queues from 1 to 4096"),
	MEMBER(max_queues, 5000, "max_queues from 1 to 4096"),
	MEMBER(max_depth, 0, "max_depth from 1 to 4096"),
	MEMBER(max_depth, 5000, "max_depth from 1 to 4096"),
	MEMBER(sqes_per_io, 1000, "sqes_per_io and background_sqes"),
	MEMBER(sqes_per_io, UINT32_MAX, "sqes_per_io and background_sqes"),
	MEMBER(background_sqes, 20000, "sqes_per_io and background_sqes"),
	MEMBER(io_scratch_bytes, UINT32_MAX, "io_scratch_bytes"),
	MEMBER(attrs, 1u << 7, "attrs to UBLK_DEV_* of this ABI; it set 0x80"),
	MEMBER(reserved, 1, "reserved to 0"),
};

static void set_wrong(const struct wrong *wrong)
{
	char *at = (char *)&limits + wrong->offset;
	uint32_t small = wrong->value;

	if (wrong->size == sizeof(small))
		memcpy(at, &small, sizeof(small));
	else
		memcpy(at, &wrong->value, sizeof(wrong->value));
}

START_TEST(plugins_are_blamed)
{
	set_wrong(&wrongs[_i]);
	ck_assert_int_eq(check(), -EPROTO);
	says("plugin file must set ");
	says(wrongs[_i].text);
	if (sysconf(_SC_PAGESIZE) == PAGE) {
		ck_assert_int_eq(check_plugin(), -EPROTO);
		says(wrongs[_i].text);
	}
}
END_TEST

START_TEST(limits_are_narrowed_only)
{
	limits.max_queues = 5;
	ck_assert_int_eq(check_plugin(), -EPROTO);
	says("max_queues to at most the 4 that it was offered; it set 5");
	limits.max_queues = 4;
	limits.max_depth = 129;
	ck_assert_int_eq(check_plugin(), -EPROTO);
	says("max_depth to at most the 128");
	limits.max_depth = 1;
	limits.max_io_bytes = 1 << 20;
	ck_assert_int_eq(check_plugin(), -EPROTO);
	says("max_io_bytes to at most the 524288");
	limits.max_io_bytes = PAGE;
	limits.map_kinds = UBLK_EXT_MEM;
	ck_assert_int_eq(check_plugin(), -EPROTO);
	says("map_kinds to some of the 0x5 that it offers; it set 0x2");
	limits.map_kinds = 0;
	ck_assert_int_eq(check_plugin(), -EPROTO);
	limits.map_kinds = UBLK_EXT_FD;
	limits.data_modes = UBLK_DATA_FIXED;
	ck_assert_int_eq(check_plugin(), -EPROTO);
	says("data_modes");
	limits.data_modes = 0;
	ck_assert_int_eq(check_plugin(), 0);
	offered.attrs = UBLK_DEV_READ_ONLY;
	ck_assert_int_eq(check_plugin(), -EPROTO);
	says("UBLK_DEV_READ_ONLY");
}
END_TEST

START_TEST(users_are_blamed)
{
	cfg.logical_block = limits.logical_block = 8192;
	ck_assert_int_eq(check(), -EINVAL);
	says("--logical-block 8192: must be a power of two from 512 to 4096");
	cfg.logical_block = limits.logical_block = 300;
	ck_assert_int_eq(check(), -EINVAL);
	cfg.logical_block = limits.logical_block = 4096;
	limits.size_bytes = 1024 * 1001;
	ck_assert_int_eq(check(), -EINVAL);
	says("--logical-block 4096: the size of plugin file, 1025024 bytes, is not a multiple of "
	     "it; use 1024 or less");
	limits.size_bytes = 1 << 30;
	limits.chunk_bytes = 512 * 3;
	ck_assert_int_eq(check(), -EINVAL);
	says("chunks of 1536 bytes");
	limits.chunk_bytes = 0;
	cfg.physical_block = limits.physical_block = 512;
	ck_assert_int_eq(check(), -EINVAL);
	says("--physical-block 512: must be a power of two from 4096 (the logical block)");
	cfg.where[CFG_PHYSICAL_BLOCK] = strdup("a.json:5:14: /limits/physical_block");
	ck_assert_int_eq(check(), -EINVAL);
	says("a.json:5:14: /limits/physical_block 512: must be");
	cfg.physical_block = limits.physical_block = 4096;
	cfg.max_io = limits.max_io_bytes = 5000;
	ck_assert_int_eq(check(), -EINVAL);
	says("--max-io 5000: must be a multiple of 4096 (a page) from 4096 to 33554432");
	limits.max_io_bytes = 6000; /* not what the user said */
	ck_assert_int_eq(check(), -EPROTO);
	cfg.max_io = limits.max_io_bytes = 8192;
	ck_assert_int_eq(check(), 0);
}
END_TEST

START_TEST(users_must_respect_the_plugin)
{
	limits.logical_block = 4096;
	cfg.logical_block = 512;
	ck_assert_int_eq(check_plugin(), -EINVAL);
	says("--logical-block 512: plugin file works in blocks of 4096; use that or a larger one");
	cfg.logical_block = 4096;
	ck_assert_int_eq(check_plugin(), 0);
	limits.logical_block = 300; /* wrong whatever the user says */
	ck_assert_int_eq(check_plugin(), -EPROTO);
	teardown();
	setup();
	cfg.max_io = offered.max_io_bytes = limits.max_io_bytes = 5000;
	ck_assert_int_eq(check_plugin(), -EINVAL);
	says("--max-io 5000");
}
END_TEST

START_TEST(a_larger_page_asks_for_more)
{
	limits.max_io_bytes = 4096;
	capture_begin(&cap, STDERR_FILENO);
	ck_assert_int_eq(limits_check_paged("file", &limits, &cfg, 65536), -EPROTO);
	said = capture_end(&cap);
	says("a multiple of 65536 (a page) from 65536");
	limits.max_io_bytes = 65536;
	ck_assert_int_eq(limits_check_paged("file", &limits, &cfg, 65536), 0);
}
END_TEST

START_TEST(a_larger_block_adjusts_the_rest)
{
	cfg.logical_block = limits.logical_block = 4096;
	limits.discard_granularity = 512;
	limits.max_discard_bytes = 10000;
	limits.max_write_zeroes_bytes = 10000;
	limits.dma_align = 1;
	limits.io_min = 512;
	ck_assert_int_eq(check(), 0);
	ck_assert_uint_eq(limits.discard_granularity, 4096);
	ck_assert_uint_eq(limits.max_discard_bytes, 8192);
	ck_assert_uint_eq(limits.max_write_zeroes_bytes, 8192);
	ck_assert_uint_eq(limits.dma_align, 4);
	ck_assert_uint_eq(limits.io_min, 4096);
	limits.max_discard_bytes = 1024; /* less than a block: none */
	limits.discard_granularity = 512;
	ck_assert_int_eq(check(), 0);
	ck_assert_uint_eq(limits.max_discard_bytes, 0);
}
END_TEST

START_TEST(adding_is_predicted)
{
	static const struct {
		struct ublksrv_ctrl_dev_info info;
		const char *text; /* NULL: fine */
	} cases[] = {
		{ { .queue_depth = 1, .nr_hw_queues = 1, .dev_id = UINT32_MAX }, NULL },
		{ { .queue_depth = 4096, .nr_hw_queues = 4096, .dev_id = 1048575 }, NULL },
		{ { .queue_depth = 0, .nr_hw_queues = 1 }, "--depth 0: must be from 1 to 4096" },
		{ { .queue_depth = 5000, .nr_hw_queues = 1 }, "--depth 5000" },
		{ { .queue_depth = 1, .nr_hw_queues = 0 }, "--queues 0: must be from 1 to 4096" },
		{ { .queue_depth = 1, .nr_hw_queues = 4097 }, "--queues 4097" },
		{ { .queue_depth = 1, .nr_hw_queues = 1, .dev_id = 1048576 },
		  "--id 1048576: must be from 0 to 1048575" },
		{ { .queue_depth = 1, .nr_hw_queues = 1, .flags = UBLK_F_USER_RECOVERY_REISSUE },
		  "need user_recovery" },
		{ { .queue_depth = 1, .nr_hw_queues = 1, .flags = UBLK_F_USER_RECOVERY_FAIL_IO },
		  "need user_recovery" },
		{ { .queue_depth = 1,
		    .nr_hw_queues = 1,
		    .flags = UBLK_F_USER_RECOVERY | UBLK_F_USER_RECOVERY_REISSUE |
			     UBLK_F_USER_RECOVERY_FAIL_IO },
		  "exclude each other" },
		{ { .queue_depth = 1,
		    .nr_hw_queues = 1,
		    .flags = UBLK_F_USER_RECOVERY | UBLK_F_USER_RECOVERY_REISSUE },
		  NULL },
		{ { .queue_depth = 1, .nr_hw_queues = 1, .flags = UBLK_F_QUIESCE },
		  "quiesce needs user_recovery" },
		{ { .queue_depth = 1, .nr_hw_queues = 1, .flags = UBLK_F_INTEGRITY },
		  "integrity needs user_copy" },
		{ { .queue_depth = 1, .nr_hw_queues = 1, .flags = UBLK_F_ZONED },
		  "zoned needs user_copy" },
		{ { .queue_depth = 1, .nr_hw_queues = 1, .flags = UBLK_F_ZONED | UBLK_F_USER_COPY },
		  NULL },
		{ { .queue_depth = 1,
		    .nr_hw_queues = 1,
		    .flags = UBLK_F_IO_DESC_SIZE,
		    .io_desc_size = 28 },
		  "io_desc_size" },
		{ { .queue_depth = 1,
		    .nr_hw_queues = 1,
		    .flags = UBLK_F_IO_DESC_SIZE,
		    .io_desc_size = 32 },
		  NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int err;

		capture_begin(&cap, STDERR_FILENO);
		err = add_check(&cases[i].info);
		said = capture_end(&cap);
		ck_assert_int_eq(err, cases[i].text ? -EINVAL : 0);
		if (cases[i].text)
			says(cases[i].text);
		else
			ck_assert_str_eq(said, "");
	}
}
END_TEST

START_TEST(params_are_built)
{
	struct ublk_params p;

	limits.attrs = UBLK_DEV_VOLATILE_CACHE | UBLK_DEV_ROTATIONAL | UBLK_DEV_FUA;
	limits.chunk_bytes = 1 << 20;
	limits.dma_align = 512;
	limits.io_opt = 65536;
	ck_assert_int_eq(check(), 0);
	params_build(&limits, true, &p);
	ck_assert_uint_eq(p.len, sizeof(p));
	ck_assert_uint_eq(p.types, UBLK_PARAM_TYPE_BASIC | UBLK_PARAM_TYPE_DISCARD |
					   UBLK_PARAM_TYPE_DMA_ALIGN);
	ck_assert_uint_eq(p.basic.attrs,
			  UBLK_ATTR_VOLATILE_CACHE | UBLK_ATTR_ROTATIONAL | UBLK_ATTR_FUA);
	ck_assert_uint_eq(p.basic.logical_bs_shift, 9);
	ck_assert_uint_eq(p.basic.physical_bs_shift, 12);
	ck_assert_uint_eq(p.basic.io_min_shift, 12);
	ck_assert_uint_eq(p.basic.io_opt_shift, 16);
	ck_assert_uint_eq(p.basic.max_sectors, 1024);
	ck_assert_uint_eq(p.basic.chunk_sectors, 2048);
	ck_assert_uint_eq(p.basic.dev_sectors, 1 << 21);
	ck_assert_uint_eq(p.discard.discard_granularity, 4096);
	ck_assert_uint_eq(p.discard.max_discard_sectors, 4194296); /* below 2^31 bytes */
	ck_assert_uint_eq(p.discard.max_write_zeroes_sectors, 4194303);
	ck_assert_uint_eq(p.discard.max_discard_segments, 1);
	ck_assert_uint_eq(p.dma.alignment, 511);

	params_build(&limits, false, &p);
	ck_assert(!(p.basic.attrs & UBLK_ATTR_FUA));
	limits.attrs = UBLK_DEV_READ_ONLY | UBLK_DEV_FUA; /* no cache, nothing to force */
	limits.max_discard_bytes = 0;
	limits.dma_align = 4;
	params_build(&limits, true, &p);
	ck_assert_uint_eq(p.basic.attrs, UBLK_ATTR_READ_ONLY);
	ck_assert_uint_eq(p.types, UBLK_PARAM_TYPE_BASIC | UBLK_PARAM_TYPE_DISCARD);
	ck_assert_uint_eq(p.discard.max_discard_sectors, 0);
	ck_assert_uint_ne(p.discard.discard_granularity, 0); /* the driver wants one */
	limits.max_write_zeroes_bytes = 0;
	params_build(&limits, true, &p);
	ck_assert_uint_eq(p.types, UBLK_PARAM_TYPE_BASIC);
}
END_TEST

/* ---- The driver's rules, as SET_PARAMS of a plain device has them; NULL: accepted. ---- */

static const char *model_basic(const struct ublk_param_basic *p, uint32_t max_io_buf)
{
	if (p->logical_bs_shift > 12 || p->logical_bs_shift < 9)
		return "logical_bs_shift";
	if (p->physical_bs_shift > 28 || p->io_min_shift > 28 || p->io_opt_shift > 28)
		return "a shift over 256M";
	if (p->logical_bs_shift > p->physical_bs_shift)
		return "logical > physical";
	if (p->max_sectors > max_io_buf >> 9)
		return "max_sectors over the buffer";
	if (p->max_sectors < PAGE >> 9)
		return "max_sectors under a page";
	return NULL;
}

static const char *model(const struct ublk_params *p, uint32_t max_io_buf)
{
	const char *no;

	if (!p->len || p->len > sizeof(*p) || !p->types || !(p->types & UBLK_PARAM_TYPE_BASIC))
		return "header";
	no = model_basic(&p->basic, max_io_buf);
	if (no)
		return no;
	if (p->types & UBLK_PARAM_TYPE_DISCARD) {
		if (p->discard.max_discard_sectors && p->discard.max_discard_segments != 1)
			return "segments";
		if (!p->discard.discard_granularity)
			return "granularity";
	}
	if (p->types & (UBLK_PARAM_TYPE_DEVT | UBLK_PARAM_TYPE_ZONED))
		return "type";
	if (p->types & UBLK_PARAM_TYPE_DMA_ALIGN &&
	    (p->dma.alignment >= PAGE || !is_pow2((uint64_t)p->dma.alignment + 1)))
		return "dma alignment";
	if (p->types & (UBLK_PARAM_TYPE_SEGMENT | UBLK_PARAM_TYPE_INTEGRITY))
		return "not used here";
	return NULL;
}

/* And what must hold beyond: no result over 31 bits, no request that is not whole blocks. */
static const char *sense(const struct ublk_params *p)
{
	uint32_t lbs = 1u << (p->basic.logical_bs_shift - 9);
	const struct ublk_param_discard *d = &p->discard;

	if ((uint64_t)d->max_discard_sectors << 9 > INT32_MAX ||
	    (uint64_t)d->max_write_zeroes_sectors << 9 > INT32_MAX)
		return "result over 31 bits";
	if (!p->basic.dev_sectors || p->basic.dev_sectors % lbs || p->basic.dev_sectors >> 54)
		return "size";
	if (p->basic.max_sectors % lbs || p->basic.max_sectors < lbs)
		return "max_sectors not whole blocks";
	if (p->basic.chunk_sectors % lbs)
		return "chunk";
	if (d->max_discard_sectors &&
	    ((uint64_t)d->max_discard_sectors << 9) % d->discard_granularity)
		return "discard not whole granules";
	if (d->max_write_zeroes_sectors % lbs)
		return "zeroes not whole blocks";
	if (p->basic.io_min_shift < p->basic.physical_bs_shift ||
	    p->basic.io_opt_shift < p->basic.physical_bs_shift)
		return "io_min or io_opt below the physical block";
	return NULL;
}

static uint64_t random_state = 88172645463325252ull;

static uint64_t rnd(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

/* Mostly plausible, at times not; often at a border. */
static uint64_t odd_number(unsigned int max_shift)
{
	uint64_t v = 1ull << rnd() % (max_shift + 1);

	switch (rnd() % 12) {
	case 0:
		return v - 1;
	case 1:
		return v + 1;
	case 2:
		return 0;
	case 3:
		return rnd() & (2 * v - 1);
	case 4:
		return v * (rnd() % 9);
	default:
		return v;
	}
}

static void random_limits(void)
{
	limits = an_offer();
	limits.attrs = rnd() % 16;
	limits.size_bytes = odd_number(63);
	limits.logical_block = rnd() % 4 ? 512u << rnd() % 4 : odd_number(14);
	limits.physical_block = rnd() % 4 ? 4096u << rnd() % 17 : odd_number(31);
	limits.io_min = rnd() % 2 ? 0 : odd_number(31);
	limits.io_opt = rnd() % 2 ? 0 : odd_number(31);
	limits.max_io_bytes = rnd() % 4 ? PAGE * (1 + rnd() % 9000) : odd_number(31);
	limits.chunk_bytes = rnd() % 2 ? 0 : odd_number(31);
	limits.dma_align = odd_number(13);
	limits.discard_granularity = odd_number(31);
	limits.max_discard_bytes = odd_number(63);
	limits.max_write_zeroes_bytes = odd_number(63);
}

START_TEST(what_passes_is_accepted_by_the_driver)
{
	unsigned int passed = 0, refused = 0;
	struct ublk_params p;
	const char *no;

	log_set_level(0);
	for (unsigned int i = 0; i < 400000; i++) {
		random_limits();
		if (limits_check_paged("random", &limits, &cfg, PAGE)) {
			refused++;
			continue;
		}
		passed++;
		params_build(&limits, rnd() & 1, &p);
		no = model(&p, limits.max_io_bytes);
		ck_assert_msg(!no, "the driver would refuse: %s", no);
		no = sense(&p);
		ck_assert_msg(!no, "accepted, but wrong: %s", no);
	}
	ck_assert_uint_gt(passed, 5000); /* or the test would show nothing */
	ck_assert_uint_gt(refused, 5000);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("device/params");
	TCase *tc = tcase_create("params");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, the_offer_passes);
	tcase_add_loop_test(tc, plugins_are_blamed, 0, ARRAY_SIZE(wrongs));
	tcase_add_test(tc, limits_are_narrowed_only);
	tcase_add_test(tc, users_are_blamed);
	tcase_add_test(tc, users_must_respect_the_plugin);
	tcase_add_test(tc, a_larger_page_asks_for_more);
	tcase_add_test(tc, a_larger_block_adjusts_the_rest);
	tcase_add_test(tc, adding_is_predicted);
	tcase_add_test(tc, params_are_built);
	tcase_add_test(tc, what_passes_is_accepted_by_the_driver);
	suite_add_tcase(suite, tc);
	return run_tap(suite);
}
