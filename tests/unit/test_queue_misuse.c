// SPDX-License-Identifier: MIT
/* What a map must not say and a descriptor should not: each fails one request and harms no other. */
#include <string.h>

#include "plane.h"

#define STORE (1u << 20)

static char store[STORE];
static int slot;

/* The io's offset says what goes wrong, in blocks of 4 KiB; the first block is served well. */
enum wrong {
	FINE,
	NOTHING,
	TOO_MANY,
	NEGATIVE_NONSENSE,
	AN_ERRNO,
	TWO_KINDS,
	NO_KIND,
	UNDECLARED_KIND,
	SLOT_ZERO,
	SLOT_NEGATIVE,
	SLOT_TOO_HIGH,
	OFFSET_TOO_HIGH,
	NULL_ADDRESS,
	LENGTH_ZERO,
	TOO_LONG,
	FAR_TOO_LONG,
	TOO_SHORT,
	SUM_TOO_LONG,
	NR_WRONG,
};

static int wrong_map(void *qpriv, const struct ublk_io *io, struct ublk_extent *out, uint32_t max)
{
	struct ublk_extent *e = out;

	(void)qpriv;
	(void)max;
	*e = (struct ublk_extent){ .length = io->length,
				   .at.addr = store + io->offset,
				   .kind = UBLK_EXT_MEM };
	switch ((enum wrong)(io->offset / 4096)) {
	case NOTHING:
		return 0;
	case TOO_MANY:
		return 99;
	case NEGATIVE_NONSENSE:
		return -100000;
	case AN_ERRNO:
		return -EREMOTEIO;
	case TWO_KINDS:
		e->kind = UBLK_EXT_MEM | UBLK_EXT_FD;
		break;
	case NO_KIND:
		e->kind = 0;
		break;
	case UNDECLARED_KIND:
		e->kind = UBLK_EXT_ZERO;
		break;
	case SLOT_ZERO:
	case SLOT_NEGATIVE:
	case SLOT_TOO_HIGH:
	case OFFSET_TOO_HIGH:
		*e = (struct ublk_extent){ .length = io->length,
					   .kind = UBLK_EXT_FD,
					   .file = io->offset / 4096 == SLOT_ZERO	? 0
						   : io->offset / 4096 == SLOT_NEGATIVE ? -1
						   : io->offset / 4096 == SLOT_TOO_HIGH ? slot + 1
											: slot };
		if (io->offset / 4096 == OFFSET_TOO_HIGH)
			e->at.offset = UINT64_MAX - 100;
		break;
	case NULL_ADDRESS:
		e->at.addr = NULL;
		break;
	case LENGTH_ZERO:
		e->length = 0;
		break;
	case TOO_LONG:
		e->length++;
		break;
	case FAR_TOO_LONG:
		e->length = UINT64_MAX;
		break;
	case TOO_SHORT:
		e->length -= 512;
		break;
	case SUM_TOO_LONG:
		out[1] = out[0];
		return 2;
	default:
		break;
	}
	return 1;
}

static const struct ublk_plugin wrong_plugin = {
	UBLK_PLUGIN_INIT(0),
	.name = "wrong",
	.thread_model = UBLK_THREADS_PER_QUEUE,
	.map_ops = UBLK_OPS_READ | UBLK_OPS_WRITE | UBLK_OPS_DISCARD | UBLK_OPS_WRITE_ZEROES,
	.map_kinds = UBLK_EXT_FD | UBLK_EXT_MEM,
	.map = wrong_map,
};

static struct plane plane;
static char data[65536];

static void start(void)
{
	plane_init(&plane, &wrong_plugin, NULL);
	plane.dev.limits.size_bytes = STORE;
	slot = plane_file(&plane, plane_temp_file(STORE));
}

