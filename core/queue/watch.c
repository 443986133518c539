// SPDX-License-Identifier: MIT
/*
 * What leaves a plugin's hands without its consent: ios that it held too long, or that it still
 * holds when the device stops. The application gets an error; the memory that the plugin may still
 * touch is set aside and the tag goes on with new memory.
 */
#include "queue/sqes.h"

#define TAKEN_TICKS 5 /* for the ring operations of an io that was taken away to end */

/* Cancel its ring operations. False: its data is not in memory that can be set aside, so that they would
 * reach the tag's next request (a registered buffer is looked up when an operation begins), or what
 * the application does with its memory next: the io ends when they have. */
static bool slot_recall(struct ublk_queue *q, struct request *r, const char *why)
{
	struct io_slot *slot = r->slot;

	if (!slot->sqes)
		return true;
	ops_cancel(q, slot);
	if (r->op > UBLK_OP_WRITE || (slot->io.buf && !r->shared))
		return true;
	if (slot->state != SLOT_TAKEN) {
		log_warn(
			"plugin %s: queue %u tag %u: %s of %llu bytes at %llu is taken away, and waits for "
			"%u ring operations: %s",
			q->plugin->name, q->qid, r->tag, op_name(r->op),
			(unsigned long long)slot->io.length, (unsigned long long)slot->io.offset,
			slot->sqes, why);
		slot->state = SLOT_TAKEN;
		slot->taken = q->tick;
	} else if (q->tick - slot->taken > TAKEN_TICKS) {
		q->dev->failed(q->dev, -EIO,
			       "ring operations of an io that was taken away do not end");
	}
	return false;
}

/* New memory for the tag. False: there is none left; the io stays with the plugin. */
static bool slot_replace(struct ublk_queue *q, struct request *r)
{
	struct io_slot *old = r->slot, *spare;
	void *buf = NULL;

	if (q->spare_slot == q->nr_slots)
		return false;
	if (r->buf) {
		buf = buffer_alloc(q->dev->limits.max_io_bytes);
		if (!buf)
			return false;
	}
	spare = &q->slots[q->spare_slot++];
	spare->io = old->io; /* qid, scratch and what else is constant, but for: */
	spare->io.scratch =
		q->scratch ? (char *)q->scratch + (spare - q->slots) * q->scratch_stride : NULL;
	spare->io.buf = NULL;
	spare->tag = r->tag;
	spare->state = SLOT_IDLE;
	r->pair[r->parity] = r->slot = spare;
	old->state = SLOT_ABANDONED;
	/* A buffer from the queue's one mapping is kept too, but never unmapped on its own. */
	old->buf_kept = r->buf_own ? r->buf : NULL;
	if (r->buf) {
		request_set_buf(q, r, buf);
		r->buf_own = true;
		r->zeroed = 0;
	}
	return true;
}

/* The same for a worker's job. */
static bool job_replace(struct ublk_queue *q, struct request *r)
{
	struct job *job = calloc(1, sizeof(*job)), *old = r->job;
	void *buf = r->buf ? buffer_alloc(q->dev->limits.max_io_bytes) : NULL;

	if (!job || (r->buf && !buf)) {
		if (buf)
			munmap(buf, q->dev->limits.max_io_bytes);
		free(job);
		return false;
	}
	job->tag = r->tag;
	old->abandoned = true;
	old->buf_kept = r->buf_own ? r->buf : NULL;
	if (old->ranges)
		r->ranges = NULL; /* the job's from now on */
	r->job = job;
	if (r->buf) {
		request_set_buf(q, r, buf);
		r->buf_own = true;
		r->zeroed = 0;
	}
	return true;
}

void request_abandon(struct ublk_queue *q, struct request *r, const char *why)
{
	const struct ublk_io io = r->slot->io;
	bool replaced, submitted = q->dev->profile[r->op] == PROFILE_SUBMIT;

	if (submitted && !slot_recall(q, r, why))
		return;
	/* A job that waits behind a stuck one is not run late: its io will have failed. */
	replaced = submitted ? slot_replace(q, r) : workers_remove(q, r->job) || job_replace(q, r);
	if (!replaced) {
		q->dev->failed(q->dev, -ENOMEM, "too many ios are lost in the plugin");
		return;
	}
	r->slot->io.offset = io.offset;
	r->slot->io.length = io.length;
	q->counters->timeouts++;
	log_err("plugin %s: queue %u tag %u: %s of %llu bytes at %llu fails: %s", q->plugin->name,
		q->qid, r->tag, op_name(r->op), (unsigned long long)io.length,
		(unsigned long long)io.offset, why);
	request_unhold(q, r);
	request_done(q, r, -EIO);
}

/* begun: whether it is with the plugin, or waits for calls that are. */
static bool is_overdue(struct ublk_queue *q, const struct request *r, bool *begun)
{
	uint32_t limit = q->dev->io_timeout;

	*begun = true;
	if (r->state != REQ_PLUGIN || q->tick - r->tick <= limit)
		return false;
	return q->dev->profile[r->op] == PROFILE_SUBMIT || workers_overdue(q, r->job, limit, begun);
}

/* Once a second, while the plugin holds anything. */
void watch_tick(struct ublk_queue *q)
{
	uint32_t limit = q->dev->io_timeout;
	char why[112];
	bool begun;

	count_add(&q->tick, 1);
	workers_tick(q);
	if (!limit || !q->held)
		return;
	for (unsigned int tag = 0; tag < q->depth; tag++) {
		if (!is_overdue(q, &q->reqs[tag], &begun))
			continue;
		snprintf(why, sizeof(why),
			 begun ? "the plugin has held it for more than %u s (--io-timeout)"
			       : "for more than %u s (--io-timeout) no call of the plugin has "
				 "returned that it waits for",
			 limit);
		request_abandon(q, &q->reqs[tag], why);
	}
}

void watch_cancel(struct ublk_queue *q)
{
	if (!q->plugin->cancel)
		return;
	for (unsigned int tag = 0; tag < q->depth; tag++) {
		struct request *r = &q->reqs[tag];

		if (r->state != REQ_PLUGIN || r->slot->state != SLOT_OWNED)
			continue;
		if (!plugin_enter(q))
			return;
		r->cancelled = true;
		q->plugin->cancel(q->qpriv, &r->slot->io);
		plugin_leave(q);
		sqes_check(q, "cancel");
	}
}

void watch_abandon(struct ublk_queue *q)
{
	for (unsigned int tag = 0; tag < q->depth; tag++)
		if (q->reqs[tag].state == REQ_PLUGIN)
			request_abandon(q, &q->reqs[tag],
					"the device stops and the plugin does not complete it");
	/* Those that wait for the plugin to take them: it never will. */
	q->stopping = true;
}
