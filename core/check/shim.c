// SPDX-License-Identifier: MIT
/*
 * The plugin's callbacks as the data plane calls them: each goes to the plugin's own, and what the contract
 * says of it is looked at on the way. No locks: a race in the plugin must stay one.
 */
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "check/shim.h"

#define SLEEP_MS 300 /* that a callback which must not block may have waited for, at most */
#define POISON 0x5a  /* the first byte of 64 that are in the memory of READs before, in turns */

/* Behind the plugin's scratch memory of an async io. */
struct shim_io {
	uint64_t sum; /* of a WRITE's data */
};

/* -- who is in the plugin, and for how long */

struct visit {
	struct kit *kit;
	const char *name;
	unsigned int place;
	struct timespec wall, cpu;
	long sleeps;
};

static long sleeps_of_thread(void)
{
	struct rusage use;

	return getrusage(RUSAGE_THREAD, &use) ? 0 : use.ru_nvcsw;
}

static void visit_begin(struct visit *v, struct kit *k, const char *name)
{
	*v = (struct visit){ .kit = k, .name = name, .place = KIT_CALLERS };
	for (unsigned int i = 0; i < KIT_CALLERS && v->place == KIT_CALLERS; i++) {
		const char *none = NULL;

		if (atomic_compare_exchange_strong_explicit(&k->report->in[i], &none, name,
							    memory_order_relaxed,
							    memory_order_relaxed))
			v->place = i;
	}
}

static void visit_end(struct visit *v)
{
	if (v->place < KIT_CALLERS)
		atomic_store_explicit(&v->kit->report->in[v->place], NULL, memory_order_relaxed);
}

static double ms_since(clockid_t clock, const struct timespec *then)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (double)(now.tv_sec - then->tv_sec) * 1e3 +
	       (double)(now.tv_nsec - then->tv_nsec) / 1e6;
}

/* A callback of a queue's thread: it must not sleep. That others had the CPU is not its fault. */
static void quick_begin(struct visit *v, struct kit *k, const char *name)
{
	visit_begin(v, k, name);
	v->sleeps = sleeps_of_thread();
	clock_gettime(CLOCK_MONOTONIC, &v->wall);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &v->cpu);
}

static void quick_end(struct visit *v)
{
	double wall = ms_since(CLOCK_MONOTONIC, &v->wall);

	visit_end(v);
	if (wall < SLEEP_MS)
		return;
	if (ms_since(CLOCK_THREAD_CPUTIME_ID, &v->cpu) < wall / 2 &&
	    sleeps_of_thread() != v->sleeps)
		kit_fail(
			v->kit,
			"%s() slept on the queue's thread: it took %.0f ms. It must not block: that is "
			"for the call profile, or a thread of the plugin's own",
			v->name, wall);
}

/* -- control thread */

static struct kit_dev *dev_of(void *priv)
{
	return priv;
}

static int shim_resize(void *priv, uint64_t size, uint32_t flags)
{
	struct kit_dev *d = dev_of(priv);
	struct visit v;
	int res;

	visit_begin(&v, d->kit, "resize");
	res = d->kit->desc->resize(d->priv, size, flags);
	visit_end(&v);
	return res;
}

/* -- the queue's thread */

static int shim_queue_init(void *priv, struct ublk_queue *q, const struct ublk_queue_info *info,
			   void **qpriv)
{
	struct kit_dev *d = dev_of(priv);
	const struct ublk_plugin *desc = d->kit->desc;
	struct kit_queue *kq = &d->queue[info->qid];
	struct visit v;
	int res = 0;

	kq->dev = d;
	kq->given = q;
	kq->qpriv = d->priv;
	atomic_store(&kq->live, true);
	if (desc->queue_init) {
		visit_begin(&v, d->kit, "queue_init");
		res = desc->queue_init(d->priv, q, info, &kq->qpriv);
		visit_end(&v);
	}
	if (res > 0 || res < -4095)
		kit_fail(d->kit, "queue_init() returned %d, which is neither 0 nor an errno", res);
	if (res)
		atomic_store(&kq->live, false);
	*qpriv = kq;
	return res;
}

