// SPDX-License-Identifier: MIT
/*
 * A plugin's own ring operations, where they do not end by themselves: cancelled, or not run at all.
 */
#include "base/clock.h"
#include "queue/sqes.h"

#define GRACE_MS 1000 /* a stop leaves operations so long to end by themselves */
#define END_MS 4000  /* and cancelled ones so long to come back: started file I/O runs to its end */
#define QUIT_MS 1000 /* the same, if the control thread has lost its patience */
#define CANCEL_USERDATA (1u << 4) /* IORING_ASYNC_CANCEL_USERDATA: the default, said */
#define CANCEL_MS 100 /* one that is between two of the kernel's lists is not found, but later */

int ops_alloc(struct ublk_queue *q)
{
	if (!q->sqe_budget)
		return 0;
	q->ops = calloc(q->sqe_budget, sizeof(*q->ops));
	if (!q->ops)
		return -ENOMEM;
	for (uint32_t i = 0; i < q->sqe_budget; i++)
		q->ops[i].next = i + 1;
	return 0;
}

void ops_cancel(struct ublk_queue *q, const struct io_slot *slot)
{
	for (uint32_t i = 0; i < q->sqe_budget; i++) {
		const struct plugin_op *op = &q->ops[i];
		struct io_uring_sqe *sqe;

		if (op->next != OP_IN_FLIGHT || (slot && op->slot != slot))
			continue;
		sqe = ring_sqe(&q->ring);
		if (!sqe)
			return; /* the caller tries again later */
		io_uring_prep_rw(IORING_OP_ASYNC_CANCEL, sqe, -1, NULL, 0, 0);
		sqe->addr = ud_make(UD_PLUGIN, i, op->cookie);
		sqe->user_data = ud_make(UD_CANCEL, 0, 0);
	}
}

/* What a queue_init() that failed has queued is not begun any more. */
static void ops_take_back(struct ublk_queue *q)
{
	struct io_uring_sq *sq = &q->ring.sq;

	for (unsigned int at = *sq->khead; at != sq->sqe_tail; at++) {
		struct io_uring_sqe *sqe = &sq->sqes[at & sq->ring_mask];
		struct plugin_op *op = op_of(q, sqe->user_data);

		if (ud_kind(sqe->user_data) != UD_PLUGIN || !op)
			continue;
		op_end(q, op);
		q->sqes_used++; /* until this ends: */
		sqe_void(sqe);
	}
}

/* Only the plugin's: a request that arrives now is the next server's. */
static void ops_reap(struct ublk_queue *q)
{
	struct io_uring_cqe *cqe;
	unsigned int head, n = 0;

	io_uring_for_each_cqe(&q->ring, head, cqe)
	{
		n++;
		if (ud_kind(cqe->user_data) == UD_UNCOMMITTED)
			q->sqes_used--;
		if (ud_kind(cqe->user_data) == UD_PLUGIN)
			plugin_cqe(q, cqe);
	}
	io_uring_cq_advance(&q->ring, n);
}

static bool quit_asked(const struct ublk_queue *q)
{
	return q->quit || atomic_load_explicit(&q->asked, memory_order_relaxed) & QUEUE_ASK_QUIT;
}

/* In a hand-over applications wait meanwhile, and what is left to be done is the next server's. */
static uint64_t ops_grace(const struct ublk_queue *q)
{
	return q->leaving || !q->has_plugin || quit_asked(q) ? 0 : GRACE_MS;
}

static uint64_t ops_deadline(const struct ublk_queue *q)
{
	return ops_grace(q) + (quit_asked(q) ? QUIT_MS : END_MS);
}

void ops_end_all(struct ublk_queue *q)
{
	uint64_t begun, passed = 0, cancel_at = 0;

	if (likely(!q->sqes_used))
		return;
	if (!q->has_plugin)
		ops_take_back(q);
	begun = now_ms();
	for (q->ending = true; q->sqes_used && passed < ops_deadline(q);
	     passed = now_ms() - begun) {
		struct __kernel_timespec wait = { .tv_nsec = CANCEL_MS * 1000000 };
		struct io_uring_cqe *cqe;
		int res;

		if (passed >= ops_grace(q) && passed >= cancel_at) {
			ops_cancel(q, NULL);
			cancel_at = passed + CANCEL_MS;
		}
		res = io_uring_submit_and_wait_timeout(&q->ring, &cqe, 1, &wait, NULL);
		if (res < 0 && !errno_is_passing(res) && res != -ETIME)
			break;
		ops_reap(q);
	}
	if (q->sqes_used)
		log_warn(
			"plugin %s: queue %u ends with %llu ring operations in flight: the kernel may "
			"go on using their memory and files",
			q->plugin->name, q->qid, (unsigned long long)q->sqes_used);
}

