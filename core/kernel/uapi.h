/* SPDX-License-Identifier: MIT */
/*
 * The ublk driver's interface as of Linux 7.3: numbers and layouts are the kernel's, under the
 * kernel's names, so that they can be looked up in its <linux/ublk_cmd.h>; the words are ours. The
 * program uses this header and never the system's, which on Debian 12 knows only Linux 6.1.
 * For every room from kernel/ upwards. What a given kernel has of it is probed at run time. Sizes
 * and offsets are asserted in uapi_layout.c.
 */
#ifndef KERNEL_UAPI_H
#define KERNEL_UAPI_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>

/* ---- Control commands: IORING_OP_URING_CMD on /dev/ublk-control, in a ring with SQE128 ---- */

/* The raw opcodes, all that kernels before 6.4 know; later ones may refuse them (-EOPNOTSUPP). */
#define UBLK_CMD_GET_QUEUE_AFFINITY 0x01
#define UBLK_CMD_GET_DEV_INFO 0x02
#define UBLK_CMD_ADD_DEV 0x04
#define UBLK_CMD_DEL_DEV 0x05
#define UBLK_CMD_START_DEV 0x06
#define UBLK_CMD_STOP_DEV 0x07
#define UBLK_CMD_SET_PARAMS 0x08
#define UBLK_CMD_GET_PARAMS 0x09
#define UBLK_CMD_START_USER_RECOVERY 0x10
#define UBLK_CMD_END_USER_RECOVERY 0x11
#define UBLK_CMD_GET_DEV_INFO2 0x12

/* Payload of the SQE's 80-byte command area. */
struct ublksrv_ctrl_cmd {
	uint32_t dev_id;
	uint16_t queue_id;     /* UINT16_MAX unless the command is about one queue */
	uint16_t len;	       /* of the buffer at addr, the path before it included */
	uint64_t addr;	       /* the command's buffer, read or written by its kind */
	uint64_t data[1];      /* the command's number, where it takes one */
	uint16_t dev_path_len; /* of "/dev/ublkcN" and its NUL in front of the buffer; 0: none */
	uint16_t pad;
	uint32_t reserved;
};

/* The same commands encoded like ioctl numbers: what to use since 6.4. */
#define UBLK_U_CMD_GET_QUEUE_AFFINITY                                                              \
	_IOR('u', UBLK_CMD_GET_QUEUE_AFFINITY, struct ublksrv_ctrl_cmd)
#define UBLK_U_CMD_GET_DEV_INFO _IOR('u', UBLK_CMD_GET_DEV_INFO, struct ublksrv_ctrl_cmd)
#define UBLK_U_CMD_ADD_DEV _IOWR('u', UBLK_CMD_ADD_DEV, struct ublksrv_ctrl_cmd)
#define UBLK_U_CMD_DEL_DEV _IOWR('u', UBLK_CMD_DEL_DEV, struct ublksrv_ctrl_cmd)
#define UBLK_U_CMD_START_DEV _IOWR('u', UBLK_CMD_START_DEV, struct ublksrv_ctrl_cmd)
#define UBLK_U_CMD_STOP_DEV _IOWR('u', UBLK_CMD_STOP_DEV, struct ublksrv_ctrl_cmd)
#define UBLK_U_CMD_SET_PARAMS _IOWR('u', UBLK_CMD_SET_PARAMS, struct ublksrv_ctrl_cmd)
#define UBLK_U_CMD_GET_PARAMS _IOR('u', UBLK_CMD_GET_PARAMS, struct ublksrv_ctrl_cmd)
#define UBLK_U_CMD_START_USER_RECOVERY                                                             \
	_IOWR('u', UBLK_CMD_START_USER_RECOVERY, struct ublksrv_ctrl_cmd)