static void shim_queue_exit(void *qpriv)
{
	struct kit_queue *kq = qpriv;
	struct kit *k = kq->dev->kit;
	struct visit v;

	visit_begin(&v, k, "queue_exit");
	if (k->desc->queue_exit)
		k->desc->queue_exit(kq->qpriv);
	visit_end(&v);
	atomic_store(&kq->live, false);
}

static int shim_map(void *qpriv, const struct ublk_io *io, struct ublk_extent *out, uint32_t max)
{
	struct kit_queue *kq = qpriv;
	struct visit v;
	int res;

	quick_begin(&v, kq->dev->kit, "map");
	res = kq->dev->kit->desc->map(kq->qpriv, io, out, max);
	quick_end(&v);
	return res;
}

static void poison(struct kit *k, void *buf, size_t length)
{
	unsigned int n = atomic_fetch_add_explicit(&k->reads, 1, memory_order_relaxed);

	memset(buf, k->poison ? k->poison : POISON + n % 64, length);
}

static uint64_t sum_of(const void *buf, size_t length)
{
	const unsigned char *p = buf;
	uint64_t sum = 0xcbf29ce484222325u, word;
	size_t i;

	for (i = 0; i + sizeof(word) <= length; i += sizeof(word)) {
		memcpy(&word, p + i, sizeof(word));
		sum = (sum ^ word) * 0x100000001b3u;
	}
	return sum;
}

static struct shim_io *shim_io_of(const struct kit_dev *d, const struct ublk_io *io)
{
	return (struct shim_io *)((char *)io->scratch + d->scratch);
}

static int shim_submit(void *qpriv, struct ublk_io *io)
{
	struct kit_queue *kq = qpriv;
	struct visit v;
	int res;

	if (io->buf && io->op == UBLK_OP_READ)
		poison(kq->dev->kit, io->buf, io->length);
	if (io->buf && io->op == UBLK_OP_WRITE)
		shim_io_of(kq->dev, io)->sum = sum_of(io->buf, io->length);
	quick_begin(&v, kq->dev->kit, "submit");
	res = kq->dev->kit->desc->submit(kq->qpriv, io);
	quick_end(&v);
	return res;
}

/* An async io that the plugin ends now, on any thread. */
void shim_ending(struct kit_queue *kq, const struct ublk_io *io)
{
	if (io->op == UBLK_OP_WRITE && io->buf &&
	    sum_of(io->buf, io->length) != shim_io_of(kq->dev, io)->sum)
		kit_fail(
			kq->dev->kit,
			"the data of a WRITE (offset %llu, length %llu) was changed by the plugin: it is "
			"the application's",
			(unsigned long long)io->offset, (unsigned long long)io->length);
}

static void shim_cqe(void *qpriv, struct ublk_io *io, uint32_t cookie, int32_t res,
		     uint32_t cqe_flags)
{
	struct kit_queue *kq = qpriv;
	struct visit v;

	quick_begin(&v, kq->dev->kit, "cqe");
	kq->dev->kit->desc->cqe(kq->qpriv, io, cookie, res, cqe_flags);
	quick_end(&v);
}

static void shim_event(void *qpriv)
{
	struct kit_queue *kq = qpriv;
	struct visit v;

	quick_begin(&v, kq->dev->kit, "event");
	kq->dev->kit->desc->event(kq->qpriv);
	quick_end(&v);
}

static void shim_batch_end(void *qpriv)
{
	struct kit_queue *kq = qpriv;
	struct visit v;

	quick_begin(&v, kq->dev->kit, "batch_end");
	kq->dev->kit->desc->batch_end(kq->qpriv);
	quick_end(&v);
}

