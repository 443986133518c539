// SPDX-License-Identifier: MIT
/* Limits: each rule broken in turn, and who is blamed for it. */
#include "device_limits_help.h"

START_TEST(the_offer_passes)
{
	ck_assert_int_eq(check_plugin(), 0);
	ck_assert_int_eq(check_limits(), 0);
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
	MEMBER(attrs, UBLK_DEV_MEM_FAULTS, "UBLK_DEV_MEM_FAULTS only with UBLK_DEV_READ_ONLY"),
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
	ck_assert_int_eq(check_limits(), -EPROTO);
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

/* --max-io is as good as it was; what it would have to be is impossible. */
START_TEST(a_plugins_block_is_not_put_on_the_user)
{
	cfg.max_io = offered.max_io_bytes = limits.max_io_bytes = 65536;
	limits.logical_block = 1 << 30;
	ck_assert_int_eq(check_plugin(), -EPROTO);
	says("plugin file must set logical_block to a power of two from 512 to 4096");
}
END_TEST

START_TEST(users_are_blamed)
{
	cfg.logical_block = limits.logical_block = 8192;
	ck_assert_int_eq(check_limits(), -EINVAL);
	says("--logical-block 8192: must be a power of two from 512 to 4096");
	cfg.logical_block = limits.logical_block = 300;
	ck_assert_int_eq(check_limits(), -EINVAL);
	cfg.logical_block = limits.logical_block = 4096;
	limits.size_bytes = 1024 * 1001;
	ck_assert_int_eq(check_limits(), -EINVAL);
	says("--logical-block 4096: the size of plugin file, 1025024 bytes, is not a multiple of "
	     "it; use 1024 or less");
	limits.size_bytes = 1 << 30;
	limits.chunk_bytes = 512 * 3;
	ck_assert_int_eq(check_limits(), -EINVAL);
	says("chunks of 1536 bytes");
	limits.chunk_bytes = 0;
	cfg.physical_block = limits.physical_block = 512;
	ck_assert_int_eq(check_limits(), -EINVAL);
	says("--physical-block 512: must be a power of two from 4096 (the logical block)");
	cfg.where[CFG_PHYSICAL_BLOCK] = strdup("a.json:5:14: /limits/physical_block");
	ck_assert_int_eq(check_limits(), -EINVAL);
	says("a.json:5:14: /limits/physical_block 512: must be");
	cfg.physical_block = limits.physical_block = 4096;
	cfg.max_io = limits.max_io_bytes = 5000;
	ck_assert_int_eq(check_limits(), -EINVAL);
	says("--max-io 5000: must be a multiple of 4096 (a page) from 4096 to 33554432");
	limits.max_io_bytes = 6000; /* not what the user said */
	ck_assert_int_eq(check_limits(), -EPROTO);
	cfg.max_io = limits.max_io_bytes = 8192;
	ck_assert_int_eq(check_limits(), 0);
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
	limits_teardown();
	limits_setup();
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
	ck_assert_int_eq(check_limits(), 0);
	ck_assert_uint_eq(limits.discard_granularity, 4096);
	ck_assert_uint_eq(limits.max_discard_bytes, 8192);
	ck_assert_uint_eq(limits.max_write_zeroes_bytes, 8192);
	ck_assert_uint_eq(limits.dma_align, 4);
	ck_assert_uint_eq(limits.io_min, 4096);
	limits.max_discard_bytes = 1024; /* less than a block: none */
	limits.discard_granularity = 512;
	ck_assert_int_eq(check_limits(), 0);
	ck_assert_uint_eq(limits.max_discard_bytes, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("device/limits");
	TCase *tc = tcase_create("limits");

	tcase_add_checked_fixture(tc, limits_setup, limits_teardown);
	tcase_add_test(tc, the_offer_passes);
	tcase_add_loop_test(tc, plugins_are_blamed, 0, ARRAY_SIZE(wrongs));
	tcase_add_test(tc, limits_are_narrowed_only);
	tcase_add_test(tc, a_plugins_block_is_not_put_on_the_user);
	tcase_add_test(tc, users_are_blamed);
	tcase_add_test(tc, users_must_respect_the_plugin);
	tcase_add_test(tc, a_larger_page_asks_for_more);
	tcase_add_test(tc, a_larger_block_adjusts_the_rest);
	suite_add_tcase(suite, tc);
	return run_tap(suite);
}
