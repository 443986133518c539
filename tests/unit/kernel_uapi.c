// SPDX-License-Identifier: MIT
/* Our declaration of the driver's interface against the system's, and what is computed with it. */
#include <string.h>

#include "kernel/uapi.h"
#include "kernel_uapi.h"
#include "tap.h"

/* clang-format off */
static const struct uapi_number ours[] = {
	SIZE(ublksrv_ctrl_cmd),
	AT(ublksrv_ctrl_cmd, dev_id),
	AT(ublksrv_ctrl_cmd, queue_id),
	AT(ublksrv_ctrl_cmd, len),
	AT(ublksrv_ctrl_cmd, addr),
	AT(ublksrv_ctrl_cmd, data),
	SIZE(ublksrv_ctrl_dev_info),
	AT(ublksrv_ctrl_dev_info, nr_hw_queues),
	AT(ublksrv_ctrl_dev_info, queue_depth),
	AT(ublksrv_ctrl_dev_info, state),
	AT(ublksrv_ctrl_dev_info, max_io_buf_bytes),
	AT(ublksrv_ctrl_dev_info, dev_id),
	AT(ublksrv_ctrl_dev_info, ublksrv_pid),
	AT(ublksrv_ctrl_dev_info, flags),
	AT(ublksrv_ctrl_dev_info, ublksrv_flags),
	SIZE(ublksrv_io_desc),
	AT(ublksrv_io_desc, op_flags),
	AT(ublksrv_io_desc, nr_sectors),
	AT(ublksrv_io_desc, start_sector),
	AT(ublksrv_io_desc, addr),
	SIZE(ublksrv_io_cmd),
	AT(ublksrv_io_cmd, q_id),
	AT(ublksrv_io_cmd, tag),
	AT(ublksrv_io_cmd, result),
	AT(ublksrv_io_cmd, addr),
	SIZE(ublk_param_basic),
	AT(ublk_param_basic, attrs),
	AT(ublk_param_basic, logical_bs_shift),
	AT(ublk_param_basic, physical_bs_shift),
	AT(ublk_param_basic, io_opt_shift),
	AT(ublk_param_basic, io_min_shift),
	AT(ublk_param_basic, max_sectors),
	AT(ublk_param_basic, chunk_sectors),
	AT(ublk_param_basic, dev_sectors),
	AT(ublk_param_basic, virt_boundary_mask),
	SIZE(ublk_param_discard),
	AT(ublk_param_discard, discard_alignment),
	AT(ublk_param_discard, discard_granularity),
	AT(ublk_param_discard, max_discard_sectors),
	AT(ublk_param_discard, max_write_zeroes_sectors),
	AT(ublk_param_discard, max_discard_segments),
	AT(ublk_params, len),
	AT(ublk_params, types),
	AT(ublk_params, basic),
	AT(ublk_params, discard),
	SIZE(ublk_shmem_buf_reg),
	AT(ublk_shmem_buf_reg, addr),
	AT(ublk_shmem_buf_reg, len),
	AT(ublk_shmem_buf_reg, flags),
	AT(ublk_shmem_buf_reg, reserved),
	SIZE(ublk_auto_buf_reg),
	AT(ublk_auto_buf_reg, index),
	AT(ublk_auto_buf_reg, flags),
	AT(ublk_auto_buf_reg, reserved0),
	AT(ublk_auto_buf_reg, reserved1),
	SIZE(ublk_batch_io),
	AT(ublk_batch_io, q_id),
	AT(ublk_batch_io, flags),
	AT(ublk_batch_io, nr_elem),
	AT(ublk_batch_io, elem_bytes),
	AT(ublk_batch_io, reserved),
	AT(ublk_batch_io, reserved2),
	SIZE(ublk_elem_header),
	AT(ublk_elem_header, tag),
	AT(ublk_elem_header, buf_index),
	AT(ublk_elem_header, result),
	SIZE(ublk_param_integrity),
	AT(ublk_param_integrity, flags),
	AT(ublk_param_integrity, max_integrity_segments),
	AT(ublk_param_integrity, interval_exp),
	AT(ublk_param_integrity, metadata_size),
	AT(ublk_param_integrity, pi_offset),
	AT(ublk_param_integrity, csum_type),
	AT(ublk_param_integrity, tag_size),
	AT(ublk_params, devt),
	AT(ublk_params, zoned),
	AT(ublk_params, dma),
	AT(ublk_params, seg),
	AT(ublk_params, integrity),
	N(UBLK_CMD_GET_QUEUE_AFFINITY),
	N(UBLK_CMD_GET_DEV_INFO),
	N(UBLK_CMD_ADD_DEV),
	N(UBLK_CMD_DEL_DEV),
	N(UBLK_CMD_START_DEV),
	N(UBLK_CMD_STOP_DEV),
	N(UBLK_CMD_SET_PARAMS),
	N(UBLK_CMD_GET_PARAMS),
	N(UBLK_CMD_START_USER_RECOVERY),
	N(UBLK_CMD_END_USER_RECOVERY),
	N(UBLK_CMD_GET_DEV_INFO2),
	N(UBLK_U_CMD_GET_QUEUE_AFFINITY),
	N(UBLK_U_CMD_GET_DEV_INFO),
	N(UBLK_U_CMD_ADD_DEV),
	N(UBLK_U_CMD_DEL_DEV),
	N(UBLK_U_CMD_START_DEV),
	N(UBLK_U_CMD_STOP_DEV),
	N(UBLK_U_CMD_SET_PARAMS),
	N(UBLK_U_CMD_GET_PARAMS),
	N(UBLK_U_CMD_START_USER_RECOVERY),
	N(UBLK_U_CMD_END_USER_RECOVERY),
	N(UBLK_U_CMD_GET_DEV_INFO2),
	N(UBLK_U_CMD_GET_FEATURES),
	N(UBLK_U_CMD_DEL_DEV_ASYNC),
	N(UBLK_U_CMD_UPDATE_SIZE),
	N(UBLK_U_CMD_QUIESCE_DEV),
	N(UBLK_U_CMD_TRY_STOP_DEV),
	N(UBLK_U_CMD_REG_BUF),
	N(UBLK_U_CMD_UNREG_BUF),
	N(UBLK_FEATURES_LEN),
	N(UBLK_SHMEM_BUF_READ_ONLY),
	N(UBLK_F_SUPPORT_ZERO_COPY),
	N(UBLK_F_URING_CMD_COMP_IN_TASK),
	N(UBLK_F_NEED_GET_DATA),
	N(UBLK_F_USER_RECOVERY),
	N(UBLK_F_USER_RECOVERY_REISSUE),
	N(UBLK_F_UNPRIVILEGED_DEV),
	N(UBLK_F_CMD_IOCTL_ENCODE),
	N(UBLK_F_USER_COPY),
	N(UBLK_F_ZONED),
	N(UBLK_F_USER_RECOVERY_FAIL_IO),
	N(UBLK_F_UPDATE_SIZE),
	N(UBLK_F_AUTO_BUF_REG),
	N(UBLK_F_QUIESCE),
	N(UBLK_F_PER_IO_DAEMON),
	N(UBLK_F_BUF_REG_OFF_DAEMON),
	N(UBLK_F_BATCH_IO),
	N(UBLK_F_INTEGRITY),
	N(UBLK_F_SAFE_STOP_DEV),
	N(UBLK_F_NO_AUTO_PART_SCAN),
	N(UBLK_F_SHMEM_ZC),
	N(UBLK_F_IO_DESC_SIZE),
	N(UBLK_S_DEV_DEAD),
	N(UBLK_S_DEV_LIVE),
	N(UBLK_S_DEV_QUIESCED),
	N(UBLK_S_DEV_FAIL_IO),
	N(UBLK_MIN_SEGMENT_SIZE),
	N(UBLK_PARAM_TYPE_BASIC),
	N(UBLK_PARAM_TYPE_DISCARD),
	N(UBLK_PARAM_TYPE_DEVT),
	N(UBLK_PARAM_TYPE_ZONED),
	N(UBLK_PARAM_TYPE_DMA_ALIGN),
	N(UBLK_PARAM_TYPE_SEGMENT),
	N(UBLK_PARAM_TYPE_INTEGRITY),
	N(UBLKSRV_CMD_BUF_OFFSET),
	N(UBLK_MAX_QUEUE_DEPTH),
	N(UBLK_MAX_NR_QUEUES),
	N(UBLK_IO_OP_READ),
	N(UBLK_IO_OP_WRITE),
	N(UBLK_IO_OP_FLUSH),
	N(UBLK_IO_OP_DISCARD),
	N(UBLK_IO_OP_WRITE_SAME),
	N(UBLK_IO_OP_WRITE_ZEROES),
	N(UBLK_IO_OP_ZONE_OPEN),
	N(UBLK_IO_OP_ZONE_CLOSE),
	N(UBLK_IO_OP_ZONE_FINISH),
	N(UBLK_IO_OP_ZONE_APPEND),
	N(UBLK_IO_OP_ZONE_RESET_ALL),
	N(UBLK_IO_OP_ZONE_RESET),
	N(UBLK_IO_OP_REPORT_ZONES),
	N(UBLK_IO_F_FAILFAST_DEV),
	N(UBLK_IO_F_FAILFAST_TRANSPORT),
	N(UBLK_IO_F_FAILFAST_DRIVER),
	N(UBLK_IO_F_META),
	N(UBLK_IO_F_FUA),
	N(UBLK_IO_F_NOUNMAP),
	N(UBLK_IO_F_SWAP),
	N(UBLK_IO_F_NEED_REG_BUF),
	N(UBLK_IO_F_INTEGRITY),
	N(UBLK_IO_F_SHMEM_ZC),
	N(UBLK_IO_FETCH_REQ),
	N(UBLK_IO_COMMIT_AND_FETCH_REQ),
	N(UBLK_IO_NEED_GET_DATA),
	N(UBLK_BATCH_F_HAS_ZONE_LBA),
	N(UBLK_BATCH_F_HAS_BUF_ADDR),
	N(UBLK_BATCH_F_AUTO_BUF_REG_FALLBACK),
	N(UBLK_U_IO_FETCH_REQ),
	N(UBLK_U_IO_COMMIT_AND_FETCH_REQ),
	N(UBLK_U_IO_NEED_GET_DATA),
	N(UBLK_U_IO_REGISTER_IO_BUF),
	N(UBLK_U_IO_UNREGISTER_IO_BUF),
	N(UBLK_U_IO_PREP_IO_CMDS),
	N(UBLK_U_IO_COMMIT_IO_CMDS),
	N(UBLK_U_IO_FETCH_IO_CMDS),
	N(UBLK_IO_RES_OK),
	N(UBLK_IO_RES_NEED_GET_DATA),
	N(UBLK_IO_RES_ABORT),
	N(UBLK_AUTO_BUF_REG_FALLBACK),
	N(UBLK_AUTO_BUF_REG_F_MASK),
	N(UBLKSRV_IO_BUF_OFFSET),
	N(UBLK_IO_BUF_OFF),
	N(UBLK_IO_BUF_BITS),
	N(UBLK_IO_BUF_BITS_MASK),
	N(UBLK_TAG_OFF),
	N(UBLK_TAG_BITS),
	N(UBLK_TAG_BITS_MASK),
	N(UBLK_QID_OFF),
	N(UBLK_QID_BITS),
	N(UBLK_QID_BITS_MASK),
	N(UBLKSRV_IO_BUF_TOTAL_BITS),
	N(UBLKSRV_IO_BUF_TOTAL_SIZE),
	N(UBLK_INTEGRITY_FLAG_OFF),
	N(UBLKSRV_IO_INTEGRITY_FLAG),
	N(UBLK_SHMEM_ZC_OFF_MASK),
	N(UBLK_SHMEM_ZC_IDX_OFF),
	N(UBLK_SHMEM_ZC_IDX_MASK),
	{ "UBLK_ATTR_READ_ONLY", UBLK_ATTR_READ_ONLY },
	{ "UBLK_ATTR_ROTATIONAL", UBLK_ATTR_ROTATIONAL },
	{ "UBLK_ATTR_VOLATILE_CACHE", UBLK_ATTR_VOLATILE_CACHE },
	{ "UBLK_ATTR_FUA", UBLK_ATTR_FUA },
};
/* clang-format on */

