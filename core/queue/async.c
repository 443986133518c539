// SPDX-License-Identifier: MIT
/*
 * The async profile: submit(), completions from this and other threads, and the plugin's own ring
 * operations. What a plugin says about an io is checked here before it is believed.
 */
#include "queue/sqes.h"

static void submit_later(struct ublk_queue *q, struct request *r)
{
	count_add(&q->refused, 1);
	request_retry(q, r, RETRY_SUBMIT);
}

/* Take a slot back from the plugin that refused it, or never knew what it said. */
static void submit_refused(struct ublk_queue *q, struct request *r, int res)
{
	if (res > 0 || res < -ERRNO_MAX) {
		plugin_misuse(q, "submit returned %d, which is neither 0 nor an errno", res);
		request_abandon(q, r, "whether the plugin holds it is unknown");
		return;
	}
	if (unlikely(r->slot->sqes)) {
		/* The kernel may still use the io's memory. */
		plugin_misuse(q, "submit returned %d with %u of the io's SQEs in flight", res,
			      r->slot->sqes);
		r->slot->held_res = res;
		r->slot->state = SLOT_DRAINING;
		return;
	}
	r->slot->state = SLOT_IDLE;
	request_unhold(q, r);
	if (res == -EBUSY && (!q->stopping || q->leaving)) {
		/* r->tick stays: the watchdog's patience counts from the first time. */
		if (q->dev->io_timeout && q->tick - r->tick > q->dev->io_timeout) {
			log_err("plugin %s was busy for more than %u s: %s at %llu fails",
				q->plugin->name, q->dev->io_timeout, op_name(r->op),
				(unsigned long long)r->slot->io.offset);
			request_done(q, r, -EIO);
		} else {
			submit_later(q, r);
		}
	} else if (request_may_retry(q, r, res)) {
		submit_later(q, r);
	} else {
		request_done(q, r, res);
	}
}

void submit_run(struct ublk_queue *q, struct request *r)
{
	struct io_slot *slot = r->slot;
	uint32_t first_tick = r->tick;
	bool again = r->state == REQ_HOST && r->retry == RETRY_SUBMIT;
	int res;

	slot->state = SLOT_OWNED;
	request_hold(q, r);
	if (again) {
		r->tick = first_tick;
		count_add(&q->refused, -1);
	}
	r->retry = RETRY_DISPATCH;
	if (unlikely(!plugin_enter(q))) {
		submit_refused(q, r, -EIO);
		return;
	}
	res = q->plugin->submit(q->qpriv, &slot->io);
	plugin_leave(q);
	sqes_check(q, "submit");
	if (likely(!res))
		return;
	if (r->slot != slot || slot->state != SLOT_OWNED) {
		plugin_misuse(q, "submit completed an io and then returned %d", res);
		return;
	}
	submit_refused(q, r, res);
}

/* What the application gets for a plugin's result. */
static int32_t slot_result(struct ublk_queue *q, const struct ublk_io *io, int32_t res)
{
	bool data = io->op <= UBLK_OP_WRITE;

	if (likely(res == (data ? (int32_t)io->length : 0)))
		return 0;
	if (res < 0 && res >= -ERRNO_MAX)
		return res;
	if (data && res >= 0 && (uint64_t)res < io->length)
		plugin_misuse(q, "%s of %llu bytes at %llu completed with %d: short",
			      op_name(io->op), (unsigned long long)io->length,
			      (unsigned long long)io->offset, res);
	else
		plugin_misuse(q, "%s of %llu bytes completed with %d", op_name(io->op),
			      (unsigned long long)io->length, res);
	return -EIO;
}

static void slot_ended(struct ublk_queue *q, struct io_slot *slot, int32_t res)
{
	struct request *r = &q->reqs[slot->tag];
	int32_t error = slot_result(q, &slot->io, res);

	slot->state = SLOT_IDLE;
	request_unhold(q, r);
	if (unlikely(q->ending))
		return; /* too late: what becomes of the request is the driver's, or the next server's */
	if (unlikely(error) && !r->cancelled && request_may_retry(q, r, error))
		request_retry(q, r, RETRY_DISPATCH);
	else
		request_done(q, r, error);
}

void slot_complete(struct ublk_queue *q, struct io_slot *slot, int32_t res)
{
	switch ((enum slot_state)slot->state) {
	case SLOT_OWNED:
		if (unlikely(slot->sqes)) {
			/* The kernel may still write to the io's buffer. */
			plugin_misuse(q, "an io was completed with %u of its SQEs in flight",
				      slot->sqes);
			slot->held_res = res;
			slot->state = SLOT_DRAINING;
			return;
		}
		slot_ended(q, slot, res);
		return;
	case SLOT_TAKEN:
		plugin_misuse(q, "tag %u: completed after it had been taken away", slot->tag);
		q->counters->timeouts++;
		slot->held_res = -EIO;
		slot->state = SLOT_DRAINING; /* it is the plugin's no more */
		return;
	case SLOT_ABANDONED:
		plugin_misuse(q, "tag %u: completed after it had been taken away", slot->tag);
		if (slot->buf_kept && !slot->sqes) {
			munmap(slot->buf_kept, q->dev->limits.max_io_bytes);
			slot->buf_kept = NULL;
		}
		return;
	case SLOT_IDLE:
	case SLOT_DRAINING:
		plugin_misuse(q, "tag %u: completed twice", slot->tag);
		return;
	}
}

/* An io that is no more the plugin's has no operation in flight any more. */
static void slot_drained(struct ublk_queue *q, struct io_slot *slot)
{
	if (slot->state == SLOT_DRAINING)
		slot_ended(q, slot, slot->held_res);
	else if (slot->state == SLOT_TAKEN && !q->ending)
		request_abandon(q, &q->reqs[slot->tag],
				"it was taken away, and its ring operations have ended");
}

void plugin_cqe(struct ublk_queue *q, const struct io_uring_cqe *cqe)
{
	struct plugin_op *op = op_of(q, cqe->user_data);
	struct io_slot *slot;

	if (unlikely(!op)) {
		plugin_misuse(q, "an SQE's user_data was changed after sqe_commit()");
		return;
	}
	slot = op->slot;
	if (!(cqe->flags & IORING_CQE_F_MORE))
		op_end(q, op);
	if (q->plugin->cqe && likely(q->has_plugin) && plugin_enter(q)) {
		q->plugin->cqe(q->qpriv, slot ? &slot->io : NULL, ud_cookie(cqe->user_data),
			       cqe->res, cqe->flags);
		plugin_leave(q);
		sqes_check(q, "cqe");
	}
	if (slot && unlikely(slot->state != SLOT_OWNED) && !slot->sqes)
		slot_drained(q, slot);
}

/* Completions from other threads, oldest first. */
void remotes_drain(struct ublk_queue *q)
{
	struct remote *list = atomic_exchange_explicit(&q->remotes, NULL, memory_order_acquire);
	struct remote *first = NULL;

	while (list) {
		struct remote *next = list->next;

		list->next = first;
		first = list;
		list = next;
	}
	while (first) {
		struct io_slot *slot = container_of(first, struct io_slot, remote);
		int32_t res = first->res;

		first = first->next;
		/* From here on the slot may be completed, and used, again. */
		atomic_store_explicit(&slot->remote.queued, false, memory_order_release);
		slot_complete(q, slot, res);
	}
}
