// SPDX-License-Identifier: MIT
/*
 * bad: a store in memory that breaks one rule of the contract with every N-th request, for tests on
 * real devices. The host must notice, fail at most that request, and go on serving.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "ublk-plugin.h"

enum { OPT_SIZE, OPT_HOW, OPT_EVERY };

/* As in the choices. */
enum {
	HOW_GOOD,	 /* not at all */
	HOW_DOUBLE,	 /* completes twice, inside submit */
	HOW_DOUBLE_LATE, /* again when the next request comes */
	HOW_DOUBLE_REMOTE,
	HOW_NEVER, /* forgets the io */
	HOW_LATE,  /* completes it after LATE_SECONDS, long after the host has taken it away */
	HOW_SHORT,
	HOW_LONG,
	HOW_BADERR,	 /* a result that is no errno */
	HOW_POSITIVE,	 /* submit returns 7 */
	HOW_FOREIGN,	 /* completes an io of its own making */
	HOW_THREAD,	 /* complete() on another thread */
	HOW_REFUSE,	 /* submit completes the io and then refuses it */
	HOW_BUSY,	 /* says -EBUSY 100 times in a row */
	HOW_AGAIN,	 /* completes with -EAGAIN */
	HOW_UNCOMMITTED, /* takes SQEs and does not give them back */
	HOW_BADMAP,	 /* DISCARD goes by map: 99 extents */
	HOW_STUCK_CALL	 /* WRITE_ZEROES goes by call: it returns after LATE_SECONDS */
};

static const struct ublk_opt_spec bad_opts[] = {
	[OPT_SIZE] = { .name = "size",
		       .help = "size of the device",
		       .def = "64M",
		       .min = 4096,
		       .type = UBLK_OPT_SIZE },
	[OPT_HOW] = { .name = "how",
		      .help = "what it does wrong",
		      .def = "good",
		      .choices =
			      "good|double|double-late|double-remote|never|late|short|long|baderr|"
			      "positive|foreign|thread|refuse|busy|again|uncommitted|badmap|"
			      "stuck-call",
		      .type = UBLK_OPT_ENUM },
	[OPT_EVERY] = { .name = "every",
			.help = "with each so many-th request",
			.def = "1000",
			.min = 1,
			.type = UBLK_OPT_U64 },
};

struct bad {
	char *store;
	uint64_t size;
	uint64_t how, every;
	atomic_ulong n; /* requests so far, of all queues */
	pthread_mutex_t lock;
	pthread_cond_t more;
	pthread_t helper;
	int stop, has_helper;
	struct errand *errands; /* of the helper thread; under lock */
	struct bad_queue *queues;
};

struct bad_queue {
	struct bad_queue *next; /* of the device; freed with it, for late errands */
	struct bad *bad;
	struct ublk_queue *q; /* under lock: NULL once the queue has ended */
	struct ublk_io *last; /* HOW_DOUBLE_LATE */
	unsigned int busy;
};

/* What the helper thread is to do. */
struct errand {
	struct errand *next;
	struct bad_queue *bq;
	struct ublk_io *io;
	int32_t res;
};

#define LATE_SECONDS 8

static const struct ublk_host *host; /* set once by load() */

static int bad_load(const struct ublk_host *services)
{
	host = services;
	return 0;
}

static int32_t serve(const struct bad *bad, const struct ublk_io *io)
{
	char *at = bad->store + io->offset;

	switch (io->op) {
	case UBLK_OP_READ:
		memcpy(io->buf, at, io->length);
		return (int32_t)io->length;
	case UBLK_OP_WRITE:
		memcpy(at, io->buf, io->length);
		return (int32_t)io->length;
	default:
		return 0;
	}
}

static int turn(struct bad *bad)
{
	return bad->how != HOW_GOOD && (atomic_fetch_add(&bad->n, 1) + 1) % bad->every == 0;
}

