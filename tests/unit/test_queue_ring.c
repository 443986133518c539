// SPDX-License-Identifier: MIT
/* A plugin's own operations on the queue's ring: its budget, its links, and what it must not do. */
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "plane_async.h"

#define DEPTH 16

static char data[4096], back[4096];
static int slot;     /* of the store, a memfd */
static int store_fd; /* the same */
static int event_fd; /* something that is not ready until a test says so */
static uint64_t event_count;
static atomic_uint cqes, wrong_cqes;
static atomic_int last_res;
static atomic_uint last_cookie;
static _Atomic(struct ublk_io *) last_io;
static atomic_int got, committed; /* what the services said last */

/* An io's operation on the store. */
static void prep(struct io_uring_sqe *sqe, const struct ublk_io *io)
{
	if (io->op == UBLK_OP_READ)
		io_uring_prep_read(sqe, slot, io->buf, io->length, io->offset);
	else
		io_uring_prep_write(sqe, slot, io->buf, io->length, io->offset);
	sqe->flags = IOSQE_FIXED_FILE;
}

static int submit_ring(struct ublk_io *io)
{
	struct ublk_queue *q = async.q[io->qid];
	struct io_uring_sqe *sqe;

	if (io->op > UBLK_OP_WRITE)
		return submit_inside(io);
	atomic_store(&got, host->sqe_get(q, 1, &sqe));
	if (got)
		return got;
	prep(sqe, io);
	atomic_store(&committed, host->sqe_commit(q, sqe, io, (uint32_t)io->offset));
	return 0;
}

/* A completion of the plugin's; the io is done when it is its last. */
static void ring_cqe(void *qpriv, struct ublk_io *io, uint32_t cookie, int32_t res, uint32_t flags)
{
	(void)qpriv;
	(void)flags;
	atomic_fetch_add(&cqes, 1);
	last_res = res;
	last_cookie = cookie;
	last_io = io;
	if (!io || cookie == UINT32_MAX)
		return;
	if (cookie != (uint32_t)io->offset)
		atomic_fetch_add(&wrong_cqes, 1);
	host->complete(async.q[io->qid], io, res);
}

static void start(int (*submit)(struct ublk_io *), uint32_t per_io, uint32_t background)
{
	async_start(submit);
	atomic_store(&cqes, 0);
	atomic_store(&wrong_cqes, 0);
	store_fd = memfd_create("store", MFD_CLOEXEC);
	event_fd = eventfd(0, EFD_CLOEXEC);
	ck_assert(store_fd >= 0 && event_fd >= 0);
	ck_assert_int_eq(ftruncate(store_fd, ASYNC_STORE), 0);
	slot = plane_file(&plane, store_fd);
	plane.plugin.cqe = ring_cqe;
	plane.dev.limits.sqes_per_io = per_io;
	plane.dev.limits.background_sqes = background;
}

static void stop(uint64_t misuse)
{
	plane_stop(&plane);
	ck_assert_uint_eq(plane.counters.misuse, misuse);
	ck_assert_uint_eq(atomic_load(&wrong_cqes), 0);
	close(store_fd);
	close(event_fd);
}

/* Afterwards everything works, with all of the budget. */
static void serves(void)
{
	uint64_t misuse = plane_misuse(&plane);

	async.submit = submit_ring;
	async_load(3);
	ck_assert_uint_eq(plane_misuse(&plane), misuse);
}

START_TEST(reads_and_writes)
{
	start(submit_ring, 1, 0);
	plane.depth = 64;
	plane.nr_queues = 2;
	plane_start(&plane);
	async_load(40);
	stop(0);
	ck_assert_uint_ge(atomic_load(&cqes), 40 * 2 * 64 * 2);
}
END_TEST

/* A WRITE and an fsync after it, in that order. */
static int submit_linked(struct ublk_io *io)
{
	struct ublk_queue *q = async.q[io->qid];
	struct io_uring_sqe *sqe[2];

	if (io->op != UBLK_OP_WRITE)
		return submit_ring(io);
	atomic_store(&got, host->sqe_get(q, 2, sqe));
	if (got)
		return got;
	prep(sqe[0], io);
	sqe[0]->flags |= IOSQE_IO_LINK;
	io_uring_prep_fsync(sqe[1], slot, IORING_FSYNC_DATASYNC);
	sqe[1]->flags = IOSQE_FIXED_FILE;
	host->sqe_commit(q, sqe[0], io, UINT32_MAX);
	host->sqe_commit(q, sqe[1], io, 0);
	return 0;
}

