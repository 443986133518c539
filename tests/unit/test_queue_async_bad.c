// SPDX-License-Identifier: MIT
/* Broken promises of an async plugin: each is noticed, counted, and costs one io at most. */
#include <string.h>
#include <unistd.h>

#include "base/log.h"

#include "plane_async.h"

#define TIMEOUT 2 /* ticks */

static char data[4096], back[4096];
static int32_t answer;

static void serves(void)
{
	int (*submit)(struct ublk_io *) = async.submit;
	uint64_t misuse = plane_misuse(&plane);

	async.submit = submit_inside;
	async_load(2);
	async.submit = submit;
	ck_assert_uint_eq(plane_misuse(&plane), misuse);
}

static void stop_with_misuse(uint64_t wanted)
{
	plane_stop(&plane);
	ck_assert_uint_eq(plane.counters.misuse, wanted);
}

static int submit_answer(struct ublk_io *io)
{
	async_serve(io);
	host->complete(async.q[io->qid], io, answer);
	return 0;
}

START_TEST(results)
{
	static const struct {
		unsigned int op;
		int32_t answer, seen;
		bool misuse;
	} cases[] = {
		{ UBLK_OP_READ, 4096, 4096, false },
		{ UBLK_OP_READ, 4095, -EIO, true },
		{ UBLK_OP_READ, 0, -EIO, true },
		{ UBLK_OP_READ, 4097, -EIO, true },
		{ UBLK_OP_READ, INT32_MAX, -EIO, true },
		{ UBLK_OP_READ, -4095, -4095, false },
		{ UBLK_OP_READ, -4096, -EIO, true },
		{ UBLK_OP_READ, INT32_MIN, -EIO, true },
		{ UBLK_OP_WRITE, 512, -EIO, true },
		{ UBLK_OP_WRITE, 0, -EIO, true },
		{ UBLK_OP_WRITE, 8192, -EIO, true },
		{ UBLK_OP_WRITE, -ENOSPC, -ENOSPC, false },
		{ UBLK_OP_FLUSH, 1, -EIO, true },
		{ UBLK_OP_FLUSH, -EIO, -EIO, false },
		{ UBLK_OP_DISCARD, 4096, -EIO, true },
		{ UBLK_OP_DISCARD, 0, 0, false },
		{ UBLK_OP_WRITE_ZEROES, -70000, -EIO, true },
	};
	uint64_t misuse = 0;

	async_start(submit_answer);
	plane_start(&plane);
	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		answer = cases[i].answer;
		misuse += cases[i].misuse;
		ck_assert_msg(plane_io(&plane, cases[i].op, 0, 0,
				       cases[i].op == UBLK_OP_FLUSH ? 0 : 4096,
				       data) == cases[i].seen,
			      "result %d of operation %u", answer, cases[i].op);
		plane_expect_misuse(&plane, misuse);
	}
	serves();
	stop_with_misuse(misuse);
}
END_TEST

static int submit_twice(struct ublk_io *io)
{
	int32_t res = async_serve(io);

	host->complete(async.q[io->qid], io, res);
	host->complete(async.q[io->qid], io, res);
	return 0;
}

START_TEST(completed_twice_inside)
{
	async_start(submit_twice);
	plane_start(&plane);
	for (unsigned int i = 1; i < 50; i++) {
		ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, 0, 4096, back), 4096);
		plane_expect_misuse(&plane, i);
	}
	serves();
	stop_with_misuse(49);
}
END_TEST

static struct ublk_io *last;

/* The second time when the tag already has its next request, which must not be hurt. */
static int submit_last_again(struct ublk_io *io)
{
	if (last)
		host->complete(async.q[io->qid], last, 4096);
	last = io;
	return submit_inside(io);
}

START_TEST(completed_again_later)
{
	async_start(submit_last_again);
	plane.depth = 1;
	plane_start(&plane);
	last = NULL;
	plane_pattern(async.mem, 51, 0, 4096);
	for (unsigned int i = 0; i < 20; i++) {
		ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, 0, 4096, back), 4096);
		ck_assert(plane_is_pattern(back, 51, 0, 4096));
		plane_expect_misuse(&plane, i);
	}
	serves();
	stop_with_misuse(19);
}
END_TEST

