// SPDX-License-Identifier: MIT
/*
 * The map profile: the plugin says where an io's bytes are, window by window; this file has them
 * moved, synced, punched or zeroed, and finishes what came back short.
 */
#include "queue/internal.h"

/* Extents must cover the io from its start and name only what was declared. 0 or -EIO. */
static int extents_check(struct ublk_queue *q, struct request *r, uint64_t wanted, int n)
{
	const struct ublk_dev *dev = q->dev;
	uint64_t sum = 0;

	if (n <= 0 || n > MAP_WINDOW) {
		plugin_misuse(q, "map returned %d extents, wanted 1..%d", n, MAP_WINDOW);
		return -EIO;
	}
	for (int i = 0; i < n; i++) {
		const struct ublk_extent *e = &r->ext[i];

		if (!is_pow2(e->kind) || !(e->kind & dev->limits.map_kinds)) {
			plugin_misuse(q, "map returned extent kind %#x, declared are %#x", e->kind,
				      dev->limits.map_kinds);
			return -EIO;
		}
		if (e->kind == UBLK_EXT_FD && (e->file <= 0 || e->file >= (int)dev->nr_files ||
					       e->at.offset > (uint64_t)INT64_MAX - e->length)) {
			plugin_misuse(q, "map returned file slot %d, offset %llu: no such place",
				      e->file, (unsigned long long)e->at.offset);
			return -EIO;
		}
		if (e->kind == UBLK_EXT_MEM && !e->at.addr) {
			plugin_misuse(q, "map returned a MEM extent at address 0");
			return -EIO;
		}
		if (!e->length || e->length > wanted - sum) {
			plugin_misuse(q, "map returned an extent of %llu bytes, %llu were left",
				      (unsigned long long)e->length,
				      (unsigned long long)(wanted - sum));
			return -EIO;
		}
		r->pos[i] = r->done + sum;
		sum += e->length;
	}
	if (sum < wanted && n < MAP_WINDOW) {
		plugin_misuse(q, "map covered %llu of %llu bytes with %d extents",
			      (unsigned long long)sum, (unsigned long long)wanted, n);
		return -EIO;
	}
	r->window = sum;
	r->nr_ext = n;
	return 0;
}

static int map_window(struct ublk_queue *q, struct request *r)
{
	const struct ublk_io *io = &r->slot->io;
	uint64_t wanted = io->length - r->done;
	struct ublk_io part;
	int n;

	if (unlikely(r->done)) {
		part = *io;
		part.offset += r->done;
		part.length = wanted;
		io = &part;
	}
	if (!plugin_enter(q))
		return -EIO;
	n = q->plugin->map(q->qpriv, io, r->ext, MAP_WINDOW);
	plugin_leave(q);
	uncommitted_check(q, "map");
	if (unlikely(n < -ERRNO_MAX)) {
		plugin_misuse(q, "map returned %d, which is no errno", n);
		return -EIO;
	}
	if (unlikely(n < 0))
		return n;
	if (io->op == UBLK_OP_FLUSH) {
		/* Names files, or none; lengths say nothing. */
		wanted = n > 0 && n <= MAP_WINDOW ? (uint64_t)n : 0;
		if (!n) {
			r->nr_ext = r->window = 0;
			return 0;
		}
	}
	return extents_check(q, r, wanted, n);
}

static void extent_failed(struct ublk_queue *q, struct request *r, unsigned int i, int32_t error)
{
	if (request_may_retry(q, r, error)) {
		/* Unless something comes by that goes on with all of retry_bits. */
		if (!r->listed && !r->buf_asked && !r->data_asked)
			request_retry(q, r, RETRY_MOVE);
		r->retry_bits |= 1u << i;
		r->pending++;
		return;
	}
	if (!r->error)
		r->error = error;
}

static void extent_move(struct ublk_queue *q, struct request *r, unsigned int i)
{
	int res = q->path->move(q, r, i);

	if (res > 0)
		r->pending++;
	else if (unlikely(res < 0))
		extent_failed(q, r, i, res);
}

/* Worker thread, or inline when nothing in it can block. */
static int range_job_run(struct job *job)
{
	const struct ublk_dev *dev = job->q->dev;
	const struct ublk_plugin *plugin = dev->plugin;
	int (*mem_op)(void *, uint64_t, uint64_t, uint32_t) =
		job->io.op == UBLK_OP_DISCARD ? plugin->discard : plugin->write_zeroes;
	uint64_t offset = job->io.offset;
	int res = 0;

	for (uint32_t i = 0; i < job->nr_ext && !res; offset += job->ext[i++].length) {
		const struct ublk_extent *e = &job->ext[i];

		if (e->kind == UBLK_EXT_FD) {
			res = file_range_op(&dev->files[e->file], job->io.op, e->at.offset,
					    e->length, job->io.flags);
		} else if (e->kind == UBLK_EXT_MEM && mem_op) {
			if (!plugin_enter(job->q))
				return -EIO;
			res = mem_op(dev->priv, e->length, offset, job->io.flags);
			plugin_leave(job->q);
		} else if (e->kind == UBLK_EXT_MEM && job->io.op == UBLK_OP_WRITE_ZEROES) {
			memset(e->at.addr, 0, e->length);
		}
	}
	return res > 0 ? -EIO : res;
}

