/* SPDX-License-Identifier: MIT */
/* What the driver's two kinds of commands share: kernel.c has those per io, kernel_batch.c those of
 * many. */
#ifndef TRANSPORT_KERNEL_INTERNAL_H
#define TRANSPORT_KERNEL_INTERNAL_H

#include "transport/commit.h"

int kernel_queue_open(struct transport *t, struct transport_queue *tq);
void kernel_queue_close(struct transport_queue *tq);
int kernel_register_buf(struct transport_queue *tq, uint16_t tag);
int kernel_unregister_buf(struct transport_queue *tq, uint16_t tag);
int kernel_copy_in(struct transport_queue *tq, uint16_t tag, uint32_t pos, void *to,
		   uint32_t length);
int kernel_copy_out(struct transport_queue *tq, uint16_t tag, uint32_t pos, const void *from,
		    uint32_t length);

extern const struct transport_ops kernel_batch_ops;

#endif