static void linked_cqe(void *qpriv, struct ublk_io *io, uint32_t cookie, int32_t res,
		       uint32_t flags)
{
	(void)qpriv;
	(void)flags;
	atomic_fetch_add(&cqes, 1);
	if (io->op != UBLK_OP_WRITE) {
		host->complete(async.q[io->qid], io, res);
	} else if (cookie == UINT32_MAX) {
		if (res != (int32_t)io->length)
			atomic_fetch_add(&wrong_cqes, 1);
	} else {
		host->complete(async.q[io->qid], io, res ? res : (int32_t)io->length);
	}
}

START_TEST(linked)
{
	start(submit_linked, 2, 0);
	plane.plugin.cqe = linked_cqe;
	plane_start(&plane);
	async_load(40);
	stop(0);
	ck_assert_uint_eq(atomic_load(&cqes), 40 * DEPTH * 3);
}
END_TEST

static int submit_greedy(struct ublk_io *io)
{
	struct io_uring_sqe *sqe[2 * DEPTH];
	struct ublk_queue *q = async.q[io->qid];

	if (host->sqe_get(q, DEPTH + 1, sqe) != -EBUSY ||
	    host->sqe_get(q, UINT32_MAX, sqe) != -EBUSY)
		return -EPROTO;
	return submit_ring(io);
}

START_TEST(over_budget)
{
	start(submit_greedy, 1, 0);
	plane_start(&plane);
	async_load(3);
	stop(0);
}
END_TEST

/* An io that finds the budget used up by others is offered again. */
static int submit_stingy(struct ublk_io *io)
{
	return submit_ring(io);
}

START_TEST(budget_comes_back)
{
	start(submit_stingy, 0, 3); /* 16 tags share 3 */
	plane_start(&plane);
	async_load(20);
	stop(0);
}
END_TEST

static int submit_forgetful(struct ublk_io *io)
{
	struct io_uring_sqe *sqe[2];

	if (host->sqe_get(async.q[io->qid], 2, sqe))
		return -EPROTO;
	/* prepared and not given back: it must not run */
	io_uring_prep_write(sqe[1], slot, "spoiled", 8, 0);
	sqe[1]->flags = IOSQE_FIXED_FILE | IOSQE_IO_LINK;
	sqe[1]->user_data = 0;
	return submit_inside(io);
}

START_TEST(uncommitted)
{
	char first[8];

	start(submit_forgetful, 2, 0);
	plane_start(&plane);
	for (unsigned int i = 1; i <= 200; i++) {
		ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, 0, 512, back), 512);
		plane_expect_misuse(&plane, i);
	}
	ck_assert_int_eq(pread(store_fd, first, 8, 0), 8);
	ck_assert(plane_is_zero(first, 8));
	serves();
	stop(200);
}
END_TEST

/* What sqe_commit() refuses, by the io's offset in blocks. */
static int submit_forbidden(struct ublk_io *io)
{
	struct ublk_queue *q = async.q[io->qid];
	struct io_uring_sqe *sqe, mine = { 0 };
	struct ublk_io foreign = *io;
	int res;

	if (host->sqe_get(q, 1, &sqe))
		return -EPROTO;
	io_uring_prep_write(sqe, slot, "spoiled", 8, 0);
	sqe->flags = IOSQE_FIXED_FILE;
	switch (io->offset / 4096) {
	case 0:
		sqe->flags |= IOSQE_IO_DRAIN;
		res = host->sqe_commit(q, sqe, io, 0);
		break;
	case 1:
		sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
		res = host->sqe_commit(q, sqe, io, 0);
		break;
	case 2:
		sqe->fd = 0; /* the host's */
		res = host->sqe_commit(q, sqe, io, 0);
		break;
	case 3:
		res = host->sqe_commit(q, sqe, &foreign, 0);
		break;
	case 4:
		res = host->sqe_commit(q, &mine, io, 0);
		io_uring_prep_nop(sqe);
		host->sqe_commit(q, sqe, NULL, 0);
		break;
	case 5:
		io_uring_prep_nop(sqe);
		host->sqe_commit(q, sqe, NULL, 0);
		res = host->sqe_commit(q, sqe, io, 0);
		break;
	default: /* one of two, twice */
		io_uring_prep_nop(sqe);
		host->sqe_commit(q, sqe, NULL, 0);
		if (host->sqe_get(q, 1, &sqe))
			return -EPROTO;
		io_uring_prep_nop(sqe);
		host->sqe_commit(q, sqe, NULL, 0);
		res = host->sqe_commit(q, sqe, io, 0);
		break;
	}
	if (res != -EINVAL)
		return -EPROTO;
	return submit_inside(io);
}

