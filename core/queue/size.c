// SPDX-License-Identifier: MIT
/*
 * The size of a device that is served. Each queue has a copy, so that requests are checked without a word
 * that others write; it takes over a new size when it is asked to, and tells when no io of its own reaches
 * beyond that any more.
 */
#include <time.h>

#include "base/clock.h"
#include "queue/internal.h"

#define NAP_NS 1000000 /* between two looks at what is in flight */

static bool any_beyond(const struct ublk_queue *q, uint64_t size)
{
	for (uint32_t tag = 0; tag < q->depth; tag++) {
		const struct request *r = &q->reqs[tag];

		if ((r->state == REQ_HOST || r->state == REQ_PLUGIN) &&
		    r->slot->io.offset + r->slot->io.length > size)
			return true;
	}
	return false;
}

void size_update(struct ublk_queue *q)
{
	uint64_t size = atomic_load_explicit(&q->dev->size, memory_order_relaxed);

	q->dev_sectors = size >> 9;
	q->max_sectors = min_of(q->dev->limits.max_io_bytes >> 9, q->dev_sectors);
	atomic_store_explicit(&q->size_kept, q->active && any_beyond(q, size) ? 0 : size,
			      memory_order_release);
}

static bool all_keep(struct ublk_queue *const *queues, unsigned int nr, uint64_t size)
{
	bool all = true;

	for (unsigned int i = 0; i < nr; i++)
		if (atomic_load_explicit(&queues[i]->size_kept, memory_order_acquire) != size &&
		    !queue_ended(queues[i])) {
			queue_ask(queues[i], QUEUE_ASK_SIZE);
			all = false;
		}
	return all;
}

static bool wait_until_all_keep(struct ublk_dev *dev, struct ublk_queue *const *queues,
				unsigned int nr, uint64_t size, unsigned int ms)
{
	const struct timespec nap = { .tv_nsec = NAP_NS };
	uint64_t until = now_ms() + ms;

	atomic_store(&dev->size, size);
	while (!all_keep(queues, nr, size)) {
		if (now_ms() >= until)
			return false;
		nanosleep(&nap, NULL);
	}
	return true;
}

int dev_set_size(struct ublk_dev *dev, struct ublk_queue *const *queues, unsigned int nr,
		 uint64_t size, unsigned int ms)
{
	uint64_t former = atomic_load(&dev->size);

	if (wait_until_all_keep(dev, queues, nr, size, ms))
		return 0;
	/* Before the driver hands out what is there again. */
	if (!wait_until_all_keep(dev, queues, nr, former, ms))
		log_err("a queue has not taken the former size back within %u ms", ms);
	return -ETIMEDOUT;
}
