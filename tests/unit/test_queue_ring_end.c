// SPDX-License-Identifier: MIT
/* A queue ends with ring operations of its plugin in flight: none is left when queue_exit() comes. */
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "plane_async.h"

#define MANY 4
#define BIG (256u << 20)

static int store_fd, event_fd;
static char *big;
static uint64_t counts[MANY];
static atomic_uint cqes, cancelled, begun;
static atomic_int last_res, got; /* what sqe_get() says in the last cqe() */
static atomic_bool again; /* cqe() wants another operation, as one that never ends by itself */
static unsigned int cqes_at_exit;
static off_t stored_at_exit;

static void end_cqe(void *qpriv, struct ublk_io *io, uint32_t cookie, int32_t res, uint32_t flags)
{
	struct io_uring_sqe *sqe;

	(void)qpriv;
	(void)io;
	(void)cookie;
	(void)flags;
	atomic_store(&last_res, res);
	if (res == -ECANCELED)
		atomic_fetch_add(&cancelled, 1);
	if (atomic_load(&again)) {
		atomic_store(&got, host->sqe_get(async.q[0], 1, &sqe));
		if (!got) {
			io_uring_prep_read(sqe, event_fd, counts, sizeof(*counts), 0);
			host->sqe_commit(async.q[0], sqe, NULL, 0);
		}
	}
	atomic_fetch_add(&cqes, 1);
}

static off_t stored(void)
{
	struct stat st;

	ck_assert_int_eq(fstat(store_fd, &st), 0);
	return st.st_blocks * 512;
}

static void end_exit(void *qpriv)
{
	(void)qpriv;
	cqes_at_exit = atomic_load(&cqes);
	stored_at_exit = stored();
	atomic_fetch_add(&async.exits, 1);
}

/* Reads that wait for an event, and an operation that ends more than once. */
static void start_waiting(void)
{
	struct io_uring_sqe *sqe[MANY];

	ck_assert_int_eq(host->sqe_get(async.q[0], MANY, sqe), 0);
	for (unsigned int i = 0; i < MANY - 1; i++)
		io_uring_prep_read(sqe[i], event_fd, &counts[i], sizeof(counts[i]), 0);
	io_uring_prep_poll_multishot(sqe[MANY - 1], event_fd, POLLIN);
	for (unsigned int i = 0; i < MANY; i++)
		ck_assert_int_eq(host->sqe_commit(async.q[0], sqe[i], NULL, 7), 0);
	atomic_store(&begun, 1);
}

/* An operation that waits, and a WRITE after it. */
static void start_chain(void)
{
	struct io_uring_sqe *sqe[2];

	ck_assert_int_eq(host->sqe_get(async.q[0], 2, sqe), 0);
	io_uring_prep_poll_add(sqe[0], event_fd, POLLIN);
	sqe[0]->flags |= IOSQE_IO_LINK;
	io_uring_prep_write(sqe[1], store_fd, "spoiled", 8, 0);
	for (unsigned int i = 0; i < 2; i++)
		ck_assert_int_eq(host->sqe_commit(async.q[0], sqe[i], NULL, i), 0);
	atomic_store(&begun, 1);
}

/* On a thread of the kernel's, so that it is under way when the queue ends. */
static void start_big_write(void)
{
	struct io_uring_sqe *sqe;

	ck_assert_int_eq(host->sqe_get(async.q[0], 1, &sqe), 0);
	io_uring_prep_write(sqe, store_fd, big, BIG, 0);
	sqe->flags |= IOSQE_ASYNC;
	ck_assert_int_eq(host->sqe_commit(async.q[0], sqe, NULL, 9), 0);
	atomic_store(&begun, 1);
}

static void start(void (*event)(void), uint32_t background)
{
	async_start(submit_inside);
	cqes = cancelled = begun = 0;
	again = false;
	got = 1;
	store_fd = memfd_create("store", MFD_CLOEXEC);
	event_fd = eventfd(0, EFD_CLOEXEC);
	ck_assert(store_fd >= 0 && event_fd >= 0);
	plane.plugin.cqe = end_cqe;
	plane.plugin.queue_exit = end_exit;
	plane.dev.limits.background_sqes = background;
	async.event = event;
	plane_start(&plane);
	host->wake(async.q[0]);
	plane_wait_count(&begun, 1);
}

