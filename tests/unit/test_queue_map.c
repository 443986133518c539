// SPDX-License-Identifier: MIT
/* The map profile on data path copy: memory, nothing, and extents of every shape. */
#include <string.h>

#include "plane.h"

#define STORE (1u << 20)
#define SPAN (64u << 10)

struct store {
	char *mem;
	uint32_t kinds[4]; /* of the run that piece i of the device is */
	uint32_t piece;	   /* bytes of each extent; 0: one extent per io */
	atomic_uint zeroes_calls, discard_calls;
	uint64_t last_length, last_offset;
	uint32_t last_flags;
};

static int store_map(void *qpriv, const struct ublk_io *io, struct ublk_extent *out, uint32_t max)
{
	struct store *s = qpriv;
	uint32_t piece = s->piece ? s->piece : SPAN;
	uint64_t offset = io->offset, left = io->length;
	uint32_t n = 0;

	while (left && n < max) {
		uint64_t length = s->piece ? piece - offset % piece : left;

		length = length < left ? length : left;
		out[n] = (struct ublk_extent){ .length = length,
					       .kind = s->kinds[offset / piece % 4] };
		if (out[n].kind == UBLK_EXT_MEM)
			out[n].at.addr = s->mem + offset;
		offset += length;
		left -= length;
		n++;
	}
	return n;
}

static int store_discard(void *priv, uint64_t length, uint64_t offset, uint32_t flags)
{
	struct store *s = priv;

	s->last_length = length;
	s->last_offset = offset;
	s->last_flags = flags;
	atomic_fetch_add(&s->discard_calls, 1);
	return 0;
}

static int store_zeroes(void *priv, uint64_t length, uint64_t offset, uint32_t flags)
{
	struct store *s = priv;

	memset(s->mem + offset, 0, length);
	s->last_length = length;
	s->last_offset = offset;
	s->last_flags = flags;
	atomic_fetch_add(&s->zeroes_calls, 1);
	return 0;
}

static const struct ublk_plugin store_plugin = {
	UBLK_PLUGIN_INIT(0),
	.name = "store",
	.thread_model = UBLK_THREADS_PARALLEL,
	.map_ops = UBLK_OPS_READ | UBLK_OPS_WRITE | UBLK_OPS_DISCARD | UBLK_OPS_WRITE_ZEROES,
	.map_kinds = UBLK_EXT_MEM | UBLK_EXT_ZERO | UBLK_EXT_VOID,
	.map = store_map,
};

static struct plane plane;
static struct store store;
static char data[SPAN], back[SPAN];

static void start(uint32_t kind)
{
	store = (struct store){ .mem = calloc(1, STORE), .kinds = { kind, kind, kind, kind } };
	ck_assert_ptr_nonnull(store.mem);
	plane_init(&plane, &store_plugin, &store);
	plane.dev.limits.size_bytes = STORE;
}

static void stop(void)
{
	plane_stop(&plane);
	ck_assert_uint_eq(plane.counters.misuse, 0);
	free(store.mem);
}

/* Random writes and reads against a model of the device. */
static void integrity(uint64_t seed, unsigned int rounds)
{
	char *model = calloc(1, STORE);
	uint64_t state = seed;

	for (unsigned int i = 0; i < rounds; i++) {
		uint64_t length = (plane_random(&state) % 128 + 1) * 512;
		uint64_t offset = plane_random(&state) % (STORE / 512) * 512;

		length = min_of(length, STORE - offset);
		if (plane_random(&state) & 1) {
			plane_pattern(data, seed, i * SPAN, length);
			memcpy(model + offset, data, length);
			ck_assert_int_eq(plane_io(&plane, UBLK_OP_WRITE, 0, offset, length, data),
					 (int)length);
		} else {
			ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, offset, length, back),
					 (int)length);
			ck_assert_msg(!memcmp(back, model + offset, length),
				      "seed %llu round %u: %llu bytes at %llu differ",
				      (unsigned long long)seed, i, (unsigned long long)length,
				      (unsigned long long)offset);
		}
	}
	free(model);
}

START_TEST(mem_keeps_data)
{
	start(UBLK_EXT_MEM);
	plane_start(&plane);
	integrity(1, 3000);
	stop();
	ck_assert_uint_eq(plane.counters.errors[UBLK_OP_READ], 0);
	ck_assert_uint_gt(plane.counters.bytes[UBLK_OP_WRITE], 0);
	ck_assert_uint_gt(plane.counters.loops, 0);
}
END_TEST