static const struct uapi_number *our_number(const char *name)
{
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (!strcmp(ours[i].name, name))
			return &ours[i];
	return NULL;
}

START_TEST(numbers_are_the_systems)
{
	for (size_t i = 0; i < nr_system_numbers; i++) {
		const struct uapi_number *our = our_number(system_numbers[i].name);

		ck_assert_msg(our != NULL, "%s is missing", system_numbers[i].name);
		ck_assert_msg(our->value == system_numbers[i].value,
			      "%s: ours %#llx, system's %#llx", our->name, our->value,
			      system_numbers[i].value);
	}
}
END_TEST

/* Against the numbers that ioctl encoding gives, should the system have no header. */
START_TEST(opcodes_encode)
{
	ck_assert_uint_eq(UBLK_U_CMD_ADD_DEV, 0xc0207504);
	ck_assert_uint_eq(UBLK_U_CMD_GET_FEATURES, 0x80207513);
	ck_assert_uint_eq(UBLK_U_IO_FETCH_REQ, 0xc0107520);
	ck_assert_uint_eq(UBLK_U_IO_FETCH_IO_CMDS, 0xc0107527);
}
END_TEST

START_TEST(addresses_are_packed)
{
	struct ublk_auto_buf_reg reg = { .index = 0x1234, .flags = UBLK_AUTO_BUF_REG_FALLBACK };
	struct ublksrv_io_desc iod = { .op_flags = UBLK_IO_OP_WRITE | UBLK_IO_F_FUA };

	ck_assert_uint_eq(ublk_auto_buf_reg_to_sqe_addr(&reg), 0x11234);
	ck_assert_uint_eq(ublk_user_copy_pos(3, 5, 7),
			  0x80000000ull + (3ull << 41) + (5ull << 25) + 7);
	ck_assert_uint_eq(ublk_user_copy_pos(4095, 65535, (32 << 20) - 1),
			  0x80000000ull + UBLKSRV_IO_BUF_TOTAL_SIZE - 1);
	ck_assert_uint_eq(ublk_shmem_zc_index(0x0002000100000003), 1);
	ck_assert_uint_eq(ublk_shmem_zc_offset(0x0002000100000003), 3);
	ck_assert_uint_eq(ublksrv_get_op(&iod), UBLK_IO_OP_WRITE);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("kernel/uapi");
	TCase *tc = tcase_create("uapi");

	tcase_add_test(tc, numbers_are_the_systems);
	tcase_add_test(tc, opcodes_encode);
	tcase_add_test(tc, addresses_are_packed);
	suite_add_tcase(suite, tc);
	return run_tap(suite);
}
