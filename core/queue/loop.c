// SPDX-License-Identifier: MIT
/*
 * The queue's thread: one io_uring_enter a round, every completion of it, and what other threads
 * asked for. Nothing here allocates, locks, or reads a clock per request.
 */
#include "queue/sqes.h"

static void wake_arm(struct ublk_queue *q)
{
	struct io_uring_sqe *sqe = ring_sqe(&q->ring);

	q->wake_armed = sqe;
	if (unlikely(!sqe))
		return; /* the next round tries again, after at most a millisecond */
	io_uring_prep_read(sqe, q->wake_fd, &q->wake_count, sizeof(q->wake_count), 0);
	sqe->user_data = ud_make(UD_WAKE, 0, 0);
}

static void tag_lost(struct ublk_queue *q, uint16_t tag, int32_t res)
{
	log_err("queue %u tag %u: the driver refused a fetch or commit: %s", q->qid, tag,
		strerror(-res));
	q->dev->failed(q->dev, res, "a queue lost a request slot");
}

static void tag_gone(struct ublk_queue *q, uint16_t tag)
{
	if (q->reqs[tag].state == REQ_GONE)
		return;
	q->reqs[tag].state = REQ_GONE;
	q->gone++;
}

/* NEED_GET_DATA has an answer. False: the request was taken back, and the tag is as if it had just
 * been fetched. */
static bool data_cqe(struct ublk_queue *q, struct request *r, int32_t res)
{
	if (likely(res == UBLK_IO_RES_OK)) {
		request_has_data(q, r);
		return true;
	}
	r->data_asked = r->data_owed = false;
	r->state = REQ_KERNEL;
	q->active--;
	return false;
}

/* Rule 16: OK and NEED_GET_DATA are requests, ABORT is the tag's end, the rest would be a bug of ours
 * or the driver's. */
static void tag_cqe(struct ublk_queue *q, uint16_t tag, int32_t res)
{
	struct request *r = &q->reqs[tag];

	if (unlikely(r->data_asked) && data_cqe(q, r, res))
		return;
	if (likely(res == UBLK_IO_RES_OK || res == UBLK_IO_RES_NEED_GET_DATA)) {
		request_take(q, tag, res == UBLK_IO_RES_NEED_GET_DATA);
		return;
	}
	tag_gone(q, tag);
	if (res == UBLK_IO_RES_ABORT || res == -ECANCELED)
		q->stopping = true;
	else
		tag_lost(q, tag, res);
}

/* Batch commands: some tags have requests, or none will ever again. */
static void tags_cqe(struct ublk_queue *q, const struct io_uring_cqe *cqe)
{
	const struct transport_ops *ops = q->tq.transport->ops;
	const uint16_t *tags;
	int n = ops->tags(&q->tq, cqe, &tags);

	if (likely(n > 0))
		requests_arrived(q, tags, n);
	ops->tags_done(&q->tq, cqe);
	if (likely(n >= 0))
		return;
	q->no_more = q->stopping = true;
	fast_update(q);
	for (uint16_t tag = 0; tag < q->depth; tag++)
		if (q->reqs[tag].state == REQ_KERNEL)
			tag_gone(q, tag);
	if (n != UBLK_IO_RES_ABORT) {
		log_err("queue %u: the driver refused to fetch requests: %s", q->qid, strerror(-n));
		q->dev->failed(q->dev, n, "a queue gets no requests");
	}
}

static void batch_cqe(struct ublk_queue *q, const struct io_uring_cqe *cqe)
{
	uint16_t tag;
	int err = q->tq.transport->ops->batch_done(&q->tq, cqe, &tag);

	if (likely(!err))
		return;
	tag_gone(q, tag);
	if (!q->stopping)
		tag_lost(q, tag, err);
}