#define UBLK_U_CMD_END_USER_RECOVERY _IOWR('u', UBLK_CMD_END_USER_RECOVERY, struct ublksrv_ctrl_cmd)
#define UBLK_U_CMD_GET_DEV_INFO2 _IOR('u', UBLK_CMD_GET_DEV_INFO2, struct ublksrv_ctrl_cmd)
/* addr: a uint64_t for the UBLK_F_* this driver knows; needs no permission (6.5) */
#define UBLK_U_CMD_GET_FEATURES _IOR('u', 0x13, struct ublksrv_ctrl_cmd)
/* does not wait for the last reference to go */
#define UBLK_U_CMD_DEL_DEV_ASYNC _IOR('u', 0x14, struct ublksrv_ctrl_cmd)
/* data[0]: the new size in sectors */
#define UBLK_U_CMD_UPDATE_SIZE _IOWR('u', 0x15, struct ublksrv_ctrl_cmd)
/* data[0]: milliseconds to wait for requests that the server holds, 0: for ever */
#define UBLK_U_CMD_QUIESCE_DEV _IOWR('u', 0x16, struct ublksrv_ctrl_cmd)
/* stops the device unless somebody has it open: then -EBUSY */
#define UBLK_U_CMD_TRY_STOP_DEV _IOWR('u', 0x17, struct ublksrv_ctrl_cmd)
/* addr: a struct ublk_shmem_buf_reg; the result is the buffer's index */
#define UBLK_U_CMD_REG_BUF _IOWR('u', 0x18, struct ublksrv_ctrl_cmd)
/* data[0]: the index */
#define UBLK_U_CMD_UNREG_BUF _IOWR('u', 0x19, struct ublksrv_ctrl_cmd)

#define UBLK_FEATURES_LEN 8

/* Memory that clients and the server share, for UBLK_F_SHMEM_ZC. */
struct ublk_shmem_buf_reg {
	uint64_t addr; /* of the caller; page aligned */
	uint64_t len;  /* bytes, whole pages, 4 GiB at most */
	uint32_t flags;
	uint32_t reserved;
};

#define UBLK_SHMEM_BUF_READ_ONLY (1u << 0) /* the memory may be sealed against writing */

/* ---- Features: what a device is asked for in ublksrv_ctrl_dev_info.flags ---- */

/* request pages can be registered in an io_uring buffer table, one command each way */
#define UBLK_F_SUPPORT_ZERO_COPY (1ull << 0)
/* requests are handed over through io_uring task work; set by the driver whatever was asked */
#define UBLK_F_URING_CMD_COMP_IN_TASK (1ull << 1)
/* a WRITE asks where its data shall go before copying it */
#define UBLK_F_NEED_GET_DATA (1ull << 2)
/* the device outlives its server; new io waits, io in flight fails */
#define UBLK_F_USER_RECOVERY (1ull << 3)
/* with USER_RECOVERY: io in flight is issued again to the next server */
#define UBLK_F_USER_RECOVERY_REISSUE (1ull << 4)
/* the device belongs to the user who adds it */
#define UBLK_F_UNPRIVILEGED_DEV (1ull << 5)
/* ioctl-encoded opcodes; set by the driver whatever was asked */
#define UBLK_F_CMD_IOCTL_ENCODE (1ull << 6)
/* data moves by pread() and pwrite() on /dev/ublkcN */
#define UBLK_F_USER_COPY (1ull << 7)
#define UBLK_F_ZONED (1ull << 8)
/* with USER_RECOVERY: while there is no server, io fails at once */
#define UBLK_F_USER_RECOVERY_FAIL_IO (1ull << 9)
#define UBLK_F_UPDATE_SIZE (1ull << 10)
/* request pages are registered and unregistered by FETCH and COMMIT themselves */
#define UBLK_F_AUTO_BUF_REG (1ull << 11)
#define UBLK_F_QUIESCE (1ull << 12)
/* each tag may have a thread of its own, instead of each queue */
#define UBLK_F_PER_IO_DAEMON (1ull << 13)
/* request pages may be registered by any thread */
#define UBLK_F_BUF_REG_OFF_DAEMON (1ull << 14)
/* many requests per command: PREP, COMMIT and FETCH_IO_CMDS replace the commands per io */
#define UBLK_F_BATCH_IO (1ull << 15)
/* requests carry integrity data; with USER_COPY only */
#define UBLK_F_INTEGRITY (1ull << 16)
/* UBLK_U_CMD_TRY_STOP_DEV is there */
#define UBLK_F_SAFE_STOP_DEV (1ull << 17)
#define UBLK_F_NO_AUTO_PART_SCAN (1ull << 18)
/* requests on registered shared memory are passed by reference */
#define UBLK_F_SHMEM_ZC (1ull << 19)
/* ublksrv_ctrl_dev_info.io_desc_size is honoured */
#define UBLK_F_IO_DESC_SIZE (1ull << 20)

/* ---- Devices ---- */

/* ublksrv_ctrl_dev_info.state */
#define UBLK_S_DEV_DEAD 0
#define UBLK_S_DEV_LIVE 1
#define UBLK_S_DEV_QUIESCED 2
#define UBLK_S_DEV_FAIL_IO 3

