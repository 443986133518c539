/* SPDX-License-Identifier: MIT */
/* What is done at the end of each request: inline, for it is all that many requests cost. */
#ifndef TRANSPORT_COMMIT_H
#define TRANSPORT_COMMIT_H

#include <string.h>

#include "transport/transport.h"

/* Two words of 32 bits, as they follow each other in memory. */
static inline uint64_t word_pair(uint32_t first, uint32_t second)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	return (uint64_t)first << 32 | second;
#else
	return first | (uint64_t)second << 32;
#endif
}

/* An SQE for a command of the driver's: all of it, by eight bytes at a time. */
static inline void cmd_prep(struct io_uring_sqe *sqe, uint32_t op, uint64_t ud, uint64_t addr,
			    uint64_t payload, uint64_t payload2)
{
	const struct io_uring_sqe begin = { .opcode = IORING_OP_URING_CMD,
					    .flags = IOSQE_FIXED_FILE };
	uint64_t *to = (uint64_t *)sqe;

	_Static_assert(sizeof(*sqe) == 64 && offsetof(struct io_uring_sqe, user_data) == 32 &&
			       offsetof(struct io_uring_sqe, addr) == 16 &&
			       offsetof(struct io_uring_sqe, cmd) == 48,
		       "the layout that this fills in");
	memcpy(&to[0], &begin, sizeof(to[0])); /* opcode, flags, ioprio, fd */
	to[1] = word_pair(op, 0);	       /* cmd_op, and padding that has to be zero */
	to[2] = addr;
	to[3] = 0; /* len, flags */
	to[4] = ud;
	to[5] = 0; /* buf_index, personality, file_index */
	to[6] = payload;
	to[7] = payload2;
}

/* The first half of a commit's payload, or of its element in a batch, which never changes. */
static inline uint32_t transport_head(const struct transport_queue *tq, uint16_t tag,
				      uint32_t auto_reg)
{
	union {
		struct ublksrv_io_cmd cmd;
		struct ublk_elem_header elem;
		uint32_t head;
	} of = { .head = 0 };

	if (tq->elem_bytes)
		of.elem = (struct ublk_elem_header){ .tag = tag, .buf_index = (uint16_t)auto_reg };
	else
		of.cmd = (struct ublksrv_io_cmd){ .q_id = tq->qid, .tag = tag };
	return of.head;
}

static inline bool commit_per_io(struct transport_queue *tq, uint16_t tag, int32_t res,
				 const struct tag_addr *addr)
{
	struct io_uring_sqe *sqe = ring_sqe(tq->ring);

	if (__builtin_expect(!sqe, 0))
		return false;
	cmd_prep(sqe, tq->commit_op, ud_make(UD_TAG, tag, 0), addr->auto_reg,
		 word_pair(addr->head, (uint32_t)res), addr->buf);
	return true;
}

/* False: try again after reaping completions. */
static inline bool transport_commit(struct transport_queue *tq, uint16_t tag, int32_t res,
				    const struct tag_addr *addr)
{
	struct ublk_elem_header *header = (struct ublk_elem_header *)tq->elem;

	if (!header)
		return tq->commit_op ? commit_per_io(tq, tag, res, addr)
				     : !tq->transport->ops->commit(tq, tag, res, addr);
	*(uint64_t *)header = word_pair(addr->head, (uint32_t)res);
	if (tq->elem_bytes > sizeof(*header))
		*(uint64_t *)(header + 1) = addr->buf;
	tq->elem += tq->elem_bytes;
	tq->uncommitted++;
	return true;
}

#endif
