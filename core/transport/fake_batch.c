// SPDX-License-Identifier: MIT
/*
 * Requests made up in-process, batch commands: the server's side. Commits wait for the flush, and a
 * completion says that they were taken, as with the driver.
 */
#include "transport/fake_internal.h"

int fake_batch_alloc(struct fake_queue *fq, unsigned int depth)
{
	fq->arrived = calloc(depth, sizeof(*fq->arrived));
	fq->told = calloc(depth, sizeof(*fq->told));
	fq->elems = calloc(depth, FAKE_ELEM_BYTES);
	return fq->arrived && fq->told && fq->elems ? 0 : -ENOMEM;
}

void fake_batch_free(struct fake_queue *fq)
{
	free(fq->arrived);
	free(fq->told);
	free(fq->elems);
}

int fake_batch_commit(struct transport_queue *tq, uint16_t tag, int32_t res,
		      const struct tag_addr *addr)
{
	(void)res;
	(void)addr;
	fake_violation(fake_queue_of(tq), "commit of tag %u, which can be collected", tag);
	return 0;
}

static struct tag_addr addr_of(const struct fake *f, const struct ublk_elem_header *header)
{
	struct tag_addr addr = { 0 };

	if (fake_copies(f))
		addr.buf = *(const uint64_t *)(header + 1);
	if (fake_has(f, UBLK_F_AUTO_BUF_REG)) /* the flag is the batch's */
		addr.auto_reg = header->buf_index | UBLK_AUTO_BUF_REG_FALLBACK << 16;
	return addr;
}

unsigned int fake_batch_flush(struct transport_queue *tq)
{
	struct fake_queue *fq = fake_queue_of(tq);
	unsigned int n = (tq->elem - fq->elems) / tq->elem_bytes;

	if (!n || fake_post_nop(tq, ud_make(UD_BATCH, n, 0)))
		return 0;
	if (n > tq->depth)
		fake_violation(fq, "commits of %u tags, there are %u", n, tq->depth);
	tq->elem = fq->elems;
	for (unsigned int i = 0; i < n; i++) {
		const struct ublk_elem_header *header = (void *)(fq->elems + i * tq->elem_bytes);
		struct tag_addr addr = addr_of(fq->fake, header);

		fake_commit(tq, header->tag, header->result, &addr);
	}
	return 1;
}

int fake_batch_tags(struct transport_queue *tq, const struct io_uring_cqe *cqe,
		    const uint16_t **tags)
{
	struct fake_queue *fq = fake_queue_of(tq);
	unsigned int in = atomic_load(&fq->arrived_in), n = 0;

	if (cqe->res < 0)
		return cqe->res;
	while (fq->arrived_out != in)
		fq->told[n++] = fq->arrived[fq->arrived_out++ % tq->depth];
	*tags = fq->told;
	return n;
}

void fake_batch_tags_done(struct transport_queue *tq, const struct io_uring_cqe *cqe)
{
	(void)tq;
	(void)cqe;
}

int fake_batch_done(struct transport_queue *tq, const struct io_uring_cqe *cqe, uint16_t *tag)
{
	(void)tag;
	tq->uncommitted -= ud_index(cqe->user_data);
	return 0;
}
