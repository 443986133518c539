// SPDX-License-Identifier: MIT
/* Chains of a plugin's ring operations: begun and ended by several calls, and with a hole in them. */
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "plane_async.h"

#define NR_OPS_SEEN 4

static int store_fd, event_fd;
static atomic_uint cqes;
static atomic_int results[NR_OPS_SEEN]; /* by cookie */
static atomic_uint order[NR_OPS_SEEN];	/* cookies as they came */
static unsigned int how;		/* the variant of a test */

static void chain_cqe(void *qpriv, struct ublk_io *io, uint32_t cookie, int32_t res, uint32_t flags)
{
	(void)qpriv;
	(void)io;
	(void)flags;
	results[cookie] = res;
	order[atomic_load(&cqes)] = cookie;
	atomic_fetch_add(&cqes, 1);
}

static struct io_uring_sqe *get(void)
{
	struct io_uring_sqe *sqe;

	ck_assert_int_eq(host->sqe_get(async.q[0], 1, &sqe), 0);
	return sqe;
}

static void start(void (*event)(void))
{
	async_start(submit_hold);
	cqes = 0;
	store_fd = memfd_create("store", MFD_CLOEXEC);
	event_fd = eventfd(0, EFD_CLOEXEC);
	ck_assert(store_fd >= 0 && event_fd >= 0);
	plane.plugin.cqe = chain_cqe;
	plane.dev.limits.background_sqes = NR_OPS_SEEN;
	async.event = event;
	plane_start(&plane);
}

static void stop(uint64_t misuse)
{
	plane_stop(&plane);
	ck_assert_uint_eq(plane.counters.misuse, misuse);
	close(store_fd);
	close(event_fd);
}

/* What is at 0 and at 8 of the store: eight bytes, or nothing. */
static void expect_stored(const char *first, const char *second)
{
	char is[16] = "", wanted[16] = "";

	ck_assert_int_ge(pread(store_fd, is, sizeof(is), 0), 0);
	memcpy(wanted, first, strlen(first));
	memcpy(wanted + 8, second, strlen(second));
	ck_assert_msg(!memcmp(is, wanted, sizeof(is)), "it is %.8s and %.8s", is, is + 8);
}

/* Got one by one; with how, an io is completed in between, whose commit belongs behind the chain. */
static void event_one_by_one(void)
{
	struct io_uring_sqe *sqe = get();
	struct ublk_io *io = async_unhold();

	io_uring_prep_poll_add(sqe, event_fd, POLLIN);
	sqe->flags |= how & 2 ? IOSQE_IO_HARDLINK : IOSQE_IO_LINK;
	host->sqe_commit(async.q[0], sqe, NULL, 0);
	if (how & 1)
		host->complete(async.q[0], io, 4096);
	sqe = get();
	io_uring_prep_write(sqe, store_fd, "a second", 8, 8);
	host->sqe_commit(async.q[0], sqe, NULL, 1);
	if (!(how & 1))
		host->complete(async.q[0], io, 4096);
}

START_TEST(built_by_several_calls)
{
	uint64_t one = 1;
	int tag;

	how = _i;
	start(event_one_by_one);
	tag = plane_submit(&plane, 0, UBLK_OP_READ, 0, 0, 4096, NULL);
	plane_wait_count(&async.submits, 1);
	host->wake(async.q[0]);
	ck_assert_int_eq(plane_wait(&plane, 0, tag, NULL), 4096);
	usleep(20000);
	ck_assert_uint_eq(atomic_load(&cqes), 0);
	expect_stored("", "");
	ck_assert_int_eq(write(event_fd, &one, sizeof(one)), sizeof(one));
	plane_wait_count(&cqes, 2);
	ck_assert_int_eq(order[0], 0);
	ck_assert_int_eq(results[1], 8);
	expect_stored("", "a second");
	stop(0);
}
END_TEST

enum hole { REFUSED, KEPT, REFUSED_HARD, NR_HOLES };

/* A WRITE, what may not run, and a WRITE that waits for that. */
static void event_with_a_hole(void)
{
	struct io_uring_sqe *sqe[3];

	ck_assert_int_eq(host->sqe_get(async.q[0], 3, sqe), 0);
	io_uring_prep_write(sqe[0], store_fd, "a first", 7, 0);
	sqe[0]->flags |= IOSQE_IO_LINK;
	io_uring_prep_fsync(sqe[1], store_fd, 0);
	sqe[1]->flags |= how == REFUSED_HARD ? IOSQE_IO_HARDLINK : IOSQE_IO_LINK;
	if (how != KEPT)
		sqe[1]->flags |= IOSQE_IO_DRAIN;
	io_uring_prep_write(sqe[2], store_fd, "a second", 8, 8);
	host->sqe_commit(async.q[0], sqe[0], NULL, 0);
	if (how != KEPT)
		ck_assert_int_eq(host->sqe_commit(async.q[0], sqe[1], NULL, 1), -EINVAL);
	host->sqe_commit(async.q[0], sqe[2], NULL, 2);
}

START_TEST(what_follows_a_hole)
{
	how = _i;
	start(event_with_a_hole);
	for (unsigned int i = 1; i <= 10; i++) {
		host->wake(async.q[0]);
		plane_wait_count(&cqes, 2);
		ck_assert_int_eq(results[0], 7);
		ck_assert_int_eq(results[2], -ECANCELED);
		expect_stored("a first", "");
		atomic_store(&cqes, 0);
		plane_expect_misuse(&plane, i); /* and all of the budget is back */
	}
	stop(10);
}
END_TEST

/* The last of a chain may not run, and is itself linked: the host's own operations are not. */
static void event_with_a_bad_end(void)
{
	struct io_uring_sqe *sqe[2];
	struct ublk_io *io = async_unhold();

	ck_assert_int_eq(host->sqe_get(async.q[0], 2, sqe), 0);
	io_uring_prep_write(sqe[0], store_fd, "a first", 7, 0);
	sqe[0]->flags |= IOSQE_IO_LINK;
	io_uring_prep_fsync(sqe[1], store_fd, 0);
	sqe[1]->flags |= IOSQE_IO_LINK | IOSQE_CQE_SKIP_SUCCESS;
	host->sqe_commit(async.q[0], sqe[0], NULL, 0);
	if (how == REFUSED)
		ck_assert_int_eq(host->sqe_commit(async.q[0], sqe[1], NULL, 1), -EINVAL);
	if (io)
		host->complete(async.q[0], io, 4096);
}

START_TEST(the_end_of_a_chain_is_void)
{
	how = _i;
	start(event_with_a_bad_end);
	for (unsigned int i = 1; i <= 10; i++) {
		int tag = plane_submit(&plane, 0, UBLK_OP_READ, 0, 0, 4096, NULL);

		plane_wait_count(&async.submits, i);
		host->wake(async.q[0]);
		plane_wait_count(&cqes, 1);
		ck_assert_int_eq(results[0], 7);
		ck_assert_int_eq(plane_wait(&plane, 0, tag, NULL), 4096);
		atomic_store(&cqes, 0);
		plane_expect_misuse(&plane, i);
	}
	stop(10);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("queue: chains of ring operations");
	TCase *tc = tcase_create("chains");

	plane_need_fake();
	tcase_add_loop_test(tc, built_by_several_calls, 0, 4);
	tcase_add_loop_test(tc, what_follows_a_hole, 0, NR_HOLES);
	tcase_add_loop_test(tc, the_end_of_a_chain_is_void, 0, 2);
	suite_add_tcase(s, tc);
	return run_tap(s);
}
