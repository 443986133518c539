// SPDX-License-Identifier: MIT
/*
 * Every data path, with commands per io and with batch commands: extents of every kind that it
 * serves, whole and in pieces, many requests at once, errors, and a stop in mid-flight. The fake
 * transport checks what the driver would refuse.
 */
#include <fcntl.h>
#include <string.h>

#include "plane.h"

#define STORE (1u << 20)
#define SPAN (64u << 10)
#define DEPTH 32

static struct {
	struct plane_pieces in;
	uint64_t bad_from; /* map fails from here on */
	int bad_errno;
} dev;

static struct plane plane;
static unsigned int threads = 1; /* of the queue */
static int64_t poll_us;
static uint32_t attrs;
static char data[SPAN], back[SPAN];

static int paths_map(void *qpriv, const struct ublk_io *io, struct ublk_extent *out, uint32_t max)
{
	(void)qpriv;
	if (io->offset + io->length > dev.bad_from)
		return dev.bad_errno;
	return plane_map_pieces(&dev.in, io, out, max);
}

static const struct ublk_plugin paths_plugin = {
	UBLK_PLUGIN_INIT(0),
	.name = "paths",
	.thread_model = UBLK_THREADS_PARALLEL,
	.map_ops = UBLK_OPS_READ | UBLK_OPS_WRITE,
	.map = paths_map,
};

/* In pieces: a quarter each of what the path serves; otherwise the first kind that it does. */
static void start(struct path_choice choice, uint32_t piece, uint32_t kinds)
{
	unsigned int n = 0;

	dev.in.mem = calloc(1, STORE);
	dev.in.piece = piece;
	dev.bad_from = UINT64_MAX;
	ck_assert_ptr_nonnull(dev.in.mem);
	for (uint32_t kind = UBLK_EXT_FD; n < 4;
	     kind = kind == UBLK_EXT_VOID ? UBLK_EXT_FD : kind << 1)
		if (kind & kinds & choice.path->map_kinds)
			dev.in.kinds[n++] = kind;
	plane_init(&plane, &paths_plugin, &dev);
	plane.dev.path = choice.path;
	plane.dev.batch = choice.batch;
	plane.depth = DEPTH;
	plane.dev.threads_per_queue = threads;
	plane.dev.poll_us = poll_us;
	plane.dev.limits.attrs = attrs;
	plane.dev.limits.size_bytes = STORE;
	plane.dev.limits.map_kinds = kinds & choice.path->map_kinds;
	dev.in.slot = plane_file(&plane, plane_temp_file(STORE));
	plane_start(&plane);
}

static void stop(void)
{
	plane_stop(&plane);
	ck_assert_uint_eq(plane.counters.misuse, 0);
	close(plane.dev.files[dev.in.slot].fd);
	free(dev.in.mem);
}

/* What the device should hold after data was written at offset. */
static void model_write(char *model, uint64_t offset, uint64_t length, const char *from)
{
	for (uint64_t at = 0; at < length; at++)
		if (dev.in.kinds[(offset + at) / dev.in.piece % 4] != UBLK_EXT_ZERO)
			model[offset + at] = from[at];
}

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
			model_write(model, offset, length, data);
			ck_assert_int_eq(plane_io(&plane, UBLK_OP_WRITE, 0, offset, length, data),
					 (int)length);
		} else {
			ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, offset, length, back),
					 (int)length);
			ck_assert_msg(!memcmp(back, model + offset, length),
				      "%s: round %u: %llu bytes at %llu differ",
				      path_choice_name((struct path_choice){ plane.dev.path,
									     plane.dev.batch }),
				      i, (unsigned long long)length, (unsigned long long)offset);
		}
	}
	free(model);
}