/* An io of 64 KiB in runs of 700 bytes: 94 extents, in windows of 8. */
START_TEST(mem_in_many_extents)
{
	start(UBLK_EXT_MEM);
	store.piece = 700;
	plane_start(&plane);
	integrity(2, 1000);
	stop();
}
END_TEST

START_TEST(zero_reads_zeroes_after_writes)
{
	start(UBLK_EXT_ZERO);
	plane.depth = 1; /* one tag: each request meets the buffer that the last one left */
	plane_start(&plane);
	memset(data, 0xff, SPAN);
	for (unsigned int i = 0; i < 200; i++) {
		uint64_t state = i;
		uint64_t length = (plane_random(&state) % 128 + 1) * 512;

		if (i % 3 == 1)
			ck_assert_int_eq(plane_io(&plane, UBLK_OP_WRITE, 0, 0, length, data),
					 (int)length);
		length = (plane_random(&state) % 128 + 1) * 512;
		memset(back, 0xee, SPAN);
		ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, 0, length, back), (int)length);
		ck_assert(plane_is_zero(back, length));
	}
	stop();
}
END_TEST

/* Zero, memory, zero, ... in one io: what is zero still must be told from what memory overwrote. */
START_TEST(zero_between_memory)
{
	uint64_t state = 7;

	start(UBLK_EXT_ZERO);
	store.kinds[1] = store.kinds[2] = UBLK_EXT_MEM;
	store.piece = 1000;
	memset(store.mem, 0xdd, STORE);
	plane.depth = 1;
	plane_start(&plane);
	for (unsigned int i = 0; i < 500; i++) {
		uint64_t length = (plane_random(&state) % 128 + 1) * 512;
		uint64_t offset = plane_random(&state) % ((STORE - SPAN) / 512) * 512;

		ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, offset, length, back),
				 (int)length);
		for (uint64_t at = 0; at < length; at++) {
			uint32_t kind = store.kinds[(offset + at) / 1000 % 4];

			if ((unsigned char)back[at] != (kind == UBLK_EXT_MEM ? 0xdd : 0))
				ck_abort_msg("round %u: byte %llu of %llu at %llu is %#x", i,
					     (unsigned long long)at, (unsigned long long)length,
					     (unsigned long long)offset, back[at] & 0xff);
		}
	}
	stop();
}
END_TEST

/* A WRITE that is refused has dirtied the tag's buffer all the same. */
START_TEST(zero_after_refused_write)
{
	start(UBLK_EXT_ZERO);
	plane.depth = 1;
	plane_start(&plane);
	memset(data, 0xff, SPAN);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_WRITE, 0, STORE, SPAN, data), -EIO);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, 0, SPAN, back), SPAN);
	ck_assert(plane_is_zero(back, SPAN));
	stop();
}
END_TEST

START_TEST(void_drops_writes)
{
	start(UBLK_EXT_VOID);
	plane_start(&plane);
	memset(data, 0x11, SPAN);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_WRITE, 0, 0, SPAN, data), SPAN);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, 0, SPAN, back), SPAN);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_WRITE_ZEROES, 0, 0, STORE, NULL), 0);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_DISCARD, 0, 0, STORE, NULL), 0);
	ck_assert(plane_is_zero(store.mem, STORE));
	stop();
}
END_TEST

START_TEST(flush_without_files)
{
	start(UBLK_EXT_MEM);
	plane_start(&plane);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_FLUSH, 0, 0, 0, NULL), 0);
	stop();
	ck_assert_uint_eq(plane.counters.ops[UBLK_OP_FLUSH], 1);
}
END_TEST

START_TEST(write_zeroes_without_function)
{
	start(UBLK_EXT_MEM);
	store.piece = 3000;
	memset(store.mem, 0x77, STORE);
	plane_start(&plane);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_WRITE_ZEROES, 0, 512, 200 * 512, NULL), 0);
	ck_assert(plane_is_zero(store.mem + 512, 200 * 512));
	ck_assert_int_eq(store.mem[511], 0x77);
	ck_assert_int_eq(store.mem[201 * 512], 0x77);
	/* nothing to do, and not an error */
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_DISCARD, 0, 0, STORE, NULL), 0);
	stop();
}
END_TEST

