// SPDX-License-Identifier: MIT
/* Ring operations by which a plugin would reach what is the host's, and those like them that it may use. */
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "plane_async.h"
#include "transport/ring.h"

static int event_fd, pipe_fd[2], slot;
static atomic_int res; /* of the last sqe_commit() */
static atomic_uint cqes, tries;
static atomic_int results[2]; /* by cookie */
static unsigned int which;
static char buffers[64];
static uint64_t begun[2]; /* user_data of what waits */

static void op_cqe(void *qpriv, struct ublk_io *io, uint32_t cookie, int32_t result, uint32_t flags)
{
	(void)qpriv;
	(void)io;
	(void)flags;
	results[cookie] = result;
	atomic_fetch_add(&cqes, 1);
}

static void cancel_any(struct io_uring_sqe *sqe)
{
	io_uring_prep_cancel64(sqe, begun[0], IORING_ASYNC_CANCEL_ANY);
}

static void cancel_all_of_a_file(struct io_uring_sqe *sqe)
{
	io_uring_prep_cancel_fd(sqe, event_fd, IORING_ASYNC_CANCEL_ALL);
}

static void cancel_fixed_file(struct io_uring_sqe *sqe)
{
	io_uring_prep_cancel_fd(sqe, slot, IORING_ASYNC_CANCEL_FD_FIXED);
}

static void cancel_an_opcode(struct io_uring_sqe *sqe)
{
	io_uring_prep_cancel64(sqe, begun[0], 1u << 5); /* IORING_ASYNC_CANCEL_OP */
}

static void cancel_the_wake(struct io_uring_sqe *sqe)
{
	io_uring_prep_cancel64(sqe, ud_make(UD_WAKE, 0, 0), 0);
}

static void poll_remove_the_wake(struct io_uring_sqe *sqe)
{
	io_uring_prep_poll_remove(sqe, ud_make(UD_WAKE, 0, 0));
}

static void poll_update_user_data(struct io_uring_sqe *sqe)
{
	io_uring_prep_poll_update(sqe, begun[0], ud_make(UD_WAKE, 0, 0), POLLIN,
				  IORING_POLL_UPDATE_USER_DATA);
}

static void timeout_remove(struct io_uring_sqe *sqe)
{
	io_uring_prep_timeout_remove(sqe, 0, 0);
}

static void close_slot(struct io_uring_sqe *sqe)
{
	io_uring_prep_close_direct(sqe, 0);
}

static void open_to_slot(struct io_uring_sqe *sqe)
{
	io_uring_prep_openat_direct(sqe, AT_FDCWD, "/dev/null", O_RDONLY, 0, 0);
}

static void open2_to_slot(struct io_uring_sqe *sqe)
{
	static struct open_how how = { .flags = O_RDONLY };

	io_uring_prep_openat2_direct(sqe, AT_FDCWD, "/dev/null", &how, slot);
}

static void accept_to_slot(struct io_uring_sqe *sqe)
{
	io_uring_prep_accept(sqe, event_fd, NULL, NULL, 0);
	sqe->file_index = IORING_FILE_INDEX_ALLOC;
}

static void socket_to_slot(struct io_uring_sqe *sqe)
{
	io_uring_prep_socket_direct(sqe, AF_UNIX, SOCK_STREAM, 0, 0, 0);
}

static void pipe_to_slots(struct io_uring_sqe *sqe)
{
	io_uring_prep_rw(62, sqe, 0, pipe_fd, 0, 0);
	sqe->file_index = 1;
}

static void files_update(struct io_uring_sqe *sqe)
{
	io_uring_prep_files_update(sqe, &event_fd, 1, 0);
}

static void splice_from_slot_0(struct io_uring_sqe *sqe)
{
	io_uring_prep_splice(sqe, 0, -1, pipe_fd[1], -1, 1, SPLICE_F_FD_IN_FIXED);
}

static void tee_from_slot_0(struct io_uring_sqe *sqe)
{
	io_uring_prep_tee(sqe, 0, pipe_fd[1], 1, SPLICE_F_FD_IN_FIXED);
}

static void message(struct io_uring_sqe *sqe)
{
	io_uring_prep_msg_ring(sqe, event_fd, 0, ud_make(UD_TAG, 0, 0), 0);
}

static void give_the_hosts_group(struct io_uring_sqe *sqe)
{
	io_uring_prep_provide_buffers(sqe, buffers, 32, 2, RING_BUF_GROUP, 0);
}

static void take_the_hosts_group(struct io_uring_sqe *sqe)
{
	io_uring_prep_remove_buffers(sqe, 1, RING_BUF_GROUP);
}

