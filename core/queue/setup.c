// SPDX-License-Identifier: MIT
/* Memory, files and ring of a queue, made and unmade on its own thread: the driver and io_uring tie
 * both to the task. */
#include "kernel/knobs.h"
#include "kernel/sysfs.h"
#include "queue/sqes.h"

#define SLOTS_PER_TAG 4 /* two in turns, two spare for what is abandoned */

static int no_memory(const struct ublk_queue *q)
{
	log_err("queue %u: no memory for %u requests of %u bytes", q->qid, q->depth,
		q->dev->limits.max_io_bytes);
	return -ENOMEM;
}

/* Commands and operations of each tag, and what the plugin adds. */
static unsigned int ring_entries(uint32_t depth, uint64_t sqe_budget)
{
	return min_of(depth * 2 + sqe_budget + 8, (uint64_t)32768);
}

/* The best flags that this kernel takes: each step back costs wake-ups, none costs correctness. */
static int ring_init(struct io_uring *ring, unsigned int entries)
{
	static const unsigned int tries[] = {
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
		IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
		0,
	};
	int err = -EINVAL;

	for (unsigned int i = 0; i < ARRAY_SIZE(tries) && err == -EINVAL; i++) {
		struct io_uring_params p = {
			.flags = tries[i] | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE |
				 IORING_SETUP_CLAMP,
			.cq_entries = entries * 2,
		};

		err = io_uring_queue_init_params(entries, ring, &p);
	}
	return err;
}

static int ring_open(struct ublk_queue *q)
{
	const unsigned int entries = ring_entries(q->depth, q->sqe_budget);
	int err = ring_init(&q->ring, entries);
	char release[64], why[512];

	if (err) {
		log_err("queue %u: no io_uring of %u entries: %s", q->qid, entries,
			knob_ring_failure(kernel_release(release, sizeof(release)), "", err, why,
					  sizeof(why)));
		return err;
	}
	q->lent = calloc(q->ring.sq.ring_entries, sizeof(*q->lent));
	if (!q->lent) {
		io_uring_queue_exit(&q->ring);
		return no_memory(q);
	}
	io_uring_register_ring_fd(&q->ring); /* saves a look-up per system call, no more */
	return 0;
}

static uint64_t sqe_budget(uint32_t depth, const struct ublk_limits *limits)
{
	return (uint64_t)limits->sqes_per_io * depth + limits->background_sqes;
}

/* A submission and its index, two completions, each for a power of two of entries. */
uint64_t queue_ring_bytes(uint32_t depth, const struct ublk_limits *limits)
{
	uint64_t entries = ring_entries(depth, sqe_budget(depth, limits));

	while (!is_pow2(entries))
		entries += entries & -entries;
	return entries * (sizeof(struct io_uring_sqe) + 4 + 2 * sizeof(struct io_uring_cqe));
}

int queue_rings_try(uint32_t nr, uint32_t depth, const struct ublk_limits *limits)
{
	struct io_uring *rings = calloc(nr, sizeof(*rings));
	uint32_t made = 0;
	int err = 0;

	if (!rings)
		return -ENOMEM;
	while (made < nr && !err) {
		err = ring_init(&rings[made], ring_entries(depth, sqe_budget(depth, limits)));
		made += !err;
	}
	while (made)
		io_uring_queue_exit(&rings[--made]);
	free(rings);
	return err;
}

static int ring_register(struct ublk_queue *q)
{
	const struct ublk_dev *dev = q->dev;
	int fds[DEV_MAX_FILES];
	int err;

	/* Slot 0 is the transport's; the fake one has no file, and the table no holes. */
	fds[0] = dev->transport->fd >= 0 ? dev->transport->fd : dev->notify_fd;
	for (unsigned int i = 1; i < dev->nr_files; i++)
		fds[i] = dev->files[i].fd;
	err = io_uring_register_files(&q->ring, fds, dev->nr_files);
	if (err) {
		log_err("queue %u: registering %u files with io_uring: %s", q->qid, dev->nr_files,
			strerror(-err));
		return err;
	}
	if (q->path->needs_buf_table) {
		err = io_uring_register_buffers_sparse(&q->ring, q->depth);
		if (err)
			log_err("queue %u: registering a table of %u buffers with io_uring: %s",
				q->qid, q->depth, strerror(-err));
	} else if (tag_buffers_can_register(q)) {
		q->registers = !io_uring_register_buffers_sparse(&q->ring, q->depth);
	}
	return err;
}

static int memory_alloc(struct ublk_queue *q)
{
	const struct ublk_limits *limits = &q->dev->limits;

	q->nr_slots = q->depth * SLOTS_PER_TAG;
	q->spare_slot = q->depth * 2;
	q->reqs = aligned_alloc(64, q->depth * sizeof(*q->reqs));
	q->slots = calloc(q->nr_slots, sizeof(*q->slots));
	if (!q->reqs || !q->slots)
		return no_memory(q);
	memset(q->reqs, 0, q->depth * sizeof(*q->reqs));
	if (q->plugin->map_ops) {
		/* Costs nothing before a tag has an io of more than a few extents. */
		q->windows = buffer_alloc(q->depth * sizeof(*q->windows));
		if (!q->windows)
			return no_memory(q);
	}
	if (limits->io_scratch_bytes) {
		q->scratch_stride = round_up_to(limits->io_scratch_bytes, 64);
		q->scratch = buffer_alloc(q->nr_slots * q->scratch_stride);
		if (!q->scratch)
			return no_memory(q);
	}
	if (q->dev->has_buffers && tag_buffers_alloc(q))
		return no_memory(q);
	return 0;
}