START_TEST(forbidden)
{
	char first[8];

	start(submit_forbidden, 2, 0);
	plane_start(&plane);
	for (unsigned int i = 0; i < 7; i++) {
		ck_assert_msg(plane_io(&plane, UBLK_OP_READ, 0, i * 4096, 512, back) == 512,
			      "case %u", i);
		plane_expect_misuse(&plane, i + 1);
	}
	ck_assert_int_eq(pread(store_fd, first, 8, 0), 8);
	ck_assert(plane_is_zero(first, 8));
	serves();
	stop(7);
}
END_TEST

static unsigned int forgets; /* SQEs before the linked one that are not given back */

/* A link on the last SQE would tie the host's next one to it, and a failure here would undo that. */
static int submit_open_link(struct ublk_io *io)
{
	struct ublk_queue *q = async.q[io->qid];
	struct io_uring_sqe *sqe[2];

	if (io->op != UBLK_OP_FLUSH)
		return submit_ring(io);
	if (host->sqe_get(q, 1 + forgets, sqe))
		return -EPROTO;
	io_uring_prep_read(sqe[forgets], slot, NULL, 4096, 0); /* fails */
	sqe[forgets]->flags = IOSQE_FIXED_FILE | IOSQE_IO_LINK;
	host->sqe_commit(q, sqe[forgets], NULL, UINT32_MAX);
	submit_hold(io);
	host->wake(q);
	return 0;
}

/* What comes next on the ring. */
static void event_goes_on(void)
{
	struct ublk_io *io = async_unhold();
	struct io_uring_sqe *sqe;

	if (io && !host->sqe_get(async.q[0], 1, &sqe))
		host->sqe_commit(async.q[0], sqe, io, 0);
}

START_TEST(link_that_ends_nowhere)
{
	forgets = _i;
	start(submit_open_link, 3, 0);
	async.event = event_goes_on;
	plane_start(&plane);
	for (unsigned int i = 1; i <= 20; i++) {
		ck_assert_int_eq(plane_io(&plane, UBLK_OP_FLUSH, 0, 0, 0, NULL), 0);
		plane_expect_misuse(&plane, i * (1 + forgets));
	}
	serves();
	stop(20 * (1 + forgets));
}
END_TEST

/* Completed at once, with an operation under way that may still touch the io's memory. */
static int submit_too_early(struct ublk_io *io)
{
	struct ublk_queue *q = async.q[io->qid];
	struct io_uring_sqe *sqe;

	if (host->sqe_get(q, 1, &sqe))
		return -EPROTO;
	io_uring_prep_read(sqe, event_fd, &event_count, sizeof(event_count), 0);
	host->sqe_commit(q, sqe, io, UINT32_MAX);
	if (io->op == UBLK_OP_WRITE)
		return -EIO;
	host->complete(q, io, async_serve(io));
	return 0;
}