/* Does one errand after the other; what is late is late for all that wait behind it. */
static void *helper(void *arg)
{
	struct bad *bad = arg;

	pthread_mutex_lock(&bad->lock);
	for (;;) {
		struct errand *errand = bad->errands;

		if (bad->stop)
			break;
		if (!errand) {
			pthread_cond_wait(&bad->more, &bad->lock);
			continue;
		}
		bad->errands = errand->next;
		if (bad->how == HOW_LATE) {
			struct timespec until;

			clock_gettime(CLOCK_REALTIME, &until);
			until.tv_sec += LATE_SECONDS;
			while (!bad->stop &&
			       pthread_cond_timedwait(&bad->more, &bad->lock, &until) != ETIMEDOUT)
				;
		}
		/* Even a late completion must find a queue: the lock keeps it from ending. */
		if (errand->bq->q && bad->how == HOW_THREAD)
			host->complete(errand->bq->q, errand->io, errand->res);
		else if (errand->bq->q)
			host->complete_remote(errand->bq->q, errand->io, errand->res);
		if (errand->bq->q && bad->how == HOW_DOUBLE_REMOTE)
			host->complete_remote(errand->bq->q, errand->io, errand->res);
		free(errand);
	}
	pthread_mutex_unlock(&bad->lock);
	return NULL;
}

static void send_errand(struct bad_queue *bq, struct ublk_io *io, int32_t res)
{
	struct errand *errand = malloc(sizeof(*errand));
	struct bad *bad = bq->bad;

	if (!errand) {
		host->complete(bq->q, io, -ENOMEM);
		return;
	}
	*errand = (struct errand){ .bq = bq, .io = io, .res = res };
	pthread_mutex_lock(&bad->lock);
	errand->next = bad->errands;
	bad->errands = errand;
	pthread_cond_signal(&bad->more);
	pthread_mutex_unlock(&bad->lock);
}

/* This request's wrong. */
static int misbehave(struct bad_queue *bq, struct ublk_io *io)
{
	struct io_uring_sqe *sqes[2];
	struct ublk_io mine = *io;
	int32_t res = serve(bq->bad, io);

	switch (bq->bad->how) {
	case HOW_DOUBLE:
		host->complete(bq->q, io, res);
		host->complete(bq->q, io, res);
		return 0;
	case HOW_DOUBLE_REMOTE:
	case HOW_LATE:
	case HOW_THREAD:
		send_errand(bq, io, res);
		return 0;
	case HOW_NEVER:
		return 0;
	case HOW_SHORT:
		res = io->op <= UBLK_OP_WRITE ? res / 2 : res;
		break;
	case HOW_LONG:
		res += 512;
		break;
	case HOW_BADERR:
		res = -123456;
		break;
	case HOW_POSITIVE:
		return 7;
	case HOW_FOREIGN:
		host->complete(bq->q, &mine, res);
		break;
	case HOW_REFUSE:
		host->complete(bq->q, io, res);
		return -EIO;
	case HOW_BUSY:
		bq->busy = 100;
		return -EBUSY;
	case HOW_AGAIN:
		res = -EAGAIN;
		break;
	case HOW_UNCOMMITTED:
		if (host->sqe_get(bq->q, 2, sqes))
			return -EBUSY;
		break;
	default:
		break;
	}
	host->complete(bq->q, io, res);
	return 0;
}

static int bad_submit(void *qpriv, struct ublk_io *io)
{
	struct bad_queue *bq = qpriv;

	if (bq->busy) {
		bq->busy--;
		return -EBUSY;
	}
	if (turn(bq->bad)) {
		if (bq->bad->how != HOW_DOUBLE_LATE)
			return misbehave(bq, io);
		if (bq->last && bq->last != io)
			host->complete(bq->q, bq->last, 0);
	}
	bq->last = io;
	host->complete(bq->q, io, serve(bq->bad, io));
	return 0;
}

static int bad_map(void *qpriv, const struct ublk_io *io, struct ublk_extent *out, uint32_t max)
{
	struct bad *bad = ((struct bad_queue *)qpriv)->bad;

	(void)max;
	out->length = io->length;
	out->kind = UBLK_EXT_MEM;
	out->at.addr = bad->store + io->offset;
	return bad->how == HOW_BADMAP && turn(bad) ? 99 : 1;
}

static int bad_write_zeroes(void *priv, uint64_t length, uint64_t offset, uint32_t flags)
{
	struct timespec late = { .tv_sec = LATE_SECONDS };
	struct bad *bad = priv;

	(void)flags;
	if (bad->how == HOW_STUCK_CALL && turn(bad))
		nanosleep(&late, NULL);
	memset(bad->store + offset, 0, length);
	return bad->how == HOW_POSITIVE && turn(bad) ? 7 : 0;
}

