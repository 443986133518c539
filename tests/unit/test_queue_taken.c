// SPDX-License-Identifier: MIT
/* Ios that are taken away from their plugin while it has ring operations for them, or before. */
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plane_async.h"

#define TIMEOUT 2 /* ticks */
#define BIG (512u << 20)

static char a[4096], b[4096], back[4096];
static int store_fd, slot, event_fd;
static char *big;
static atomic_uint cqes, cancelled, commits;
static atomic_int committed;
static _Atomic(struct ublk_io *) first; /* the one that is taken away */
static void (*begin)(struct ublk_io *io);
static bool completes; /* what is taken away is completed in its last cqe() */

static void taken_cqe(void *qpriv, struct ublk_io *io, uint32_t cookie, int32_t res, uint32_t flags)
{
	(void)qpriv;
	(void)flags;
	if (res == -ECANCELED)
		atomic_fetch_add(&cancelled, 1);
	if (completes && cookie == 2)
		host->complete(async.q[0], io, res);
	atomic_fetch_add(&cqes, 1);
}

static void write_fixed(struct io_uring_sqe *sqe, const struct ublk_io *io)
{
	io_uring_prep_write_fixed(sqe, slot, (void *)(uintptr_t)io->fixed_addr, io->length,
				  io->offset, io->buf_index);
	sqe->flags |= IOSQE_FIXED_FILE;
}

/* A WRITE that waits for an event. */
static void begin_chain(struct ublk_io *io)
{
	struct io_uring_sqe *sqe[2];

	ck_assert_int_eq(host->sqe_get(async.q[0], 2, sqe), 0);
	io_uring_prep_poll_add(sqe[0], event_fd, POLLIN);
	sqe[0]->flags |= IOSQE_IO_LINK;
	if (io->buf)
		io_uring_prep_write(sqe[1], store_fd, io->buf, io->length, io->offset);
	else
		write_fixed(sqe[1], io);
	host->sqe_commit(async.q[0], sqe[0], io, 1);
	host->sqe_commit(async.q[0], sqe[1], io, 2);
}

/* One that cannot be cancelled. */
static void begin_big(struct ublk_io *io)
{
	struct io_uring_sqe *sqe;

	ck_assert_int_eq(host->sqe_get(async.q[0], 1, &sqe), 0);
	io_uring_prep_write(sqe, store_fd, big, BIG, ASYNC_STORE);
	sqe->flags |= IOSQE_ASYNC;
	host->sqe_commit(async.q[0], sqe, io, 2);
}

static void begin_nothing(struct ublk_io *io)
{
	(void)io;
}

static int submit_first(struct ublk_io *io)
{
	if (first)
		return submit_hold(io);
	first = io;
	begin(io);
	return 0;
}

static void commit_late(void)
{
	struct io_uring_sqe *sqe;

	ck_assert_int_eq(host->sqe_get(async.q[0], 1, &sqe), 0);
	write_fixed(sqe, first);
	atomic_store(&committed, host->sqe_commit(async.q[0], sqe, first, 3));
	atomic_fetch_add(&commits, 1);
}

/* A WRITE of 'A' at 0 that the plugin has begun so far, on a queue of one tag. */
static int start(void (*how)(struct ublk_io *io), unsigned int mode)
{
	async_start(submit_first);
	cqes = cancelled = commits = 0;
	first = NULL;
	begin = how;
	completes = false;
	memset(a, 'A', sizeof(a));
	memset(b, 'B', sizeof(b));
	store_fd = memfd_create("store", MFD_CLOEXEC);
	event_fd = eventfd(0, EFD_CLOEXEC);
	ck_assert(store_fd >= 0 && event_fd >= 0);
	ck_assert_int_eq(ftruncate(store_fd, ASYNC_STORE), 0);
	slot = plane_file(&plane, store_fd);
	plane.plugin.cqe = taken_cqe;
	plane.plugin.data_modes = plane.dev.limits.data_modes = mode;
	plane.plugin.submit_ops = UBLK_OPS_READ | UBLK_OPS_WRITE;
	plane.dev.limits.sqes_per_io = 2;
	if (mode == UBLK_DATA_FIXED)
		plane.dev.path = &path_auto_buf_reg;
	plane.depth = 1;
	plane.dev.io_timeout = TIMEOUT;
	async.event = commit_late;
	plane_start(&plane);
	return plane_submit(&plane, 0, UBLK_OP_WRITE, 0, 0, sizeof(a), a);
}

/* The tag's next request is not touched, and the store only by who may. */
static void next_is_served(void)
{
	uint64_t one = 1;
	struct ublk_io *io;
	int tag = plane_submit(&plane, 0, UBLK_OP_WRITE, 0, 65536, sizeof(b), b);

	while (!(io = async_unhold()))
		usleep(100);
	ck_assert_int_eq(write(event_fd, &one, sizeof(one)), sizeof(one));
	usleep(20000);
	ck_assert_int_eq(pread(store_fd, back, sizeof(back), 0), sizeof(back));
	ck_assert(plane_is_zero(back, sizeof(back)));
	host->complete_remote(async.q[0], io, sizeof(b));
	ck_assert_int_eq(plane_wait(&plane, 0, tag, NULL), sizeof(b));
}

static void stop(uint64_t misuse)
{
	plane_stop(&plane);
	ck_assert_uint_eq(plane.counters.misuse, misuse);
	ck_assert_uint_eq(plane.counters.timeouts, 1);
	close(store_fd);
	close(event_fd);
}