/* A full queue of writes, then of reads, each in a place of its own. */
static void full_queue(uint64_t seed)
{
	const uint32_t length = STORE / DEPTH;
	static char all[STORE];
	int tags[DEPTH];

	plane_pattern(all, seed, 0, STORE);
	for (unsigned int i = 0; i < DEPTH; i++)
		tags[i] = plane_submit(&plane, 0, UBLK_OP_WRITE, 0, i * length, length,
				       all + i * length);
	for (unsigned int i = 0; i < DEPTH; i++)
		ck_assert_int_eq(plane_wait(&plane, 0, tags[i], NULL), (int)length);
	for (unsigned int i = 0; i < DEPTH; i++)
		tags[i] = plane_submit(&plane, 0, UBLK_OP_READ, 0, i * length, length, NULL);
	for (unsigned int i = 0; i < DEPTH; i++) {
		ck_assert_int_eq(plane_wait(&plane, 0, tags[i], back), (int)length);
		for (uint32_t at = 0; at < length; at++)
			if (dev.in.kinds[(i * length + at) / dev.in.piece % 4] == UBLK_EXT_ZERO)
				all[i * length + at] = 0;
		ck_assert(!memcmp(back, all + i * length, length));
	}
}

#define REAL_KINDS (UBLK_EXT_FD | UBLK_EXT_MEM | UBLK_EXT_ZERO)

/* Each io is one extent. */
START_TEST(whole)
{
	struct path_choice choice;

	if (!plane_pick(_i, &choice))
		return;
	for (uint32_t kind = UBLK_EXT_FD; kind <= UBLK_EXT_ZERO; kind <<= 1) {
		if (!(choice.path->map_kinds & kind))
			continue;
		start(choice, STORE, kind);
		integrity(1, 300);
		full_queue(2);
		stop();
		ck_assert_uint_eq(plane.counters.errors[UBLK_OP_READ], 0);
	}
}
END_TEST

/* An io of 64 KiB in runs of 5 KiB of different kinds. */
START_TEST(in_pieces)
{
	struct path_choice choice;

	if (!plane_pick(_i, &choice))
		return;
	start(choice, 5 << 10, REAL_KINDS);
	integrity(3, 300);
	full_queue(4);
	stop();
}
END_TEST

/* Requests that fail go back as failures, whatever the driver wants to hear first. */
START_TEST(errors)
{
	struct path_choice choice;

	if (!plane_pick(_i, &choice))
		return;
	start(choice, STORE, REAL_KINDS);
	dev.bad_from = STORE / 2;
	dev.bad_errno = -ENOSPC;
	for (unsigned int i = 0; i < 3 * DEPTH; i++) {
		ck_assert_int_eq(plane_io(&plane, UBLK_OP_WRITE, 0, STORE / 2, 4096, data),
				 -ENOSPC);
		ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, STORE / 2, 4096, back), -ENOSPC);
		/* outside the device, as no driver should ask */
		ck_assert_int_eq(plane_io(&plane, UBLK_OP_WRITE, 0, STORE, 4096, data), -EIO);
	}
	dev.bad_from = UINT64_MAX;
	integrity(5, 50);
	stop();
	ck_assert_uint_eq(plane.counters.errors[UBLK_OP_WRITE], 6 * DEPTH);
}
END_TEST

/* What a READ leaves with the tag must not be where its next WRITE lands. */
START_TEST(reads_then_writes)
{
	struct path_choice choice;
	static char first[4096];

	if (!plane_pick(_i, &choice) || !(choice.path->map_kinds & UBLK_EXT_MEM))
		return;
	start(choice, STORE, UBLK_EXT_MEM);
	plane_pattern(dev.in.mem, 6, 0, STORE);
	plane_pattern(first, 6, 0, sizeof(first));
	plane_pattern(data, 7, 0, 4096);
	for (unsigned int i = 1; i < 64; i++) {
		ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, 0, 4096, back), 4096);
		ck_assert_int_eq(plane_io(&plane, UBLK_OP_WRITE, 0, i * 4096, 4096, data), 4096);
		ck_assert(!memcmp(dev.in.mem, first, sizeof(first)));
		ck_assert(!memcmp(dev.in.mem + i * 4096, data, 4096));
	}
	stop();
}
END_TEST

START_TEST(stop_in_flight)
{
	struct path_choice choice;
	int tags[DEPTH];

	if (!plane_pick(_i, &choice))
		return;
	for (unsigned int round = 0; round < 30; round++) {
		start(choice, 5 << 10, REAL_KINDS);
		for (unsigned int i = 0; i < DEPTH; i++)
			tags[i] = plane_submit(&plane, 0, i & 1 ? UBLK_OP_WRITE : UBLK_OP_READ, 0,
					       i * 16384, 16384, data);
		fake_abort_all(plane.fake);
		for (unsigned int i = 0; i < DEPTH; i++)
			ck_assert_int_eq(plane_wait(&plane, 0, tags[i], back), 16384);
		stop();
	}
}
END_TEST

