// SPDX-License-Identifier: MIT
/* Counters and latencies of running queues, with latencies switched on and off in mid-flight. */
#include <string.h>
#include <time.h>

#include "plane_async.h"
#include "queue/internal.h"

#define MS 1000000u

static uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + now.tv_nsec;
}

static void pause_ms(unsigned int ms)
{
	struct timespec t = { .tv_nsec = ms * (long)MS };

	nanosleep(&t, NULL);
}

static void set_latency(bool on)
{
	uint32_t *word = &plane.dev.stats->latency;

	__atomic_store_n(word, stats_latency_switch(*word, on), __ATOMIC_RELAXED);
}

/* What readers see of all queues, once every round of queue 0 that has shown a result has ended. */
static void look(struct queue_stats *sum)
{
	struct stats *copy = stats_alloc(plane.nr_queues);

	ck_assert_ptr_nonnull(copy);
	plane_tick(&plane, 2);
	stats_copy(copy, plane.dev.stats, stats_size(plane.nr_queues));
	stats_sum(copy, sum);
	free(copy);
}

static void count_of(unsigned int op, struct latency_summary *s)
{
	struct queue_stats sum;

	look(&sum);
	latency_summarise(&sum.latency[op], s);
}

static void expect_count(unsigned int op, uint64_t wanted)
{
	struct latency_summary s;

	count_of(op, &s);
	ck_assert_uint_eq(s.count, wanted);
}

static void reads(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, 512 * i, 512, NULL), 512);
}

/* submit(): every second kind of operation fails. */
static int submit_some_fail(struct ublk_io *io)
{
	host->complete(async.q[io->qid], io, io->op & 1 ? -ENOSPC : async_serve(io));
	return 0;
}

START_TEST(every_kind_is_counted)
{
	static char data[4096];
	const struct queue_counters *c = &plane.counters;

	async_start(submit_some_fail);
	plane_start(&plane);
	for (unsigned int op = 0; op < NR_OPS; op++)
		for (unsigned int i = 0; i <= op; i++) {
			uint64_t length = op == UBLK_OP_FLUSH ? 0 : 4096;
			int32_t res = plane_io(&plane, op, 0, 0, length, data);

			ck_assert_int_eq(res, op & 1 ? -ENOSPC : op == UBLK_OP_READ ? 4096 : 0);
		}
	async_stop();
	for (unsigned int op = 0; op < NR_OPS; op++) {
		bool fails = op & 1, sized = op != UBLK_OP_FLUSH;

		ck_assert_uint_eq(c->ops[op], op + 1);
		ck_assert_uint_eq(c->errors[op], fails ? op + 1 : 0);
		ck_assert_uint_eq(c->bytes[op], fails || !sized ? 0 : (op + 1) * 4096);
	}
	ck_assert_uint_ge(c->enters, 1);
	ck_assert_uint_eq(c->enters, c->loops);
}
END_TEST

START_TEST(off_measures_nothing)
{
	async_start(submit_inside);
	plane_start(&plane);
	reads(50);
	async_stop();
	ck_assert_uint_eq(plane.counters.ops[UBLK_OP_READ], 50);
	for (unsigned int op = 0; op < NR_OPS; op++) {
		ck_assert_uint_eq(plane.stats.latency[op].max, 0);
		for (unsigned int i = 0; i < LATENCY_BUCKETS; i++)
			ck_assert_uint_eq(plane.stats.latency[op].bucket[i], 0);
	}
}
END_TEST

START_TEST(each_kind_has_its_histogram)
{
	static char data[4096];

	async_start(submit_some_fail);
	plane_start(&plane);
	set_latency(true);
	for (unsigned int op = 0; op < NR_OPS; op++)
		for (unsigned int i = 0; i <= op; i++)
			plane_io(&plane, op, 0, 0, op == UBLK_OP_FLUSH ? 0 : 4096, data);
	async_stop();
	for (unsigned int op = 0; op < NR_OPS; op++) {
		struct latency_summary s;

		latency_summarise(&plane.stats.latency[op], &s);
		ck_assert_uint_eq(s.count, op + 1);
		ck_assert_uint_gt(s.max, 0);
		ck_assert_uint_le(s.p50, s.max);
	}
}
END_TEST

/* Each of 64 requests at a time is measured, over rounds with many and with few. */
START_TEST(none_is_lost_under_load)
{
	async_start(submit_and_wake);
	plane.depth = 64;
	plane_start(&plane);
	set_latency(true);
	async_load(20);
	async_stop();
	for (unsigned int op = UBLK_OP_READ; op <= UBLK_OP_WRITE; op++) {
		struct latency_summary s;

		latency_summarise(&plane.stats.latency[op], &s);
		ck_assert_uint_eq(plane.counters.ops[op], 20 * 64);
		ck_assert_uint_eq(s.count, 20 * 64);
	}
}
END_TEST

/* The plugin holds the request for 30 ms: that is what the histogram says, at least, and not more
 * than the application waited. */
START_TEST(the_time_is_the_requests)
{
	struct latency_summary s;
	struct ublk_io *io;
	uint64_t began, waited;
	int tag;

	async_start(submit_hold);
	plane_start(&plane);
	set_latency(true);
	began = clock_ns();
	tag = plane_submit(&plane, 0, UBLK_OP_READ, 0, 0, 512, NULL);
	plane_wait_count(&async.submits, 1);
	pause_ms(30);
	io = async_unhold();
	host->complete_remote(async.q[0], io, async_serve(io));
	ck_assert_int_eq(plane_wait(&plane, 0, tag, NULL), 512);
	count_of(UBLK_OP_READ, &s);
	waited = clock_ns() - began;
	async_stop();
	ck_assert_uint_eq(s.count, 1);
	ck_assert_uint_ge(s.max, 30 * MS);
	ck_assert_uint_le(s.max, waited);
	ck_assert_uint_eq(s.mean, s.max);
	ck_assert_uint_ge(s.p50, 30 * MS * 7 / 8);
	ck_assert_uint_le(s.p50, s.max);
}
END_TEST