START_TEST(completion_waits_for_operations)
{
	static const unsigned int ops[] = { UBLK_OP_READ, UBLK_OP_WRITE };

	start(submit_too_early, 1, 0);
	plane_start(&plane);
	for (unsigned int i = 0; i < ARRAY_SIZE(ops); i++) {
		uint64_t one = 1;
		int tag = plane_submit(&plane, 0, ops[i], 0, 0, 512, data);

		while (plane_misuse(&plane) < i + 1)
			usleep(100);
		usleep(20000);
		ck_assert(!fake_is_done(plane.fake, 0, tag));
		ck_assert_int_eq(write(event_fd, &one, sizeof(one)), sizeof(one));
		ck_assert_int_eq(plane_wait(&plane, 0, tag, NULL),
				 ops[i] == UBLK_OP_READ ? 512 : -EIO);
	}
	serves();
	stop(2);
}
END_TEST

/* Completing while SQEs are being prepared must not submit them half done. */
static int submit_while_lent(struct ublk_io *io)
{
	struct ublk_queue *q = async.q[io->qid];
	struct io_uring_sqe *sqe;

	if (host->sqe_get(q, 1, &sqe))
		return -EBUSY;
	host->complete(q, io, async_serve(io));
	if (io->offset == 0 && io->length == 512) /* the second time is noticed here too */
		host->complete(q, io, 512);
	io_uring_prep_nop(sqe);
	return host->sqe_commit(q, sqe, NULL, UINT32_MAX);
}

START_TEST(completed_while_preparing)
{
	start(submit_while_lent, 1, 0);
	plane_start(&plane);
	async_load(10);
	ck_assert_int_eq(plane_io(&plane, UBLK_OP_READ, 0, 0, 512, back), 512);
	plane_expect_misuse(&plane, 1);
	serves();
	stop(1);
}
END_TEST

/* An operation of no io, started when the queue is woken. */
static void start_background(void)
{
	struct io_uring_sqe *sqe;

	atomic_store(&got, host->sqe_get(async.q[0], 1, &sqe));
	if (got)
		return;
	io_uring_prep_read(sqe, event_fd, &event_count, sizeof(event_count), 0);
	atomic_store(&committed, host->sqe_commit(async.q[0], sqe, NULL, 0x12345678));
}

START_TEST(background)
{
	uint64_t one = 1;

	start(submit_inside, 0, 1);
	async.event = start_background;
	plane_start(&plane);
	for (unsigned int i = 1; i < 20; i++) {
		last_io = (struct ublk_io *)-1;
		host->wake(async.q[0]);
		plane_wait_count(&async.events, 2 * i - 1);
		async_load(1);		/* goes on meanwhile */
		host->wake(async.q[0]); /* the only one is in flight */
		plane_wait_count(&async.events, 2 * i);
		async_load(1);
		ck_assert_int_eq(atomic_load(&got), -EBUSY);
		ck_assert_int_eq(write(event_fd, &one, sizeof(one)), sizeof(one));
		plane_wait_count(&cqes, i);
		async_load(1);
		ck_assert_ptr_null(last_io);
		ck_assert_uint_eq(last_cookie, 0x12345678);
		ck_assert_int_eq(last_res, sizeof(event_count));
	}
	stop(0);
}
END_TEST

/* sqe_get() belongs to the queue's thread. */
START_TEST(wrong_thread)
{
	struct io_uring_sqe *sqe = NULL;

	start(submit_ring, 1, 1);
	plane_start(&plane);
	ck_assert_int_eq(host->sqe_get(async.q[0], 1, &sqe), -EINVAL);
	while (plane_misuse(&plane) < 1)
		usleep(1000);
	serves();
	stop(1);
}
END_TEST

/* The queue ends with operations in flight. */
START_TEST(end_with_operations_in_flight)
{
	start(submit_inside, 0, 4);
	async.event = start_background;
	plane_start(&plane);
	for (unsigned int i = 1; i <= 4; i++) {
		host->wake(async.q[0]);
		plane_wait_count(&async.events, i);
	}
	async_load(1);
	stop(0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("queue: own ring operations");
	TCase *tc = tcase_create("links");

	plane_need_fake();
	plane_case(s, "good", reads_and_writes, linked, over_budget, budget_comes_back, background,
		   end_with_operations_in_flight);
	plane_case(s, "bad", uncommitted, forbidden, completion_waits_for_operations,
		   completed_while_preparing, wrong_thread);
	tcase_add_loop_test(tc, link_that_ends_nowhere, 0, 2);
	suite_add_tcase(s, tc);
	return run_tap(s);
}