START_TEST(each_misuse_costs_one_io)
{
	static const unsigned int ops[] = { UBLK_OP_READ, UBLK_OP_WRITE, UBLK_OP_DISCARD,
					    UBLK_OP_WRITE_ZEROES };
	uint64_t expected = 0;

	start();
	plane_start(&plane);
	for (unsigned int wrong = NOTHING; wrong < NR_WRONG; wrong++)
		for (unsigned int i = 0; i < ARRAY_SIZE(ops); i++) {
			bool data_op = ops[i] <= UBLK_OP_WRITE;

			expected += wrong != AN_ERRNO;
			ck_assert_msg(plane_io(&plane, ops[i], 0, wrong * 4096, 4096, data) ==
					      (wrong == AN_ERRNO ? -EREMOTEIO : -EIO),
				      "misuse %u, operation %u", wrong, ops[i]);
			plane_expect_misuse(&plane, expected);
			ck_assert_int_eq(plane_io(&plane, ops[i], 0, 0, 4096, data),
					 data_op ? 4096 : 0);
		}
	ck_assert(plane_is_zero(store, STORE));
	plane_stop(&plane);
	ck_assert_uint_eq(plane.counters.errors[UBLK_OP_READ], NR_WRONG - 1);
}
END_TEST

static int flush_answer; /* MAX_PLUS + n: n more than were asked for */
#define MAX_PLUS 1000
static uint32_t flush_kind = UBLK_EXT_FD;

static int flush_map(void *qpriv, const struct ublk_io *io, struct ublk_extent *out, uint32_t max)
{
	if (io->op != UBLK_OP_FLUSH)
		return wrong_map(qpriv, io, out, max);
	for (uint32_t i = 0; i < max; i++)
		out[i] = (struct ublk_extent){ .length = 1, .kind = flush_kind, .file = slot };
	for (uint32_t i = 0; i < max && flush_kind == UBLK_EXT_MEM; i++)
		out[i].at.addr = store;
	return flush_answer < MAX_PLUS ? flush_answer : (int)max + flush_answer - MAX_PLUS;
}

START_TEST(misuse_in_flush)
{
	static const struct {
		int n;
		int32_t res;
	} answers[] = {
		{ -1, -EPERM },
		{ 0, 0 }, /* nothing to sync */
		{ 1, 0 },
		{ 8, 0 },
		{ MAX_PLUS, 0 },
		{ MAX_PLUS + 1, -EIO },
		{ MAX_PLUS + 2, -EIO },
		{ MAX_PLUS + 1000, -EIO },
	};

	start();
	plane.plugin.map_ops |= UBLK_OPS_FLUSH;
	plane.plugin.map = flush_map;
	plane_start(&plane);
	for (unsigned int i = 0; i < ARRAY_SIZE(answers); i++) {
		flush_answer = answers[i].n;
		ck_assert_int_eq(plane_io(&plane, UBLK_OP_FLUSH, 0, 0, 0, NULL), answers[i].res);
	}
	/* memory in the answer is not cleared, but ignored */
	memset(store, 0x5a, STORE);
	flush_kind = UBLK_EXT_MEM;
	flush_answer = 3;
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_FLUSH, 0, 0, 0, NULL), 0);
	ck_assert(store[0] == 0x5a && store[1] == 0x5a);
	plane_stop(&plane);
	ck_assert_uint_eq(plane.counters.misuse, 3);
}
END_TEST

static int32_t raw(uint32_t op_flags, uint64_t start_sector, uint32_t nr_sectors)
{
	struct fake_request req = { .tag = FAKE_ANY_TAG,
				    .op_flags = op_flags,
				    .start_sector = start_sector,
				    .nr_sectors = nr_sectors };
	int tag = fake_submit(plane.fake, 0, &req);

	ck_assert_int_ge(tag, 0);
	return plane_wait(&plane, 0, tag, NULL);
}

