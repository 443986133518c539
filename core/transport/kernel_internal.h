/* SPDX-License-Identifier: MIT */
/* What the driver's two kinds of commands share: kernel.c has those per io, kernel_batch.c those of
 * many. */
#ifndef TRANSPORT_KERNEL_INTERNAL_H
#define TRANSPORT_KERNEL_INTERNAL_H

#include "transport/transport.h"

int kernel_queue_open(struct transport *t, struct transport_queue *tq);
void kernel_queue_close(struct transport_queue *tq);
int kernel_register_buf(struct transport_queue *tq, uint16_t tag);
int kernel_unregister_buf(struct transport_queue *tq, uint16_t tag);
int kernel_copy_in(struct transport_queue *tq, uint16_t tag, uint32_t pos, void *to,
		   uint32_t length);
int kernel_copy_out(struct transport_queue *tq, uint16_t tag, uint32_t pos, const void *from,
		    uint32_t length);

/* An SQE for a command of the driver's, payload (sqe->cmd) and addr not filled in. */
static inline void cmd_prep(struct io_uring_sqe *sqe, uint32_t op, uint64_t ud)
{
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->flags = IOSQE_FIXED_FILE;
	sqe->ioprio = 0;
	sqe->fd = 0;
	sqe->off = op; /* cmd_op, with the padding above it zero */
	sqe->len = 0;
	sqe->rw_flags = 0;
	sqe->user_data = ud;
	sqe->buf_index = 0;
	sqe->personality = 0;
	sqe->file_index = 0;
}

extern const struct transport_ops kernel_batch_ops;

#endif