struct ublksrv_ctrl_dev_info {
	uint16_t nr_hw_queues;
	uint16_t queue_depth;
	uint16_t state;		   /* UBLK_S_DEV_*; out */
	uint16_t io_desc_size;	   /* bytes; 0 unless UBLK_F_IO_DESC_SIZE */
	uint32_t max_io_buf_bytes; /* largest request; out: rounded down to whole pages */
	uint32_t dev_id;	   /* in: UINT32_MAX for any */
	int32_t ublksrv_pid;	   /* the server's tgid, -1: none; out */
	uint32_t pad1;
	uint64_t flags; /* UBLK_F_*; out: what was granted */
	uint64_t
		ublksrv_flags; /* kept by the driver for the server, which may use it as it likes */
	uint32_t owner_uid;    /* out */
	uint32_t owner_gid;    /* out */
	uint64_t reserved1;
	uint64_t reserved2;
};

/* ublk_param_basic.attrs */
#define UBLK_ATTR_READ_ONLY (1u << 0)
#define UBLK_ATTR_ROTATIONAL (1u << 1)
#define UBLK_ATTR_VOLATILE_CACHE (1u << 2) /* without it no FLUSH ever comes */
#define UBLK_ATTR_FUA (1u << 3)		   /* only together with VOLATILE_CACHE */

/* Sizes as powers of two: a shift of 0 is one byte, not "unset". */
struct ublk_param_basic {
	uint32_t attrs;
	uint8_t logical_bs_shift;
	uint8_t physical_bs_shift;
	uint8_t io_opt_shift;
	uint8_t io_min_shift;
	uint32_t max_sectors;	/* largest READ or WRITE, in 512 bytes like all sectors here */
	uint32_t chunk_sectors; /* no request crosses a multiple of it; zone size if zoned */
	uint64_t dev_sectors;
	uint64_t virt_boundary_mask;
};

struct ublk_param_discard {
	uint32_t discard_alignment;
	uint32_t discard_granularity; /* bytes */
	uint32_t max_discard_sectors;
	uint32_t max_write_zeroes_sectors;
	uint16_t max_discard_segments; /* 1, the only value taken */
	uint16_t reserved0;
};

/* Device numbers; out only. The disk's are 0 until the device has started. */
struct ublk_param_devt {
	uint32_t char_major;
	uint32_t char_minor;
	uint32_t disk_major;
	uint32_t disk_minor;
};

struct ublk_param_zoned {
	uint32_t max_open_zones;
	uint32_t max_active_zones;
	uint32_t max_zone_append_sectors;
	uint8_t reserved[20];
};

struct ublk_param_dma_align {
	uint32_t alignment; /* a mask: alignment in bytes less one */
	uint8_t pad[4];
};

#define UBLK_MIN_SEGMENT_SIZE 4096

struct ublk_param_segment {
	uint64_t seg_boundary_mask;
	uint32_t max_segment_size;
	uint16_t max_segments;
	uint8_t pad[2];
};

struct ublk_param_integrity {
	uint32_t flags;			 /* LBMD_PI_CAP_* of <linux/fs.h> */
	uint16_t max_integrity_segments; /* 0: no limit */
	uint8_t interval_exp;
	uint8_t metadata_size; /* bytes per interval */
	uint8_t pi_offset;
	uint8_t csum_type; /* LBMD_PI_CSUM_* of <linux/fs.h> */
	uint8_t tag_size;
	uint8_t pad[5];
};

#define UBLK_PARAM_TYPE_BASIC (1u << 0)
#define UBLK_PARAM_TYPE_DISCARD (1u << 1)
#define UBLK_PARAM_TYPE_DEVT (1u << 2)
#define UBLK_PARAM_TYPE_ZONED (1u << 3)
#define UBLK_PARAM_TYPE_DMA_ALIGN (1u << 4)
#define UBLK_PARAM_TYPE_SEGMENT (1u << 5)
#define UBLK_PARAM_TYPE_INTEGRITY (1u << 6)

/* Buffer of SET_PARAMS and GET_PARAMS. A driver that knows fewer members reads and fills those. */
struct ublk_params {
	uint32_t len;	/* of this struct as the caller knows it; out: as both know it */
	uint32_t types; /* UBLK_PARAM_TYPE_* that are valid */
	struct ublk_param_basic basic;
	struct ublk_param_discard discard;
	struct ublk_param_devt devt;
	struct ublk_param_zoned zoned;
	struct ublk_param_dma_align dma;
	struct ublk_param_segment seg;
	struct ublk_param_integrity integrity;
};