/* By user_data, and that of an operation of a plugin's. */
static bool names_plugin_op(const struct io_uring_sqe *sqe)
{
	return ud_kind(sqe->addr) == UD_PLUGIN;
}

const char *sqe_objection_to_op(const struct io_uring_sqe *sqe)
{
	switch (sqe->opcode) {
	case IORING_OP_ASYNC_CANCEL:
		/* A file, an opcode, or nothing, names the host's operations, too. */
		return sqe->cancel_flags & ~(IORING_ASYNC_CANCEL_ALL | CANCEL_USERDATA) ||
				       !names_plugin_op(sqe)
			       ? "a cancellation of what may be the host's"
			       : NULL;
	case IORING_OP_POLL_REMOVE:
		if (sqe->len & IORING_POLL_UPDATE_USER_DATA)
			return "a change of user_data, which is the host's";
		/* fall through */
	case IORING_OP_TIMEOUT_REMOVE:
		return names_plugin_op(sqe) ? NULL : "a removal of what may be the host's";
	case IORING_OP_OPENAT:
	case IORING_OP_OPENAT2:
	case IORING_OP_ACCEPT:
	case IORING_OP_SOCKET:
	case OP_PIPE:
	case IORING_OP_CLOSE:
		return sqe->file_index ? "a change of the ring's files, which are the host's"
				       : NULL;
	case IORING_OP_FILES_UPDATE:
		return "a change of the ring's files, which are the host's";
	case IORING_OP_SPLICE:
	case IORING_OP_TEE:
		return sqe->splice_flags & SPLICE_F_FD_IN_FIXED && sqe->splice_fd_in == 0
			       ? "fixed file 0, which is the host's"
			       : NULL;
	case IORING_OP_PROVIDE_BUFFERS:
	case IORING_OP_REMOVE_BUFFERS:
		return sqe->buf_group == RING_BUF_GROUP ? "a group of buffers that is the host's"
							: NULL;
	default: /* IORING_OP_MSG_RING, to this ring, too */
		return "a message to a ring";
	}
}

/* What is linked to it must not run as if it had succeeded: it fails, which cancels that. */
void sqe_void(struct io_uring_sqe *sqe)
{
	bool linked = sqe_is_linked(sqe);

	sqe_clear(sqe);
	if (!linked)
		return;
	io_uring_prep_rw(IORING_OP_READ, sqe, -1, NULL, 0, 0);
	sqe->flags = IOSQE_IO_LINK;
	sqe->user_data = ud_make(UD_UNCOMMITTED, 0, 0);
}

/* The last one may be linked to nothing, for what follows on the ring is the host's. */
static void chain_end(struct ublk_queue *q)
{
	struct io_uring_sqe *last = sqe_last(q);

	q->chain_open = false;
	if (!sqe_is_linked(last))
		return;
	last->flags &= ~(IOSQE_IO_LINK | IOSQE_IO_HARDLINK);
	if (ud_kind(last->user_data) != UD_UNCOMMITTED) /* of which has been spoken already */
		plugin_misuse(q, "the last SQE of a chain is linked to nothing");
}

void sqes_finish(struct ublk_queue *q, const char *where)
{
	if (q->uncommitted)
		plugin_misuse(q, "%s kept %u SQEs from sqe_get() without sqe_commit()", where,
			      q->uncommitted);
	/* They may have been prepared, and half of what a plugin meant is worse than nothing. */
	for (unsigned int i = 0; q->uncommitted && i < q->ring.sq.ring_entries; i++)
		if (q->lent[i]) {
			sqe_void(&q->ring.sq.sqes[i]);
			q->lent[i] = false;
			q->uncommitted--;
		}
	chain_end(q);
}
