// SPDX-License-Identifier: MIT
/*
 * A request's way: from its descriptor to the profile that serves it, and back to its commit. Also
 * the retry list, for what could not be done at the moment.
 */
#include <stdarg.h>
#include <time.h>

#include "queue/internal.h"

static void misuse_log(struct ublk_queue *q, uint64_t n, const char *fmt, va_list ap)
	__printf_like(3, 0);

/* A plugin that is wrong once is wrong a million times a second. */
static void misuse_log(struct ublk_queue *q, uint64_t n, const char *fmt, va_list ap)
	__printf_like(3, 0);

static void misuse_log(struct ublk_queue *q, uint64_t n, const char *fmt, va_list ap)
{
	char text[256];

	if (n > 10 && !is_pow2(n))
		return;
	vsnprintf(text, sizeof(text), fmt, ap);
	log_err("plugin %s breaks the contract: queue %u: %s (%llu so far)", q->plugin->name,
		q->qid, text, (unsigned long long)n);
}

void plugin_misuse(struct ublk_queue *q, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	count_add(&q->counters->misuse, 1);
	misuse_log(q, q->counters->misuse, fmt, ap);
	va_end(ap);
}

void plugin_misuse_elsewhere(struct ublk_queue *q, const char *fmt, ...)
{
	uint32_t n = atomic_fetch_add_explicit(&q->misuse_elsewhere, 1, memory_order_relaxed) + 1;
	va_list ap;

	va_start(ap, fmt);
	misuse_log(q, n, fmt, ap);
	va_end(ap);
	queue_ask(q, 0);
}

void misuse_collect(struct ublk_queue *q)
{
	uint32_t n = atomic_load_explicit(&q->misuse_elsewhere, memory_order_relaxed);

	count_add(&q->counters->misuse, n - q->misuse_seen);
	q->misuse_seen = n;
}

static int driver_op(const struct ublksrv_io_desc *iod)
{
	switch (iod->op_flags & 0xff) {
	case UBLK_IO_OP_READ:
		return UBLK_OP_READ;
	case UBLK_IO_OP_WRITE:
		return UBLK_OP_WRITE;
	case UBLK_IO_OP_FLUSH:
		return UBLK_OP_FLUSH;
	case UBLK_IO_OP_DISCARD:
		return UBLK_OP_DISCARD;
	case UBLK_IO_OP_WRITE_ZEROES:
		return UBLK_OP_WRITE_ZEROES;
	default:
		return -EOPNOTSUPP;
	}
}

static inline bool op_has_data(unsigned int op)
{
	return op <= UBLK_OP_WRITE;
}

/* Read the descriptor once, and believe nothing that would lead outside the device. */
static int request_decode(struct ublk_queue *q, struct request *r)
{
	const struct ublksrv_io_desc *iod = &q->tq.descs[r->tag];
	const struct ublk_limits *limits = &q->dev->limits;
	uint64_t offset = iod->start_sector << 9;
	uint64_t length = (uint64_t)iod->nr_sectors << 9;
	int op = driver_op(iod);
	struct ublk_io *io;

	if (unlikely(op < 0)) {
		r->op = UBLK_OP_READ; /* for the counters */
		return op;
	}
	r->op = op;
	if (q->dev->profile[op] == PROFILE_SUBMIT)
		r->slot = r->pair[r->parity ^= 1];
	io = &r->slot->io;
	io->op = op;
	io->flags = io_flags(iod->op_flags);
	io->buf = NULL;
	if (op == UBLK_OP_FLUSH) {
		io->offset = io->length = 0;
		return 0;
	}
	io->offset = offset;
	io->length = length;
	/* In sectors: as bytes, a wild one may wrap to a place on the device. */
	if (unlikely(!length || iod->start_sector > q->dev_sectors ||
		     iod->nr_sectors > q->dev_sectors - iod->start_sector))
		return -EIO;
	if (op_has_data(op)) {
		if (unlikely(length > limits->max_io_bytes))
			return -EIO;
		if (unlikely(iod->op_flags & UBLK_IO_F_SHMEM_ZC) && shared_take(q, r))
			return -EIO;
		if (q->dev->profile[op] != PROFILE_MAP) /* map only looks up */
			io->buf = r->shared ? r->shared_buf : r->buf;
		if (op == UBLK_OP_WRITE)
			r->zeroed = 0;
	}
	return 0;
}

