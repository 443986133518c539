// SPDX-License-Identifier: MIT
/*
 * What the driver is asked for, against a model of its own checks, which nothing that passes ours
 * may fail.
 */
#include "base/log.h"
#include "device_limits_help.h"

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

/* What cannot be promised of a write, the kernel makes up for by a FLUSH. */
START_TEST(fua_is_promised_where_it_is_kept)
{
	struct ublk_plugin desc = { .map_ops = UBLK_OPS_READ | UBLK_OPS_WRITE };

	limits.map_kinds = UBLK_EXT_FD | UBLK_EXT_ZERO;
	ck_assert(device_fua_ok(&desc, &limits));
	limits.map_kinds =
		UBLK_EXT_FD | UBLK_EXT_MEM; /* only its flush() knows what becomes of memory */
	ck_assert(!device_fua_ok(&desc, &limits));
	desc = (struct ublk_plugin){ .submit_ops = UBLK_OPS_READ | UBLK_OPS_WRITE };
	ck_assert(!device_fua_ok(&desc, &limits));
	limits.attrs |= UBLK_DEV_FUA;
	ck_assert(device_fua_ok(&desc, &limits));
}
END_TEST

START_TEST(params_are_built)
{
	struct ublk_params p;

	limits.attrs = UBLK_DEV_VOLATILE_CACHE | UBLK_DEV_ROTATIONAL | UBLK_DEV_FUA;
	limits.chunk_bytes = 1 << 20;
	limits.dma_align = 512;
	limits.io_opt = 65536;
	ck_assert_int_eq(check_limits(), 0);
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

/* A device that was made with `was`, under a plugin that says `is`. */
struct promise {
	struct ublk_limits was, is; /* beyond an offer's: 0 leaves that */
	const char *unkept;	    /* NULL: it goes on */
	bool no_fua, in_place;
};

#define CACHE UBLK_DEV_VOLATILE_CACHE
#define NONE UINT64_MAX /* no discards, no writes of zeroes */

static const struct promise promises[] = {
	{ .unkept = NULL },
	{ .is = { .attrs = CACHE }, .unkept = "volatile cache" },
	{ .was = { .attrs = CACHE }, .is = { .attrs = CACHE } },
	{ .was = { .attrs = CACHE } },
	{ .was = { .attrs = UBLK_DEV_READ_ONLY }, .is = { .attrs = CACHE } },
	{ .was = { .attrs = CACHE }, .is = { .attrs = CACHE }, .no_fua = true, .unkept = "FUA" },
	{ .was = { .attrs = CACHE }, .no_fua = true },
	{ .is = { .attrs = UBLK_DEV_ROTATIONAL } },
	{ .is = { .chunk_bytes = 65536 }, .unkept = "chunk_bytes" },
	{ .was = { .chunk_bytes = 65536 },
	  .is = { .chunk_bytes = 32768 },
	  .unkept = "chunk_bytes" },
	{ .was = { .chunk_bytes = 65536 },
	  .is = { .chunk_bytes = 98304 },
	  .unkept = "chunk_bytes" },
	{ .was = { .chunk_bytes = 65536 }, .is = { .chunk_bytes = 65536 } },
	{ .was = { .chunk_bytes = 65536 }, .is = { .chunk_bytes = 131072 } },
	{ .was = { .chunk_bytes = 65536 } },
	{ .is = { .dma_align = 512 }, .in_place = true, .unkept = "dma_align" },
	{ .was = { .dma_align = 512 },
	  .is = { .dma_align = 4096 },
	  .in_place = true,
	  .unkept = "dma_align" },
	{ .was = { .dma_align = 512 }, .is = { .dma_align = 512 }, .in_place = true },
	{ .was = { .dma_align = 512 }, .in_place = true },
	{ .is = { .dma_align = 512 } },
	{ .is = { .max_discard_bytes = NONE }, .unkept = "discards, and the plugin takes none" },
	{ .is = { .max_discard_bytes = 1 << 20 }, .unkept = "longer discards" },
	{ .was = { .max_discard_bytes = 1 << 20 }, .is = { .max_discard_bytes = 1 << 20 } },
	{ .was = { .max_discard_bytes = 1 << 20 } },
	{ .was = { .max_discard_bytes = NONE }, .is = { .max_discard_bytes = 1 << 20 } },
	{ .is = { .discard_granularity = 65536 } },
	{ .was = { .max_discard_bytes = 3 << 19 },
	  .is = { .max_discard_bytes = 1 << 20, .discard_granularity = 1 << 20 },
	  .unkept = "longer discards" },
	{ .is = { .max_write_zeroes_bytes = NONE }, .unkept = "zeroes, and the plugin takes none" },
	{ .is = { .max_write_zeroes_bytes = 1 << 20 }, .unkept = "longer writes of zeroes" },
	{ .was = { .max_write_zeroes_bytes = 1 << 20 } },
	{ .was = { .attrs = UBLK_DEV_READ_ONLY },
	  .is = { .max_discard_bytes = NONE, .max_write_zeroes_bytes = NONE } },
};

/* What limits_check() makes of an offer with these changes. */
static struct ublk_limits changed(const struct ublk_limits *to)
{
	limits_teardown();
	limits_setup();
	limits.attrs = to->attrs;
	limits.chunk_bytes = to->chunk_bytes;
	if (to->dma_align)
		limits.dma_align = to->dma_align;
	if (to->discard_granularity)
		limits.discard_granularity = to->discard_granularity;
	if (to->max_discard_bytes)
		limits.max_discard_bytes =
			to->max_discard_bytes == NONE ? 0 : to->max_discard_bytes;
	if (to->max_write_zeroes_bytes)
		limits.max_write_zeroes_bytes =
			to->max_write_zeroes_bytes == NONE ? 0 : to->max_write_zeroes_bytes;
	ck_assert_int_eq(check_limits(), 0);
	return limits;
}

START_TEST(a_next_server_keeps_what_was_promised)
{
	const struct promise *p = &promises[_i];
	struct ublk_limits was = changed(&p->was), is = changed(&p->is);
	struct ublk_params params;
	const char *unkept;

	params_build(&was, true, &params);
	unkept = params_unkept(&params, &is, !p->no_fua, p->in_place);
	if (p->unkept)
		ck_assert_msg(unkept && strstr(unkept, p->unkept), "%d: %s", _i, unkept);
	else
		ck_assert_msg(!unkept, "%d: %s", _i, unkept);
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

	tcase_add_checked_fixture(tc, limits_setup, limits_teardown);
	tcase_add_test(tc, adding_is_predicted);
	tcase_add_test(tc, fua_is_promised_where_it_is_kept);
	tcase_add_test(tc, params_are_built);
	tcase_add_loop_test(tc, a_next_server_keeps_what_was_promised, 0, ARRAY_SIZE(promises));
	tcase_add_test(tc, what_passes_is_accepted_by_the_driver);
	suite_add_tcase(suite, tc);
	return run_tap(suite);
}
