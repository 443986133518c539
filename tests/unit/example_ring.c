// SPDX-License-Identifier: MIT
/*
 * What the example by the async profile does with its ring operations, by a host that makes their results up:
 * short transfers, errors, a full ring, memory and registered buffers.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <string.h>

#include "scratch.h"
#include "tap.h"
#include "ublk-plugin.h"

#define SLOT 3
#define SIZE 65536

static struct {
	struct io_uring_sqe sqe;
	struct ublk_io *committed; /* the io of the sqe that was committed last */
	unsigned int commits, completes;
	int32_t result;
	int get_error;
	char log[256];
} seen;

static void take_log(struct ublk_dev *dev, int level, const char *msg)
{
	(void)dev;
	(void)level;
	snprintf(seen.log, sizeof(seen.log), "%s", msg);
}

static int give_slot(struct ublk_dev *dev, int fd)
{
	(void)dev;
	ck_assert_int_ge(fd, 0);
	return SLOT;
}

static int give_sqe(struct ublk_queue *q, uint32_t n, struct io_uring_sqe **out)
{
	ck_assert_uint_eq(n, 1);
	ck_assert_ptr_eq(q, &seen);
	if (seen.get_error)
		return seen.get_error;
	memset(&seen.sqe, 0, sizeof(seen.sqe));
	*out = &seen.sqe;
	return 0;
}

static int take_sqe(struct ublk_queue *q, struct io_uring_sqe *sqe, struct ublk_io *io,
		    uint32_t cookie)
{
	(void)q;
	(void)cookie;
	ck_assert_ptr_eq(sqe, &seen.sqe);
	ck_assert_int_eq(sqe->fd, SLOT);
	ck_assert_uint_eq(sqe->flags, IOSQE_FIXED_FILE);
	seen.committed = io;
	seen.commits++;
	return 0;
}

static void take_result(struct ublk_queue *q, struct ublk_io *io, int32_t res)
{
	(void)q;
	ck_assert_ptr_eq(io, seen.committed);
	seen.result = res;
	seen.completes++;
}

static const struct ublk_host host = {
	.struct_size = sizeof(host),
	.abi_major = UBLK_PLUGIN_ABI_MAJOR,
	.abi_minor = UBLK_PLUGIN_ABI_MINOR,
	.log = take_log,
	.file_register = give_slot,
	.complete = take_result,
	.sqe_get = give_sqe,
	.sqe_commit = take_sqe,
};

static const struct ublk_plugin *const ring = &ublk_plugin_v1;
static void *priv, *qpriv;
static uint32_t scratch_of_io;
static char data[SIZE];
static struct ublk_io io;

static int open_file(const char *path, uint32_t flags)
{
	static struct ublk_opt opt;
	struct ublk_open_args args = { .struct_size = sizeof(args),
				       .flags = flags,
				       .nr_opts = 1,
				       .opt_size = sizeof(opt),
				       .opts = &opt };

	opt.str = path;
	return ring->open(NULL, &args, &priv);
}

static void setup(void)
{
	const struct ublk_queue_info info = { .struct_size = sizeof(info), .depth = 1, .cpu = -1 };

	scratch_setup();
	memset(&seen, 0, sizeof(seen));
	scratch_text("file", "");
	ck_assert(!truncate(in_scratch("file"), SIZE + 1000));
	ck_assert(!ring->load(&host));
	ck_assert_int_eq(open_file(in_scratch("file"), 0), 0);
	ck_assert(!ring->queue_init(priv, (struct ublk_queue *)&seen, &info, &qpriv));
}

static void teardown(void)
{
	ring->queue_exit(qpriv);
	ring->close(priv);
	scratch_teardown();
}

static void submit(uint8_t op, void *buf)
{
	scratch_of_io = 12345; /* of the io before */
	io = (struct ublk_io){ .offset = 8192,
			       .length = op == UBLK_OP_FLUSH ? 0 : 16384,
			       .buf = buf,
			       .scratch = &scratch_of_io,
			       .fixed_addr = 4096,
			       .buf_index = 7,
			       .op = op };
	ck_assert_int_eq(ring->submit(qpriv, &io), 0);
	ck_assert_uint_eq(seen.commits, 1);
}

static void sqe_is(uint8_t opcode, uint64_t addr, uint64_t off, uint32_t len)
{
	ck_assert_uint_eq(seen.sqe.opcode, opcode);
	ck_assert_uint_eq(seen.sqe.addr, addr);
	ck_assert_uint_eq(seen.sqe.off, off);
	ck_assert_uint_eq(seen.sqe.len, len);
}