static void slot_init(struct ublk_queue *q, struct io_slot *slot, uint16_t tag)
{
	slot->tag = tag;
	slot->io.qid = q->qid;
	slot->io.tag = tag;
	slot->io.buf_index = tag;
	slot->io.fixed_addr = transport_fixed_addr(&q->tq, tag);
	if (q->scratch)
		slot->io.scratch = (char *)q->scratch + (slot - q->slots) * q->scratch_stride;
}

static int requests_init(struct ublk_queue *q)
{
	for (uint32_t tag = 0; tag < q->depth; tag++) {
		struct request *r = &q->reqs[tag];

		if (!queue_owns(q, tag))
			continue;
		q->nr_own++;
		r->tag = tag;
		r->pair[0] = r->slot = &q->slots[tag * 2];
		r->pair[1] = &q->slots[tag * 2 + 1];
		slot_init(q, r->pair[0], tag);
		slot_init(q, r->pair[1], tag);
		if (q->bufs) {
			r->buf = (char *)q->bufs + (size_t)tag * q->dev->limits.max_io_bytes;
			r->zeroed = q->dev->limits.max_io_bytes; /* fresh memory */
			r->huge_tries = TAG_HUGE_TRIES;
		}
		request_set_buf(q, r, r->buf);
		r->addr.head = transport_head(&q->tq, tag, r->addr.auto_reg);
		r->job = calloc(1, sizeof(*r->job));
		if (!r->job)
			return no_memory(q);
		r->job->tag = tag;
	}
	return 0;
}

static int plugin_queue_init(struct ublk_queue *q)
{
	int cpu = -1;
	struct ublk_queue_info info = {
		.struct_size = sizeof(info),
		.qid = q->qid,
		.depth = q->depth,
		.data_mode = q->path->data_mode,
	};
	int err;

	for (int i = 0; q->cpus && i < (int)q->cpus_size * 8 && cpu < 0; i++)
		if (CPU_ISSET_S(i, q->cpus_size, q->cpus))
			cpu = i;
	info.cpu = cpu;
	q->qpriv = q->dev->priv;
	if (!q->plugin->queue_init)
		return 0;
	err = q->plugin->queue_init(q->dev->priv, q, &info, &q->qpriv);
	sqes_check(q, "queue_init");
	if (err) {
		log_err("plugin %s: starting queue %u failed: %s", q->plugin->name, q->qid,
			strerror(err < 0 && err >= -ERRNO_MAX ? -err : EIO));
		return err < 0 ? err : -EIO;
	}
	return 0;
}

int queue_prepare(struct ublk_queue *q)
{
	const struct ublk_limits *limits = &q->dev->limits;
	int err;

	q->sqe_budget = sqe_budget(q->depth, limits);
	q->mem_faults = limits->attrs & UBLK_DEV_MEM_FAULTS;
	q->retry_last = &q->retry_first;
	fast_init(q);
	err = memory_alloc(q);
	if (!err && ops_alloc(q))
		err = no_memory(q);
	if (err)
		return err;
	err = ring_open(q);
	q->has_ring = !err;
	return err;
}

int queue_attach(struct ublk_queue *q)
{
	struct stats *stats = q->dev->stats;
	int err;

	q->counters = &stats->queue[q->qid].counters;
	q->latency = &stats->latency;
	err = ring_register(q);
	if (err)
		return err;
	q->tq = (struct transport_queue){ .transport = q->dev->transport,
					  .ring = &q->ring,
					  .qid = q->qid / q->dev->threads_per_queue,
					  .depth = q->depth };
	err = q->tq.transport->ops->queue_open(q->tq.transport, &q->tq);
	if (err)
		return err;
	q->has_transport = true;
	err = requests_init(q);
	if (err)
		return err;
	err = plugin_queue_init(q);
	if (!err)
		q->has_plugin = true;
	return err;
}

/* No call of the queue comes after it: what waits for a worker never begins, and what runs is waited
 * for. A call that does not return owns all of the plugin's state for good. */
static void plugin_queue_exit(struct ublk_queue *q)
{
	if (!q->has_plugin || !q->plugin->queue_exit)
		return;
	q->exit_owed = !workers_end(q);
	if (q->exit_owed)
		log_err("plugin %s: queue %u: a call has not returned, so there is no queue_exit()",
			q->plugin->name, q->qid);
	else
		q->plugin->queue_exit(q->qpriv);
}

/* Rule 19: the driver is not rid of us before the files are unregistered, the descriptors unmapped
 * and the ring gone. */
void queue_teardown(struct ublk_queue *q)
{
	plugin_queue_exit(q);
	/* After QUIT or LEAVE there are fetches in flight, which unregistering would wait for on some kernels:
	 * the ring's own end cancels them. After FINISH there are none, and the next server waits until the
	 * files are let go, which the ring's end does late (RCU). */
	if (q->has_ring && !q->quit && !(q->leaving && q->takes_no_more)) {
		io_uring_unregister_files(&q->ring);
		if (q->path->needs_buf_table)
			io_uring_unregister_buffers(&q->ring);
	}
	if (q->has_transport)
		q->tq.transport->ops->queue_close(&q->tq);
	if (q->has_ring)
		io_uring_queue_exit(&q->ring);
	q->has_plugin = q->has_transport = q->has_ring = false;
}
