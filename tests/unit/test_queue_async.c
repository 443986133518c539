// SPDX-License-Identifier: MIT
/* The async profile as it should be used: completions from everywhere, refusals and wake-ups. */
#include <string.h>
#include <time.h>

#include "plane_async.h"

#define NR_THREADS 4

static char data[4096];
static atomic_bool quit;

START_TEST(completed_inside_submit)
{
	async_start(submit_inside);
	plane_start(&plane);
	async_load(30);
	for (unsigned int op = UBLK_OP_FLUSH; op < NR_OPS; op++)
		ck_assert_int_eq(plane_io(&plane, op, 0, 0, op == UBLK_OP_FLUSH ? 0 : 4096, NULL),
				 0);
	ck_assert_uint_eq(async.data_mode, UBLK_DATA_MAPPED);
	async_stop();
	ck_assert_uint_gt(atomic_load(&async.batches), 0);
}
END_TEST

START_TEST(completed_in_event)
{
	async_start(submit_and_wake);
	plane.nr_queues = 1;
	plane_start(&plane);
	async_load(30);
	async_stop();
	ck_assert_uint_gt(atomic_load(&async.events), 0);
}
END_TEST

static void *completer(void *arg)
{
	struct timespec us = { .tv_nsec = 20000 };

	(void)arg;
	while (!atomic_load(&quit)) {
		struct ublk_io *io = async_unhold();

		if (io)
			host->complete_remote(async.q[io->qid], io, async_serve(io));
		else
			nanosleep(&us, NULL);
	}
	return NULL;
}

static void with_completers(uint16_t queues, uint16_t depth, unsigned int rounds)
{
	pthread_t thread[NR_THREADS];

	atomic_store(&quit, false);
	async_start(submit_hold);
	plane.nr_queues = queues;
	plane.depth = depth;
	plane_start(&plane);
	for (unsigned int i = 0; i < NR_THREADS; i++)
		ck_assert_int_eq(pthread_create(&thread[i], NULL, completer, NULL), 0);
	async_load(rounds);
	atomic_store(&quit, true);
	for (unsigned int i = 0; i < NR_THREADS; i++)
		pthread_join(thread[i], NULL);
	async_stop();
	ck_assert_uint_eq(plane.counters.ops[UBLK_OP_READ], rounds * queues * depth);
}

START_TEST(completed_by_other_threads)
{
	with_completers(1, 64, 50);
	with_completers(4, 32, 40);
}
END_TEST

START_TEST(wake_reaches_event)
{
	async_start(submit_inside);
	plane_start(&plane);
	for (unsigned int i = 1; i < 200; i++) {
		host->wake(async.q[0]);
		plane_wait_count(&async.events, i);
	}
	async_stop();
}
END_TEST

START_TEST(busy_is_asked_again)
{
	async_start(submit_inside);
	plane_start(&plane);
	async.refusal = -EBUSY;
	atomic_store(&async.refusals, 200);
	plane_pattern(data, 42, 0, 4096);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_WRITE, 0, 0, 4096, data), 4096);
	ck_assert(plane_is_pattern(async.mem, 42, 0, 4096));
	atomic_store(&async.refusals, 500);
	async_load(2);
	async_stop();
	ck_assert_uint_ge(plane.counters.retries, 700);
}
END_TEST

/* Longer than RETRY_MS: being busy is no error, and only --io-timeout ends it. */
START_TEST(busy_for_seconds)
{
	struct timespec wait = { .tv_sec = 2, .tv_nsec = 500000000 };
	int tag;

	async_start(submit_inside);
	plane_start(&plane);
	async.refusal = -EBUSY;
	atomic_store(&async.refusals, UINT32_MAX);
	tag = plane_submit(&plane, 0, UBLK_OP_READ, 0, 0, 512, NULL);
	nanosleep(&wait, NULL);
	ck_assert(!fake_is_done(plane.fake, 0, tag));
	atomic_store(&async.refusals, 0);
	ck_assert_int_eq(plane_wait(&plane, 0, tag, NULL), 512);
	async_stop();
}
END_TEST

START_TEST(busy_for_ever)
{
	int tag;

	async_start(submit_inside);
	plane.dev.io_timeout = 2;
	plane_start(&plane);
	async.refusal = -EBUSY;
	atomic_store(&async.refusals, UINT32_MAX);
	tag = plane_submit(&plane, 0, UBLK_OP_READ, 0, 0, 512, NULL);
	plane_wait_count(&async.submits, 5);
	/* or the control thread, which ticks only for what is held, never would */
	ck_assert_uint_eq(queue_held(plane.q[0]), 1);
	plane_tick(&plane, 3);
	ck_assert_int_eq(plane_wait(&plane, 0, tag, NULL), -EIO);
	ck_assert_uint_eq(queue_held(plane.q[0]), 0);
	atomic_store(&async.refusals, 0);
	async_load(1);
	async_stop();
}
END_TEST

START_TEST(refusals_and_errors_pass)
{
	static const int errors[] = { -EROFS, -ENOSPC, -EIO, -ECONNRESET, -4095 };

	async_start(submit_inside);
	plane_start(&plane);
	for (unsigned int i = 0; i < ARRAY_SIZE(errors); i++) {
		async.refusal = errors[i];
		atomic_store(&async.refusals, 1);
		ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, 0, 512, NULL), errors[i]);
		ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, 0, 512, NULL), 512);
	}
	async.refusal = -ENOMEM;
	atomic_store(&async.refusals, 20);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, 0, 512, NULL), 512);
	async_stop();
}
END_TEST

static int submit_again_later(struct ublk_io *io)
{
	unsigned int n = atomic_load(&async.submits);

	host->complete(async.q[io->qid], io, n % 4 ? -EAGAIN : async_serve(io));
	return 0;
}

START_TEST(passing_results_are_tried_again)
{
	async_start(submit_again_later);
	plane_start(&plane);
	async_load(2);
	async_stop();
	ck_assert_uint_ge(plane.counters.retries, 64);
}
END_TEST

/* Scratch memory is the io's own, aligned, zero at first, and keeps what was put there. */
static int submit_scratch(struct ublk_io *io)
{
	struct ublk_io **owner = io->scratch;

	if (!owner || (uintptr_t)owner % 64 || (*owner && *owner != io) ||
	    !plane_is_zero(owner + 1, 100 - sizeof(*owner)))
		return -EILSEQ;
	*owner = io;
	return submit_inside(io);
}

START_TEST(scratch)
{
	async_start(submit_scratch);
	plane.dev.limits.io_scratch_bytes = 100;
	plane_start(&plane);
	async_load(5);
	async_stop();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("queue: async");

	plane_need_fake();
	plane_case(s, "completions", completed_inside_submit, completed_in_event,
		   completed_by_other_threads, wake_reaches_event, scratch);
	plane_case(s, "refusals", busy_is_asked_again, busy_for_seconds, busy_for_ever,
		   refusals_and_errors_pass, passing_results_are_tried_again);
	return run_tap(s);
}
