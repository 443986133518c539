// SPDX-License-Identifier: MIT
/*
 * The map profile: the plugin says where an io's bytes are, window by window; this file has them
 * moved, all of a window at a time, and finishes what came back short. Ranges are range.c's.
 */
#include "queue/sqes.h"

#define ASKS_MAX                                                                                   \
	64 /* calls of map for one window: extents that join are fewer than were asked for */

/* Lengths of moves are 32 bits in an SQE, and results are in a CQE: no extent needs to be split, as
 * none is longer than its io. (Ranges may be, and their operations take 64 bits.) */
_Static_assert(MAX_IO_LIMIT <= INT32_MAX, "an extent is one operation");

/* What is wrong with an extent of an io that has `left` bytes from there on. -EIO. */
static __attribute__((noinline, cold)) int extent_wrong(struct ublk_queue *q,
							const struct ublk_extent *e, uint64_t left)
{
	uint32_t kinds = q->dev->limits.map_kinds;

	if (!is_pow2(e->kind) || !(e->kind & kinds))
		plugin_misuse(q, "map returned extent kind %#x, declared are %#x", e->kind, kinds);
	else if (!e->length || e->length > left)
		plugin_misuse(q, "map returned an extent of %llu bytes, %llu were left",
			      (unsigned long long)e->length, (unsigned long long)left);
	else if (e->kind == UBLK_EXT_FD)
		plugin_misuse(q, "map returned file slot %d, offset %llu: no such place", e->file,
			      (unsigned long long)e->at.offset);
	else
		plugin_misuse(q, "map returned a MEM extent at address 0");
	return -EIO;
}

/* It must name what was declared and be no longer than what is left. */
static inline bool extent_ok(const struct ublk_queue *q, const struct ublk_extent *e, uint64_t left)
{
	const struct ublk_dev *dev = q->dev;

	if (unlikely(e->length - 1 >= left || !is_pow2(e->kind) ||
		     !(e->kind & dev->limits.map_kinds)))
		return false;
	if (e->kind == UBLK_EXT_FD)
		return (uint32_t)e->file - 1 < dev->nr_files - 1 &&
		       e->at.offset <= (uint64_t)INT64_MAX - e->length;
	return e->kind != UBLK_EXT_MEM || e->at.addr;
}

/* Does e begin where the extent before it ends? Then they are one. */
static bool extents_join(const struct ublk_extent *before, const struct ublk_extent *e)
{
	if (before->kind != e->kind)
		return false;
	switch (e->kind) {
	case UBLK_EXT_FD:
		return before->file == e->file &&
		       before->at.offset + before->length == e->at.offset;
	case UBLK_EXT_MEM:
		return (char *)before->at.addr + before->length == (char *)e->at.addr;
	default:
		return true;
	}
}

static inline int map_call(struct ublk_queue *q, const struct ublk_io *io, struct ublk_extent *out,
			   uint32_t max)
{
	int n;

	if (unlikely(!plugin_enter(q)))
		return -EIO;
	n = q->plugin->map(q->qpriv, io, out, max);
	plugin_leave(q);
	sqes_check(q, "map");
	return n;
}

/* What the plugin answers when it is asked where the io's bytes are from byte `at` on. */
static int map_ask(struct ublk_queue *q, const struct ublk_io *io, uint64_t at,
		   struct ublk_extent *out, uint32_t max)
{
	struct ublk_io part = *io;

	part.offset += at;
	part.length -= at;
	return map_call(q, &part, out, max);
}

/* 0, or -errno: the plugin's, or that such an answer is none. */
static int answer_check(struct ublk_queue *q, int n, uint32_t max)
{
	if (n > 0 && n <= (int)max)
		return 0;
	if (n < 0 && n >= -ERRNO_MAX)
		return n;
	if (n < 0)
		plugin_misuse(q, "map returned %d, which is no errno", n);
	else
		plugin_misuse(q, "map returned %d extents, wanted 1..%u", n, max);
	return -EIO;
}

/* From the request's own few to the tag's window: there are more. */
static void window_widen(struct ublk_queue *q, struct request *r)
{
	struct window *w = &q->windows[r->tag];

	memcpy(w->ext, r->few, r->nr_ext * sizeof(w->ext[0]));
	memcpy(w->pos, r->few_pos, r->nr_ext * sizeof(w->pos[0]));
	r->ext = w->ext;
	r->pos = w->pos;
}

/* n more extents stand behind those that r->ext has: check them, and join what goes on. 0 or -EIO. */
static int window_take(struct ublk_queue *q, struct request *r, uint64_t at, int n)
{
	const struct ublk_extent *from = &r->ext[r->nr_ext];
	uint64_t left = r->slot->io.length - at;

	for (int i = 0; i < n; i++) {
		struct ublk_extent *last = r->nr_ext ? &r->ext[r->nr_ext - 1] : NULL;
		const struct ublk_extent e = from[i];

		if (unlikely(!extent_ok(q, &e, left - r->window)))
			return extent_wrong(q, &e, left - r->window);
		if (last && extents_join(last, &e)) {
			last->length += e.length;
		} else {
			r->ext[r->nr_ext] = e;
			r->pos[r->nr_ext++] = at + r->window;
		}
		r->window += e.length;
	}
	return 0;
}