static void free_bad(struct bad *bad)
{
	while (bad->queues) {
		struct bad_queue *bq = bad->queues;

		bad->queues = bq->next;
		free(bq);
	}
	if (bad->store)
		munmap(bad->store, bad->size);
	pthread_cond_destroy(&bad->more);
	pthread_mutex_destroy(&bad->lock);
	free(bad);
}

static int bad_open(struct ublk_dev *dev, const struct ublk_open_args *args, void **priv)
{
	struct bad *bad = calloc(1, sizeof(*bad));

	if (!bad)
		return -ENOMEM;
	pthread_mutex_init(&bad->lock, NULL);
	pthread_cond_init(&bad->more, NULL);
	bad->size = args->opts[OPT_SIZE].u64 & ~(uint64_t)4095;
	bad->how = args->opts[OPT_HOW].u64;
	bad->every = args->opts[OPT_EVERY].u64;
	bad->store = mmap(NULL, bad->size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (bad->store == MAP_FAILED) {
		bad->store = NULL;
		free_bad(bad);
		ublk_logf(host, dev, UBLK_LOG_ERR, "no memory for the store");
		return -ENOMEM;
	}
	*priv = bad;
	return 0;
}

static int bad_get_limits(void *priv, struct ublk_limits *limits)
{
	const struct bad *bad = priv;

	limits->size_bytes = bad->size;
	limits->attrs |= UBLK_DEV_VOLATILE_CACHE; /* so that flushes come */
	limits->background_sqes = 2;
	return 0;
}

static int bad_start(void *priv, const struct ublk_limits *final_limits)
{
	struct bad *bad = priv;
	int err = pthread_create(&bad->helper, NULL, helper, bad);

	(void)final_limits;
	bad->has_helper = !err;
	return -err;
}

static void bad_stop(void *priv)
{
	struct bad *bad = priv;

	pthread_mutex_lock(&bad->lock);
	bad->stop = 1;
	pthread_cond_broadcast(&bad->more);
	pthread_mutex_unlock(&bad->lock);
	if (bad->has_helper)
		pthread_join(bad->helper, NULL);
	while (bad->errands) {
		struct errand *errand = bad->errands;

		bad->errands = errand->next;
		free(errand);
	}
}

static void bad_close(void *priv)
{
	free_bad(priv);
}

static int bad_queue_init(void *priv, struct ublk_queue *q, const struct ublk_queue_info *info,
			  void **qpriv)
{
	struct bad_queue *bq = calloc(1, sizeof(*bq));

	(void)info;
	if (!bq)
		return -ENOMEM;
	bq->bad = priv;
	bq->q = q;
	pthread_mutex_lock(&bq->bad->lock);
	bq->next = bq->bad->queues;
	bq->bad->queues = bq;
	pthread_mutex_unlock(&bq->bad->lock);
	*qpriv = bq;
	return 0;
}

static void bad_queue_exit(void *qpriv)
{
	struct bad_queue *bq = qpriv;

	pthread_mutex_lock(&bq->bad->lock);
	bq->q = NULL;
	pthread_mutex_unlock(&bq->bad->lock);
}

UBLK_PLUGIN_EXPORT const struct ublk_plugin ublk_plugin_v1 = {
	UBLK_PLUGIN_INIT(0),
	.name = "bad",
	.version = "1",
	.description = "breaks the contract on purpose, for tests",
	.opts = bad_opts,
	.nr_opts = sizeof(bad_opts) / sizeof(bad_opts[0]),
	.opt_spec_size = sizeof(struct ublk_opt_spec),
	.thread_model = UBLK_THREADS_PARALLEL,
	.map_ops = UBLK_OPS_DISCARD,
	.submit_ops = UBLK_OPS_READ | UBLK_OPS_WRITE | UBLK_OPS_FLUSH,
	.map_kinds = UBLK_EXT_MEM,
	.data_modes = UBLK_DATA_MAPPED,
	.load = bad_load,
	.open = bad_open,
	.get_limits = bad_get_limits,
	.start = bad_start,
	.stop = bad_stop,
	.close = bad_close,
	.queue_init = bad_queue_init,
	.queue_exit = bad_queue_exit,
	.map = bad_map,
	.submit = bad_submit,
	.write_zeroes = bad_write_zeroes,
};