/* ---- Requests: read-only memory of /dev/ublkcN, one array of descriptors per queue ---- */

#define UBLKSRV_CMD_BUF_OFFSET 0
#define UBLK_MAX_QUEUE_DEPTH 4096
#define UBLK_MAX_NR_QUEUES (1u << UBLK_QID_BITS)

#define UBLK_IO_OP_READ 0
#define UBLK_IO_OP_WRITE 1
#define UBLK_IO_OP_FLUSH 2
#define UBLK_IO_OP_DISCARD 3
#define UBLK_IO_OP_WRITE_SAME 4
#define UBLK_IO_OP_WRITE_ZEROES 5
#define UBLK_IO_OP_ZONE_OPEN 10
#define UBLK_IO_OP_ZONE_CLOSE 11
#define UBLK_IO_OP_ZONE_FINISH 12
#define UBLK_IO_OP_ZONE_APPEND 13
#define UBLK_IO_OP_ZONE_RESET_ALL 14
#define UBLK_IO_OP_ZONE_RESET 15
#define UBLK_IO_OP_REPORT_ZONES 18 /* fill an array of struct blk_zone */

/* Bits of op_flags as it is stored. (The kernel's ublksrv_get_flags() shifts them away: not here.) */
#define UBLK_IO_F_FAILFAST_DEV (1u << 8)
#define UBLK_IO_F_FAILFAST_TRANSPORT (1u << 9)
#define UBLK_IO_F_FAILFAST_DRIVER (1u << 10)
#define UBLK_IO_F_META (1u << 11)
#define UBLK_IO_F_FUA (1u << 13)
#define UBLK_IO_F_NOUNMAP (1u << 15)
#define UBLK_IO_F_SWAP (1u << 16)
#define UBLK_IO_F_NEED_REG_BUF (1u << 17) /* AUTO_BUF_REG failed: register by command */
#define UBLK_IO_F_INTEGRITY (1u << 18)
#define UBLK_IO_F_SHMEM_ZC (1u << 19) /* addr is ublk_shmem_zc_index() and _offset() */

struct ublksrv_io_desc {
	uint32_t op_flags; /* UBLK_IO_OP_* in the low 8 bits, UBLK_IO_F_* above */
	union {
		uint32_t nr_sectors;
		uint32_t nr_zones; /* REPORT_ZONES */
	};
	uint64_t start_sector;
	uint64_t addr; /* the buffer that the server gave for this tag */
};

static inline uint8_t ublksrv_get_op(const struct ublksrv_io_desc *iod)
{
	return (uint8_t)iod->op_flags;
}

/* ---- IO commands: IORING_OP_URING_CMD on /dev/ublkcN ---- */

#define UBLK_IO_FETCH_REQ 0x20
#define UBLK_IO_COMMIT_AND_FETCH_REQ 0x21
#define UBLK_IO_NEED_GET_DATA 0x22

/* Payload of the commands per io; 16 bytes, so that plain SQEs hold it. */
struct ublksrv_io_cmd {
	uint16_t q_id;
	uint16_t tag;
	int32_t result; /* COMMIT: bytes, 0 or -errno */
	union {
		/* copy mode: the tag's buffer; REGISTER: index in the buffer table; others: 0 */
		uint64_t addr;
		uint64_t zone_append_lba;
	};
};

/* An element of a batch; depending on the batch's flags followed by uint64_t buf_addr, zone_lba. */
struct ublk_elem_header {
	uint16_t tag;
	uint16_t buf_index; /* AUTO_BUF_REG */
	int32_t result;	    /* COMMIT */
};

#define UBLK_BATCH_F_HAS_ZONE_LBA (1u << 0)
#define UBLK_BATCH_F_HAS_BUF_ADDR (1u << 1)
#define UBLK_BATCH_F_AUTO_BUF_REG_FALLBACK (1u << 2)

/* Payload of the batch commands; sqe->addr and len are the elements. */
struct ublk_batch_io {
	uint16_t q_id;
	uint16_t flags; /* UBLK_BATCH_F_* */
	uint16_t nr_elem;
	uint8_t elem_bytes; /* 8, 16 or 24 */
	uint8_t reserved;
	uint64_t reserved2;
};

#define UBLK_U_IO_FETCH_REQ _IOWR('u', UBLK_IO_FETCH_REQ, struct ublksrv_io_cmd)
#define UBLK_U_IO_COMMIT_AND_FETCH_REQ                                                             \
	_IOWR('u', UBLK_IO_COMMIT_AND_FETCH_REQ, struct ublksrv_io_cmd)
