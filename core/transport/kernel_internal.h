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
	/* All of it, which is a few vector stores. cmd_op is the low half of off. */
	*sqe = (struct io_uring_sqe){
		.opcode = IORING_OP_URING_CMD, .flags = IOSQE_FIXED_FILE, .off = op, .user_data = ud
	};
}

extern const struct transport_ops kernel_batch_ops;

/* What queue_open() of the batch commands does beside mapping the descriptors, and its way back. 0 or
 * -errno. */
int kernel_batch_alloc(struct transport *t, struct transport_queue *tq);
void kernel_batch_free(struct transport_queue *tq);
/* For tests: what was collected goes nowhere. */
void kernel_batch_forget(struct transport_queue *tq);

#endif