static void with_functions(uint32_t flags)
{
	start(UBLK_EXT_MEM);
	memset(store.mem, 0x77, STORE);
	plane.plugin.discard = store_discard;
	plane.plugin.write_zeroes = store_zeroes;
	plane.plugin.flags = flags;
	plane_start(&plane);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_WRITE_ZEROES, UBLK_IOF_NOUNMAP, 1024, 4096, NULL),
			 0);
	ck_assert_uint_eq(atomic_load(&store.zeroes_calls), 1);
	ck_assert_uint_eq(store.last_offset, 1024);
	ck_assert_uint_eq(store.last_length, 4096);
	ck_assert_uint_eq(store.last_flags, UBLK_IOF_NOUNMAP);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_DISCARD, 0, 8192, 512, NULL), 0);
	ck_assert_uint_eq(atomic_load(&store.discard_calls), 1);
	ck_assert_uint_eq(store.last_offset, 8192);
	ck_assert_uint_eq(store.last_length, 512);
	stop();
}

START_TEST(range_functions_on_workers)
{
	with_functions(0);
}
END_TEST

START_TEST(range_functions_inline)
{
	with_functions(UBLK_PLUGIN_NONBLOCKING);
}
END_TEST

/* Each piece of a mixed range goes to the function with its own place on the device. */
START_TEST(range_functions_see_device_offsets)
{
	start(UBLK_EXT_ZERO);
	store.kinds[1] = UBLK_EXT_MEM;
	store.piece = 4096;
	plane.plugin.discard = store_discard;
	plane_start(&plane);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_DISCARD, 0, 0, 60 * 4096, NULL), 0);
	ck_assert_uint_eq(atomic_load(&store.discard_calls), 15);
	ck_assert_uint_eq(store.last_offset, 57 * 4096);
	ck_assert_uint_eq(store.last_length, 4096);
	stop();
}
END_TEST

START_TEST(deep_and_shallow_queues)
{
	static const uint16_t depths[] = { 1, 2, 4096 };

	for (unsigned int i = 0; i < ARRAY_SIZE(depths); i++) {
		start(UBLK_EXT_MEM);
		plane.depth = depths[i];
		plane.dev.limits.max_io_bytes = 4096;
		plane_start(&plane);
		for (unsigned int tag = 0; tag < depths[i]; tag++) {
			plane_pattern(data, 3, tag * 512, 512);
			plane_submit(&plane, 0, UBLK_OP_WRITE, 0, tag % 2048 * 512, 512, data);
		}
		for (unsigned int tag = 0; tag < depths[i]; tag++)
			ck_assert_int_eq(plane_wait(&plane, 0, tag, NULL), 512);
		stop();
		ck_assert_uint_eq(plane.counters.ops[UBLK_OP_WRITE], depths[i]);
	}
}
END_TEST

START_TEST(many_queues)
{
	start(UBLK_EXT_MEM);
	plane.nr_queues = PLANE_QUEUES;
	plane_start(&plane);
	for (unsigned int i = 0; i < 2000; i++) {
		uint16_t qid = i % PLANE_QUEUES;
		uint64_t offset = i * 512 % STORE;
		int tag;

		plane_pattern(data, 4, offset, 512);
		tag = plane_submit(&plane, qid, UBLK_OP_WRITE, 0, offset, 512, data);
		ck_assert_int_eq(plane_wait(&plane, qid, tag, NULL), 512);
		qid = (i + 1) % PLANE_QUEUES;
		tag = plane_submit(&plane, qid, UBLK_OP_READ, 0, offset, 512, back);
		ck_assert_int_eq(plane_wait(&plane, qid, tag, back), 512);
		ck_assert(plane_is_pattern(back, 4, offset, 512));
	}
	stop();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("queue: map");

	plane_need_fake();
	plane_case(s, "data", mem_keeps_data, mem_in_many_extents, zero_reads_zeroes_after_writes,
		   zero_between_memory, zero_after_refused_write, void_drops_writes,
		   flush_without_files);
	plane_case(s, "ranges", write_zeroes_without_function, range_functions_on_workers,
		   range_functions_inline, range_functions_see_device_offsets);
	plane_case(s, "queues", deep_and_shallow_queues, many_queues);
	return run_tap(s);
}