static void use_the_hosts_group(struct io_uring_sqe *sqe)
{
	io_uring_prep_read(sqe, event_fd, NULL, 8, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = RING_BUF_GROUP;
}

static void (*const forbidden_ops[])(struct io_uring_sqe *) = {
	cancel_any,
	cancel_all_of_a_file,
	cancel_fixed_file,
	cancel_an_opcode,
	cancel_the_wake,
	poll_remove_the_wake,
	poll_update_user_data,
	timeout_remove,
	close_slot,
	open_to_slot,
	open2_to_slot,
	accept_to_slot,
	socket_to_slot,
	pipe_to_slots,
	files_update,
	splice_from_slot_0,
	tee_from_slot_0,
	message,
	give_the_hosts_group,
	take_the_hosts_group,
	use_the_hosts_group,
};

static void cancel_own(struct io_uring_sqe *sqe)
{
	io_uring_prep_cancel64(sqe, begun[0], 0);
}

static void cancel_own_all(struct io_uring_sqe *sqe)
{
	io_uring_prep_cancel64(sqe, begun[0], IORING_ASYNC_CANCEL_ALL);
}

static void poll_remove_own(struct io_uring_sqe *sqe)
{
	io_uring_prep_poll_remove(sqe, begun[0]);
}

static void poll_update_own(struct io_uring_sqe *sqe)
{
	io_uring_prep_poll_update(sqe, begun[0], 0, POLLOUT, IORING_POLL_UPDATE_EVENTS);
}

static void open_and_close(struct io_uring_sqe *sqe)
{
	io_uring_prep_close(sqe, open("/dev/null", O_RDONLY | O_CLOEXEC));
}

static void open_file(struct io_uring_sqe *sqe)
{
	io_uring_prep_openat(sqe, AT_FDCWD, "/dev/null", O_RDONLY | O_CLOEXEC, 0);
}

static void give_own_group(struct io_uring_sqe *sqe)
{
	io_uring_prep_provide_buffers(sqe, buffers, 32, 2, 1, 0);
}

static void splice_from_own_slot(struct io_uring_sqe *sqe)
{
	io_uring_prep_splice(sqe, slot, 0, pipe_fd[1], -1, 1, SPLICE_F_FD_IN_FIXED);
}

static const struct {
	void (*prep)(struct io_uring_sqe *sqe);
	bool ends; /* what it waits for */
} good_ops[] = {
	{ cancel_own, true },	   { cancel_own_all, true },	    { poll_remove_own, true },
	{ poll_update_own, true }, { open_and_close, false },	    { open_file, false },
	{ give_own_group, false }, { splice_from_own_slot, false },
};

static void event_try(void)
{
	struct io_uring_sqe *sqe;

	ck_assert_int_eq(host->sqe_get(async.q[0], 1, &sqe), 0);
	forbidden_ops[which](sqe);
	atomic_store(&res, host->sqe_commit(async.q[0], sqe, NULL, 1));
	atomic_fetch_add(&tries, 1);
}

/* Two that wait for ever, with the same cookie, and one of the good. */
static void event_good(void)
{
	struct io_uring_sqe *sqe;

	for (unsigned int i = 0; i < 2; i++) {
		ck_assert_int_eq(host->sqe_get(async.q[0], 1, &sqe), 0);
		io_uring_prep_poll_add(sqe, event_fd, POLLIN);
		ck_assert_int_eq(host->sqe_commit(async.q[0], sqe, NULL, 0), 0);
		begun[i] = sqe->user_data;
	}
	ck_assert_int_eq(host->sqe_get(async.q[0], 1, &sqe), 0);
	good_ops[which].prep(sqe);
	atomic_store(&res, host->sqe_commit(async.q[0], sqe, NULL, 1));
}

static void start(void (*event)(void))
{
	async_start(submit_inside);
	cqes = tries = 0;
	event_fd = eventfd(0, EFD_CLOEXEC);
	ck_assert_int_ge(event_fd, 0);
	ck_assert_int_eq(pipe2(pipe_fd, O_CLOEXEC), 0);
	slot = plane_file(&plane, plane_temp_file(4096));
	plane.plugin.cqe = op_cqe;
	plane.dev.limits.background_sqes = 3;
	async.event = event;
	plane_start(&plane);
}

static void stop(uint64_t misuse)
{
	plane_stop(&plane);
	ck_assert_uint_eq(plane.counters.misuse, misuse);
	close(event_fd);
	close(pipe_fd[0]);
	close(pipe_fd[1]);
}

/* Refused, each, and it does not happen: the queue is woken, knows its files, and serves. */
START_TEST(forbidden)
{
	start(event_try);
	for (which = 0; which < ARRAY_SIZE(forbidden_ops); which++) {
		res = 0;
		host->wake(async.q[0]);
		plane_wait_count(&tries, which + 1);
		plane_expect_misuse(&plane, which + 1);
		ck_assert_msg(res == -EINVAL, "operation %u: %d", which, res);
		async_load(1);
	}
	ck_assert_uint_eq(cqes, 0);
	stop(ARRAY_SIZE(forbidden_ops));
}
END_TEST

START_TEST(allowed)
{
	which = _i;
	start(event_good);
	host->wake(async.q[0]);
	plane_wait_count(&cqes, good_ops[which].ends ? 2 : 1);
	ck_assert_int_eq(res, 0);
	ck_assert_msg(results[1] >= 0, "%s", strerror(-results[1]));
	if (good_ops[which].ends && good_ops[which].prep != poll_update_own)
		ck_assert_int_eq(results[0], -ECANCELED);
	usleep(10000);
	ck_assert_uint_eq(cqes, good_ops[which].ends ? 2 : 1); /* the other one still waits */
	async_load(1);
	stop(0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("queue: ring operations that reach the host's");
	TCase *tc = tcase_create("good");

	plane_need_fake();
	plane_case(s, "bad", forbidden);
	tcase_add_loop_test(tc, allowed, 0, ARRAY_SIZE(good_ops));
	suite_add_tcase(s, tc);
	return run_tap(s);
}
