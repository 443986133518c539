// SPDX-License-Identifier: MIT
/* Commands per io: what the driver is told, by opcodes of both kinds. */
#include <errno.h>
#include <string.h>

#include "transport_rig.h"

static void expect_command(uint32_t op, uint64_t ud, uint16_t tag, int32_t result, uint64_t buf)
{
	const struct io_uring_sqe *sqe = rig_take();
	struct ublksrv_io_cmd cmd;

	memcpy(&cmd, sqe->cmd, sizeof(cmd));
	ck_assert_uint_eq(sqe->opcode, IORING_OP_URING_CMD);
	ck_assert_uint_eq(sqe->flags & IOSQE_FIXED_FILE, IOSQE_FIXED_FILE);
	ck_assert_int_eq(sqe->fd, 0);
	ck_assert_uint_eq(sqe->off, op); /* cmd_op, and nothing above it */
	ck_assert_uint_eq(sqe->user_data, ud);
	ck_assert_uint_eq(cmd.q_id, 3);
	ck_assert_uint_eq(cmd.tag, tag);
	ck_assert_int_eq(cmd.result, result);
	ck_assert_uint_eq(cmd.addr, buf);
}

static void commands(bool legacy)
{
	const struct tag_addr addr = rig_addr(5);
	const uint32_t mask = legacy ? 0xff : UINT32_MAX;
	const uint64_t ud = ud_make(UD_TAG, 5, 0);

	ck_assert_int_eq(rig.t.ops->fetch(&rig.tq, 5, &addr), 0);
	expect_command(UBLK_U_IO_FETCH_REQ & mask, ud, 5, 0, addr.buf);
	ck_assert_int_eq(rig.t.ops->get_data(&rig.tq, 5, &addr), 0);
	expect_command(UBLK_U_IO_NEED_GET_DATA & mask, ud, 5, 0, addr.buf);
	ck_assert(transport_commit(&rig.tq, 5, 4096, &addr));
	expect_command(UBLK_U_IO_COMMIT_AND_FETCH_REQ & mask, ud, 5, 4096, addr.buf);
	ck_assert(transport_commit(&rig.tq, 5, -EIO, &addr));
	expect_command(UBLK_U_IO_COMMIT_AND_FETCH_REQ & mask, ud, 5, -EIO, addr.buf);
	ck_assert_uint_eq(rig_queued(), 0);
}

START_TEST(encoded)
{
	rig_start(0, false);
	commands(false);
	rig_stop();
}
END_TEST

/* Drivers before 6.4 know no other numbers. */
START_TEST(legacy)
{
	rig_start(0, true);
	ck_assert_uint_eq(UBLK_U_IO_FETCH_REQ & rig.t.op_mask, 0x20);
	ck_assert_uint_eq(UBLK_U_IO_NEED_GET_DATA & rig.t.op_mask, 0x22);
	ck_assert_uint_eq(rig.tq.commit_op, 0x21);
	commands(true);
	rig_stop();
}
END_TEST

START_TEST(a_full_ring_is_told)
{
	const struct tag_addr addr = { .buf = 4096 };

	rig_start(0, false);
	rig_fill();
	ck_assert_int_eq(rig.t.ops->fetch(&rig.tq, 1, &addr), -EBUSY);
	ck_assert_int_eq(rig.t.ops->get_data(&rig.tq, 1, &addr), -EBUSY);
	ck_assert_int_eq(rig.t.ops->register_buf(&rig.tq, 1), -EBUSY);
	ck_assert_int_eq(rig.t.ops->unregister_buf(&rig.tq, 1), -EBUSY);
	ck_assert(!transport_commit(&rig.tq, 1, 0, &addr));
	rig_stop();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("transport");
	TCase *tc = tcase_create("per io");

	tcase_add_test(tc, encoded);
	tcase_add_test(tc, legacy);
	tcase_add_test(tc, a_full_ring_is_told);
	suite_add_tcase(suite, tc);
	return run_tap(suite);
}