START_TEST(bad_descriptors)
{
	static const struct {
		uint32_t op_flags;
		uint64_t start_sector;
		uint32_t nr_sectors;
		int32_t res;
	} bad[] = {
		{ 99, 0, 8, -EOPNOTSUPP },
		{ UBLK_IO_OP_WRITE_SAME, 0, 8, -EOPNOTSUPP },
		{ UBLK_IO_OP_ZONE_APPEND, 0, 8, -EOPNOTSUPP },
		{ UBLK_IO_OP_REPORT_ZONES, 0, 8, -EOPNOTSUPP },
		{ UBLK_IO_OP_READ, STORE / 512, 1, -EIO },
		{ UBLK_IO_OP_READ, STORE / 512 - 1, 2, -EIO },
		{ UBLK_IO_OP_READ, 0, 0, -EIO },
		{ UBLK_IO_OP_READ, 0, 129, -EIO },
		{ UBLK_IO_OP_READ, UINT64_MAX, 8, -EIO },
		{ UBLK_IO_OP_READ, UINT64_MAX >> 9, 8, -EIO },
		{ UBLK_IO_OP_READ, 1ull << 55, 8, -EIO },
		{ UBLK_IO_OP_READ, 0, UINT32_MAX, -EIO },
		{ UBLK_IO_OP_WRITE, STORE / 512, 1, -EIO },
		{ UBLK_IO_OP_WRITE, 0, 0, -EIO },
		{ UBLK_IO_OP_WRITE, 0, 129, -EIO },
		{ UBLK_IO_OP_WRITE, 0, UINT32_MAX, -EIO },
		{ UBLK_IO_OP_DISCARD, 0, 0, -EIO },
		{ UBLK_IO_OP_DISCARD, 0, STORE / 512 + 1, -EIO },
		{ UBLK_IO_OP_DISCARD, UINT64_MAX, UINT32_MAX, -EIO },
		{ UBLK_IO_OP_WRITE_ZEROES, STORE / 512, 1, -EIO },
	};

	start();
	plane_start(&plane);
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		ck_assert_msg(raw(bad[i].op_flags, bad[i].start_sector, bad[i].nr_sectors) ==
				      bad[i].res,
			      "descriptor %u", i);
		ck_assert_int_eq(raw(UBLK_IO_OP_READ, 0, 8), 4096);
	}
	/* Flags that mean nothing here are no error, wherever FLUSH points. */
	ck_assert_int_eq(raw(UBLK_IO_OP_READ | UBLK_IO_F_META | UBLK_IO_F_SWAP, 0, 8), 4096);
	ck_assert_int_eq(raw(UBLK_IO_OP_FLUSH, UINT64_MAX, UINT32_MAX), 0);
	plane_stop(&plane);
	ck_assert_uint_eq(plane.counters.misuse, 0);
}
END_TEST

/* Offsets of sectors that wrap when they become bytes must not become a place on the device. */
START_TEST(wrapping_sectors)
{
	start();
	plane_start(&plane);
	ck_assert_int_eq(raw(UBLK_IO_OP_READ, 1ull << 55, 8), -EIO);
	ck_assert_int_eq(raw(UBLK_IO_OP_WRITE, (1ull << 55) + 8, 8), -EIO);
	plane_stop(&plane);
}
END_TEST

/* Operations that a plugin does not serve: FLUSH is the host's, the rest is refused. */
START_TEST(operations_nobody_serves)
{
	start();
	plane.plugin.map_ops = UBLK_OPS_READ;
	plane_start(&plane);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_WRITE, 0, 0, 4096, data), -EOPNOTSUPP);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_DISCARD, 0, 0, 4096, NULL), -EOPNOTSUPP);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_WRITE_ZEROES, 0, 0, 4096, NULL), -EOPNOTSUPP);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_FLUSH, 0, 0, 0, NULL), 0);
	plane_stop(&plane);
}
END_TEST

static atomic_uint again;

static int again_map(void *qpriv, const struct ublk_io *io, struct ublk_extent *out, uint32_t max)
{
	unsigned int left = atomic_load(&again);

	if (left) {
		atomic_store(&again, left - 1);
		return left % 2 ? -EAGAIN : -ENOMEM;
	}
	return wrong_map(qpriv, io, out, max);
}

START_TEST(passing_errors_are_tried_again)
{
	start();
	plane.plugin.map = again_map;
	plane_start(&plane);
	atomic_store(&again, 20);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, 0, 4096, data), 4096);
	plane_stop(&plane);
	ck_assert_uint_ge(plane.counters.retries, 20);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("queue: misuse of map, and bad descriptors");

	plane_need_fake();
	plane_case(s, "map", each_misuse_costs_one_io, misuse_in_flush,
		   passing_errors_are_tried_again);
	plane_case(s, "descriptors", bad_descriptors, wrapping_sectors, operations_nobody_serves);
	return run_tap(s);
}