START_TEST(completed_twice_by_another_thread)
{
	struct ublk_io *io;
	int tag;

	async_start(submit_hold);
	plane_start(&plane);
	for (unsigned int i = 1; i <= 20; i++) {
		tag = plane_submit(&plane, 0, UBLK_OP_WRITE, 0, 0, 4096, data);
		while (!(io = async_unhold()))
			usleep(100);
		host->complete_remote(async.q[0], io, 4096);
		host->complete_remote(async.q[0], io, 4096);
		ck_assert_int_eq(plane_wait(&plane, 0, tag, NULL), 4096);
		plane_expect_misuse(&plane, i);
	}
	serves();
	stop_with_misuse(20);
}
END_TEST

static int submit_foreign(struct ublk_io *io)
{
	struct ublk_io copy = *io;
	struct ublk_queue *q = async.q[io->qid];

	host->complete(q, &copy, 4096);
	host->complete(q, NULL, 0);
	host->complete(q, (struct ublk_io *)((char *)io + 8), 4096);
	host->complete(q, io + 1, 4096);
	host->complete(q, (struct ublk_io *)UINTPTR_MAX, 4096);
	return submit_inside(io);
}

START_TEST(foreign_pointers)
{
	struct ublk_io mine = { .length = 4096 };

	async_start(submit_foreign);
	plane_start(&plane);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, 0, 4096, back), 4096);
	plane_expect_misuse(&plane, 5);
	host->complete_remote(async.q[0], &mine, 4096);
	host->complete_remote(async.q[0], NULL, 4096);
	host->complete_remote(async.q[0], &mine, -EIO);
	plane_expect_misuse(&plane, 8);
	serves();
	stop_with_misuse(8);
}
END_TEST

/* Each queue knows its own. */
START_TEST(io_of_another_queue)
{
	struct ublk_io *io;
	int tag;

	async_start(submit_hold);
	plane.nr_queues = 2;
	plane_start(&plane);
	tag = plane_submit(&plane, 0, UBLK_OP_WRITE, 0, 0, 4096, data);
	while (!(io = async_unhold()))
		usleep(100);
	host->complete_remote(async.q[1], io, 4096);
	plane_expect_misuse(&plane, 1);
	ck_assert(!fake_is_done(plane.fake, 0, tag));
	host->complete_remote(async.q[0], io, 4096);
	ck_assert_int_eq(plane_wait(&plane, 0, tag, NULL), 4096);
	stop_with_misuse(1);
}
END_TEST

/* It is wrong, and works all the same. */
START_TEST(complete_on_the_wrong_thread)
{
	struct ublk_io *io;
	int tag;

	async_start(submit_hold);
	plane_start(&plane);
	for (unsigned int i = 1; i <= 30; i++) {
		tag = plane_submit(&plane, 0, UBLK_OP_WRITE, 0, 0, 4096, data);
		while (!(io = async_unhold()))
			usleep(100);
		host->complete(async.q[0], io, async_serve(io));
		ck_assert_int_eq(plane_wait(&plane, 0, tag, NULL), 4096);
		plane_expect_misuse(&plane, i);
	}
	stop_with_misuse(30);
}
END_TEST

/* An io that the plugin forgets is taken away; its memory is not used again while it might write
 * there; and when it does complete, that is noticed. */
static void never_completed(bool remote)
{
	struct ublk_io *old[2], *io;
	void *old_buf[2];
	int tag;

	async_start(submit_hold);
	plane.depth = 1;
	plane.dev.io_timeout = TIMEOUT;
	plane_start(&plane);
	for (unsigned int i = 0; i < 2; i++) { /* as often as there are spare slots */
		tag = plane_submit(&plane, 0, UBLK_OP_WRITE, 0, 0, 4096, data);
		plane_wait_count(&async.submits, i + 1);
		plane_tick(&plane, TIMEOUT);
		ck_assert(!fake_is_done(plane.fake, 0, tag));
		plane_tick(&plane, 1);
		ck_assert_int_eq(plane_wait(&plane, 0, tag, NULL), -EIO);
		old[i] = async_unhold();
		old_buf[i] = old[i]->buf;
	}
	plane_pattern(async.mem, 52, 0, 4096);
	tag = plane_submit(&plane, 0, UBLK_OP_READ, 0, 0, 4096, NULL);
	while (!(io = async_unhold()))
		usleep(100);
	for (unsigned int i = 0; i < 2; i++) {
		ck_assert_ptr_ne(io, old[i]);
		ck_assert_ptr_ne(io->buf, old_buf[i]);
		ck_assert_ptr_eq(old[i]->buf, old_buf[i]);
		ck_assert_uint_eq(old[i]->length, 4096);
		memset(old_buf[i], 0xee, 4096); /* late, into memory that is nobody's */
		if (remote)
			host->complete_remote(async.q[0], old[i], 4096);
		else
			host->complete(async.q[0], old[i], 4096); /* wrong thread: misuse too */
	}
	plane_expect_misuse(&plane, remote ? 2 : 4);
	ck_assert(!fake_is_done(plane.fake, 0, tag));
	host->complete_remote(async.q[0], io, async_serve(io));
	ck_assert_int_eq(plane_wait(&plane, 0, tag, back), 4096);
	ck_assert(plane_is_pattern(back, 52, 0, 4096));
	plane_stop(&plane);
	ck_assert_uint_eq(plane.counters.timeouts, 2);
}

