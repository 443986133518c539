// SPDX-License-Identifier: MIT
/*
 * The driver's layouts are fixed for ever: a mistake in kernel/uapi.h must not compile. Every size
 * and every offset, as numbers. No code.
 */
#include <assert.h>

#include "kernel/uapi.h"

#define UAPI_AT(type, member, offset)                                                              \
	static_assert(offsetof(struct type, member) == (offset), #type "." #member)
#define UAPI_SIZE(type, size) static_assert(sizeof(struct type) == (size), #type)

UAPI_SIZE(ublksrv_ctrl_cmd, 32);
UAPI_AT(ublksrv_ctrl_cmd, dev_id, 0);
UAPI_AT(ublksrv_ctrl_cmd, queue_id, 4);
UAPI_AT(ublksrv_ctrl_cmd, len, 6);
UAPI_AT(ublksrv_ctrl_cmd, addr, 8);
UAPI_AT(ublksrv_ctrl_cmd, data, 16);
UAPI_AT(ublksrv_ctrl_cmd, dev_path_len, 24);
UAPI_AT(ublksrv_ctrl_cmd, pad, 26);
UAPI_AT(ublksrv_ctrl_cmd, reserved, 28);

UAPI_SIZE(ublk_shmem_buf_reg, 24);
UAPI_AT(ublk_shmem_buf_reg, addr, 0);
UAPI_AT(ublk_shmem_buf_reg, len, 8);
UAPI_AT(ublk_shmem_buf_reg, flags, 16);
UAPI_AT(ublk_shmem_buf_reg, reserved, 20);

UAPI_SIZE(ublksrv_ctrl_dev_info, 64);
UAPI_AT(ublksrv_ctrl_dev_info, nr_hw_queues, 0);
UAPI_AT(ublksrv_ctrl_dev_info, queue_depth, 2);
UAPI_AT(ublksrv_ctrl_dev_info, state, 4);
UAPI_AT(ublksrv_ctrl_dev_info, io_desc_size, 6);
UAPI_AT(ublksrv_ctrl_dev_info, max_io_buf_bytes, 8);
UAPI_AT(ublksrv_ctrl_dev_info, dev_id, 12);
UAPI_AT(ublksrv_ctrl_dev_info, ublksrv_pid, 16);
UAPI_AT(ublksrv_ctrl_dev_info, pad1, 20);
UAPI_AT(ublksrv_ctrl_dev_info, flags, 24);
UAPI_AT(ublksrv_ctrl_dev_info, ublksrv_flags, 32);
UAPI_AT(ublksrv_ctrl_dev_info, owner_uid, 40);
UAPI_AT(ublksrv_ctrl_dev_info, owner_gid, 44);
UAPI_AT(ublksrv_ctrl_dev_info, reserved1, 48);
UAPI_AT(ublksrv_ctrl_dev_info, reserved2, 56);

UAPI_SIZE(ublk_param_basic, 32);
UAPI_AT(ublk_param_basic, attrs, 0);
UAPI_AT(ublk_param_basic, logical_bs_shift, 4);
UAPI_AT(ublk_param_basic, physical_bs_shift, 5);
UAPI_AT(ublk_param_basic, io_opt_shift, 6);
UAPI_AT(ublk_param_basic, io_min_shift, 7);
UAPI_AT(ublk_param_basic, max_sectors, 8);
UAPI_AT(ublk_param_basic, chunk_sectors, 12);
UAPI_AT(ublk_param_basic, dev_sectors, 16);
UAPI_AT(ublk_param_basic, virt_boundary_mask, 24);

UAPI_SIZE(ublk_param_discard, 20);
UAPI_AT(ublk_param_discard, discard_alignment, 0);
UAPI_AT(ublk_param_discard, discard_granularity, 4);
UAPI_AT(ublk_param_discard, max_discard_sectors, 8);
UAPI_AT(ublk_param_discard, max_write_zeroes_sectors, 12);
UAPI_AT(ublk_param_discard, max_discard_segments, 16);
UAPI_AT(ublk_param_discard, reserved0, 18);

UAPI_SIZE(ublk_param_devt, 16);
UAPI_AT(ublk_param_devt, char_major, 0);
UAPI_AT(ublk_param_devt, char_minor, 4);
UAPI_AT(ublk_param_devt, disk_major, 8);
UAPI_AT(ublk_param_devt, disk_minor, 12);

UAPI_SIZE(ublk_param_zoned, 32);
UAPI_AT(ublk_param_zoned, max_open_zones, 0);
UAPI_AT(ublk_param_zoned, max_active_zones, 4);
UAPI_AT(ublk_param_zoned, max_zone_append_sectors, 8);
UAPI_AT(ublk_param_zoned, reserved, 12);

UAPI_SIZE(ublk_param_dma_align, 8);
UAPI_AT(ublk_param_dma_align, alignment, 0);
UAPI_AT(ublk_param_dma_align, pad, 4);

UAPI_SIZE(ublk_param_segment, 16);
UAPI_AT(ublk_param_segment, seg_boundary_mask, 0);
UAPI_AT(ublk_param_segment, max_segment_size, 8);
UAPI_AT(ublk_param_segment, max_segments, 12);
UAPI_AT(ublk_param_segment, pad, 14);

UAPI_SIZE(ublk_param_integrity, 16);
UAPI_AT(ublk_param_integrity, flags, 0);
UAPI_AT(ublk_param_integrity, max_integrity_segments, 4);
UAPI_AT(ublk_param_integrity, interval_exp, 6);
UAPI_AT(ublk_param_integrity, metadata_size, 7);
UAPI_AT(ublk_param_integrity, pi_offset, 8);
UAPI_AT(ublk_param_integrity, csum_type, 9);
UAPI_AT(ublk_param_integrity, tag_size, 10);
UAPI_AT(ublk_param_integrity, pad, 11);

UAPI_SIZE(ublk_params, 152);
UAPI_AT(ublk_params, len, 0);
UAPI_AT(ublk_params, types, 4);
UAPI_AT(ublk_params, basic, 8);
UAPI_AT(ublk_params, discard, 40);
UAPI_AT(ublk_params, devt, 60);
UAPI_AT(ublk_params, zoned, 76);
UAPI_AT(ublk_params, dma, 108);
UAPI_AT(ublk_params, seg, 120);
UAPI_AT(ublk_params, integrity, 136);

UAPI_SIZE(ublksrv_io_desc, 24);
UAPI_AT(ublksrv_io_desc, op_flags, 0);
UAPI_AT(ublksrv_io_desc, nr_sectors, 4);
UAPI_AT(ublksrv_io_desc, start_sector, 8);
UAPI_AT(ublksrv_io_desc, addr, 16);

UAPI_SIZE(ublksrv_io_cmd, 16);
UAPI_AT(ublksrv_io_cmd, q_id, 0);
UAPI_AT(ublksrv_io_cmd, tag, 2);
UAPI_AT(ublksrv_io_cmd, result, 4);
UAPI_AT(ublksrv_io_cmd, addr, 8);

UAPI_SIZE(ublk_elem_header, 8);
UAPI_AT(ublk_elem_header, tag, 0);
UAPI_AT(ublk_elem_header, buf_index, 2);
UAPI_AT(ublk_elem_header, result, 4);

UAPI_SIZE(ublk_batch_io, 16);
UAPI_AT(ublk_batch_io, q_id, 0);
UAPI_AT(ublk_batch_io, flags, 2);
UAPI_AT(ublk_batch_io, nr_elem, 4);
UAPI_AT(ublk_batch_io, elem_bytes, 6);
UAPI_AT(ublk_batch_io, reserved, 7);
UAPI_AT(ublk_batch_io, reserved2, 8);

UAPI_SIZE(ublk_auto_buf_reg, 8);
UAPI_AT(ublk_auto_buf_reg, index, 0);
UAPI_AT(ublk_auto_buf_reg, flags, 2);
UAPI_AT(ublk_auto_buf_reg, reserved0, 3);
UAPI_AT(ublk_auto_buf_reg, reserved1, 4);
