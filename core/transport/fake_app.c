// SPDX-License-Identifier: MIT
/*
 * Requests made up in-process, the application's side: requests are posted to the queue's ring by
 * IORING_OP_MSG_RING from a ring of the fake's own, as the driver posts completions of its commands.
 */
#include <string.h>
#include <time.h>

#include "transport/fake_internal.h"
#include "ublk-plugin.h"

#define SECTOR 512u

#if defined(__SANITIZE_THREAD__)
/* io_uring orders memory, but the sanitizer does not see it: whoever waits on the ring acquires. */
void __tsan_release(void *addr);
#define ring_release(ring) __tsan_release(ring)
#else
#define ring_release(ring) ((void)(ring))
#endif

struct fake_request fake_request_of(unsigned int op, unsigned int flags, uint64_t offset,
				    uint64_t length, const void *data)
{
	static const uint32_t driver_ops[] = { [UBLK_OP_READ] = UBLK_IO_OP_READ,
					       [UBLK_OP_WRITE] = UBLK_IO_OP_WRITE,
					       [UBLK_OP_FLUSH] = UBLK_IO_OP_FLUSH,
					       [UBLK_OP_DISCARD] = UBLK_IO_OP_DISCARD,
					       [UBLK_OP_WRITE_ZEROES] = UBLK_IO_OP_WRITE_ZEROES };

	return (struct fake_request){
		.tag = FAKE_ANY_TAG,
		.op_flags = driver_ops[op] | (flags & UBLK_IOF_FUA ? UBLK_IO_F_FUA : 0) |
			    (flags & UBLK_IOF_NOUNMAP ? UBLK_IO_F_NOUNMAP : 0),
		.nr_sectors = (uint32_t)(length / SECTOR),
		.start_sector = offset / SECTOR,
		.data = data,
	};
}

static void message(struct fake_queue *fq, struct transport_queue *to, uint64_t ud, int32_t res,
		    uint16_t tag)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&fq->fake->injector);

	ring_release(to->ring);
	io_uring_prep_msg_ring(sqe, to->ring->ring_fd, (unsigned int)res, ud, 0);
	sqe->user_data = tag;
}

/* One completion for all of them. The number of completions. */
static unsigned int message_batch(struct fake_queue *fq, const uint16_t *tags, unsigned int n,
				  int32_t res)
{
	unsigned int in = atomic_load(&fq->arrived_in);

	fq->batch_ended = res < 0;
	for (unsigned int i = 0; i < n && res >= 0; i++)
		fq->arrived[in++ % fq->fake->config.depth] = tags[i];
	atomic_store(&fq->arrived_in, in);
	message(fq, fq->tq, ud_make(UD_TAGS, 0, 0), res, tags[0]);
	return 1;
}

/* n completions, inject_lock held. Failures are violations: the request is lost. */
void fake_inject(struct fake_queue *fq, const uint16_t *tags, unsigned int n, int32_t res)
{
	struct io_uring *ring = &fq->fake->injector;
	struct io_uring_cqe *cqe;

	if (fake_has(fq->fake, UBLK_F_BATCH_IO))
		n = message_batch(fq, tags, n, res);
	else
		for (unsigned int i = 0; i < n; i++)
			message(fq, fq->tags[tags[i]].tq, ud_make(UD_TAG, tags[i], 0),
				fq->tags[tags[i]].data_owed && res >= 0 ? UBLK_IO_RES_NEED_GET_DATA
									: res,
				tags[i]);
	while (io_uring_submit_and_wait(ring, n) == -EINTR)
		;
	for (unsigned int i = 0; i < n; i++) {
		while (io_uring_wait_cqe(ring, &cqe))
			;
		if (cqe->res < 0)
			fake_violation(fq, "tag %u: posting to the queue's ring: %s",
				       (unsigned int)cqe->user_data, strerror(-cqe->res));
		io_uring_cqe_seen(ring, cqe);
	}
}