/* DISCARD and WRITE_ZEROES: the window's extents are one job. */
static void window_range_op(struct ublk_queue *q, struct request *r)
{
	struct job *job = r->job;
	uint32_t kinds = 0;

	for (uint32_t i = 0; i < r->nr_ext; i++)
		kinds |= r->ext[i].kind;
	if (!(kinds & (UBLK_EXT_FD | UBLK_EXT_MEM)))
		return;
	job->q = q;
	job->run = range_job_run;
	job->io = r->slot->io;
	job->io.offset += r->done;
	job->nr_ext = r->nr_ext;
	memcpy(job->ext, r->ext, r->nr_ext * sizeof(r->ext[0]));
	if (!(kinds & UBLK_EXT_FD) && (q->plugin->flags & UBLK_PLUGIN_NONBLOCKING)) {
		r->error = range_job_run(job);
		return;
	}
	job->watched = kinds & UBLK_EXT_MEM;
	if (job->watched)
		request_hold(q, r);
	r->pending++;
	if (unlikely(workers_add(q, job))) {
		if (job->watched)
			request_unhold(q, r);
		r->pending--;
		r->error = -EAGAIN;
	}
}

static void window_sync(struct ublk_queue *q, struct request *r)
{
	for (uint32_t i = 0; i < r->nr_ext; i++) {
		struct io_uring_sqe *sqe;

		if (r->ext[i].kind != UBLK_EXT_FD)
			continue;
		sqe = ring_sqe(&q->ring);
		if (unlikely(!sqe)) {
			r->error = -EAGAIN;
			return;
		}
		io_uring_prep_fsync(sqe, r->ext[i].file, IORING_FSYNC_DATASYNC);
		sqe->flags = IOSQE_FIXED_FILE;
		sqe->user_data = ud_make(UD_MOVE, r->tag, i);
		r->pending++;
	}
}

/* All of a window's extents have come to an end. True: the io goes on with the next window. */
static bool window_ended(struct ublk_queue *q, struct request *r)
{
	int32_t error = r->error;

	if (unlikely(error)) {
		r->error = 0;
		if (request_may_retry(q, r, error))
			request_retry(q, r, RETRY_DISPATCH);
		else
			request_done(q, r, error);
		return false;
	}
	r->done += r->window;
	if (likely(r->done >= r->slot->io.length)) {
		request_done(q, r, 0);
		return false;
	}
	return true;
}

void map_run(struct ublk_queue *q, struct request *r)
{
	do {
		r->error = map_window(q, r);
		r->pending = 1; /* ours, so that no completion ends the window under us */
		if (likely(!r->error)) {
			if (r->op <= UBLK_OP_WRITE)
				for (unsigned int i = 0; i < r->nr_ext; i++)
					extent_move(q, r, i);
			else if (r->op == UBLK_OP_FLUSH)
				window_sync(q, r);
			else
				window_range_op(q, r);
		}
		if (--r->pending)
			return;
	} while (window_ended(q, r));
}

static void extent_ended(struct ublk_queue *q, struct request *r)
{
	if (!--r->pending && window_ended(q, r))
		map_run(q, r);
}

/* The completion of a move or a sync of extent i. */
void map_moved(struct ublk_queue *q, struct request *r, unsigned int i, int32_t res)
{
	struct ublk_extent *e = &r->ext[i];

	if (q->path->moved && res > 0 && r->op == UBLK_OP_READ) {
		int err = q->path->moved(q, r, r->pos[i], res);

		res = err ? err : res;
	}
	if (r->op == UBLK_OP_FLUSH || likely(res == (int32_t)e->length)) {
		if (unlikely(res < 0) && !r->error)
			r->error = res;
	} else if (res > 0 && (uint64_t)res < e->length) {
		/* Short: the rest is asked for again, the driver would not (rule 14). */
		e->length -= res;
		e->at.offset += res;
		r->pos[i] += res;
		extent_move(q, r, i);
	} else {
		extent_failed(q, r, i, res < 0 ? res : -EIO);
	}
	extent_ended(q, r);
}

/* Extents whose operation could not be started, or came back with a passing error. */
void map_retry(struct ublk_queue *q, struct request *r)
{
	uint32_t bits = r->retry_bits;

	r->retry_bits = 0;
	r->pending++; /* as in map_run */
	for (unsigned int i = 0; bits; i++, bits >>= 1) {
		if (!(bits & 1))
			continue;
		r->pending--;
		extent_move(q, r, i);
	}
	extent_ended(q, r);
}

/* What those that wait in retry_bits waited for will not come. */
void map_retry_failed(struct ublk_queue *q, struct request *r, int32_t error)
{
	if (request_may_retry(q, r, error)) {
		request_retry(q, r, RETRY_MOVE);
		return;
	}
	if (!r->error)
		r->error = error;
	r->pending -= __builtin_popcount(r->retry_bits) - 1;
	r->retry_bits = 0;
	extent_ended(q, r);
}

void map_job_done(struct ublk_queue *q, struct request *r, int32_t res)
{
	if (res && !r->error)
		r->error = res;
	extent_ended(q, r);
}

/* FLUSH of a plugin that does not say more: every file that it registered. done counts them. */
void sync_files(struct ublk_queue *q, struct request *r)
{
	const struct ublk_dev *dev = q->dev;

	r->pending++;
	while (r->done < dev->nr_files) {
		struct io_uring_sqe *sqe;

		if (!dev->files[r->done].by_plugin) {
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
