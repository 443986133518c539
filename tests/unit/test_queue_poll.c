// SPDX-License-Identifier: MIT
/* Polling by itself, on a ring without a device: what it takes for news, and how long it looks. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "plane.h"
#include "queue/internal.h"

static struct ublk_queue q;
static struct queue_counters counters;

static void queue_begin(int64_t poll_us)
{
	struct io_uring_params params = { .flags = IORING_SETUP_SINGLE_ISSUER |
						   IORING_SETUP_DEFER_TASKRUN |
						   IORING_SETUP_TASKRUN_FLAG };

	memset(&q, 0, sizeof(q));
	memset(&counters, 0, sizeof(counters));
	if (io_uring_queue_init_params(8, &q.ring, &params) == -EINVAL) { /* before Linux 6.1 */
		params = (struct io_uring_params){ .flags = 0 };
		ck_assert_int_eq(io_uring_queue_init_params(8, &q.ring, &params), 0);
	}
	q.counters = &counters;
	q.poll_us = poll_us;
}

static uint64_t clock_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000ull + ts.tv_nsec / 1000;
}

/* What the kernel leaves behind when it sets the flag for work that was done meanwhile. */
static void flag_stale(void)
{
	__atomic_fetch_or(q.ring.sq.kflags, IORING_SQ_TASKRUN, __ATOMIC_RELAXED);
}

START_TEST(finds_nothing)
{
	uint64_t begin;

	queue_begin(3000);
	if (_i)
		flag_stale();
	begin = clock_us();
	ck_assert(!ring_poll(&q));
	ck_assert_uint_ge(clock_us() - begin, 3000);
	ck_assert_uint_eq(counters.polls, 0);
	io_uring_queue_exit(&q.ring);
}
END_TEST

START_TEST(finds_what_is_there)
{
	queue_begin(3000);
	io_uring_prep_nop(io_uring_get_sqe(&q.ring));
	ck_assert(ring_poll(&q));
	ck_assert_uint_eq(io_uring_cq_ready(&q.ring), 1);
	ck_assert_uint_eq(counters.polls, 1);
	io_uring_queue_exit(&q.ring);
}
END_TEST

static void *writer(void *arg)
{
	uint64_t one = 1;

	usleep(20000);
	if (write(*(int *)arg, &one, sizeof(one)) < 0)
		abort();
	return NULL;
}

/* The flag that was there before says nothing about work that comes; it is found all the same. */
START_TEST(finds_what_comes)
{
	int fd = eventfd(0, 0);
	uint64_t count;
	pthread_t other;

	queue_begin(10000000);
	io_uring_prep_read(io_uring_get_sqe(&q.ring), fd, &count, sizeof(count), 0);
	ck_assert_int_eq(io_uring_submit(&q.ring), 1);
	if (_i)
		flag_stale();
	pthread_create(&other, NULL, writer, &fd);
	ck_assert(ring_poll(&q));
	ck_assert_uint_eq(io_uring_cq_ready(&q.ring), 1);
	pthread_join(other, NULL);
	io_uring_queue_exit(&q.ring);
	close(fd);
}
END_TEST

START_TEST(heeds_other_threads)
{
	queue_begin(10000000);
	atomic_store(&q.asked, QUEUE_ASK_TICK);
	ck_assert(ring_poll(&q));
	io_uring_queue_exit(&q.ring);
}
END_TEST

static void slept(uint64_t us)
{
	q.poll_since = (clock_us() - us) * 1000;
	poll_slept(&q);
	ck_assert_uint_eq(q.poll_since, 0);
}

START_TEST(auto_follows_the_waits)
{
	queue_begin(-1);
	/* It begins with sleeping, and learns how long that is. */
	ck_assert(!ring_poll(&q));
	ck_assert_uint_ne(q.poll_since, 0);
	ck_assert_uint_eq(counters.enters, 0);
	slept(60000000);
	ck_assert_uint_eq(q.poll_now_us, 0);
	for (int i = 0; i < 1000 && q.poll_now_us < 100;
	     i++) /* a busy machine makes some too long */
		slept(100);
	ck_assert_uint_ge(q.poll_now_us, 100);
	for (int i = 0; i < 1000 && q.poll_now_us < 200; i++)
		slept(190);
	ck_assert_uint_eq(q.poll_now_us, 200);
	slept(199); /* as long as it ever gets */
	ck_assert_uint_le(q.poll_now_us, 200);
	for (int i = 0; i < 5; i++)
		slept(60000000);
	ck_assert_uint_eq(q.poll_now_us, 0);
	io_uring_queue_exit(&q.ring);
}
END_TEST

int main(void)
{
	Suite *s;
	TCase *tc;

	plane_need_fake();
	s = suite_create("queue: polling");
	tc = tcase_create("poll");
	tcase_add_loop_test(tc, finds_nothing, 0, 2);
	tcase_add_test(tc, finds_what_is_there);
	tcase_add_loop_test(tc, finds_what_comes, 0, 2);
	tcase_add_test(tc, heeds_other_threads);
	tcase_add_test(tc, auto_follows_the_waits);
	suite_add_tcase(s, tc);
	return run_tap(s);
}
