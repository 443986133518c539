// SPDX-License-Identifier: MIT
/*
 * Moving between files and a request's own pages, which are a registered buffer of the queue's ring:
 * for the data paths without a copy.
 */
#include "queue/internal.h"

int fixed_register(struct ublk_queue *q, struct request *r)
{
	int res = q->tq.transport->ops->register_buf(&q->tq, r->tag);

	if (likely(!res))
		r->buf_asked = r->ending = true;
	return res;
}

int fixed_begin(struct ublk_queue *q, struct request *r)
{
	if (unlikely(fixed_register(q, r)))
		request_retry(q, r, RETRY_BEGIN);
	return 1;
}

int fixed_end(struct ublk_queue *q, struct request *r)
{
	int res;

	if (!r->buf_registered)
		return 0;
	res = q->tq.transport->ops->unregister_buf(&q->tq, r->tag);
	if (!res)
		r->buf_registered = false;
	return res;
}

int fixed_move(struct ublk_queue *q, struct request *r, unsigned int i)
{
	const struct ublk_extent *e = &r->ext[i];
	const struct ublk_io *io = &r->slot->io;
	bool zero = e->kind == UBLK_EXT_ZERO;
	struct io_uring_sqe *sqe;
	void *addr;

	sqe = ring_sqe(&q->ring);
	if (unlikely(!sqe))
		return -EBUSY;
	addr = (void *)(uintptr_t)(io->fixed_addr + r->pos[i]);
	if (io->op == UBLK_OP_READ) {
		/* Pages that nobody fills would carry stale kernel memory to the reader. */
		io_uring_prep_read_fixed(sqe, zero ? q->dev->zero_slot : e->file, addr, e->length,
					 zero ? 0 : e->at.offset, r->tag);
	} else {
		io_uring_prep_write_fixed(sqe, e->file, addr, e->length, e->at.offset, r->tag);
		sqe->rw_flags = io->flags & UBLK_IOF_FUA ? RWF_DSYNC : 0;
	}
	sqe->flags = IOSQE_FIXED_FILE;
	sqe->user_data = ud_make(UD_MOVE, r->tag, i);
	return 1;
}