/* What has not begun does not begin any more, in registered buffers or in memory that is set aside. */
START_TEST(its_operations_are_cancelled)
{
	int tag = start(begin_chain, _i ? UBLK_DATA_MAPPED : UBLK_DATA_FIXED);

	plane_wait_count(&async.submits, 1);
	plane_tick(&plane, TIMEOUT + 1);
	ck_assert_int_eq(plane_wait(&plane, 0, tag, NULL), -EIO);
	plane_wait_count(&cqes, 2);
	ck_assert_uint_eq(cancelled, 2);
	next_is_served();
	stop(0);
}
END_TEST

/* The plugin is heard late, and has to be: nothing of the io is set aside then. */
START_TEST(completed_when_they_are_back)
{
	int tag = start(begin_chain, UBLK_DATA_FIXED);

	completes = true;
	plane_wait_count(&async.submits, 1);
	plane_tick(&plane, TIMEOUT + 1);
	ck_assert_int_eq(plane_wait(&plane, 0, tag, NULL), -EIO);
	plane_expect_misuse(&plane, 1);
	next_is_served();
	stop(1);
}
END_TEST

START_TEST(a_commit_that_is_too_late)
{
	int tag = start(begin_nothing, UBLK_DATA_FIXED);

	plane_wait_count(&async.submits, 1);
	plane_tick(&plane, TIMEOUT + 1);
	ck_assert_int_eq(plane_wait(&plane, 0, tag, NULL), -EIO);
	tag = plane_submit(&plane, 0, UBLK_OP_WRITE, 0, 65536, sizeof(b), b);
	plane_wait_count(&async.submits, 2);
	host->wake(async.q[0]);
	plane_wait_count(&commits, 1);
	plane_expect_misuse(&plane, 1);
	ck_assert_int_eq(committed, -ECANCELED);
	host->complete_remote(async.q[0], async_unhold(), sizeof(b));
	ck_assert_int_eq(plane_wait(&plane, 0, tag, NULL), sizeof(b));
	next_is_served();
	ck_assert_uint_eq(cqes, 0);
	stop(1);
}
END_TEST

/* The same for an io that the plugin has completed. */
START_TEST(a_commit_after_completion)
{
	int tag = start(begin_nothing, UBLK_DATA_FIXED);

	plane_wait_count(&async.submits, 1);
	host->complete_remote(async.q[0], first, sizeof(a));
	ck_assert_int_eq(plane_wait(&plane, 0, tag, NULL), sizeof(a));
	host->wake(async.q[0]);
	plane_wait_count(&commits, 1);
	plane_expect_misuse(&plane, 1);
	ck_assert_int_eq(committed, -ECANCELED);
	next_is_served();
	plane_stop(&plane);
	ck_assert_uint_eq(cqes, 0);
}
END_TEST

static void start_big(int *tag)
{
	struct stat st = { 0 };

	big = mmap(NULL, BIG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(big, MAP_FAILED);
	*tag = start(begin_big, UBLK_DATA_FIXED);
	while (!st.st_blocks) {
		usleep(100);
		ck_assert_int_eq(fstat(store_fd, &st), 0);
	}
}

/* The tag stays the io's until they have ended; if that takes long, the device fails. */
START_TEST(operations_that_go_on)
{
	int tag;

	start_big(&tag);
	plane_tick(&plane, TIMEOUT + 1);
	ck_assert_uint_eq(cqes, 0);
	ck_assert(!fake_is_done(plane.fake, 0, tag));
	ck_assert_uint_eq(atomic_load(&plane.failures), 0);
	plane_tick(&plane, 6);
	ck_assert_uint_eq(cqes, 0);
	ck_assert(!fake_is_done(plane.fake, 0, tag));
	plane_wait_count(&plane.failures, 1);
	ck_assert_int_eq(atomic_load(&plane.failed_err), -EIO);
	ck_assert_int_eq(plane_wait(&plane, 0, tag, NULL), -EIO);
	ck_assert_uint_eq(cancelled, 0);
	atomic_store(&plane.failures, 0);
	next_is_served();
	stop(0);
	munmap(big, BIG);
}
END_TEST

/* The device stops: the same. */
START_TEST(operations_that_go_on_at_a_stop)
{
	int tag;

	start_big(&tag);
	fake_abort_all(plane.fake);
	for (unsigned int i = 0; i < 3; i++) {
		queue_ask(plane.q[0], QUEUE_ASK_ABANDON);
		plane_tick(&plane, 1);
	}
	ck_assert_uint_eq(cqes, 0);
	ck_assert(!queue_ended(plane.q[0]));
	ck_assert(!fake_is_done(plane.fake, 0, tag));
	ck_assert_int_eq(plane_wait(&plane, 0, tag, NULL), -EIO);
	stop(0);
	munmap(big, BIG);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("queue: ios that are taken away");
	TCase *tc = tcase_create("modes");

	plane_need_fake();
	tcase_add_loop_test(tc, its_operations_are_cancelled, 0, 2);
	suite_add_tcase(s, tc);
	plane_case(s, "late", completed_when_they_are_back, a_commit_that_is_too_late,
		   a_commit_after_completion);
	plane_case(s, "long", operations_that_go_on, operations_that_go_on_at_a_stop);
	return run_tap(s);
}