/* A window from byte `at` of the io on, as wide as it goes. n: what map answered for the few. */
static int window_fill(struct ublk_queue *q, struct request *r, uint64_t at, int n)
{
	const struct ublk_io *io = &r->slot->io;
	uint32_t room = MAP_FEW;

	r->ext = r->few;
	r->pos = r->few_pos;
	r->nr_ext = 0;
	r->window = 0;
	for (unsigned int asks = 1;; asks++) {
		int err = answer_check(q, n, room);

		if (!err)
			err = window_take(q, r, at, n);
		if (err)
			return err;
		if (at + r->window == io->length)
			return 0;
		if (unlikely(n < (int)room)) {
			plugin_misuse(q,
				      "map ended %llu bytes before the io, with %d extents of %u",
				      (unsigned long long)(io->length - at - r->window), n, room);
			return -EIO;
		}
		if (r->ext == r->few)
			window_widen(q, r);
		room = MAP_WINDOW - r->nr_ext;
		if (room < MAP_WINDOW / 4 || asks == ASKS_MAX)
			return 0; /* the rest is the next window's */
		n = map_ask(q, io, at + r->window, &r->ext[r->nr_ext], room);
	}
}

int map_window(struct ublk_queue *q, struct request *r, uint64_t at)
{
	return window_fill(q, r, at, map_ask(q, &r->slot->io, at, r->few, MAP_FEW));
}

int map_flush(struct ublk_queue *q, struct request *r)
{
	int n, err;

	r->nr_ext = 0;
	window_widen(q, r);
	n = map_call(q, &r->slot->io, r->ext, MAP_WINDOW);
	if (!n)
		return 0;
	err = answer_check(q, n, MAP_WINDOW);
	for (int i = 0; i < n && !err; i++)
		if (!extent_ok(q, &r->ext[i], 1))
			err = extent_wrong(q, &r->ext[i], 1);
	if (!err)
		r->nr_ext = n;
	return err;
}

static void extent_ended(struct ublk_queue *q, struct request *r);

static void extent_failed(struct ublk_queue *q, struct request *r, unsigned int i, int32_t error)
{
	if (request_may_retry(q, r, error)) {
		/* Unless something comes by that goes on with all of retry_bits. */
		if (!r->listed && !r->buf_asked && !r->data_asked)
			request_retry(q, r, RETRY_MOVE);
		r->retry_bits |= 1ull << i;
		r->pending++;
		return;
	}
	if (!r->error)
		r->error = error;
}

static inline void extent_move(struct ublk_queue *q, struct request *r, unsigned int i)
{
	int res = request_path(q, r)->move(q, r, i);

	if (res > 0)
		r->pending++;
	else if (unlikely(res < 0))
		extent_failed(q, r, i, res);
}

void window_failed(struct ublk_queue *q, struct request *r)
{
	int32_t error = r->error;

	r->error = 0;
	if (request_may_retry(q, r, error))
		request_retry(q, r, RETRY_DISPATCH);
	else
		request_done(q, r, error);
}

/* Windows, one after the other. err: what filling the first one came to. */
static void windows_run(struct ublk_queue *q, struct request *r, int err)
{
	for (;; err = map_window(q, r, r->done)) {
		r->error = err;
		r->pending = 1; /* ours, so that no completion ends the window under us */
		for (unsigned int i = 0; i < r->nr_ext && !err; i++)
			extent_move(q, r, i);
		if (--r->pending || !window_ended(q, r))
			return;
	}
}

void map_answered(struct ublk_queue *q, struct request *r, int n)
{
	windows_run(q, r, window_fill(q, r, 0, n));
}

void map_go_on(struct ublk_queue *q, struct request *r, int res)
{
	r->pending = 1;
	if (likely(res > 0))
		return;
	if (res < 0)
		extent_failed(q, r, 0, res);
	extent_ended(q, r);
}

void map_run(struct ublk_queue *q, struct request *r)
{
	if (r->op > UBLK_OP_WRITE)
		range_run(q, r);
	else
		windows_run(q, r, map_window(q, r, r->done));
}

static inline void extent_ended(struct ublk_queue *q, struct request *r)
{
	if (!--r->pending && window_ended(q, r))
		map_run(q, r);
}

/* The completion of a move of extent i. */
void map_moved(struct ublk_queue *q, struct request *r, unsigned int i, int32_t res)
{
	struct ublk_extent *e = &r->ext[i];

	if (q->path->moved && !r->shared && res > 0 && r->op == UBLK_OP_READ) {
		int err = q->path->moved(q, r, r->pos[i], res);

		res = err ? err : res;
	}
	if (unlikely(res != (int32_t)e->length)) {
		if (res > 0 && (uint64_t)res < e->length) {
			/* Short: the rest is asked for again, the driver would not (rule 14). */
			e->length -= res;
			e->at.offset += res;
			r->pos[i] += res;
			extent_move(q, r, i);
		} else {
			extent_failed(q, r, i, res < 0 ? res : -EIO);
		}
	}
	extent_ended(q, r);
}

/* Extents whose operation could not be started, or came back with a passing error. */
void map_retry(struct ublk_queue *q, struct request *r)
{
	uint64_t bits = r->retry_bits;

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
	r->pending -= __builtin_popcountll(r->retry_bits) - 1;
	r->retry_bits = 0;
	extent_ended(q, r);
}
