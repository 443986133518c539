// SPDX-License-Identifier: MIT
/*
 * The driver's batch commands (UBLK_F_BATCH_IO, rule 18): one multishot FETCH tells of all requests
 * that are there, by their tags in provided buffers; one COMMIT ends all that were done in a round.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/log.h"
#include "transport/kernel_internal.h"

#define TAGS_PER_BUF 128u /* the driver hands over no more at a time */
#define MAX_BUFS 64u
#ifndef IORING_URING_CMD_MULTISHOT
#define IORING_URING_CMD_MULTISHOT (1u << 1)
#endif

enum batch_cmd { BATCH_COMMIT0, BATCH_COMMIT1, BATCH_PREP }; /* the index of a UD_BATCH */

/* Elements for the driver, which reads them while the SQE is being submitted. */
struct elems {
	char *base;
	uint16_t nr; /* that were sent and not acknowledged */
	bool in_flight;
};

struct batch {
	struct io_uring_buf_ring *ring;
	uint16_t *tags; /* nr_bufs * TAGS_PER_BUF */
	uint16_t nr_bufs;
	bool rearm;	       /* the multishot FETCH has ended and is to be sent again */
	uint16_t flags;	       /* UBLK_BATCH_F_* of PREP and COMMIT */
	uint8_t filling;       /* which of elems gets the next commit */
	struct elems elems[2]; /* one fills while the other's answer is not seen yet */
};

static struct io_uring_sqe *batch_cmd(struct transport_queue *tq, uint32_t op, uint64_t ud,
				      const void *elems, struct ublk_batch_io batch)
{
	struct io_uring_sqe *sqe = ring_sqe(tq->ring);
	uint64_t words[2];

	if (__builtin_expect(!sqe, 0))
		return NULL;
	memcpy(words, &batch, sizeof(words));
	cmd_prep(sqe, op, ud, (uintptr_t)elems, words[0], words[1]);
	sqe->len = batch.nr_elem * batch.elem_bytes;
	return sqe;
}

static bool batch_sqe(struct transport_queue *tq, uint32_t op, enum batch_cmd which, uint16_t nr)
{
	const struct elems *e = &tq->batch->elems[which == BATCH_PREP ? 0 : which];

	return batch_cmd(tq, op, ud_make(UD_BATCH, which, 0), e->base,
			 (struct ublk_batch_io){ .q_id = tq->qid,
						 .flags = tq->batch->flags,
						 .nr_elem = nr,
						 .elem_bytes = tq->elem_bytes });
}

static void fetch_arm(struct transport_queue *tq)
{
	struct io_uring_sqe *sqe = batch_cmd(
		tq, UBLK_U_IO_FETCH_IO_CMDS, ud_make(UD_TAGS, 0, 0), NULL,
		(struct ublk_batch_io){ .q_id = tq->qid, .elem_bytes = sizeof(uint16_t) });

	tq->batch->rearm = !sqe;
	if (!sqe)
		return; /* flush() tries again */
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = RING_BUF_GROUP;
	sqe->uring_cmd_flags = IORING_URING_CMD_MULTISHOT;
}

/* PREP is all or nothing: it goes out with the last tag, and the first FETCH with it. */
static int batch_fetch(struct transport_queue *tq, uint16_t tag, const struct tag_addr *addr)
{
	struct elems *e = &tq->batch->elems[0];

	if (e->nr < tq->depth) {
		tq->elem = e->base + e->nr++ * tq->elem_bytes;
		transport_commit(tq, tag, 0, addr);
		tq->elem = NULL;
		tq->uncommitted = 0;
	}
	if (e->nr < tq->depth)
		return 0;
	if (!batch_sqe(tq, UBLK_U_IO_PREP_IO_CMDS, BATCH_PREP, e->nr))
		return -EBUSY;
	e->in_flight = true;
	tq->batch->filling = 1;
	tq->elem = tq->batch->elems[1].base;
	fetch_arm(tq);
	return 0;
}

