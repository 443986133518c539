// SPDX-License-Identifier: MIT
/*
 * DISCARD, WRITE_ZEROES and FLUSH by map. An io is gathered to as few ranges as it has and goes
 * through steps, one when the one before has ended: files by ring operations, by a worker what the
 * ring cannot do, syncs, and memory. The plugin may lose an io only in the last: nothing of the
 * host's is in flight for it then.
 */
#include <linux/falloc.h>
#include <linux/fs.h>

#include "queue/internal.h"

#define GATHER_MAX 64	 /* windows: as many as may be looked up without letting others wait */
#define ASYNC_FROM 65536 /* bytes: some drivers discard while the submitter waits */

/* linux/blkdev.h, since Linux 6.12 */
#ifndef BLOCK_URING_CMD_DISCARD
#define BLOCK_URING_CMD_DISCARD _IO(0x12, 0)
#endif

/* A run of a device's bytes, in one file or at one place of memory. */
struct range {
	uint64_t offset; /* on the device; MEM only */
	struct ublk_extent ext;
};

/* What the window of an io is gathered to. A job of memory takes it along when it is abandoned. */
struct ranges {
	uint32_t nr;
	uint32_t step;
	uint64_t left; /* which of them are left to a worker */
	struct range at[MAP_WINDOW];
};

/* What a ring can do to a file, as bits of dev_file.ring_lacks. The lowest is tried first. */
enum ring_op { RING_PUNCH = 1, RING_ZERO = 2, RING_DISCARD = 4, RING_SYNC = 8 };

static unsigned int ring_ops(const struct request *r, const struct dev_file *file)
{
	if (r->op == UBLK_OP_DISCARD)
		return file->is_block ? RING_DISCARD : RING_PUNCH;
	return r->slot->io.flags & UBLK_IOF_NOUNMAP ? RING_ZERO : RING_PUNCH | RING_ZERO;
}

static void ring_prep(struct io_uring_sqe *sqe, unsigned int op, const struct ublk_extent *e)
{
	switch ((enum ring_op)op) {
	case RING_PUNCH:
		io_uring_prep_fallocate(sqe, e->file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					e->at.offset, e->length);
		break;
	case RING_ZERO:
		io_uring_prep_fallocate(sqe, e->file, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
					e->at.offset, e->length);
		break;
	case RING_DISCARD:
		io_uring_prep_rw(IORING_OP_URING_CMD, sqe, e->file, NULL, 0, 0);
		sqe->cmd_op = BLOCK_URING_CMD_DISCARD; /* the padding beside it is zero */
		sqe->addr = e->at.offset;
		sqe->addr3 = e->length;
		break;
	case RING_SYNC:
		io_uring_prep_fsync(sqe, e->file, IORING_FSYNC_DATASYNC);
		break;
	}
	sqe->flags |= IOSQE_FIXED_FILE;
	if (op == RING_DISCARD && e->length >= ASYNC_FROM)
		sqe->flags |= IOSQE_ASYNC;
}

static void ring_start(struct ublk_queue *q, struct request *r, unsigned int i, unsigned int op)
{
	struct io_uring_sqe *sqe = ring_sqe(&q->ring);

	if (unlikely(!sqe)) {
		r->error = -EAGAIN;
		return;
	}
	ring_prep(sqe, op, &r->ranges->at[i].ext);
	sqe->user_data = ud_make(UD_RANGE, r->tag, op << 8 | i);
	r->pending++;
}

/* A disk may have larger blocks than the device, and takes whole ones only. */
static bool is_whole(const struct dev_file *file, const struct ublk_extent *e)
{
	return !(e->at.offset % file->block) && !(e->length % file->block);
}

/* Of a discard, parts of blocks may stay as they are. False: there is nothing else. */
static bool discard_trim(const struct dev_file *file, struct ublk_extent *e)
{
	uint64_t from = round_up_to(e->at.offset, file->block), to = e->at.offset + e->length;

	to -= to % file->block;
	e->at.offset = from;
	e->length = from < to ? to - from : 0;
	return e->length;
}

/* The best that the ring is not known to lack; else a worker does it. */
static void ring_try(struct ublk_queue *q, struct request *r, unsigned int i)
{
	struct ublk_extent *e = &r->ranges->at[i].ext;
	const struct dev_file *file = &q->dev->files[e->file];
	unsigned int ops = ring_ops(r, file);

	if (unlikely(!is_whole(file, e))) {
		if (r->op == UBLK_OP_DISCARD && !discard_trim(file, e))
			return;
		if (r->op == UBLK_OP_WRITE_ZEROES)
			ops = 0;
	}
	ops &= ~atomic_load_explicit(&file->ring_lacks, memory_order_relaxed);
	if (ops)
		ring_start(q, r, i, ops & -ops);
	else
		r->ranges->left |= 1ull << i;
}

