// SPDX-License-Identifier: MIT
/*
 * The short way of nearly every request: a READ or WRITE by map, of one extent, from its descriptor
 * to its commit or to the ring operation that moves it, in one function. What is anything else goes
 * the long way (dispatch.c, map.c), from where it turned out to be so. Every instruction here is
 * paid a million times a second: tests/unit/instructions.t counts them.
 */
#include "queue/internal.h"

void fast_update(struct ublk_queue *q)
{
	const struct ublk_dev *dev = q->dev;
	/* A WRITE that asks for an address, and what completes that, are tag_cqe()'s. A plugin that
	 * may get SQEs is checked after each call. */
	bool slow = dev->profile[UBLK_OP_READ] != PROFILE_MAP || q->call_lock || q->sqe_budget ||
		    q->timing || q->no_more || q->leaving ||
		    (q->path->dev_flags & UBLK_F_NEED_GET_DATA);

	q->slow = slow || dev->profile[UBLK_OP_WRITE] != PROFILE_MAP;
	q->slow_writes = !slow && dev->profile[UBLK_OP_WRITE] == PROFILE_NONE;
}

void fast_init(struct ublk_queue *q)
{
	const struct ublk_limits *limits = &q->dev->limits;

	size_update(q);
	for (uint32_t kind = UBLK_EXT_FD; kind <= UBLK_EXT_VOID; kind <<= 1)
		if (limits->map_kinds & kind)
			q->kinds |= 1u << kind;
	q->moves_nothing[UBLK_OP_READ] = q->kinds & 1u << UBLK_EXT_VOID;
	q->moves_nothing[UBLK_OP_WRITE] = q->kinds & (1u << UBLK_EXT_VOID | 1u << UBLK_EXT_ZERO);
	q->map = q->plugin->map;
	fast_update(q);
}

/* As extent_ok(), for an extent that is as long as its io. */
static inline bool extent_fits(const struct ublk_queue *q, const struct ublk_extent *e)
{
	if (unlikely(!(q->kinds >> e->kind & 1)))
		return false;
	if (e->kind == UBLK_EXT_FD)
		return (uint32_t)e->file - 1 < q->dev->nr_files - 1 &&
		       e->at.offset <= (uint64_t)INT64_MAX - e->length;
	return e->kind != UBLK_EXT_MEM || e->at.addr;
}

/* From here on it is a request like any other. */
static inline void take(struct ublk_queue *q, struct request *r, uint32_t op)
{
	q->active++;
	r->op = op;
	r->state = REQ_HOST;
	r->retry = RETRY_DISPATCH;
}

static inline void fresh(struct request *r)
{
	memset(r->fresh, 0, sizeof(r->fresh));
}

static __attribute__((noinline, cold)) void arrived_other(struct ublk_queue *q, struct request *r,
							  uint32_t op, int n)
{
	fresh(r);
	take(q, r, op);
	map_answered(q, r, n);
}

/* The commit could not be made at once. */
static __attribute__((noinline, cold)) void commit_later(struct ublk_queue *q, struct request *r,
							 uint32_t op, uint64_t length)
{
	take(q, r, op);
	r->result = (int32_t)length;
	request_commit(q, r);
}

/* False: there is something to move, and a completion will say so, or the path has more to do. */
static inline bool moved_at_once(struct ublk_queue *q, struct request *r, uint32_t op,
				 uint64_t length)
{
	int res;

	fresh(r);
	r->op = op;
	r->ext = r->few;
	r->pos = r->few_pos;
	r->few_pos[0] = 0;
	r->nr_ext = 1; /* paths ask whether it is the only one */
	res = q->path->move(q, r, 0);
	if (likely(!res && !r->ending))
		return true;
	take(q, r, op);
	r->window = length;
	map_go_on(q, r, res);
	return false;
}

