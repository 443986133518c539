// SPDX-License-Identifier: MIT
/*
 * Data path "auto-buf-reg": the driver registers each request's own pages with the queue's ring
 * before it hands the request over, and files are read into and written from them directly. No
 * copy, no buffer, no system call beside the queue's own.
 */
#include "queue/internal.h"

/* Where the driver could not register (it says so in the descriptor), the host does it by hand. */
static void auto_tag_addr(const struct ublk_queue *q, const struct request *r,
			  struct tag_addr *addr)
{
	(void)q;
	addr->auto_reg = r->tag | (uint64_t)UBLK_AUTO_BUF_REG_FALLBACK << 16;
}

static int auto_begin(struct ublk_queue *q, struct request *r)
{
	int res;

	if (likely(!(q->tq.descs[r->tag].op_flags & UBLK_IO_F_NEED_REG_BUF)))
		return 0;
	res = q->tq.transport->ops->register_buf(&q->tq, r->tag);
	if (res) {
		request_retry(q, r, RETRY_BEGIN);
		return 1;
	}
	r->buf_registered = true;
	return 1;
}

static int auto_end(struct ublk_queue *q, struct request *r)
{
	int res;

	if (likely(!r->buf_registered))
		return 0;
	res = q->tq.transport->ops->unregister_buf(&q->tq, r->tag);
	if (!res)
		r->buf_registered = false;
	return res;
}

static int auto_move(struct ublk_queue *q, struct request *r, unsigned int i)
{
	const struct ublk_extent *e = &r->ext[i];
	const struct ublk_io *io = &r->slot->io;
	bool zero = e->kind == UBLK_EXT_ZERO;
	struct io_uring_sqe *sqe;
	void *addr;

	if (e->kind == UBLK_EXT_VOID || (zero && io->op == UBLK_OP_WRITE))
		return 0;
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

const struct data_path path_auto_buf_reg = {
	.name = "auto-buf-reg",
	.what = "no copy: files are read into and written from the request's own pages",
	/* Registering by hand, where the driver could not, needs the second flag. */
	.dev_flags = UBLK_F_AUTO_BUF_REG | UBLK_F_SUPPORT_ZERO_COPY,
	.lacking = "auto-buf-reg needs a newer ublk driver (AUTO_BUF_REG, Linux 6.16)",
	.map_kinds = UBLK_EXT_FD | UBLK_EXT_ZERO | UBLK_EXT_VOID,
	.data_mode = UBLK_DATA_FIXED,
	.needs_buf_table = true,
	.tag_addr = auto_tag_addr,
	.begin = auto_begin,
	.end = auto_end,
	.move = auto_move,
};