/* There is no place: both are in flight. */
static int batch_commit(struct transport_queue *tq, uint16_t tag, int32_t res,
			const struct tag_addr *addr)
{
	(void)tq;
	(void)tag;
	(void)res;
	(void)addr;
	return -EBUSY;
}

static bool elems_send(struct transport_queue *tq, unsigned int which)
{
	struct elems *e = &tq->batch->elems[which];

	e->in_flight = batch_sqe(tq, UBLK_U_IO_COMMIT_IO_CMDS, which, e->nr);
	return e->in_flight;
}

/* A full ring is no loss: the next round's completions make room. */
static unsigned int batch_flush(struct transport_queue *tq)
{
	struct batch *b = tq->batch;
	unsigned int which = b->filling, other = which ^ 1, sent = 0;
	struct elems *e = &b->elems[which];

	if (__builtin_expect(b->rearm, 0))
		fetch_arm(tq);
	if (__builtin_expect(b->elems[other].nr && !b->elems[other].in_flight, 0))
		sent += elems_send(tq, other);
	if (!tq->elem || tq->elem == e->base)
		return sent;
	e->nr = (tq->elem - e->base) / tq->elem_bytes;
	if (!elems_send(tq, which)) {
		e->nr = 0; /* it is still filling */
		return sent;
	}
	b->filling = other;
	tq->elem = b->elems[other].nr ? NULL : b->elems[other].base;
	return sent + 1;
}

/* The kernel could not begin: nothing is said of any tag. The driver's own refusals, -EBUSY among them,
 * are of one. */
static bool was_not_begun(int res)
{
	return res == -EAGAIN || res == -ENOMEM || res == -EINTR;
}

static int batch_tags(struct transport_queue *tq, const struct io_uring_cqe *cqe,
		      const uint16_t **tags)
{
	struct batch *b = tq->batch;
	unsigned int buf = cqe->flags >> IORING_CQE_BUFFER_SHIFT;

	if (!(cqe->flags & IORING_CQE_F_MORE))
		b->rearm = cqe->res >= 0 || cqe->res == -ENOBUFS || was_not_begun(cqe->res);
	if (cqe->res == -ENOBUFS || was_not_begun(cqe->res))
		return 0;
	if (cqe->res < 0)
		return cqe->res == -ECANCELED ? UBLK_IO_RES_ABORT : cqe->res;
	if (!(cqe->flags & IORING_CQE_F_BUFFER))
		return 0;
	*tags = b->tags + (buf & (b->nr_bufs - 1)) * TAGS_PER_BUF;
	return min_of(cqe->res / sizeof(uint16_t), (size_t)TAGS_PER_BUF);
}

static void buf_give(struct batch *b, unsigned int buf)
{
	io_uring_buf_ring_add(b->ring, b->tags + buf * TAGS_PER_BUF,
			      TAGS_PER_BUF * sizeof(uint16_t), buf,
			      io_uring_buf_ring_mask(b->nr_bufs), 0);
	io_uring_buf_ring_advance(b->ring, 1);
}

static void batch_tags_done(struct transport_queue *tq, const struct io_uring_cqe *cqe)
{
	struct batch *b = tq->batch;

	if (cqe->flags & IORING_CQE_F_BUFFER)
		buf_give(b, (cqe->flags >> IORING_CQE_BUFFER_SHIFT) & (b->nr_bufs - 1));
	if (__builtin_expect(b->rearm, 0))
		fetch_arm(tq);
}

/* What the driver did not take is sent again. */
static int batch_done(struct transport_queue *tq, const struct io_uring_cqe *cqe, uint16_t *tag)
{
	struct batch *b = tq->batch;
	unsigned int which = ud_index(cqe->user_data);
	struct elems *e = &b->elems[which == BATCH_PREP ? 0 : which];
	unsigned int taken;
	int err = 0;

	e->in_flight = false;
	if (which == BATCH_PREP) {
		e->nr = 0;
		*tag = 0;
		return cqe->res < 0 ? cqe->res : 0;
	}
	taken = cqe->res < 0 ? 0 : min_of(cqe->res / tq->elem_bytes, (uint32_t)e->nr);
	if (cqe->res < 0 && !was_not_begun(cqe->res)) {
		*tag = ((struct ublk_elem_header *)e->base)->tag;
		err = cqe->res;
		taken = 1; /* as far as we are concerned */
	}
	tq->uncommitted -= taken;
	e->nr -= taken;
	if (__builtin_expect(e->nr, 0)) {
		memmove(e->base, e->base + taken * tq->elem_bytes, e->nr * tq->elem_bytes);
		elems_send(tq, which); /* or by the next flush */
	} else if (!tq->elem) {
		b->filling = which;
		tq->elem = e->base;
	}
	return err;
}