/* Pages that had to be registered by hand are registered once per request, and only if needed. */
START_TEST(registers_when_needed)
{
	struct path_choice choice = { &path_zero_copy, _i };

	start(choice, STORE, UBLK_EXT_ZERO);
	for (unsigned int i = 0; i < 10; i++)
		ck_assert_int_eq(plane_io(&plane, UBLK_OP_WRITE, 0, 0, 4096, data), 4096);
	ck_assert_uint_eq(fake_registrations(plane.fake), 0);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, 0, 4096, back), 4096);
	ck_assert_uint_eq(fake_registrations(plane.fake), 1);
	stop();
	start(choice, 512, UBLK_EXT_FD);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, 0, SPAN, back), SPAN);
	ck_assert_uint_eq(fake_registrations(plane.fake), 1);
	stop();
}
END_TEST

/* Several threads share a queue's tags; each path's commands come from the one that fetched. */
START_TEST(shared_queue)
{
	struct path_choice choice;

	if (!plane_pick(_i, &choice) || choice.batch)
		return;
	threads = 3;
	start(choice, 5 << 10, REAL_KINDS);
	integrity(8, 100);
	for (unsigned int round = 0; round < 10; round++)
		full_queue(9 + round);
	for (unsigned int i = 0; i < threads; i++)
		ck_assert_uint_gt(queue_counters(plane.q[i])->ops[UBLK_OP_READ], 0);
	stop();
}
END_TEST

/* Polling finds what comes, and a queue that polls stops like any other. */
START_TEST(polling)
{
	struct path_choice choice;

	if (!plane_pick(_i / 2, &choice))
		return;
	poll_us = _i % 2 ? -1 : 2000;
	start(choice, 5 << 10, REAL_KINDS);
	integrity(20, 200);
	full_queue(21);
	stop();
	ck_assert_uint_gt(plane.counters.polls, 0);
}
END_TEST

/* What comes all the same, from device-mapper for one, reaches neither the plugin nor its bytes. */
START_TEST(read_only)
{
	struct path_choice choice;

	if (!plane_pick(_i, &choice))
		return;
	attrs = UBLK_DEV_READ_ONLY;
	start(choice, 5 << 10, REAL_KINDS);
	memset(data, 1, SPAN);
	for (uint64_t at = 0; at < STORE; at += SPAN) {
		ck_assert_int_eq(plane_io(&plane, UBLK_OP_WRITE, 0, at, 4096, data), -EPERM);
		ck_assert_int_eq(plane_io(&plane, UBLK_OP_WRITE, UBLK_IOF_FUA, at, SPAN, data),
				 -EPERM);
		ck_assert_int_eq(plane_io(&plane, UBLK_OP_DISCARD, 0, at, SPAN, NULL), -EPERM);
		ck_assert_int_eq(plane_io(&plane, UBLK_OP_WRITE_ZEROES, 0, at, SPAN, NULL), -EPERM);
		ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, at, SPAN, back), SPAN);
		ck_assert(plane_is_zero(back, SPAN));
	}
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_FLUSH, 0, 0, 0, NULL), 0);
	stop();
}
END_TEST

int main(void)
{
	const int all = plane_nr_picks();
	Suite *s;
	TCase *tc;

	plane_need_fake();
	s = suite_create("queue: data paths");
	tc = tcase_create("paths");
	tcase_add_loop_test(tc, whole, 0, all);
	tcase_add_loop_test(tc, in_pieces, 0, all);
	tcase_add_loop_test(tc, errors, 0, all);
	tcase_add_loop_test(tc, reads_then_writes, 0, all);
	tcase_add_loop_test(tc, stop_in_flight, 0, all);
	tcase_add_loop_test(tc, shared_queue, 0, all);
	tcase_add_loop_test(tc, read_only, 0, all);
	tcase_add_loop_test(tc, polling, 0, 2 * all);
	tcase_add_loop_test(tc, registers_when_needed, 0, 2);
	suite_add_tcase(s, tc);
	return run_tap(s);
}
