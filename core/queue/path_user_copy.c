// SPDX-License-Identifier: MIT
/*
 * Data path "user-copy": the host itself copies between the application's pages and memory, by a
 * system call, and only what there is to copy: to and from the plugin's memory without a buffer in
 * between, and nothing at all where the bytes are nowhere.
 */
#include "queue/internal.h"

/* submit() and the call profile find a WRITE's data in the buffer, and leave a READ's there. */
static int user_begin(struct ublk_queue *q, struct request *r)
{
	r->ending = r->op == UBLK_OP_READ;
	if (r->ending)
		return 0;
	return q->tq.transport->ops->copy_in(&q->tq, r->tag, 0, r->buf, r->slot->io.length);
}

static int user_end(struct ublk_queue *q, struct request *r)
{
	if (r->result <= 0)
		return 0;
	return q->tq.transport->ops->copy_out(&q->tq, r->tag, 0, r->buf, r->slot->io.length);
}

/* By way of the tag's buffer. map_moved() of a READ calls user_moved(). */
static int user_move_file(struct ublk_queue *q, struct request *r, unsigned int i)
{
	if (r->op == UBLK_OP_WRITE) {
		int err = q->tq.transport->ops->copy_in(
			&q->tq, r->tag, r->pos[i], (char *)r->buf + r->pos[i], r->ext[i].length);

		if (unlikely(err))
			return err;
	}
	return buf_move(q, r, i);
}

static int user_moved(struct ublk_queue *q, struct request *r, uint32_t pos, uint32_t length)
{
	if (r->op != UBLK_OP_READ)
		return 0;
	return q->tq.transport->ops->copy_out(&q->tq, r->tag, pos, (char *)r->buf + pos, length);
}

static int user_move(struct ublk_queue *q, struct request *r, unsigned int i)
{
	const struct transport_ops *ops = q->tq.transport->ops;
	const struct ublk_extent *e = &r->ext[i];
	bool read = r->op == UBLK_OP_READ;

	switch (e->kind) {
	case UBLK_EXT_FD:
		return user_move_file(q, r, i);
	case UBLK_EXT_MEM:
		return read ? ops->copy_out(&q->tq, r->tag, r->pos[i], e->at.addr, e->length)
			    : ops->copy_in(&q->tq, r->tag, r->pos[i], e->at.addr, e->length);
	case UBLK_EXT_ZERO:
		/* Pages that nobody fills would carry stale kernel memory to the reader. */
		return read ? ops->copy_out(&q->tq, r->tag, r->pos[i], q->dev->zeroes, e->length)
			    : 0;
	default: /* VOID: whatever is there */
		return 0;
	}
}

const struct data_path path_user_copy = {
	.name = "user-copy",
	.batch_name = "user-copy+batch",
	.what = "the server copies between the request's own pages and the plugin's memory, once, "
		"and nothing where there is nothing to copy",
	.dev_flags = UBLK_F_USER_COPY,
	.lacking = "user-copy needs a newer ublk driver (USER_COPY, Linux 6.5)",
	.map_kinds = UBLK_EXT_FD | UBLK_EXT_MEM | UBLK_EXT_ZERO | UBLK_EXT_VOID,
	.data_mode = UBLK_DATA_MAPPED,
	.buffer_kinds = UBLK_EXT_FD,
	.zero_kinds = UBLK_EXT_ZERO,
	.begin = user_begin,
	.end = user_end,
	.move = user_move,
	.moved = user_moved,
};