/* Each way in which a queue ends; how long it took in ms. */
static uint64_t end(int way)
{
	static const unsigned int asks[] = { 0, QUEUE_ASK_LEAVE, QUEUE_ASK_FINISH, QUEUE_ASK_QUIT };
	uint64_t began = now_ms();

	if (way)
		queue_ask(plane.q[0], asks[way]);
	else
		fake_abort_all(plane.fake);
	plane_wait_ended(&plane);
	began = now_ms() - began;
	plane_join(&plane);
	ck_assert(plane.joined);
	ck_assert_uint_eq(atomic_load(&plane.failures), 0);
	ck_assert_uint_eq(plane.counters.misuse, 0);
	ck_assert_uint_eq(atomic_load(&async.exits), 1);
	ck_assert_uint_eq(cqes_at_exit, atomic_load(&cqes));
	return began;
}

static void close_files(void)
{
	close(store_fd);
	close(event_fd);
}

START_TEST(what_waits_is_cancelled)
{
	uint64_t took;

	start(start_waiting, MANY);
	took = end(_i);
	ck_assert_uint_eq(atomic_load(&cqes), MANY);
	ck_assert_uint_eq(atomic_load(&cancelled), MANY);
	if (_i) /* somebody waits for the next server */
		ck_assert_uint_lt(took, 900);
	close_files();
}
END_TEST

START_TEST(a_chain_is_cancelled_as_a_whole)
{
	uint64_t one = 1;

	start(start_chain, 2);
	end(_i);
	ck_assert_uint_eq(atomic_load(&cancelled), 2);
	ck_assert_int_eq(write(event_fd, &one, sizeof(one)), sizeof(one));
	usleep(20000);
	ck_assert_int_eq(stored(), 0);
	close_files();
}
END_TEST