void request_dispatch(struct ublk_queue *q, struct request *r)
{
	switch ((enum profile)q->dev->profile[r->op]) {
	case PROFILE_MAP:
		map_run(q, r);
		break;
	case PROFILE_SUBMIT:
		submit_run(q, r);
		break;
	case PROFILE_CALL:
		call_run(q, r);
		break;
	case PROFILE_NONE:
		/* Only FLUSH should come here: the rest was not offered to the kernel. */
		if (r->op == UBLK_OP_FLUSH)
			sync_files(q, r);
		else
			request_done(q, r,
				     q->dev->limits.attrs & UBLK_DEV_READ_ONLY ? -EPERM
									       : -EOPNOTSUPP);
		break;
	}
}

static void request_begin(struct ublk_queue *q, struct request *r)
{
	enum profile profile = q->dev->profile[r->op];
	bool asks =
		profile != PROFILE_MAP || (q->tq.descs[r->tag].op_flags & UBLK_IO_F_NEED_REG_BUF);

	if (unlikely(asks) && profile != PROFILE_NONE && request_path(q, r)->begin &&
	    op_has_data(r->op)) {
		int res = request_path(q, r)->begin(q, r);

		if (unlikely(res)) {
			if (res < 0)
				request_done(q, r, res);
			return;
		}
	}
	request_dispatch(q, r);
}

void request_take(struct ublk_queue *q, uint16_t tag, bool needs_data)
{
	struct request *r = &q->reqs[tag];
	int res;

	if (unlikely(q->takes_no_more))
		return; /* the next server gets it */
	q->active++;
	r->state = REQ_HOST;
	memset(r->fresh, 0, sizeof(r->fresh));
	r->data_owed = r->ending = needs_data;
	r->retry = RETRY_DISPATCH;
	if (unlikely(q->timing))
		r->since = q->round_ns;
	res = request_decode(q, r);
	if (unlikely(res < 0)) {
		log_err("queue %u tag %u: the driver asked for op_flags %#x, sector %llu, %u sectors: "
			"%s",
			q->qid, tag, q->tq.descs[tag].op_flags,
			(unsigned long long)q->tq.descs[tag].start_sector,
			q->tq.descs[tag].nr_sectors, strerror(-res));
		r->zeroed = 0; /* the driver may have copied data to the buffer all the same */
		request_done(q, r, res);
		return;
	}
	request_begin(q, r);
}

/* What the data path does at the end. False: the commit has to wait. */
static bool request_ended(struct ublk_queue *q, struct request *r)
{
	int res = request_path(q, r)->end(q, r);

	if (res == -EBUSY)
		request_retry(q, r, RETRY_COMMIT);
	if (res > 0 || res == -EBUSY)
		return false;
	if (res < 0) {
		q->counters->errors[r->op]++;
		r->result = res;
	}
	return true;
}

void request_commit(struct ublk_queue *q, struct request *r)
{
	if (unlikely(r->ending) && !request_ended(q, r))
		return;
	if (unlikely(!transport_commit(&q->tq, r->tag, r->result, &r->addr))) {
		request_retry(q, r, RETRY_COMMIT);
		return;
	}
	q->active--;
	if (unlikely(q->no_more)) {
		r->state = REQ_GONE;
		q->gone++;
	} else {
		r->state = REQ_KERNEL;
	}
}

/* REGISTER_IO_BUF by hand has ended. */
void request_registered(struct ublk_queue *q, struct request *r, int32_t res)
{
	r->buf_asked = false;
	r->buf_registered = !res;
	if (r->listed)
		return; /* the retry list goes on with it */
	if (r->retry_bits) {
		if (likely(!res))
			map_retry(q, r);
		else
			map_retry_failed(q, r, res);
	} else if (likely(!res)) {
		request_dispatch(q, r);
	} else if (request_may_retry(q, r, res)) {
		request_retry(q, r, RETRY_BEGIN);
	} else {
		request_done(q, r, res);
	}
}

