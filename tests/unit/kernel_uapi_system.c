// SPDX-License-Identifier: MIT
/* The half that sees the system's header, whatever its age, and never ours. */
#include <errno.h>
#include <sys/ioctl.h>
#if __has_include(<linux/ublk_cmd.h>)
#include <linux/ublk_cmd.h>
#define HAVE_SYSTEM_HEADER
#endif

#include "kernel_uapi.h"

/* clang-format off */
const struct uapi_number system_numbers[] = {
#ifdef HAVE_SYSTEM_HEADER
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
#ifdef UBLK_CMD_GET_QUEUE_AFFINITY
	N(UBLK_CMD_GET_QUEUE_AFFINITY),
#endif
#ifdef UBLK_CMD_GET_DEV_INFO
	N(UBLK_CMD_GET_DEV_INFO),
#endif
#ifdef UBLK_CMD_ADD_DEV
	N(UBLK_CMD_ADD_DEV),
#endif
#ifdef UBLK_CMD_DEL_DEV
	N(UBLK_CMD_DEL_DEV),
#endif
#ifdef UBLK_CMD_START_DEV
	N(UBLK_CMD_START_DEV),
#endif
#ifdef UBLK_CMD_STOP_DEV
	N(UBLK_CMD_STOP_DEV),
#endif
#ifdef UBLK_CMD_SET_PARAMS
	N(UBLK_CMD_SET_PARAMS),
#endif
#ifdef UBLK_CMD_GET_PARAMS
	N(UBLK_CMD_GET_PARAMS),
#endif
#ifdef UBLK_CMD_START_USER_RECOVERY
	N(UBLK_CMD_START_USER_RECOVERY),
#endif
#ifdef UBLK_CMD_END_USER_RECOVERY
	N(UBLK_CMD_END_USER_RECOVERY),
#endif
#ifdef UBLK_CMD_GET_DEV_INFO2
	N(UBLK_CMD_GET_DEV_INFO2),
#endif
#ifdef UBLK_U_CMD_GET_QUEUE_AFFINITY
	N(UBLK_U_CMD_GET_QUEUE_AFFINITY),
#endif
#ifdef UBLK_U_CMD_GET_DEV_INFO
	N(UBLK_U_CMD_GET_DEV_INFO),
#endif
#ifdef UBLK_U_CMD_ADD_DEV
	N(UBLK_U_CMD_ADD_DEV),
#endif
#ifdef UBLK_U_CMD_DEL_DEV
	N(UBLK_U_CMD_DEL_DEV),
#endif
#ifdef UBLK_U_CMD_START_DEV
	N(UBLK_U_CMD_START_DEV),
#endif
#ifdef UBLK_U_CMD_STOP_DEV
	N(UBLK_U_CMD_STOP_DEV),
#endif
#ifdef UBLK_U_CMD_SET_PARAMS
	N(UBLK_U_CMD_SET_PARAMS),
#endif
#ifdef UBLK_U_CMD_GET_PARAMS
	N(UBLK_U_CMD_GET_PARAMS),
#endif
#ifdef UBLK_U_CMD_START_USER_RECOVERY
	N(UBLK_U_CMD_START_USER_RECOVERY),
#endif
#ifdef UBLK_U_CMD_END_USER_RECOVERY
	N(UBLK_U_CMD_END_USER_RECOVERY),
#endif
#ifdef UBLK_U_CMD_GET_DEV_INFO2
	N(UBLK_U_CMD_GET_DEV_INFO2),
#endif
#ifdef UBLK_U_CMD_GET_FEATURES
	N(UBLK_U_CMD_GET_FEATURES),
#endif
#ifdef UBLK_U_CMD_DEL_DEV_ASYNC
	N(UBLK_U_CMD_DEL_DEV_ASYNC),
#endif
#ifdef UBLK_U_CMD_UPDATE_SIZE
	N(UBLK_U_CMD_UPDATE_SIZE),
#endif
#ifdef UBLK_U_CMD_QUIESCE_DEV
	N(UBLK_U_CMD_QUIESCE_DEV),
#endif
#ifdef UBLK_U_CMD_TRY_STOP_DEV
	N(UBLK_U_CMD_TRY_STOP_DEV),
#endif
#ifdef UBLK_U_CMD_REG_BUF
	N(UBLK_U_CMD_REG_BUF),
#endif
#ifdef UBLK_U_CMD_UNREG_BUF
	N(UBLK_U_CMD_UNREG_BUF),
#endif
#ifdef UBLK_FEATURES_LEN
	N(UBLK_FEATURES_LEN),
#endif
#ifdef UBLK_SHMEM_BUF_READ_ONLY
	N(UBLK_SHMEM_BUF_READ_ONLY),
#endif
#ifdef UBLK_F_SUPPORT_ZERO_COPY
	N(UBLK_F_SUPPORT_ZERO_COPY),
#endif
#ifdef UBLK_F_URING_CMD_COMP_IN_TASK
	N(UBLK_F_URING_CMD_COMP_IN_TASK),
#endif
#ifdef UBLK_F_NEED_GET_DATA
	N(UBLK_F_NEED_GET_DATA),
#endif
#ifdef UBLK_F_USER_RECOVERY
	N(UBLK_F_USER_RECOVERY),
#endif
#ifdef UBLK_F_USER_RECOVERY_REISSUE
	N(UBLK_F_USER_RECOVERY_REISSUE),
#endif
#ifdef UBLK_F_UNPRIVILEGED_DEV
	N(UBLK_F_UNPRIVILEGED_DEV),
#endif
#ifdef UBLK_F_CMD_IOCTL_ENCODE
	N(UBLK_F_CMD_IOCTL_ENCODE),
#endif
#ifdef UBLK_F_USER_COPY
	N(UBLK_F_USER_COPY),
#endif
#ifdef UBLK_F_ZONED
	N(UBLK_F_ZONED),
#endif
#ifdef UBLK_F_USER_RECOVERY_FAIL_IO
	N(UBLK_F_USER_RECOVERY_FAIL_IO),
#endif
#ifdef UBLK_F_UPDATE_SIZE
	N(UBLK_F_UPDATE_SIZE),
#endif
#ifdef UBLK_F_AUTO_BUF_REG
	N(UBLK_F_AUTO_BUF_REG),
#endif
#ifdef UBLK_F_QUIESCE
	N(UBLK_F_QUIESCE),
#endif
#ifdef UBLK_F_PER_IO_DAEMON
	N(UBLK_F_PER_IO_DAEMON),
#endif
#ifdef UBLK_F_BUF_REG_OFF_DAEMON
	N(UBLK_F_BUF_REG_OFF_DAEMON),
#endif
#ifdef UBLK_F_BATCH_IO
	N(UBLK_F_BATCH_IO),
#endif
#ifdef UBLK_F_INTEGRITY
	N(UBLK_F_INTEGRITY),
#endif
#ifdef UBLK_F_SAFE_STOP_DEV
	N(UBLK_F_SAFE_STOP_DEV),
#endif
#ifdef UBLK_F_NO_AUTO_PART_SCAN
	N(UBLK_F_NO_AUTO_PART_SCAN),
#endif
#ifdef UBLK_F_SHMEM_ZC
	N(UBLK_F_SHMEM_ZC),
#endif
#ifdef UBLK_F_IO_DESC_SIZE
	N(UBLK_F_IO_DESC_SIZE),
#endif
#ifdef UBLK_S_DEV_DEAD
	N(UBLK_S_DEV_DEAD),
#endif
#ifdef UBLK_S_DEV_LIVE
	N(UBLK_S_DEV_LIVE),
#endif
#ifdef UBLK_S_DEV_QUIESCED
	N(UBLK_S_DEV_QUIESCED),
#endif
#ifdef UBLK_S_DEV_FAIL_IO
	N(UBLK_S_DEV_FAIL_IO),
#endif
#ifdef UBLK_ATTR_READ_ONLY
	N(UBLK_ATTR_READ_ONLY),
#endif
#ifdef UBLK_ATTR_ROTATIONAL
	N(UBLK_ATTR_ROTATIONAL),
#endif
#ifdef UBLK_ATTR_VOLATILE_CACHE
	N(UBLK_ATTR_VOLATILE_CACHE),
#endif
#ifdef UBLK_ATTR_FUA
	N(UBLK_ATTR_FUA),
#endif
#ifdef UBLK_MIN_SEGMENT_SIZE
	N(UBLK_MIN_SEGMENT_SIZE),
#endif
#ifdef UBLK_PARAM_TYPE_BASIC
	N(UBLK_PARAM_TYPE_BASIC),
#endif
#ifdef UBLK_PARAM_TYPE_DISCARD
	N(UBLK_PARAM_TYPE_DISCARD),
#endif
#ifdef UBLK_PARAM_TYPE_DEVT
	N(UBLK_PARAM_TYPE_DEVT),
#endif
#ifdef UBLK_PARAM_TYPE_ZONED
	N(UBLK_PARAM_TYPE_ZONED),
#endif
#ifdef UBLK_PARAM_TYPE_DMA_ALIGN
	N(UBLK_PARAM_TYPE_DMA_ALIGN),
#endif
#ifdef UBLK_PARAM_TYPE_SEGMENT
	N(UBLK_PARAM_TYPE_SEGMENT),
#endif
#ifdef UBLK_PARAM_TYPE_INTEGRITY
	N(UBLK_PARAM_TYPE_INTEGRITY),
#endif
#ifdef UBLKSRV_CMD_BUF_OFFSET
	N(UBLKSRV_CMD_BUF_OFFSET),
#endif
#ifdef UBLK_MAX_QUEUE_DEPTH
	N(UBLK_MAX_QUEUE_DEPTH),
#endif
#ifdef UBLK_MAX_NR_QUEUES
	N(UBLK_MAX_NR_QUEUES),
#endif
#ifdef UBLK_IO_OP_READ
	N(UBLK_IO_OP_READ),
#endif
#ifdef UBLK_IO_OP_WRITE
	N(UBLK_IO_OP_WRITE),
#endif
#ifdef UBLK_IO_OP_FLUSH
	N(UBLK_IO_OP_FLUSH),
#endif
#ifdef UBLK_IO_OP_DISCARD
	N(UBLK_IO_OP_DISCARD),
#endif
#ifdef UBLK_IO_OP_WRITE_SAME
	N(UBLK_IO_OP_WRITE_SAME),
#endif
#ifdef UBLK_IO_OP_WRITE_ZEROES
	N(UBLK_IO_OP_WRITE_ZEROES),
#endif
#ifdef UBLK_IO_OP_ZONE_OPEN
	N(UBLK_IO_OP_ZONE_OPEN),
#endif
#ifdef UBLK_IO_OP_ZONE_CLOSE
	N(UBLK_IO_OP_ZONE_CLOSE),
#endif
#ifdef UBLK_IO_OP_ZONE_FINISH
	N(UBLK_IO_OP_ZONE_FINISH),
#endif
#ifdef UBLK_IO_OP_ZONE_APPEND
	N(UBLK_IO_OP_ZONE_APPEND),
#endif
#ifdef UBLK_IO_OP_ZONE_RESET_ALL
	N(UBLK_IO_OP_ZONE_RESET_ALL),
#endif
#ifdef UBLK_IO_OP_ZONE_RESET
	N(UBLK_IO_OP_ZONE_RESET),
#endif
#ifdef UBLK_IO_OP_REPORT_ZONES
	N(UBLK_IO_OP_REPORT_ZONES),
#endif
#ifdef UBLK_IO_F_FAILFAST_DEV
	N(UBLK_IO_F_FAILFAST_DEV),
#endif
#ifdef UBLK_IO_F_FAILFAST_TRANSPORT
	N(UBLK_IO_F_FAILFAST_TRANSPORT),
#endif
#ifdef UBLK_IO_F_FAILFAST_DRIVER
	N(UBLK_IO_F_FAILFAST_DRIVER),
#endif
#ifdef UBLK_IO_F_META
	N(UBLK_IO_F_META),
#endif
#ifdef UBLK_IO_F_FUA
	N(UBLK_IO_F_FUA),
#endif
#ifdef UBLK_IO_F_NOUNMAP
	N(UBLK_IO_F_NOUNMAP),
#endif
#ifdef UBLK_IO_F_SWAP
	N(UBLK_IO_F_SWAP),
#endif
#ifdef UBLK_IO_F_NEED_REG_BUF
	N(UBLK_IO_F_NEED_REG_BUF),
#endif
#ifdef UBLK_IO_F_INTEGRITY
	N(UBLK_IO_F_INTEGRITY),
#endif
#ifdef UBLK_IO_F_SHMEM_ZC
	N(UBLK_IO_F_SHMEM_ZC),
#endif
#ifdef UBLK_IO_FETCH_REQ
	N(UBLK_IO_FETCH_REQ),
#endif
#ifdef UBLK_IO_COMMIT_AND_FETCH_REQ
	N(UBLK_IO_COMMIT_AND_FETCH_REQ),
#endif
#ifdef UBLK_IO_NEED_GET_DATA
	N(UBLK_IO_NEED_GET_DATA),
#endif
#ifdef UBLK_BATCH_F_HAS_ZONE_LBA
	N(UBLK_BATCH_F_HAS_ZONE_LBA),
#endif
#ifdef UBLK_BATCH_F_HAS_BUF_ADDR
	N(UBLK_BATCH_F_HAS_BUF_ADDR),
#endif
#ifdef UBLK_BATCH_F_AUTO_BUF_REG_FALLBACK
	N(UBLK_BATCH_F_AUTO_BUF_REG_FALLBACK),
#endif
#ifdef UBLK_U_IO_FETCH_REQ
	N(UBLK_U_IO_FETCH_REQ),
#endif
#ifdef UBLK_U_IO_COMMIT_AND_FETCH_REQ
	N(UBLK_U_IO_COMMIT_AND_FETCH_REQ),
#endif
#ifdef UBLK_U_IO_NEED_GET_DATA
	N(UBLK_U_IO_NEED_GET_DATA),
#endif
#ifdef UBLK_U_IO_REGISTER_IO_BUF
	N(UBLK_U_IO_REGISTER_IO_BUF),
#endif
#ifdef UBLK_U_IO_UNREGISTER_IO_BUF
	N(UBLK_U_IO_UNREGISTER_IO_BUF),
#endif
#ifdef UBLK_U_IO_PREP_IO_CMDS
	N(UBLK_U_IO_PREP_IO_CMDS),
#endif
#ifdef UBLK_U_IO_COMMIT_IO_CMDS
	N(UBLK_U_IO_COMMIT_IO_CMDS),
#endif
#ifdef UBLK_U_IO_FETCH_IO_CMDS
	N(UBLK_U_IO_FETCH_IO_CMDS),
#endif
#ifdef UBLK_IO_RES_OK
	N(UBLK_IO_RES_OK),
#endif
#ifdef UBLK_IO_RES_NEED_GET_DATA
	N(UBLK_IO_RES_NEED_GET_DATA),
#endif
#ifdef UBLK_IO_RES_ABORT
	N(UBLK_IO_RES_ABORT),
#endif
#ifdef UBLK_AUTO_BUF_REG_FALLBACK
	N(UBLK_AUTO_BUF_REG_FALLBACK),
#endif
#ifdef UBLK_AUTO_BUF_REG_F_MASK
	N(UBLK_AUTO_BUF_REG_F_MASK),
#endif
#ifdef UBLKSRV_IO_BUF_OFFSET
	N(UBLKSRV_IO_BUF_OFFSET),
#endif
#ifdef UBLK_IO_BUF_OFF
	N(UBLK_IO_BUF_OFF),
#endif
#ifdef UBLK_IO_BUF_BITS
	N(UBLK_IO_BUF_BITS),
#endif
#ifdef UBLK_IO_BUF_BITS_MASK
	N(UBLK_IO_BUF_BITS_MASK),
#endif
#ifdef UBLK_TAG_OFF
	N(UBLK_TAG_OFF),
#endif
#ifdef UBLK_TAG_BITS
	N(UBLK_TAG_BITS),
#endif
#ifdef UBLK_TAG_BITS_MASK
	N(UBLK_TAG_BITS_MASK),
#endif
#ifdef UBLK_QID_OFF
	N(UBLK_QID_OFF),
#endif
#ifdef UBLK_QID_BITS
	N(UBLK_QID_BITS),
#endif
#ifdef UBLK_QID_BITS_MASK
	N(UBLK_QID_BITS_MASK),
#endif
#ifdef UBLKSRV_IO_BUF_TOTAL_BITS
	N(UBLKSRV_IO_BUF_TOTAL_BITS),
#endif
#ifdef UBLKSRV_IO_BUF_TOTAL_SIZE
	N(UBLKSRV_IO_BUF_TOTAL_SIZE),
#endif
#ifdef UBLK_INTEGRITY_FLAG_OFF
	N(UBLK_INTEGRITY_FLAG_OFF),
#endif
#ifdef UBLKSRV_IO_INTEGRITY_FLAG
	N(UBLKSRV_IO_INTEGRITY_FLAG),
#endif
#ifdef UBLK_SHMEM_ZC_OFF_MASK
	N(UBLK_SHMEM_ZC_OFF_MASK),
#endif
#ifdef UBLK_SHMEM_ZC_IDX_OFF
	N(UBLK_SHMEM_ZC_IDX_OFF),
#endif
#ifdef UBLK_SHMEM_ZC_IDX_MASK
	N(UBLK_SHMEM_ZC_IDX_MASK),
#endif
#ifdef UBLK_F_SHMEM_ZC
	SIZE(ublk_shmem_buf_reg),
	AT(ublk_shmem_buf_reg, addr),
	AT(ublk_shmem_buf_reg, len),
	AT(ublk_shmem_buf_reg, flags),
	AT(ublk_shmem_buf_reg, reserved),
#endif
#ifdef UBLK_F_AUTO_BUF_REG
	SIZE(ublk_auto_buf_reg),
	AT(ublk_auto_buf_reg, index),
	AT(ublk_auto_buf_reg, flags),
	AT(ublk_auto_buf_reg, reserved0),
	AT(ublk_auto_buf_reg, reserved1),
#endif
#ifdef UBLK_F_BATCH_IO
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
#endif
#ifdef UBLK_F_INTEGRITY
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
#endif
#endif
	{ NULL, 0 },
};
/* clang-format on */
const size_t nr_system_numbers = sizeof(system_numbers) / sizeof(system_numbers[0]) - 1;
