// SPDX-License-Identifier: MIT
/* Checks of what outlives a server, one process after the other, and of a stop in the middle of work. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "check/kit.h"
#include "device/params.h"

#define PIECES 32     /* ranges that are written, each by itself */
#define MEET_MS 20000 /* for another life to come to a point */

/* How far lives at the same time have come. */
enum point {
	POINT_NONE,
	POINT_SERVED,	 /* the former serves */
	POINT_AWAY,	 /* one was open beside it, and is closed again */
	POINT_SERVED_ON, /* the former serves as before */
	POINT_BESIDE,	 /* another one is open beside it */
	POINT_GONE,	 /* the former is dead */
	POINT_TAKEN_OVER /* the other one has served on, and found all */
};

/* What the lives tell each other. In shared memory. */
struct story {
	_Atomic(enum point) point;
	uint32_t piece; /* bytes of each */
	uint64_t size;	/* of the device */
	bool writable, keeps, fua, cache;
	bool persists;
	char word[64];
};

static struct story *story_begin(struct kit *k)
{
	struct story *s =
		mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (s == MAP_FAILED)
		kit_fail(k, "out of memory");
	return s;
}

static struct kit_dev *story_open(struct kit *k, struct story *s, uint32_t flags)
{
	struct kit_dev *d = kit_open(k, flags);

	kit_usual_queues(d);
	s->piece = max_of(kit_block(d), 4096u);
	s->size = atomic_load(&d->dev.size);
	s->writable = !kit_read_only(d) && s->size >= (uint64_t)s->piece * PIECES;
	s->keeps = kit_keeps_data(d);
	s->fua = device_fua_ok(k->desc, &d->dev.limits);
	s->cache = d->dev.limits.attrs & UBLK_DEV_VOLATILE_CACHE;
	return d;
}

/* A piece may be larger than what one request may have. */
static void move_piece(struct kit_dev *d, const struct story *s, unsigned int op,
		       unsigned int flags, uint64_t offset, char *buf)
{
	uint64_t length;

	for (uint64_t at = 0; at < s->piece; at += length) {
		length = kit_step(d, offset + at, s->piece - at);
		kit_must(d, op, flags, offset + at, length, buf + at);
	}
}

static void write_pieces(struct kit_dev *d, const struct story *s, unsigned int first,
			 unsigned int nr, uint64_t seed, unsigned int flags)
{
	void *buf = kit_alloc(d->kit, s->piece);

	for (unsigned int i = first; i < first + nr; i++) {
		uint64_t at = (uint64_t)i * s->piece;

		kit_pattern(buf, seed, at, s->piece);
		move_piece(d, s, UBLK_OP_WRITE, flags, at, buf);
	}
	free(buf);
}

/* How many of the pieces have what was written. */
static unsigned int count_pieces(struct kit_dev *d, const struct story *s, unsigned int first,
				 unsigned int nr, uint64_t seed)
{
	void *buf = kit_alloc(d->kit, s->piece), *want = kit_alloc(d->kit, s->piece);
	unsigned int n = 0;

	for (unsigned int i = first; i < first + nr; i++) {
		uint64_t at = (uint64_t)i * s->piece;

		kit_pattern(want, seed, at, s->piece);
		move_piece(d, s, UBLK_OP_READ, 0, at, buf);
		n += !memcmp(buf, want, s->piece);
	}
	free(buf);
	free(want);
	return n;
}

/* -- data that was flushed */

static void life_writes_and_closes(struct kit *k, void *arg)
{
	struct story *s = arg;
	struct kit_dev *d = story_open(k, s, 0);

	if (s->writable && s->keeps) {
		write_pieces(d, s, 0, PIECES, 1, 0);
		kit_must(d, UBLK_OP_FLUSH, 0, 0, 0, NULL);
	}
	kit_finish(d);
}

static void life_looks(struct kit *k, void *arg)
{
	struct story *s = arg;
	struct kit_dev *d = story_open(k, s, 0);

	s->persists = count_pieces(d, s, 0, PIECES, 1) == PIECES;
	kit_finish(d);
}

/* A third each: with FUA, before a FLUSH, after it. */
static void life_dies(struct kit *k, void *arg)
{
	struct story *s = arg;
	struct kit_dev *d = story_open(k, s, 0);

	write_pieces(d, s, 10, 10, 2, 0);
	kit_must(d, UBLK_OP_FLUSH, 0, 0, 0, NULL);
	write_pieces(d, s, 0, 10, 2, UBLK_IOF_FUA);
	write_pieces(d, s, 20, 10, 2, 0);
}

