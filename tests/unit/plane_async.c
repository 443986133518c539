// SPDX-License-Identifier: MIT
/* A backend of the async profile for tests of the data plane: see plane_async.h. */
#include <string.h>

#include "plane_async.h"

struct plane plane;
struct async async;
const struct ublk_host *const host = &host_services;
static _Thread_local struct ublk_queue *my_queue; /* on a queue's thread */

static int async_init(void *priv, struct ublk_queue *q, const struct ublk_queue_info *info,
		      void **qpriv)
{
	atomic_fetch_add(&async.inits, 1);
	if (async.init_result)
		return async.init_result;
	my_queue = q;
	async.q[info->qid] = q;
	async.data_mode = info->data_mode;
	*qpriv = priv;
	return 0;
}

static void async_exit(void *qpriv)
{
	(void)qpriv;
	atomic_fetch_add(&async.exits, 1);
}

int32_t async_serve(struct ublk_io *io)
{
	switch (io->op) {
	case UBLK_OP_READ:
		memcpy(io->buf, async.mem + io->offset, io->length);
		return (int32_t)io->length;
	case UBLK_OP_WRITE:
		memcpy(async.mem + io->offset, io->buf, io->length);
		return (int32_t)io->length;
	case UBLK_OP_WRITE_ZEROES:
		memset(async.mem + io->offset, 0, io->length);
		return 0;
	default:
		return 0;
	}
}

static void hold(struct ublk_io *io)
{
	pthread_mutex_lock(&async.lock);
	async.held[async.nr_held++] = io;
	pthread_mutex_unlock(&async.lock);
}

struct ublk_io *async_unhold(void)
{
	struct ublk_io *io = NULL;

	pthread_mutex_lock(&async.lock);
	if (async.nr_held)
		io = async.held[--async.nr_held];
	pthread_mutex_unlock(&async.lock);
	return io;
}

static int async_submit(void *qpriv, struct ublk_io *io)
{
	unsigned int left = atomic_load(&async.refusals);

	(void)qpriv;
	if (async.q[io->qid] != my_queue)
		atomic_fetch_add(&async.off_thread, 1);
	atomic_fetch_add(&async.submits, 1);
	if (left) {
		atomic_store(&async.refusals, left - 1);
		return async.refusal;
	}
	return async.submit(io);
}

int submit_inside(struct ublk_io *io)
{
	host->complete(async.q[io->qid], io, async_serve(io));
	return 0;
}

int submit_hold(struct ublk_io *io)
{
	hold(io);
	return 0;
}

int submit_and_wake(struct ublk_io *io)
{
	hold(io);
	host->wake(async.q[io->qid]);
	return 0;
}

static void async_event(void *qpriv)
{
	struct ublk_io *io;

	(void)qpriv;
	atomic_fetch_add(&async.events, 1);
	if (async.event)
		async.event();
	while (async.submit == submit_and_wake && (io = async_unhold()))
		host->complete(async.q[io->qid], io, async_serve(io));
}

static void async_batch_end(void *qpriv)
{
	(void)qpriv;
	atomic_fetch_add(&async.batches, 1);
}

static void async_cancel(void *qpriv, struct ublk_io *io)
{
	(void)qpriv;
	atomic_fetch_add(&async.cancels, 1);
	host->complete(async.q[io->qid], io, -ECANCELED);
}

static const struct ublk_plugin async_plugin = {
	UBLK_PLUGIN_INIT(0),
	.name = "async",
	.thread_model = UBLK_THREADS_PARALLEL,
	.submit_ops = UBLK_OPS_READ | UBLK_OPS_WRITE | UBLK_OPS_FLUSH | UBLK_OPS_DISCARD |
		      UBLK_OPS_WRITE_ZEROES,
	.data_modes = UBLK_DATA_MAPPED,
	.queue_init = async_init,
	.queue_exit = async_exit,
	.submit = async_submit,
	.event = async_event,
	.batch_end = async_batch_end,
	.cancel = async_cancel,
};

void async_start(int (*submit)(struct ublk_io *))
{
	memset(&async, 0, sizeof(async));
	pthread_mutex_init(&async.lock, NULL);
	async.submit = submit;
	plane_init(&plane, &async_plugin, &async);
	plane.dev.limits.size_bytes = ASYNC_STORE;
}

void async_stop(void)
{
	plane_stop(&plane);
	ck_assert_uint_eq(plane.counters.misuse, 0);
	ck_assert_uint_eq(atomic_load(&async.off_thread), 0);
	ck_assert_uint_eq(atomic_load(&async.exits), plane.nr_queues);
}

/* Writes and reads on all tags of all queues, each at a place of its own. */
void async_load(unsigned int rounds)
{
	static int tags[PLANE_QUEUES][64];
	static char data[2048], back[2048];
	unsigned int n = min_of(plane.depth, (uint16_t)64);

	for (unsigned int round = 0; round < rounds; round++)
		for (unsigned int op = UBLK_OP_READ + 2; op-- > 0;) {
			for (uint16_t q = 0; q < plane.nr_queues; q++)
				for (unsigned int t = 0; t < n; t++) {
					uint64_t at = (q * n + t) * 2048;

					plane_pattern(data, 41 + round, at, 2048);
					tags[q][t] = plane_submit(&plane, q, op, 0, at, 2048, data);
				}
			for (uint16_t q = 0; q < plane.nr_queues; q++)
				for (unsigned int t = 0; t < n; t++) {
					uint64_t at = (q * n + t) * 2048;

					ck_assert_int_eq(plane_wait(&plane, q, tags[q][t], back),
							 2048);
					if (op == UBLK_OP_READ)
						ck_assert(plane_is_pattern(back, 41 + round, at,
									   2048));
				}
		}
}