/* other_op: UBLK_IO_OP_WRITE, if such go the long way; or 0. */
static inline __attribute__((always_inline)) void arrived(struct ublk_queue *q, uint16_t tag,
							  uint32_t other_op)
{
	const uint32_t others = 0xfe | other_op | UBLK_IO_F_NEED_REG_BUF | UBLK_IO_F_SHMEM_ZC;
	const struct ublksrv_io_desc *iod = &q->tq.descs[tag];
	struct request *r = &q->reqs[tag];
	struct ublk_io *io = &r->slot->io;
	const struct ublk_extent *e = r->few;
	uint32_t op_flags = iod->op_flags, op = op_flags & 0xff, sectors = iod->nr_sectors;
	uint32_t length = sectors << 9; /* not too long, as is seen next */
	uint64_t start = iod->start_sector;
	int n;

	/* In sectors: as bytes, a wild one may wrap to a place on the device. */
	if (unlikely((op_flags & others) || sectors - 1 >= q->max_sectors ||
		     start > q->dev_sectors - sectors)) {
		request_take(q, tag, false);
		return;
	}
	_Static_assert(UBLK_IO_OP_READ == UBLK_OP_READ && UBLK_IO_OP_WRITE == UBLK_OP_WRITE,
		       "the driver's numbers are ours");
	if (op == UBLK_OP_WRITE)
		r->zeroed = 0;
	io->op = op;
	io->flags = 0;
	if (unlikely(op_flags & (UBLK_IO_F_FUA | UBLK_IO_F_NOUNMAP)))
		io->flags = io_flags(op_flags);
	io->offset = start << 9;
	io->length = length;
	n = q->map(q->qpriv, io, r->few, MAP_FEW);
	if (unlikely(n != 1 || e->length != length || e->kind >= 32)) {
		arrived_other(q, r, op, n);
		return;
	}
	if (!(q->moves_nothing[op] >> e->kind & 1)) {
		if (unlikely(!extent_fits(q, e))) {
			arrived_other(q, r, op, n);
			return;
		}
		if (!moved_at_once(q, r, op, length))
			return;
	}
	q->counters->ops[op]++;
	q->counters->bytes[op] += length;
	if (unlikely(!transport_commit(&q->tq, tag, (int32_t)length, &r->addr)))
		commit_later(q, r, op, length);
}

void requests_arrived(struct ublk_queue *q, const uint16_t *tags, unsigned int n)
{
	const uint16_t *end = tags + n, last = q->depth - 1;

	if (unlikely(q->slow))
		for (; tags < end; tags++) {
			if (q->slow_writes)
				arrived(q, min_of(*tags, last), UBLK_IO_OP_WRITE);
			else
				request_take(q, min_of(*tags, last), false);
		}
	for (; tags < end; tags++)
		arrived(q, min_of(*tags, last), 0);
}

static inline __attribute__((always_inline)) unsigned int cqes_short(struct ublk_queue *q,
								     uint32_t other_op)
{
	struct io_uring_cqe *cqe;
	unsigned int head, n = 0;

	io_uring_for_each_cqe(&q->ring, head, cqe)
	{
		/* The tag, if it is a UD_TAG: otherwise more than there are. */
		uint32_t tag = (uint32_t)(cqe->user_data >> 32) - ((uint32_t)UD_TAG << 24);

		if (likely(tag < q->depth && !cqe->res))
			arrived(q, tag, other_op);
		else
			cqe_handle(q, cqe);
		n++;
	}
	return n;
}

unsigned int cqes_handle(struct ublk_queue *q)
{
	struct io_uring_cqe *cqe;
	unsigned int head, n = 0;

	/* With commands per io nothing changes q->slow on the way; batches look themselves. */
	if (likely(!q->slow))
		return cqes_short(q, 0);
	if (q->slow_writes)
		return cqes_short(q, UBLK_IO_OP_WRITE);
	io_uring_for_each_cqe(&q->ring, head, cqe)
	{
		cqe_handle(q, cqe);
		n++;
	}
	return n;
}