/* The tag is idle and the device stops: whoever sees both ends it, once. */
void fake_end_if_stopping(struct fake_queue *fq, uint16_t tag)
{
	unsigned int idle = TAG_IDLE;

	if (!atomic_load(&fq->fake->stopping) ||
	    !atomic_compare_exchange_strong(&fq->tags[tag].state, &idle, TAG_ENDED))
		return;
	if (fake_has(fq->fake, UBLK_F_BATCH_IO))
		return; /* one completion ends all, and tags that are committed later end silently */
	pthread_mutex_lock(&fq->fake->inject_lock);
	if (fq->tags[tag].tq)
		fake_inject(fq, &tag, 1, UBLK_IO_RES_ABORT);
	pthread_mutex_unlock(&fq->fake->inject_lock);
}

static void abort_batch(struct fake_queue *fq)
{
	uint16_t none = 0;

	pthread_mutex_lock(&fq->fake->inject_lock);
	for (uint16_t tag = 0; tag < fq->fake->config.depth; tag++)
		fake_end_if_stopping(fq, tag);
	if (fq->tq && !fq->batch_ended)
		fake_inject(fq, &none, 1, UBLK_IO_RES_ABORT);
	pthread_mutex_unlock(&fq->fake->inject_lock);
}

/* A tag that is free and fetched, now busy; -errno. */
static int tag_claim(struct fake_queue *fq, int wanted)
{
	unsigned int first = wanted == FAKE_ANY_TAG ? 0 : (unsigned int)wanted;
	unsigned int last = wanted == FAKE_ANY_TAG ? fq->fake->config.depth - 1u : first;
	int err = -EBUSY;

	for (unsigned int tag = first; tag <= last; tag++) {
		struct fake_tag *ft = &fq->tags[tag];
		unsigned int idle = TAG_IDLE;
		bool claimed = atomic_exchange(&ft->claimed, true);

		if (claimed)
			continue;
		if (atomic_compare_exchange_strong(&ft->state, &idle, TAG_BUSY))
			return (int)tag;
		if (idle == TAG_ENDED)
			err = -ENODEV;
		atomic_store(&ft->claimed, false);
	}
	return err;
}

/* As the driver does before it posts the completion. */
static void tag_fill(struct fake_queue *fq, uint16_t tag, const struct fake_request *req)
{
	struct fake_tag *ft = &fq->tags[tag];
	bool need_get_data = fake_has(fq->fake, UBLK_F_NEED_GET_DATA);
	bool shared = req->op_flags & UBLK_IO_F_SHMEM_ZC;
	bool copy = fake_copies(fq->fake) && !need_get_data && !shared;
	void *to = copy ? (void *)(uintptr_t)ft->addr : ft->pages;

	atomic_store(&ft->done, false);
	ft->op = req->op_flags & 0xff;
	ft->length = (uint64_t)req->nr_sectors * SECTOR;
	ft->bytes = min_of(ft->length, (uint64_t)fq->fake->config.max_io);
	if (ft->op == UBLK_IO_OP_WRITE && to && req->data)
		memcpy(to, req->data, ft->bytes);
	else if (ft->op == UBLK_IO_OP_WRITE && to)
		memset(to, 0, ft->bytes);
	ft->shared = shared;
	ft->data_owed = need_get_data && ft->op == UBLK_IO_OP_WRITE;
	if (ft->op == UBLK_IO_OP_READ)
		memset(ft->pages, fq->fake->poison, ft->bytes);
	fq->descs[tag] = (struct ublksrv_io_desc){
		.op_flags = req->op_flags | (ft->fallback ? UBLK_IO_F_NEED_REG_BUF : 0),
		.nr_sectors = req->nr_sectors,
		.start_sector = req->start_sector,
		.addr = shared ? req->shared : ft->addr,
	};
}

int fake_submit_many(struct fake *f, uint16_t qid, struct fake_request *reqs, unsigned int n)
{
	struct fake_queue *fq = &f->queues[qid];
	uint16_t tags[FAKE_INJECTOR_ENTRIES];
	unsigned int claimed;
	int res = -EBUSY;

	pthread_mutex_lock(&f->inject_lock);
	n = fq->nr_open ? min_of(n, FAKE_INJECTOR_ENTRIES) : 0;
	if (!n)
		res = -ENODEV;
	for (claimed = 0; claimed < n; claimed++) {
		res = tag_claim(fq, reqs[claimed].tag);
		if (res < 0)
			break;
		reqs[claimed].tag = res;
		tags[claimed] = res;
		tag_fill(fq, tags[claimed], &reqs[claimed]);
	}
	if (claimed)
		fake_inject(fq, tags, claimed, UBLK_IO_RES_OK);
	pthread_mutex_unlock(&f->inject_lock);
	return claimed ? (int)claimed : res;
}

