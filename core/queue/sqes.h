/* SPDX-License-Identifier: MIT */
/*
 * A plugin's own ring operations: which of them are in flight, how they are cancelled, and what is
 * made of SQEs that may not run.
 */
#ifndef QUEUE_SQES_H
#define QUEUE_SQES_H

#include "queue/internal.h"

/* One in flight. Its place among q->ops is in its user_data, so that no two of them have the same, and
 * what cancels one hits no other, nor the host's. */
struct plugin_op {
	struct io_slot *slot; /* NULL: background work */
	uint32_t cookie;
	uint32_t next; /* the next free place, or: */
};

#define OP_IN_FLIGHT UINT32_MAX

int ops_alloc(struct ublk_queue *q); /* room for q->sqe_budget: 0 or -ENOMEM */
/* Ask the kernel to cancel those of slot, or all (NULL). What becomes of each, plugin_cqe() is told. */
void ops_cancel(struct ublk_queue *q, const struct io_slot *slot);
/* The queue ends: so do they, before queue_exit(). */
void ops_end_all(struct ublk_queue *q);

/* There is room: q->sqes_used counts it already. */
static inline uint64_t op_begin(struct ublk_queue *q, struct io_slot *slot, uint32_t cookie)
{
	uint32_t place = q->op_free;
	struct plugin_op *op = &q->ops[place];

	q->op_free = op->next;
	*op = (struct plugin_op){ .slot = slot, .cookie = cookie, .next = OP_IN_FLIGHT };
	if (slot)
		slot->sqes++;
	return ud_make(UD_PLUGIN, place, cookie);
}

static inline void op_end(struct ublk_queue *q, struct plugin_op *op)
{
	op->next = q->op_free;
	q->op_free = (uint32_t)(op - q->ops);
	q->sqes_used--;
	if (op->slot)
		op->slot->sqes--;
}

/* NULL: it was written over after sqe_commit(). */
static inline struct plugin_op *op_of(const struct ublk_queue *q, uint64_t user_data)
{
	uint32_t place = ud_index(user_data);

	if (unlikely(place >= q->sqe_budget || q->ops[place].next != OP_IN_FLIGHT))
		return NULL;
	return &q->ops[place];
}

/* As it is lent. */
static inline void sqe_clear(struct io_uring_sqe *sqe)
{
	io_uring_prep_nop(sqe);
	sqe->user_data = ud_make(UD_UNCOMMITTED, 0, 0);
}

static inline bool sqe_is_linked(const struct io_uring_sqe *sqe)
{
	return sqe->flags & (IOSQE_IO_LINK | IOSQE_IO_HARDLINK);
}

/* The one that was queued last. */
static inline struct io_uring_sqe *sqe_last(const struct ublk_queue *q)
{
	const struct io_uring_sq *sq = &q->ring.sq;

	return &sq->sqes[(sq->sqe_tail - 1) & sq->ring_mask];
}

#define OP_PIPE 62 /* IORING_OP_PIPE, which headers may not know */
/* Operations that can do something to what is the host's. */
#define SUSPECT_OPS                                                                                \
	(1ull << IORING_OP_POLL_REMOVE | 1ull << IORING_OP_TIMEOUT_REMOVE |                        \
	 1ull << IORING_OP_ASYNC_CANCEL | 1ull << IORING_OP_OPENAT | 1ull << IORING_OP_OPENAT2 |   \
	 1ull << IORING_OP_ACCEPT | 1ull << IORING_OP_SOCKET | 1ull << OP_PIPE |                   \
	 1ull << IORING_OP_CLOSE | 1ull << IORING_OP_FILES_UPDATE | 1ull << IORING_OP_SPLICE |     \
	 1ull << IORING_OP_TEE | 1ull << IORING_OP_PROVIDE_BUFFERS |                               \
	 1ull << IORING_OP_REMOVE_BUFFERS | 1ull << IORING_OP_MSG_RING)

/* NULL, or what of this SQE the host cannot account for. */
const char *sqe_objection_to_op(const struct io_uring_sqe *sqe);
static inline const char *sqe_objection(const struct io_uring_sqe *sqe)
{
	if (unlikely(sqe->flags & (IOSQE_IO_DRAIN | IOSQE_CQE_SKIP_SUCCESS)))
		return "IOSQE_IO_DRAIN or IOSQE_CQE_SKIP_SUCCESS";
	if (unlikely((sqe->flags & IOSQE_FIXED_FILE) && sqe->fd == 0))
		return "fixed file 0, which is the host's";
	if (unlikely((sqe->flags & IOSQE_BUFFER_SELECT) && sqe->buf_group == RING_BUF_GROUP))
		return "a group of buffers that is the host's";
	if (unlikely(sqe->opcode < 64 && SUSPECT_OPS >> sqe->opcode & 1))
		return sqe_objection_to_op(sqe);
	return NULL;
}

/* In place of one of the plugin's that may not run. */
void sqe_void(struct io_uring_sqe *sqe);

/* A plugin prepares SQEs: nothing of the host's may get between them, nor may they be submitted. */
static inline bool sqes_unfinished(const struct ublk_queue *q)
{
	return q->uncommitted | q->chain_open;
}

/* After each callback. */
void sqes_finish(struct ublk_queue *q, const char *where);
static inline void sqes_check(struct ublk_queue *q, const char *where)
{
	if (unlikely(sqes_unfinished(q)))
		sqes_finish(q, where);
}

#endif