static void life_verifies(struct kit *k, void *arg)
{
	struct story *s = arg;
	struct kit_dev *d = story_open(k, s, 0);
	unsigned int fua = count_pieces(d, s, 0, 10, 2), flushed = count_pieces(d, s, 10, 10, 2);
	unsigned int rest = count_pieces(d, s, 20, 10, 2);

	if (flushed < 10)
		kit_fail(k, "of 10 writes that a FLUSH followed, %u are lost when the server dies",
			 10 - flushed);
	if (s->fua && fua < 10)
		kit_fail(k, "of 10 writes with FUA, %u are lost when the server dies", 10 - fua);
	if (!s->cache && rest < 10)
		kit_fail(
			k,
			"of 10 writes, %u are lost when the server dies: without UBLK_DEV_VOLATILE_CACHE "
			"a write that is completed is stable",
			10 - rest);
	kit_finish(d);
}

void check_durable(struct kit *k)
{
	struct story *s = story_begin(k);

	kit_life(k, life_writes_and_closes, s);
	if (!s->writable)
		kit_skip(k, "the device is read-only, or has less than %u blocks", PIECES);
	if (!s->keeps)
		kit_skip(k, "the plugin says that it keeps nothing (map_kinds)");
	kit_life(k, life_looks, s);
	if (!s->persists)
		kit_skip(k, "what is written does not outlive the plugin's process");
	kit_life(k, life_dies, s);
	kit_life(k, life_verifies, s);
}

/* -- recovery */

static void life_to_be_recovered(struct kit *k, void *arg)
{
	struct story *s = arg;
	struct kit_dev *d;

	if (!(k->desc->flags & UBLK_PLUGIN_RECOVERS)) {
		snprintf(s->word, sizeof(s->word), "the plugin does not recover");
		return;
	}
	d = story_open(k, s, UBLK_OPEN_KEEP);
	if (s->writable && s->keeps)
		write_pieces(d, s, 0, PIECES, 3, 0);
}

static void recovered(struct kit *k, struct story *s, uint64_t had, uint64_t writes)
{
	const uint64_t size = s->size;
	struct kit_dev *d = story_open(k, s, UBLK_OPEN_RECOVER | UBLK_OPEN_KEEP);
	unsigned int n;

	if (s->size != size)
		kit_fail(k,
			 "the device had %llu bytes, and has %llu when it is opened with "
			 "UBLK_OPEN_RECOVER",
			 (unsigned long long)size, (unsigned long long)s->size);
	if (!s->writable || !s->keeps)
		return;
	n = count_pieces(d, s, 0, PIECES, had);
	if (n < PIECES)
		kit_fail(k,
			 "of %u writes that the former server had completed, %u are lost after "
			 "open() with UBLK_OPEN_RECOVER",
			 PIECES, PIECES - n);
	write_pieces(d, s, 0, PIECES, writes, 0);
}

static void life_recovered(struct kit *k, void *arg)
{
	recovered(k, arg, 3, 4);
}

static void life_recovered_again(struct kit *k, void *arg)
{
	recovered(k, arg, 4, 5);
	kit_finish(k->first);
}

void check_recover(struct kit *k)
{
	struct story *s = story_begin(k);

	kit_life(k, life_to_be_recovered, s);
	if (*s->word)
		kit_skip(k, "%s", s->word);
	kit_life(k, life_recovered, s);
	kit_life(k, life_recovered_again, s);
}

/* -- open beside the former server */

/* False: it does not get there, of which its own life tells. */
static bool wait_point(struct kit *k, struct story *s, enum point point)
{
	uint64_t began = now_ms();

	while (atomic_load(&s->point) < point) {
		if (atomic_load(&k->report->verdict) != KIT_NONE || *s->word ||
		    now_ms() - began > MEET_MS)
			return false;
		usleep(500);
	}
	return true;
}

static void must_have(struct kit_dev *d, const struct story *s, uint64_t seed, const char *when)
{
	unsigned int n = s->writable && s->keeps ? count_pieces(d, s, 0, PIECES, seed) : PIECES;

	if (n < PIECES)
		kit_fail(d->kit,
			 "of %u writes that the former server had completed, %u are lost %s",
			 PIECES, PIECES - n, when);
}

static void overwrite(struct kit_dev *d, const struct story *s, uint64_t seed)
{
	if (s->writable && s->keeps)
		write_pieces(d, s, 0, PIECES, seed, 0);
}