int fake_submit(struct fake *f, uint16_t qid, const struct fake_request *req)
{
	struct fake_request one = *req;
	int res = fake_submit_many(f, qid, &one, 1);

	return res < 0 ? res : one.tag;
}

bool fake_is_done(const struct fake *f, uint16_t qid, uint16_t tag)
{
	return atomic_load(&f->queues[qid].tags[tag].done);
}

/* False: not within timeout_ms. */
static bool sleep_until_done(struct fake *f, const struct fake_tag *ft, unsigned int timeout_ms)
{
	struct timespec until;
	bool done;
	int err = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += timeout_ms % 1000 * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000L;
	}
	pthread_mutex_lock(&f->wait_lock);
	atomic_fetch_add(&f->waiters, 1);
	while (!(done = atomic_load(&ft->done)) && err != ETIMEDOUT)
		err = pthread_cond_timedwait(&f->done, &f->wait_lock, &until);
	atomic_fetch_sub(&f->waiters, 1);
	pthread_mutex_unlock(&f->wait_lock);
	return done;
}

int fake_wait(struct fake *f, uint16_t qid, uint16_t tag, unsigned int timeout_ms, int32_t *res,
	      void *data)
{
	struct fake_tag *ft = &f->queues[qid].tags[tag];

	if (!atomic_load(&ft->done) && !sleep_until_done(f, ft, timeout_ms))
		return -ETIMEDOUT;
	*res = ft->result;
	if (data && ft->op == UBLK_IO_OP_READ)
		memcpy(data, ft->pages, ft->bytes);
	atomic_store(&ft->done, false);
	atomic_store(&ft->claimed, false);
	return 0;
}

void fake_abort_all(struct fake *f)
{
	atomic_store(&f->stopping, true);
	for (uint16_t qid = 0; qid < f->config.nr_queues; qid++)
		if (fake_has(f, UBLK_F_BATCH_IO))
			abort_batch(&f->queues[qid]);
		else
			for (uint16_t tag = 0; tag < f->config.depth; tag++)
				fake_end_if_stopping(&f->queues[qid], tag);
}

void fake_need_register(struct fake *f, uint16_t qid, uint16_t tag)
{
	f->queues[qid].tags[tag].fallback = true;
}

struct transport *fake_transport(struct fake *f)
{
	return &f->transport;
}

unsigned int fake_violations(const struct fake *f)
{
	return atomic_load(&f->violations);
}

const char *fake_first_violation(const struct fake *f)
{
	return f->first_violation;
}

unsigned int fake_registrations(const struct fake *f)
{
	return atomic_load(&f->registrations);
}

/* Rings of the kind that queues use must take messages: newer than the oldest kernels with ublk. */
int fake_injector_open(struct fake *f)
{
	struct io_uring_params p = { .flags = IORING_SETUP_SINGLE_ISSUER |
					      IORING_SETUP_DEFER_TASKRUN };
	struct io_uring_cqe *cqe;
	struct io_uring target;
	int err = io_uring_queue_init(FAKE_INJECTOR_ENTRIES, &f->injector, 0);

	if (err)
		return err;
	if (io_uring_queue_init_params(4, &target, &p))
		return 0; /* then the queues' rings are plain ones */
	io_uring_prep_msg_ring(io_uring_get_sqe(&f->injector), target.ring_fd, 0, 1, 0);
	err = io_uring_submit_and_wait(&f->injector, 1);
	if (err == 1 && !io_uring_wait_cqe(&f->injector, &cqe)) {
		err = cqe->res < 0 ? -EOPNOTSUPP : 0;
		io_uring_cqe_seen(&f->injector, cqe);
	}
	io_uring_queue_exit(&target);
	if (err)
		io_uring_queue_exit(&f->injector);
	return err;
}

void fake_set_poison(struct fake *f, unsigned char poison)
{
	f->poison = poison;
}