static void files_by_ring(struct ublk_queue *q, struct request *r)
{
	for (unsigned int i = 0; i < r->ranges->nr; i++)
		if (r->ranges->at[i].ext.kind == UBLK_EXT_FD)
			ring_try(q, r, i);
}

static void job_start(struct ublk_queue *q, struct request *r, int (*run)(struct job *),
		      bool watched)
{
	struct job *job = r->job;

	job->run = run;
	job->io = r->slot->io;
	job->ranges = r->ranges;
	job->watched = watched;
	if (watched)
		request_hold(q, r);
	r->pending++;
	if (unlikely(workers_add(q, job))) {
		if (watched)
			request_unhold(q, r);
		r->pending--;
		r->error = -EAGAIN;
	}
}

/* Worker thread. */
static int files_job_run(struct job *job)
{
	const struct ranges *rs = job->ranges;
	int res = 0;

	for (uint32_t i = 0; i < rs->nr && !res; i++) {
		const struct ublk_extent *e = &rs->at[i].ext;

		if (rs->left >> i & 1)
			res = file_range_op(&job->q->dev->files[e->file], job->io.op, e->at.offset,
					    e->length, job->io.flags);
	}
	return res;
}

static void files_by_worker(struct ublk_queue *q, struct request *r)
{
	if (r->ranges->left)
		job_start(q, r, files_job_run, false);
}

/* FUA is a sync of what was touched; a FLUSH has nothing but syncs. */
static void files_sync(struct ublk_queue *q, struct request *r)
{
	const struct ranges *rs = r->ranges;

	if (r->op != UBLK_OP_FLUSH && !(r->slot->io.flags & UBLK_IOF_FUA))
		return;
	for (uint32_t i = 0; i < rs->nr; i++) {
		uint32_t first = 0;

		if (rs->at[i].ext.kind != UBLK_EXT_FD)
			continue;
		while (rs->at[first].ext.kind != UBLK_EXT_FD ||
		       rs->at[first].ext.file != rs->at[i].ext.file)
			first++;
		if (first == i) /* each file once */
			ring_start(q, r, i, RING_SYNC);
	}
}

typedef int (*memory_op)(void *priv, uint64_t length, uint64_t offset, uint32_t flags);

static memory_op memory_op_of(const struct ublk_plugin *plugin, unsigned int op)
{
	return op == UBLK_OP_DISCARD ? plugin->discard : plugin->write_zeroes;
}

/* Worker thread, or the queue's. What was taken away in the middle is not gone on with: others may
 * have written to the rest meanwhile. */
static int memory_run(struct job *job)
{
	const struct ublk_dev *dev = job->q->dev;
	memory_op op = memory_op_of(dev->plugin, job->io.op);
	const struct ranges *rs = job->ranges;
	int res = 0;

	for (uint32_t i = 0; i < rs->nr && !res; i++) {
		const struct range *range = &rs->at[i];

		if (range->ext.kind != UBLK_EXT_MEM)
			continue;
		if (!op) {
			memset(range->ext.at.addr, 0, range->ext.length);
		} else if (job->abandoned || !plugin_enter(job->q)) {
			res = -EIO;
		} else {
			res = op(dev->priv, range->ext.length, range->offset, job->io.flags);
			plugin_leave(job->q);
		}
	}
	return res;
}

static void memory(struct ublk_queue *q, struct request *r)
{
	bool calls = memory_op_of(q->plugin, r->op);
	uint32_t kinds = 0;

	for (uint32_t i = 0; i < r->ranges->nr; i++)
		kinds |= r->ranges->at[i].ext.kind;
	if (!(kinds & UBLK_EXT_MEM) || (r->op == UBLK_OP_DISCARD && !calls))
		return;
	if (!(q->plugin->flags & UBLK_PLUGIN_NONBLOCKING)) {
		job_start(q, r, memory_run, calls);
		return;
	}
	r->job->q = q;
	r->job->io = r->slot->io;
	r->job->ranges = r->ranges;
	r->error = call_result(q, &r->slot->io, memory_run(r->job));
}

enum { FILES_BY_RING, FILES_BY_WORKER, FILES_SYNC, MEMORY };

static void (*const steps[])(struct ublk_queue *q, struct request *r) = {
	[FILES_BY_RING] = files_by_ring,
	[FILES_BY_WORKER] = files_by_worker,
	[FILES_SYNC] = files_sync,
	[MEMORY] = memory,
};

/* True: the last step has ended, or one has failed. */
static bool steps_run(struct ublk_queue *q, struct request *r)
{
	while (!r->error && r->ranges->step < ARRAY_SIZE(steps)) {
		r->pending = 1; /* ours, as in map_run() */
		steps[r->ranges->step++](q, r);
		if (--r->pending)
			return false;
	}
	return true;
}