START_TEST(never_completed_then_late)
{
	never_completed(true);
	never_completed(false);
}
END_TEST

START_TEST(too_many_are_lost)
{
	int tag;

	async_start(submit_hold);
	plane.depth = 1;
	plane.dev.io_timeout = TIMEOUT;
	plane_start(&plane);
	for (unsigned int i = 0; i < 3; i++) {
		tag = plane_submit(&plane, 0, UBLK_OP_WRITE, 0, 0, 4096, data);
		plane_wait_count(&async.submits, i + 1);
		plane_tick(&plane, TIMEOUT + 1);
		if (i < 2)
			ck_assert_int_eq(plane_wait(&plane, 0, tag, NULL), -EIO);
	}
	plane_wait_count(&plane.failures, 1);
	ck_assert_int_eq(atomic_load(&plane.failed_err), -ENOMEM);
	/* the device's stop forces an end */
	fake_abort_all(plane.fake);
	queue_ask(plane.q[0], QUEUE_ASK_ABANDON);
	queue_ask(plane.q[0], QUEUE_ASK_QUIT);
	plane_wait_ended(&plane);
	plane_join(&plane);
	ck_assert(plane.joined);
}
END_TEST

static int submit_wrong_return(struct ublk_io *io)
{
	if (io->offset)
		return 77; /* does it hold the io? who knows */
	submit_inside(io);
	return -EIO; /* after completing */
}

START_TEST(wrong_returns)
{
	async_start(submit_wrong_return);
	plane_start(&plane);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, 0, 4096, back), 4096);
	plane_expect_misuse(&plane, 1);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, 4096, 4096, back), -EIO);
	plane_expect_misuse(&plane, 2);
	ck_assert_uint_eq(queue_held(plane.q[0]), 0);
	serves();
	stop_with_misuse(2);
}
END_TEST

static int submit_nonsense(struct ublk_io *io)
{
	(void)io;
	return -123456;
}

START_TEST(nonsense_return)
{
	async_start(submit_nonsense);
	plane_start(&plane);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, 0, 4096, back), -EIO);
	serves();
	stop_with_misuse(1);
}
END_TEST

/* Millions of wrongs are not millions of lines: what is logged is told by log_count(). */
START_TEST(log_is_restrained)
{
	struct ublk_io mine = { .length = 4096 };
	unsigned int before;

	async_start(submit_twice);
	plane_start(&plane);
	before = log_count(LOG_LVL_ERR);
	for (unsigned int i = 0; i < 1000; i++)
		ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, 0, 512, back), 512);
	for (unsigned int i = 0; i < 1000; i++)
		host->complete_remote(async.q[0], &mine, 0);
	plane_expect_misuse(&plane, 2000);
	ck_assert_uint_lt(log_count(LOG_LVL_ERR) - before, 50);
	stop_with_misuse(2000);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("queue: misuse of async");

	plane_need_fake();
	plane_case(s, "completions", results, completed_twice_inside, completed_again_later,
		   completed_twice_by_another_thread, foreign_pointers, io_of_another_queue,
		   complete_on_the_wrong_thread, log_is_restrained);
	plane_case(s, "ios", never_completed_then_late, too_many_are_lost, wrong_returns,
		   nonsense_return);
	return run_tap(s);
}