/* NEED_GET_DATA has ended. */
void request_has_data(struct ublk_queue *q, struct request *r)
{
	/* Less than all was copied: our own memory could not be written to. */
	uint64_t copied = (uint64_t)q->tq.descs[r->tag].nr_sectors << 9;
	bool partial = copied != r->slot->io.length;

	r->data_asked = r->data_owed = false;
	switch ((enum data_then)r->data_then) {
	case THEN_MOVED:
		map_moved(q, r, 0, partial ? -EFAULT : (int32_t)r->slot->io.length);
		break;
	case THEN_MOVE:
		if (r->listed)
			return; /* the retry list goes on with it */
		if (unlikely(partial))
			map_retry_failed(q, r, -EFAULT);
		else
			map_retry(q, r);
		break;
	case THEN_COMMIT:
		request_commit(q, r);
		break;
	}
}

/* error: 0, or the negative errno that the application gets. */
void request_done(struct ublk_queue *q, struct request *r, int32_t error)
{
	const struct ublk_io *io = &r->slot->io;

	q->counters->ops[r->op]++;
	if (likely(!error)) {
		q->counters->bytes[r->op] += io->length;
		/* Rule 14: a positive result ends a WRITE as a whole, so it is the whole. */
		r->result = op_has_data(r->op) ? (int32_t)io->length : 0;
	} else {
		q->counters->errors[r->op]++;
		/* Rule 14: EAGAIN would reach the application as if it had asked not to wait. */
		r->result = error == -EAGAIN || error == -EBUSY ? -EIO : error;
	}
	if (unlikely(r->since))
		latency_request_done(q, r);
	request_commit(q, r);
}

void request_fetch(struct ublk_queue *q, struct request *r)
{
	if (unlikely(q->tq.transport->ops->fetch(&q->tq, r->tag, &r->addr)))
		request_retry(q, r, RETRY_FETCH);
}

/* Never 0. The only clock that requests read, and only those that fail. */
static uint32_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec * 1000 + now.tv_nsec / 1000000) | 1;
}

/* Whether a passing error is worth another try; says so when it no longer is. Patience is time, not
 * a number of tries: a busy queue goes round thousands of times in a millisecond. */
bool request_may_retry(struct ublk_queue *q, struct request *r, int32_t error)
{
	uint32_t now;

	if (!errno_is_passing(error))
		return false;
	now = clock_ms();
	if (!r->retry_since)
		r->retry_since = now;
	if (now - r->retry_since <= RETRY_MS)
		return true;
	log_err("queue %u tag %u: %s of %llu bytes at %llu kept failing for %u ms: %s", q->qid,
		r->tag, op_name(r->op), (unsigned long long)r->slot->io.length,
		(unsigned long long)r->slot->io.offset, RETRY_MS, strerror(-error));
	return false;
}

/* Try again in a millisecond or so. */
void request_retry(struct ublk_queue *q, struct request *r, enum retry_what what)
{
	q->counters->retries++;
	r->retry = what;
	r->listed = true;
	r->next = NULL;
	*q->retry_last = r;
	q->retry_last = &r->next;
}

/* Each request that is on the list now gets one try; those that fail again queue up anew. */
void retry_all(struct ublk_queue *q)
{
	struct request *r = q->retry_first, *next;

	q->retry_first = NULL;
	q->retry_last = &q->retry_first;
	for (; r; r = next) {
		next = r->next;
		r->listed = false;
		switch ((enum retry_what)r->retry) {
		case RETRY_BEGIN:
			request_begin(q, r);
			break;
		case RETRY_DISPATCH:
			request_dispatch(q, r);
			break;
		case RETRY_SUBMIT:
			submit_run(q, r);
			break;
		case RETRY_MOVE:
			map_retry(q, r);
			break;
		case RETRY_SYNC:
			r->pending--; /* the count that sync_files() kept */
			sync_files(q, r);
			break;
		case RETRY_COMMIT:
			request_commit(q, r);
			break;
		case RETRY_FETCH:
			request_fetch(q, r);
			break;
		}
	}
}