void cqe_handle(struct ublk_queue *q, const struct io_uring_cqe *cqe)
{
	struct request *r = &q->reqs[min_of(ud_index(cqe->user_data), q->depth - 1u)];

	switch (ud_kind(cqe->user_data)) {
	case UD_TAG:
		tag_cqe(q, r->tag, cqe->res);
		break;
	case UD_TAGS:
		tags_cqe(q, cqe);
		break;
	case UD_BATCH:
		batch_cqe(q, cqe);
		break;
	case UD_MOVE:
		map_moved(q, r, ud_cookie(cqe->user_data), cqe->res);
		break;
	case UD_RANGE:
		range_cqe(q, r, ud_cookie(cqe->user_data), cqe->res);
		break;
	case UD_SYNC:
		sync_done(q, r, cqe->res);
		break;
	case UD_BUFFER:
		request_registered(q, r, cqe->res);
		break;
	case UD_PLUGIN:
		plugin_cqe(q, cqe);
		break;
	case UD_UNCOMMITTED:
		q->sqes_used--;
		break;
	case UD_WAKE:
		wake_arm(q);
		break;
	case UD_CANCEL:
		break; /* what was cancelled says so itself */
	case UD_QUIET:
		if (cqe->res < 0)
			log_err("queue %u tag %u: unregistering a buffer: %s", q->qid, r->tag,
				strerror(-cqe->res));
		break;
	}
}

static void handle_asked(struct ublk_queue *q)
{
	unsigned int asked = atomic_exchange_explicit(&q->asked, 0, memory_order_acquire);

	if ((asked & QUEUE_ASK_EVENT) && q->plugin->event && plugin_enter(q)) {
		q->plugin->event(q->qpriv);
		plugin_leave(q);
		sqes_check(q, "event");
	}
	if (asked & QUEUE_ASK_TICK)
		watch_tick(q);
	if (asked & QUEUE_ASK_CANCEL)
		watch_cancel(q);
	if (asked & QUEUE_ASK_ABANDON)
		watch_abandon(q);
	if (asked & QUEUE_ASK_SIZE)
		size_update(q);
	if (asked & QUEUE_ASK_QUIT)
		q->quit = true;
	if (asked & (QUEUE_ASK_LEAVE | QUEUE_ASK_FINISH)) {
		q->leaving = true;
		q->takes_no_more = asked & QUEUE_ASK_LEAVE;
		fast_update(q);
	}
}

/* Submit and wait: for ever, or for a millisecond when something is to be tried again. */
static int ring_wait(struct ublk_queue *q)
{
	struct __kernel_timespec ms = { .tv_nsec = 1000000 };
	unsigned int n = 1, at_once = 0;
	struct io_uring_cqe *cqe;
	int res;

	if (q->tq.transport->ops->flush)
		at_once = q->tq.transport->ops->flush(&q->tq);
	if (unlikely(q->poll_us) && ring_poll(q))
		return 0;
	if (likely(!q->stopping)) /* then there may be nothing else to come */
		n += at_once;
	q->counters->loops++;
	q->counters->enters++;
	if (likely(!q->retry_first && q->wake_armed))
		res = io_uring_submit_and_wait(&q->ring, n);
	else
		res = io_uring_submit_and_wait_timeout(&q->ring, &cqe, n, &ms, NULL);
	if (unlikely(q->poll_since))
		poll_slept(q);
	return res;
}