/* Neither cut short nor forgotten, however the queue ends. */
START_TEST(a_write_under_way_is_awaited)
{
	big = mmap(NULL, BIG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(big, MAP_FAILED);
	start(start_big_write, 1);
	while (!stored())
		usleep(100);
	end(_i);
	ck_assert_uint_eq(atomic_load(&cqes), 1);
	ck_assert_int_eq(last_res, BIG);
	ck_assert_int_eq(stored_at_exit, BIG);
	munmap(big, BIG);
	close_files();
}
END_TEST

static void *event_soon(void *arg)
{
	uint64_t four = MANY;

	(void)arg;
	usleep(100000);
	ck_assert_int_eq(write(event_fd, &four, sizeof(four)), sizeof(four));
	return NULL;
}

/* A stop leaves it some time. */
START_TEST(what_ends_by_itself_may)
{
	pthread_t thread;

	if (plane_on_valgrind())
		return; /* no other thread runs while one waits for a time on a ring */
	start(start_chain, 2);
	pthread_create(&thread, NULL, event_soon, NULL);
	ck_assert_uint_lt(end(0), 900);
	pthread_join(thread, NULL);
	ck_assert_uint_eq(atomic_load(&cqes), 2);
	ck_assert_uint_eq(atomic_load(&cancelled), 0);
	ck_assert_int_eq(last_res, 8);
	ck_assert_int_gt(stored_at_exit, 0);
	close_files();
}
END_TEST

/* A plugin that keeps an operation in flight gets no more for the next. */
START_TEST(no_more_are_lent)
{
	start(start_waiting, MANY);
	again = true;
	end(_i);
	ck_assert_uint_eq(atomic_load(&cqes), MANY);
	ck_assert_int_eq(got, -ECANCELED);
	close_files();
}
END_TEST

/* What queue_init() began when it failed: the plugin is called no more, and nothing is left. */
static int init_and_fail(void *priv, struct ublk_queue *q, const struct ublk_queue_info *info,
			 void **qpriv)
{
	struct io_uring_sqe *sqe;

	(void)priv;
	(void)info;
	(void)qpriv;
	ck_assert_int_eq(host->sqe_get(q, 1, &sqe), 0);
	io_uring_prep_write(sqe, store_fd, "spoiled", 8, 0);
	ck_assert_int_eq(host->sqe_commit(q, sqe, NULL, 0), 0);
	return -ENODEV;
}

START_TEST(what_a_failed_init_has_begun)
{
	struct fake_config config = { .nr_queues = 1, .depth = 4, .max_io = 4096 };
	struct ublk_queue *q = NULL;

	async_start(submit_inside);
	cqes = 0;
	store_fd = memfd_create("store", MFD_CLOEXEC);
	event_fd = eventfd(0, EFD_CLOEXEC);
	plane.plugin.cqe = end_cqe;
	plane.plugin.queue_init = init_and_fail;
	plane.dev.limits.background_sqes = 1;
	ck_assert_int_eq(fake_create(&config, &plane.fake), 0);
	plane.dev.transport = fake_transport(plane.fake);
	plane.dev.stats = stats_alloc(1);
	ck_assert_ptr_nonnull(plane.dev.stats);
	ck_assert_int_eq(dev_prepare(&plane.dev), 0);
	ck_assert_int_eq(queue_start(&plane.dev, 0, NULL, 0, &q), 0);
	ck_assert_int_eq(queue_wait_started(q), -ENODEV);
	ck_assert(queue_join(q));
	queue_free(q);
	ck_assert_uint_eq(atomic_load(&cqes), 0);
	ck_assert_int_eq(stored(), 0);
	dev_unprepare(&plane.dev);
	free(plane.dev.stats);
	fake_destroy(plane.fake);
	close_files();
}
END_TEST

static void nothing(void)
{
	atomic_store(&begun, 1);
}

/* Who has nothing in flight ends at once. */
START_TEST(none_is_in_flight)
{
	start(nothing, MANY);
	ck_assert_uint_lt(end(_i), 500);
	close_files();
}
END_TEST

static int submit_waiting(struct ublk_io *io)
{
	struct io_uring_sqe *sqe;

	if (host->sqe_get(async.q[0], 1, &sqe))
		return -EBUSY;
	io_uring_prep_read(sqe, event_fd, counts, sizeof(*counts), 0);
	host->sqe_commit(async.q[0], sqe, io, 0);
	return 0;
}

static void complete_cqe(void *qpriv, struct ublk_io *io, uint32_t cookie, int32_t res,
			 uint32_t flags)
{
	end_cqe(qpriv, NULL, cookie, res, flags);
	host->complete(async.q[0], io, res);
}

/* An io that is left to the next server must not end here because its operation was cancelled. */
START_TEST(an_io_that_is_left_to_the_next_server)
{
	int tag;

	async_start(submit_waiting);
	cqes = cancelled = 0;
	event_fd = eventfd(0, EFD_CLOEXEC);
	store_fd = memfd_create("store", MFD_CLOEXEC);
	plane.plugin.cqe = complete_cqe;
	plane.plugin.queue_exit = end_exit;
	plane.dev.limits.sqes_per_io = 1;
	plane_start(&plane);
	tag = plane_submit(&plane, 0, UBLK_OP_READ, 0, 0, 4096, NULL);
	plane_wait_count(&async.submits, 1);
	queue_ask(plane.q[0], QUEUE_ASK_QUIT);
	plane_wait_ended(&plane);
	ck_assert_uint_eq(atomic_load(&cancelled), 1);
	ck_assert(!fake_is_done(plane.fake, 0, tag));
	plane_join(&plane);
	close_files();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("queue: its end with ring operations in flight");
	TCase *tc = tcase_create("ways");

	plane_need_fake();
	tcase_set_timeout(tc, 30);
	tcase_add_loop_test(tc, what_waits_is_cancelled, 0, 4);
	tcase_add_loop_test(tc, a_chain_is_cancelled_as_a_whole, 0, 4);
	tcase_add_loop_test(tc, a_write_under_way_is_awaited, 0, 4);
	tcase_add_loop_test(tc, no_more_are_lent, 0, 4);
	tcase_add_loop_test(tc, none_is_in_flight, 0, 4);
	suite_add_tcase(s, tc);
	plane_case(s, "others", what_ends_by_itself_may, what_a_failed_init_has_begun,
		   an_io_that_is_left_to_the_next_server);
	return run_tap(s);
}