static void batch_free(struct transport_queue *tq)
{
	struct batch *b = tq->batch;

	if (!b)
		return;
	if (b->ring) {
		io_uring_unregister_buf_ring(tq->ring, RING_BUF_GROUP);
		munmap(b->ring, b->nr_bufs * sizeof(struct io_uring_buf));
	}
	free(b->tags);
	free(b->elems[0].base);
	free(b->elems[1].base);
	free(b);
	tq->batch = NULL;
}

static int bufs_register(struct transport_queue *tq)
{
	struct batch *b = tq->batch;
	struct io_uring_buf_reg reg = { .ring_entries = b->nr_bufs, .bgid = RING_BUF_GROUP };
	void *ring = mmap(NULL, b->nr_bufs * sizeof(struct io_uring_buf), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int err;

	if (ring == MAP_FAILED)
		return -errno;
	reg.ring_addr = (uintptr_t)ring;
	err = io_uring_register_buf_ring(tq->ring, &reg, 0);
	if (err) {
		munmap(ring, b->nr_bufs * sizeof(struct io_uring_buf));
		return err;
	}
	b->ring = ring;
	io_uring_buf_ring_init(b->ring);
	for (unsigned int buf = 0; buf < b->nr_bufs; buf++)
		buf_give(b, buf);
	return 0;
}

static int batch_alloc(struct transport *t, struct transport_queue *tq)
{
	struct batch *b = calloc(1, sizeof(*b));

	tq->batch = b;
	if (!b)
		return -ENOMEM;
	b->flags = (t->has_addr ? UBLK_BATCH_F_HAS_BUF_ADDR : 0) |
		   (t->has_auto_reg ? UBLK_BATCH_F_AUTO_BUF_REG_FALLBACK : 0);
	tq->elem_bytes = sizeof(struct ublk_elem_header) + (t->has_addr ? sizeof(uint64_t) : 0);
	for (b->nr_bufs = 1; b->nr_bufs < min_of((unsigned)tq->depth, MAX_BUFS);)
		b->nr_bufs *= 2;
	b->tags = calloc(b->nr_bufs * TAGS_PER_BUF, sizeof(*b->tags));
	b->elems[0].base = calloc(tq->depth, tq->elem_bytes);
	b->elems[1].base = calloc(tq->depth, tq->elem_bytes);
	if (!b->tags || !b->elems[0].base || !b->elems[1].base)
		return -ENOMEM;
	return bufs_register(tq);
}

static int batch_queue_open(struct transport *t, struct transport_queue *tq)
{
	int err = batch_alloc(t, tq);

	if (err)
		log_err("queue %u: buffers for batch commands: %s", tq->qid, strerror(-err));
	else
		err = kernel_queue_open(t, tq);
	if (err)
		batch_free(tq);
	return err;
}

static void batch_queue_close(struct transport_queue *tq)
{
	kernel_queue_close(tq);
	batch_free(tq);
}

const struct transport_ops kernel_batch_ops = {
	.queue_open = batch_queue_open,
	.queue_close = batch_queue_close,
	.fetch = batch_fetch,
	.commit = batch_commit,
	.register_buf = kernel_register_buf,
	.unregister_buf = kernel_unregister_buf,
	.copy_in = kernel_copy_in,
	.copy_out = kernel_copy_out,
	.flush = batch_flush,
	.tags = batch_tags,
	.tags_done = batch_tags_done,
	.batch_done = batch_done,
};