static void queue_round(struct ublk_queue *q)
{
	int res = ring_wait(q);
	uint32_t latency = __atomic_load_n(q->latency, __ATOMIC_RELAXED);

	if (unlikely(res < 0 && !errno_is_passing(res) && res != -ETIME)) {
		log_err("queue %u: waiting on the ring: %s", q->qid, strerror(-res));
		q->dev->failed(q->dev, res, "a queue's ring is broken");
		q->quit = q->broken = true;
		return;
	}
	if (unlikely(stats_latency_on(latency)))
		latency_begin(q, latency);
	io_uring_cq_advance(&q->ring, cqes_handle(q));
	if (unlikely(atomic_load_explicit(&q->jobs_done, memory_order_relaxed)))
		jobs_drain(q);
	if (unlikely(atomic_load_explicit(&q->remotes, memory_order_relaxed)))
		remotes_drain(q);
	if (unlikely(atomic_load_explicit(&q->asked, memory_order_relaxed)))
		handle_asked(q);
	if (unlikely(atomic_load_explicit(&q->misuse_elsewhere, memory_order_relaxed) !=
		     q->misuse_seen))
		misuse_collect(q);
	if (unlikely(q->retry_first))
		retry_all(q);
	if (unlikely(!q->wake_armed))
		wake_arm(q);
	if (q->plugin->batch_end && plugin_enter(q)) {
		q->plugin->batch_end(q->qpriv);
		plugin_leave(q);
		sqes_check(q, "batch_end");
	}
	if (unlikely(stats_latency_on(latency)))
		latency_end(q);
}

/* Nothing that has begun is left, and the driver has the results. */
static bool may_leave(struct ublk_queue *q)
{
	if (likely(!q->leaving) || q->active || q->retry_first)
		return false;
	if (q->tq.transport->ops->flush)
		q->tq.transport->ops->flush(&q->tq);
	io_uring_submit_and_get_events(&q->ring);
	return !q->tq.uncommitted && (q->takes_no_more || !io_uring_cq_ready(&q->ring));
}

/* Every tag has come back from the driver for good. */
static bool all_gone(const struct ublk_queue *q)
{
	return q->gone == q->nr_own && !q->active && !q->tq.uncommitted;
}

static void queue_report(struct ublk_queue *q, int res)
{
	q->start_res = res;
	sem_post(&q->ready);
}

/* False: nothing comes of the device. */
static bool wait_for_go(struct ublk_queue *q)
{
	unsigned int asked = 0;
	uint64_t count;

	while (!(asked & (QUEUE_ASK_GO | QUEUE_ASK_QUIT)) &&
	       (read(q->wake_fd, &count, sizeof(count)) > 0 || errno == EINTR))
		asked = atomic_exchange_explicit(&q->asked, 0, memory_order_acquire);
	if (!asked)
		log_err("queue %u: waiting for its device: %m", q->qid);
	return asked == QUEUE_ASK_GO;
}

/* Everything up to the first wait for a request. */
static int queue_begin(struct ublk_queue *q)
{
	int res = queue_prepare(q);

	if (!res && q->dev->queues_wait) {
		queue_report(q, 0);
		if (!wait_for_go(q))
			return -ECANCELED;
	}
	if (!res)
		res = queue_attach(q);
	if (res)
		return res;
	wake_arm(q);
	for (uint32_t tag = 0; tag < q->depth; tag++)
		if (queue_owns(q, tag))
			request_fetch(q, &q->reqs[tag]);
	res = io_uring_submit(&q->ring);
	if (res < 0)
		log_err("queue %u: fetching its tags: %s", q->qid, strerror(-res));
	return min_of(res, 0);
}

void *queue_thread(void *arg)
{
	struct ublk_queue *q = arg;
	uint64_t one = 1;
	char name[16];
	int res;

	/* By itself: a name for another thread is written to /proc, which Landlock has read-only. */
	snprintf(name, sizeof(name), "ublk-q%u", q->qid);
	pthread_setname_np(pthread_self(), name);
	res = queue_begin(q);
	if (q->dev->fetched)
		q->dev->fetched(q->dev);
	queue_report(q, res);
	while (!res && !q->quit && !all_gone(q) && !may_leave(q))
		queue_round(q);
	ops_end_all(q);
	queue_teardown(q);
	atomic_store_explicit(&q->ended, true, memory_order_release);
	if (write(q->dev->notify_fd, &one, sizeof(one)) < 0)
		log_err("queue %u: telling its end: %m", q->qid);
	return NULL;
}
