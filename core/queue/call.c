// SPDX-License-Identifier: MIT
/* The call profile: the plugin's plain functions, on a worker thread or, if they never block, here. */
#include "queue/internal.h"

/* Any thread. A WRITE with FUA is a WRITE and a FLUSH, unless the plugin does it itself. */
int call_op(const struct ublk_dev *dev, const struct ublk_io *io)
{
	const struct ublk_plugin *p = dev->plugin;
	int res;

	switch (io->op) {
	case UBLK_OP_READ:
		return p->read(dev->priv, io->buf, io->length, io->offset, io->flags);
	case UBLK_OP_WRITE:
		res = p->write(dev->priv, io->buf, io->length, io->offset, io->flags);
		if (!res && (io->flags & UBLK_IOF_FUA) && !(dev->limits.attrs & UBLK_DEV_FUA) &&
		    p->flush)
			res = p->flush(dev->priv);
		return res;
	case UBLK_OP_FLUSH:
		return p->flush(dev->priv);
	case UBLK_OP_DISCARD:
		return p->discard(dev->priv, io->length, io->offset, io->flags);
	case UBLK_OP_WRITE_ZEROES:
		return p->write_zeroes(dev->priv, io->length, io->offset, io->flags);
	default:
		return -EOPNOTSUPP;
	}
}

/* 0 or -errno, whatever the plugin said. */
int call_result(struct ublk_queue *q, const struct ublk_io *io, int res)
{
	if (likely(res <= 0 && res >= -ERRNO_MAX))
		return res;
	plugin_misuse(q, "%s() returned %d, which is neither 0 nor an errno", op_name(io->op), res);
	return -EIO;
}

static int call_job_run(struct job *job)
{
	int res;

	if (!plugin_enter(job->q))
		return -EIO;
	res = call_op(job->q->dev, &job->io);
	plugin_leave(job->q);
	return res;
}

static void call_ended(struct ublk_queue *q, struct request *r, int res)
{
	res = call_result(q, &r->slot->io, res);
	if (unlikely(res) && request_may_retry(q, r, res))
		request_retry(q, r, RETRY_DISPATCH);
	else
		request_done(q, r, res);
}

void call_run(struct ublk_queue *q, struct request *r)
{
	struct job *job = r->job;

	if (r->op == UBLK_OP_READ)
		r->zeroed = 0;
	if (q->plugin->flags & UBLK_PLUGIN_NONBLOCKING) {
		int res;

		if (!plugin_enter(q)) {
			call_ended(q, r, -EIO);
			return;
		}
		res = call_op(q->dev, &r->slot->io);
		plugin_leave(q);
		call_ended(q, r, res);
		return;
	}
	job->run = call_job_run;
	job->watched = true;
	job->ranges = NULL;
	job->io = r->slot->io;
	request_hold(q, r);
	if (unlikely(workers_add(q, job))) {
		request_unhold(q, r);
		call_ended(q, r, -EAGAIN);
	}
}

static void job_forget(struct ublk_queue *q, struct job *job)
{
	log_warn("plugin %s: queue %u: a call that had been given up has returned", q->plugin->name,
		 q->qid);
	if (job->buf_kept)
		munmap(job->buf_kept, q->dev->limits.max_io_bytes);
	free(job->ranges);
	free(job);
}

/* What workers have finished, oldest first. */
void jobs_drain(struct ublk_queue *q)
{
	struct job *list = atomic_exchange_explicit(&q->jobs_done, NULL, memory_order_acquire);
	struct job *first = NULL, *next;

	for (; list; list = next) {
		next = list->next;
		list->next = first;
		first = list;
	}
	for (; first; first = next) {
		struct request *r = &q->reqs[first->tag];

		next = first->next;
		if (unlikely(first->abandoned)) {
			job_forget(q, first);
			continue;
		}
		if (first->watched)
			request_unhold(q, r);
		if (first->run == call_job_run)
			call_ended(q, r, first->res);
		else
			range_job_done(q, r, first);
	}
}

/* Calls that had been given up, and returned when nobody drained any more. */
void jobs_drop(struct ublk_queue *q)
{
	struct job *job = atomic_exchange_explicit(&q->jobs_done, NULL, memory_order_acquire),
		   *next;

	for (; job; job = next) {
		next = job->next;
		if (job->abandoned)
			job_forget(q, job);
	}
}