/* It dies without stop() and close(), but its rings are gone: a driver tells a successor of their end. */
static void life_beside_which(struct kit *k, void *arg)
{
	const uint32_t needed = UBLK_PLUGIN_RECOVERS | UBLK_PLUGIN_OPENS_BESIDE;
	struct story *s = arg;
	struct kit_dev *d;

	if ((k->desc->flags & needed) != needed) {
		snprintf(s->word, sizeof(s->word),
			 "the plugin does not open beside another server");
		return;
	}
	d = story_open(k, s, UBLK_OPEN_KEEP);
	overwrite(d, s, 6);
	atomic_store(&s->point, POINT_SERVED);
	if (!wait_point(k, s, POINT_AWAY))
		return;
	must_have(d, s, 6, "when a server that was open beside it is closed without start()");
	overwrite(d, s, 7);
	atomic_store(&s->point, POINT_SERVED_ON);
	if (!wait_point(k, s, POINT_BESIDE))
		return;
	must_have(d, s, 7, "when another server is open beside it");
	overwrite(d, s, 8); /* what open() has seen is no longer so */
	kit_end_queues(d);
	kit_free_queues(d);
}

/* When the former has come to that point. NULL: it has not, or the plugin wants to be opened when it is gone. */
static struct kit_dev *open_beside(struct kit *k, struct story *s, enum point point)
{
	struct device_config cfg = k->cfg;
	struct kit_dev *d = NULL;
	int res;

	if (!wait_point(k, s, point))
		return NULL;
	res = kit_try_open(k, &d, UBLK_OPEN_RECOVER | UBLK_OPEN_KEEP | UBLK_OPEN_BESIDE);
	if (res == -EBUSY) {
		snprintf(s->word, sizeof(s->word), "open() with UBLK_OPEN_BESIDE says EBUSY here");
		return NULL;
	}
	if (res)
		kit_fail(k,
			 "open() with UBLK_OPEN_BESIDE failed: %s; where it cannot be had, EBUSY "
			 "says so",
			 strerror(-res));
	kit_limits(d, &cfg);
	if (atomic_load(&d->dev.size) != s->size)
		kit_fail(k,
			 "the device has %llu bytes, and has %llu when it is opened with "
			 "UBLK_OPEN_BESIDE",
			 (unsigned long long)s->size,
			 (unsigned long long)atomic_load(&d->dev.size));
	return d;
}

static void life_beside_and_away(struct kit *k, void *arg)
{
	struct story *s = arg;
	struct kit_dev *d = open_beside(k, s, POINT_SERVED);

	if (!d)
		return;
	kit_close(d);
	atomic_store(&s->point, POINT_AWAY);
}

static void life_beside_to_stay(struct kit *k, void *arg)
{
	struct story *s = arg;
	struct kit_dev *d = open_beside(k, s, POINT_SERVED_ON);

	if (!d)
		return;
	atomic_store(&s->point, POINT_BESIDE);
	if (!wait_point(k, s, POINT_GONE))
		return;
	kit_start(d);
	kit_usual_queues(d);
	must_have(d, s, 8,
		  "when start() comes after it; what open() with UBLK_OPEN_BESIDE saw of it was "
		  "not the last");
	overwrite(d, s, 9);
	must_have(d, s, 9, "under the next");
	kit_finish(d);
	atomic_store(&s->point, POINT_TAKEN_OVER);
}

void check_beside(struct kit *k)
{
	struct story *s = story_begin(k);
	pid_t former = kit_life_begin(k, life_beside_which, s), next;

	kit_life(k, life_beside_and_away, s);
	next = kit_life_begin(k, life_beside_to_stay, s);
	kit_life_end(k, former);
	if (atomic_load(&s->point) == POINT_BESIDE)
		atomic_store(&s->point, POINT_GONE);
	kit_life_end(k, next);
	if (*s->word)
		kit_skip(k, "%s", s->word);
	if (atomic_load(&s->point) != POINT_TAKEN_OVER)
		kit_fail(k, "two servers did not come together within %u s", MEET_MS / 1000);
}

/* -- a stop with requests under way */

void check_stop(struct kit *k)
{
	const uint32_t length = 16384;

	for (int round = 0; round < 8; round++) {
		struct kit_dev *d = kit_open(k, 0);
		const bool writes = kit_stores(d) && round % 2;
		const uint64_t size = atomic_load(&d->dev.size);
		void *buf;

		kit_usual_queues(d);
		buf = kit_alloc(k, length);
		for (unsigned int i = 0; i < d->nr_queues * d->dev.limits.max_depth; i++) {
			struct kit_io io = { .op = writes ? UBLK_OP_WRITE : UBLK_OP_READ,
					     .length = kit_block(d),
					     .data = buf,
					     .qid = (uint16_t)(i % d->nr_queues) };

			/* Where other checks have their windows. */
			io.offset = (uint64_t)i * kit_block(d) %
				    min_of(size, (uint64_t)MODEL_WINDOW_BYTES);
			kit_submit(d, &io);
		}
		kit_doing(k, "stopping with requests under way, time %d", round + 1);
		kit_finish(d);
		free(buf);
	}
}