static void shim_cancel(void *qpriv, struct ublk_io *io)
{
	struct kit_queue *kq = qpriv;
	struct visit v;

	quick_begin(&v, kq->dev->kit, "cancel");
	kq->dev->kit->desc->cancel(kq->qpriv, io);
	quick_end(&v);
}

/* -- the call profile, on workers, or on the queue's thread */

static void call_begin(struct visit *v, struct kit_dev *d, const char *name)
{
	if (d->kit->desc->flags & UBLK_PLUGIN_NONBLOCKING)
		quick_begin(v, d->kit, name);
	else
		visit_begin(v, d->kit, name);
}

static void call_end(struct visit *v, struct kit_dev *d)
{
	if (d->kit->desc->flags & UBLK_PLUGIN_NONBLOCKING)
		quick_end(v);
	else
		visit_end(v);
}

static int shim_read(void *priv, void *buf, uint64_t length, uint64_t offset, uint32_t flags)
{
	struct kit_dev *d = dev_of(priv);
	struct visit v;
	int res;

	poison(d->kit, buf, length);
	call_begin(&v, d, "read");
	res = d->kit->desc->read(d->priv, buf, length, offset, flags);
	call_end(&v, d);
	return res;
}

static int shim_write(void *priv, const void *buf, uint64_t length, uint64_t offset, uint32_t flags)
{
	struct kit_dev *d = dev_of(priv);
	uint64_t sum = sum_of(buf, length);
	struct visit v;
	int res;

	call_begin(&v, d, "write");
	res = d->kit->desc->write(d->priv, buf, length, offset, flags);
	call_end(&v, d);
	if (sum_of(buf, length) != sum)
		kit_fail(d->kit,
			 "write() changed the data that it was to store: it is the application's");
	return res;
}

static int shim_flush(void *priv)
{
	struct kit_dev *d = dev_of(priv);
	struct visit v;
	int res;

	call_begin(&v, d, "flush");
	res = d->kit->desc->flush(d->priv);
	call_end(&v, d);
	return res;
}

typedef int range_fn(void *priv, uint64_t length, uint64_t offset, uint32_t flags);

static int call_range(struct kit_dev *d, const char *name, range_fn *fn, uint64_t length,
		      uint64_t offset, uint32_t flags)
{
	struct visit v;
	int res;

	call_begin(&v, d, name);
	res = fn(d->priv, length, offset, flags);
	call_end(&v, d);
	return res;
}

static int shim_discard(void *priv, uint64_t length, uint64_t offset, uint32_t flags)
{
	struct kit_dev *d = dev_of(priv);

	return call_range(d, "discard", d->kit->desc->discard, length, offset, flags);
}

static int shim_write_zeroes(void *priv, uint64_t length, uint64_t offset, uint32_t flags)
{
	struct kit_dev *d = dev_of(priv);

	return call_range(d, "write_zeroes", d->kit->desc->write_zeroes, length, offset, flags);
}

uint32_t shim_scratch_bytes(void)
{
	return sizeof(struct shim_io);
}

void shim_init(struct kit_dev *d)
{
	const struct ublk_plugin *desc = d->kit->desc;

	d->shim = *desc;
	d->shim.queue_init = shim_queue_init;
	d->shim.queue_exit = shim_queue_exit;
#define SHIM(callback)                                                                             \
	do {                                                                                       \
		if (desc->callback)                                                                \
			d->shim.callback = shim_##callback;                                        \
	} while (0)
	SHIM(resize);
	SHIM(map);
	SHIM(submit);
	SHIM(cqe);
	SHIM(event);
	SHIM(batch_end);
	SHIM(cancel);
	SHIM(read);
	SHIM(write);
	SHIM(flush);
	SHIM(discard);
	SHIM(write_zeroes);
#undef SHIM
	d->dev.plugin = &d->shim;
	d->dev.priv = d;
}