static void completed(int32_t res)
{
	ck_assert_uint_eq(seen.completes, 1);
	ck_assert_int_eq(seen.result, res);
}

START_TEST(limits)
{
	struct ublk_limits l = { .struct_size = sizeof(l) };

	ck_assert_int_eq(ring->get_limits(priv, &l), 0);
	ck_assert_uint_eq(l.size_bytes, SIZE);
	ck_assert_uint_eq(l.sqes_per_io, 1);
	ck_assert_uint_ge(l.io_scratch_bytes, sizeof(scratch_of_io));
	ck_assert_uint_eq(l.attrs, UBLK_DEV_VOLATILE_CACHE);
}
END_TEST

START_TEST(whole)
{
	submit(_i, data);
	sqe_is(_i == UBLK_OP_READ ? IORING_OP_READ : IORING_OP_WRITE, (uintptr_t)data, 8192, 16384);
	ring->cqe(qpriv, &io, 0, 16384, 0);
	completed(16384);
	ck_assert_uint_eq(seen.commits, 1);
}
END_TEST

START_TEST(in_three_parts)
{
	uint8_t opcode = _i == UBLK_OP_READ ? IORING_OP_READ : IORING_OP_WRITE;

	submit(_i, data);
	ring->cqe(qpriv, &io, 0, 512, 0);
	ck_assert_uint_eq(seen.completes, 0);
	sqe_is(opcode, (uintptr_t)data + 512, 8192 + 512, 16384 - 512);
	ring->cqe(qpriv, &io, 0, 4096, 0);
	sqe_is(opcode, (uintptr_t)data + 4608, 8192 + 4608, 16384 - 4608);
	ring->cqe(qpriv, &io, 0, 16384 - 4608, 0);
	completed(16384);
	ck_assert_uint_eq(seen.commits, 3);
}
END_TEST

START_TEST(registered_buffer)
{
	uint8_t opcode = _i == UBLK_OP_READ ? IORING_OP_READ_FIXED : IORING_OP_WRITE_FIXED;

	submit(_i, NULL);
	sqe_is(opcode, 4096, 8192, 16384);
	ck_assert_uint_eq(seen.sqe.buf_index, 7);
	ring->cqe(qpriv, &io, 0, 8192, 0);
	sqe_is(opcode, 4096 + 8192, 16384, 8192);
	ck_assert_uint_eq(seen.sqe.buf_index, 7);
	ring->cqe(qpriv, &io, 0, 8192, 0);
	completed(16384);
}
END_TEST

START_TEST(errors)
{
	submit(UBLK_OP_READ, data);
	ring->cqe(qpriv, &io, 0, 512, 0);
	ring->cqe(qpriv, &io, 0, _i ? -ENOSPC : 0, 0); /* 0: the file has ended */
	completed(_i ? -ENOSPC : -EIO);
	ck_assert_uint_eq(seen.commits, 2);
}
END_TEST

START_TEST(flush)
{
	submit(UBLK_OP_FLUSH, NULL);
	ck_assert_uint_eq(seen.sqe.opcode, IORING_OP_FSYNC);
	ck_assert_uint_eq(seen.sqe.fsync_flags, IORING_FSYNC_DATASYNC);
	ck_assert_uint_eq(seen.sqe.off | seen.sqe.len, 0); /* all of the file */
	ring->cqe(qpriv, &io, 0, _i ? -EIO : 0, 0);
	completed(_i ? -EIO : 0);
}
END_TEST

START_TEST(full_ring)
{
	submit(UBLK_OP_WRITE, data);
	seen.get_error = -EBUSY;
	ck_assert_int_eq(ring->submit(qpriv, &io), -EBUSY); /* the host offers it again */
	ring->cqe(qpriv, &io, 0, 512, 0);
	completed(-EBUSY); /* a passing error */
}
END_TEST

START_TEST(open_errors)
{
	void *before = priv;

	ck_assert_int_eq(open_file("/none/such", 0), -ENOENT);
	ck_assert_str_eq(seen.log, "/none/such: No such file or directory");
	priv = before;
}
END_TEST

int main(void)
{
	Suite *s = suite_create("example_ring");
	TCase *tc = tcase_create("example_ring");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, limits);
	tcase_add_loop_test(tc, whole, 0, 2);
	tcase_add_loop_test(tc, in_three_parts, 0, 2);
	tcase_add_loop_test(tc, registered_buffer, 0, 2);
	tcase_add_loop_test(tc, errors, 0, 2);
	tcase_add_loop_test(tc, flush, 0, 2);
	tcase_add_test(tc, full_ring);
	tcase_add_test(tc, open_errors);
	suite_add_tcase(s, tc);
	return run_tap(s);
}