/* A tag's next request begins when it arrives, not when the tag's last one did. */
START_TEST(each_request_has_its_own_beginning)
{
	struct latency_summary s;
	uint64_t began;

	async_start(submit_inside);
	plane.depth = 1;
	plane_start(&plane);
	set_latency(true);
	began = clock_ns();
	reads(1);
	expect_count(UBLK_OP_READ, 1);
	pause_ms(50);
	reads(1);
	count_of(UBLK_OP_READ, &s);
	ck_assert_uint_eq(s.count, 2);
	ck_assert_uint_le(s.max, clock_ns() - began - 50 * MS);
	async_stop();
}
END_TEST

static int submit_read_is_held(struct ublk_io *io)
{
	return io->op == UBLK_OP_READ ? submit_hold(io) : submit_inside(io);
}

static void end_held(int tag)
{
	struct ublk_io *io = async_unhold();

	ck_assert_ptr_nonnull(io);
	host->complete_remote(async.q[0], io, async_serve(io));
	ck_assert_int_eq(plane_wait(&plane, 0, tag, NULL), 512);
}

static int begin_held(unsigned int n)
{
	int tag = plane_submit(&plane, 0, UBLK_OP_READ, 0, 0, 512, NULL);

	plane_wait_count(&async.submits, n);
	return tag;
}

/* One in flight when they are switched on has no beginning, one in flight when they are switched off
 * no end: neither is counted, then or later. */
START_TEST(switched_in_mid_flight)
{
	int tag;

	async_start(submit_read_is_held);
	plane_start(&plane);
	tag = begin_held(1);
	set_latency(true);
	plane_tick(&plane, 1);
	end_held(tag);
	expect_count(UBLK_OP_READ, 0);
	tag = begin_held(2);
	end_held(tag);
	expect_count(UBLK_OP_READ, 1);

	tag = begin_held(3);
	set_latency(false);
	plane_tick(&plane, 1);
	end_held(tag);
	expect_count(UBLK_OP_READ, 1);
	end_held(begin_held(4));
	expect_count(UBLK_OP_READ, 1);

	set_latency(true);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_FLUSH, 0, 0, 0, NULL), 0);
	expect_count(UBLK_OP_READ, 0); /* anew */
	expect_count(UBLK_OP_FLUSH, 1);
	for (unsigned int i = 0; i < 3; i++)
		end_held(begin_held(6 + i));
	expect_count(UBLK_OP_READ, 3);
	async_stop();
	ck_assert_uint_eq(plane.counters.ops[UBLK_OP_READ], 7);
}
END_TEST

/* A queue that has done nothing since they were switched on still holds the old ones. */
START_TEST(an_idle_queue_adds_nothing_old)
{
	struct queue_stats sum;

	async_start(submit_inside);
	plane.nr_queues = 2;
	plane_start(&plane);
	set_latency(true);
	for (unsigned int i = 0; i < 10; i++) {
		int tag = plane_submit(&plane, 1, UBLK_OP_READ, 0, 0, 512, NULL);

		ck_assert_int_eq(plane_wait(&plane, 1, tag, NULL), 512);
	}
	set_latency(true);
	reads(4);
	look(&sum);
	ck_assert_uint_eq(sum.counters.ops[UBLK_OP_READ], 14);
	expect_count(UBLK_OP_READ, 4);
	async_stop();
}
END_TEST

/* What is tried again is measured from its first arrival. */
START_TEST(refused_requests_are_measured_whole)
{
	struct latency_summary s;

	async_start(submit_inside);
	async.refusal = -EBUSY;
	atomic_store(&async.refusals, 20);
	plane_start(&plane);
	set_latency(true);
	reads(1);
	count_of(UBLK_OP_READ, &s);
	ck_assert_uint_eq(s.count, 1);
	/* 20 refusals with a millisecond between them */
	ck_assert_uint_ge(s.max, 15 * MS);
	async_stop();
	ck_assert_uint_eq(plane.counters.retries, 20);
}
END_TEST

/* What is taken away from the plugin is measured until then, and its late completion is not. */
START_TEST(abandoned_requests_are_measured_once)
{
	struct ublk_io *io;
	int tag;

	async_start(submit_hold);
	plane.dev.io_timeout = 1;
	plane_start(&plane);
	set_latency(true);
	tag = begin_held(1);
	plane_tick(&plane, 3);
	ck_assert_int_eq(plane_wait(&plane, 0, tag, NULL), -EIO);
	expect_count(UBLK_OP_READ, 1);
	io = async_unhold();
	host->complete_remote(async.q[0], io, 512);
	plane_expect_misuse(&plane, 1);
	expect_count(UBLK_OP_READ, 1);
	plane_stop(&plane);
	ck_assert_uint_eq(plane.counters.timeouts, 1);
}
END_TEST

int main(void)
{
	Suite *s;

	plane_need_fake();
	s = suite_create("queue: statistics");
	plane_case(s, "counters", every_kind_is_counted, off_measures_nothing);
	plane_case(s, "latencies", each_kind_has_its_histogram, none_is_lost_under_load,
		   the_time_is_the_requests, each_request_has_its_own_beginning,
		   switched_in_mid_flight, an_idle_queue_adds_nothing_old,
		   refused_requests_are_measured_whole, abandoned_requests_are_measured_once);
	return run_tap(s);
}