#define UBLK_U_IO_NEED_GET_DATA _IOWR('u', UBLK_IO_NEED_GET_DATA, struct ublksrv_io_cmd)
#define UBLK_U_IO_REGISTER_IO_BUF _IOWR('u', 0x23, struct ublksrv_io_cmd)
#define UBLK_U_IO_UNREGISTER_IO_BUF _IOWR('u', 0x24, struct ublksrv_io_cmd)
/* all of the elements or none */
#define UBLK_U_IO_PREP_IO_CMDS _IOWR('u', 0x25, struct ublk_batch_io)
/* the result is the number of bytes of elements that were taken: the rest must be sent again */
#define UBLK_U_IO_COMMIT_IO_CMDS _IOWR('u', 0x26, struct ublk_batch_io)
/* multishot, into provided buffers of uint16_t tags */
#define UBLK_U_IO_FETCH_IO_CMDS _IOWR('u', 0x27, struct ublk_batch_io)

/* A FETCH's or COMMIT's cqe->res. ABORT: the tag is not to be fetched again. */
#define UBLK_IO_RES_OK 0
#define UBLK_IO_RES_NEED_GET_DATA 1
#define UBLK_IO_RES_ABORT (-ENODEV)

/* sqe->addr of FETCH and COMMIT under AUTO_BUF_REG. */
#define UBLK_AUTO_BUF_REG_FALLBACK (1u << 0) /* on failure, deliver with UBLK_IO_F_NEED_REG_BUF */
#define UBLK_AUTO_BUF_REG_F_MASK UBLK_AUTO_BUF_REG_FALLBACK

struct ublk_auto_buf_reg {
	uint16_t index;
	uint8_t flags;
	uint8_t reserved0;
	uint32_t reserved1;
};

static inline uint64_t ublk_auto_buf_reg_to_sqe_addr(const struct ublk_auto_buf_reg *reg)
{
	return reg->index | (uint64_t)reg->flags << 16 | (uint64_t)reg->reserved0 << 24 |
	       (uint64_t)reg->reserved1 << 32;
}

/* ---- USER_COPY: where a request's data is in /dev/ublkcN ---- */

#define UBLKSRV_IO_BUF_OFFSET 0x80000000
#define UBLK_IO_BUF_OFF 0
#define UBLK_IO_BUF_BITS 25
#define UBLK_IO_BUF_BITS_MASK ((1ull << UBLK_IO_BUF_BITS) - 1)
#define UBLK_TAG_OFF UBLK_IO_BUF_BITS
#define UBLK_TAG_BITS 16
#define UBLK_TAG_BITS_MASK ((1ull << UBLK_TAG_BITS) - 1)
#define UBLK_QID_OFF (UBLK_TAG_OFF + UBLK_TAG_BITS)
#define UBLK_QID_BITS 12
#define UBLK_QID_BITS_MASK ((1ull << UBLK_QID_BITS) - 1)
#define UBLKSRV_IO_BUF_TOTAL_BITS (UBLK_QID_OFF + UBLK_QID_BITS)
#define UBLKSRV_IO_BUF_TOTAL_SIZE (1ull << UBLKSRV_IO_BUF_TOTAL_BITS)
#define UBLK_INTEGRITY_FLAG_OFF 62
#define UBLKSRV_IO_INTEGRITY_FLAG (1ull << UBLK_INTEGRITY_FLAG_OFF)

/* Position for pread() and pwrite(); offset: bytes from the start of the request. */
static inline uint64_t ublk_user_copy_pos(uint16_t q_id, uint16_t tag, uint32_t offset)
{
	return UBLKSRV_IO_BUF_OFFSET +
	       ((uint64_t)q_id << UBLK_QID_OFF | (uint64_t)tag << UBLK_TAG_OFF | offset);
}

/* ---- SHMEM_ZC: an address as buffer index and offset ---- */

#define UBLK_SHMEM_ZC_OFF_MASK 0xffffffffull
#define UBLK_SHMEM_ZC_IDX_OFF 32
#define UBLK_SHMEM_ZC_IDX_MASK 0xffffull

static inline uint16_t ublk_shmem_zc_index(uint64_t addr)
{
	return (addr >> UBLK_SHMEM_ZC_IDX_OFF) & UBLK_SHMEM_ZC_IDX_MASK;
}

static inline uint32_t ublk_shmem_zc_offset(uint64_t addr)
{
	return (uint32_t)(addr & UBLK_SHMEM_ZC_OFF_MASK);
}

#endif