static bool range_continues(const struct range *before, const struct range *next)
{
	const struct ublk_extent *a = &before->ext, *b = &next->ext;

	if (a->kind != b->kind)
		return false;
	if (a->kind == UBLK_EXT_FD)
		return a->file == b->file && a->at.offset + a->length == b->at.offset;
	return (char *)a->at.addr + a->length == (char *)b->at.addr &&
	       before->offset + a->length == next->offset;
}

/* False: there is no room. Unlike data, ranges need not be neighbours in the io to become one: of
 * a stripe's chunks each file gets one operation. */
static bool range_add(struct ranges *rs, const struct range *range)
{
	if (!(range->ext.kind & (UBLK_EXT_FD | UBLK_EXT_MEM)))
		return true;
	for (uint32_t i = rs->nr; i-- > 0;)
		if (range_continues(&rs->at[i], range)) {
			rs->at[i].ext.length += range->ext.length;
			return true;
		}
	if (rs->nr == MAP_WINDOW)
		return false;
	rs->at[rs->nr++] = *range;
	return true;
}

/* 0 or -errno. r->window: so much of the io is in the ranges. */
static int ranges_gather(struct ublk_queue *q, struct request *r)
{
	const struct ublk_io *io = &r->slot->io;
	uint64_t at = r->done;
	bool room = true;

	for (unsigned int n = 0; n < GATHER_MAX && room && at < io->length; n++) {
		int err = map_window(q, r, at);

		if (err)
			return err;
		for (uint32_t i = 0; i < r->nr_ext; i++) {
			struct range range = { .offset = io->offset + at, .ext = r->ext[i] };

			room = range_add(r->ranges, &range);
			if (!room)
				break;
			at += r->ext[i].length;
		}
	}
	r->window = at - r->done;
	return 0;
}

static int flush_gather(struct ublk_queue *q, struct request *r)
{
	int err = map_flush(q, r);

	r->window = 0;
	r->ranges->step = FILES_SYNC;
	for (uint32_t i = 0; i < r->nr_ext && !err; i++)
		if (r->ext[i].kind == UBLK_EXT_FD)
			r->ranges->at[r->ranges->nr++].ext = r->ext[i];
	return err;
}

static int ranges_begin(struct ublk_queue *q, struct request *r)
{
	/* Kept for the tag's next one. */
	if (!r->ranges)
		r->ranges = malloc(sizeof(*r->ranges));
	if (!r->ranges)
		return -ENOMEM;
	r->ranges->nr = r->ranges->step = 0;
	r->ranges->left = 0;
	return r->op == UBLK_OP_FLUSH ? flush_gather(q, r) : ranges_gather(q, r);
}

void range_run(struct ublk_queue *q, struct request *r)
{
	do
		r->error = ranges_begin(q, r);
	while (steps_run(q, r) && window_ended(q, r));
}

static void step_ended(struct ublk_queue *q, struct request *r)
{
	if (!--r->pending && steps_run(q, r) && window_ended(q, r))
		range_run(q, r);
}

/* A ring operation has come back. */
void range_cqe(struct ublk_queue *q, struct request *r, uint32_t cookie, int32_t res)
{
	unsigned int op = cookie >> 8, i = cookie & 0xff;

	/* EINVAL: a kernel that has commands for block devices, but not this one. */
	if (op != RING_SYNC && (res == -EOPNOTSUPP || (op == RING_DISCARD && res == -EINVAL))) {
		struct dev_file *file = &q->dev->files[r->ranges->at[i].ext.file];

		atomic_fetch_or_explicit(&file->ring_lacks, op, memory_order_relaxed);
		ring_try(q, r, i);
	} else if (res < 0 && !r->error) {
		r->error = res;
	}
	step_ended(q, r);
}

void range_job_done(struct ublk_queue *q, struct request *r, const struct job *job)
{
	int res = job->watched ? call_result(q, &r->slot->io, job->res) : job->res;

	if (res && !r->error)
		r->error = res;
	step_ended(q, r);
}

/* FLUSH of a plugin that does not say more: every file that it registered. done counts them. */
void sync_files(struct ublk_queue *q, struct request *r)
{
	const struct ublk_dev *dev = q->dev;

	r->pending++;
	while (r->done < dev->nr_files) {
		struct io_uring_sqe *sqe;

		if (!dev->files[r->done].synced) {
			r->done++;
			continue;
		}
		sqe = ring_sqe(&q->ring);
		if (unlikely(!sqe)) {
			request_retry(q, r, RETRY_SYNC);
			return; /* keeping our count, so that sync_done() does not end it */
		}
		io_uring_prep_fsync(sqe, r->done, IORING_FSYNC_DATASYNC);
		sqe->flags = IOSQE_FIXED_FILE;
		sqe->user_data = ud_make(UD_SYNC, r->tag, 0);
		r->pending++;
		r->done++;
	}
	sync_done(q, r, 0);
}

void sync_done(struct ublk_queue *q, struct request *r, int32_t res)
{
	if (unlikely(res < 0) && !r->error)
		r->error = res;
	if (!--r->pending)
		request_done(q, r, r->error);
}
