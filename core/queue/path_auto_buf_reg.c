// SPDX-License-Identifier: MIT
/*
 * Data path "auto-buf-reg": the driver registers each request's own pages with the queue's ring
 * before it hands the request over, and files are read into and written from them directly. No
 * copy, no buffer, no system call beside the queue's own.
 */
#include "queue/internal.h"

/* Where the driver could not register (it says so in the descriptor), the host does it by hand. */
static void auto_tag_addr(const struct ublk_queue *q, struct request *r)
{
	(void)q;
	r->addr.auto_reg = r->tag | UBLK_AUTO_BUF_REG_FALLBACK << 16;
}

static int auto_begin(struct ublk_queue *q, struct request *r)
{
	return q->tq.descs[r->tag].op_flags & UBLK_IO_F_NEED_REG_BUF ? fixed_begin(q, r) : 0;
}

static int auto_move(struct ublk_queue *q, struct request *r, unsigned int i)
{
	return extent_moves_nothing(r, i) ? 0 : fixed_move(q, r, i);
}

const struct data_path path_auto_buf_reg = {
	.name = "auto-buf-reg",
	.batch_name = "auto-buf-reg+batch",
	.what = "no copy: files are read into and written from the request's own pages",
	/* Registering by hand, where the driver could not, needs the second flag. */
	.dev_flags = UBLK_F_AUTO_BUF_REG | UBLK_F_SUPPORT_ZERO_COPY,
	.lacking = "auto-buf-reg needs a newer ublk driver (AUTO_BUF_REG, Linux 6.16)",
	.map_kinds = UBLK_EXT_FD | UBLK_EXT_ZERO | UBLK_EXT_VOID,
	.data_mode = UBLK_DATA_FIXED,
	.zero_kinds = UBLK_EXT_ZERO,
	.needs_buf_table = true,
	.tag_addr = auto_tag_addr,
	.begin = auto_begin,
	.end = fixed_end,
	.move = auto_move,
};
