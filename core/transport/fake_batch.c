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
	fq->commits = calloc(depth, sizeof(*fq->commits));
	return fq->arrived && fq->told && fq->commits ? 0 : -ENOMEM;
}

void fake_batch_free(struct fake_queue *fq)
{
	free(fq->arrived);
	free(fq->told);
	free(fq->commits);
}

int fake_batch_commit(struct transport_queue *tq, uint16_t tag, int32_t res,
		      const struct tag_addr *addr)
{
	struct fake_queue *fq = fake_queue_of(tq);

	if (fq->nr_commits == tq->depth) {
		fake_violation(fq, "commit of tag %u, of more tags than there are", tag);
		return 0;
	}
	fq->commits[fq->nr_commits++] = (struct fake_commit){ tag, res, *addr };
	tq->uncommitted++;
	return 0;
}

unsigned int fake_batch_flush(struct transport_queue *tq)
{
	struct fake_queue *fq = fake_queue_of(tq);
	unsigned int n = fq->nr_commits;

	if (!n || fake_post_nop(tq, ud_make(UD_BATCH, n, 0)))
		return 0;
	fq->nr_commits = 0;
	for (unsigned int i = 0; i < n; i++)
		fake_commit(tq, fq->commits[i].tag, fq->commits[i].res, &fq->commits[i].addr);
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
