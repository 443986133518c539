// SPDX-License-Identifier: MIT
/* Checks of what is read and written, against a model of the device. */
#include <stdio.h>
#include <string.h>

#include "check/kit.h"

#define ROUNDS 1500	    /* of random requests, on each data path */
#define PARALLEL_ROUNDS 400 /* of as many requests as go at once */
#define IN_FLIGHT 24

static void need_writes(struct kit_dev *d)
{
	if (kit_read_only(d))
		kit_skip(d->kit, "the device is read-only");
	if (!kit_keeps_data(d))
		kit_skip(d->kit, "the plugin says that it keeps nothing (map_kinds)");
}

/* Another seed for each write, so that what is old is told from what is new. */
static void fill(struct kit *k, struct kit_io *io)
{
	kit_pattern(io->data, ((uint64_t)kit_random(k) << 32) + kit_random(k), io->offset,
		    io->length);
}

/* The first and the last block, the longest request at both ends, and each length and place around what
 * plugins like to divide by. */
void check_boundaries(struct kit *k)
{
	struct kit_dev *d = kit_open(k, 0);
	const struct ublk_limits *limits = &d->dev.limits;
	const uint32_t block = kit_block(d), most = limits->max_io_bytes;
	const uint64_t size = atomic_load(&d->dev.size);
	const uint32_t chunk = limits->chunk_bytes ? limits->chunk_bytes : 65536;
	struct model m;
	void *buf = kit_alloc(k, most);

	kit_usual_queues(d);
	model_init(&m, d);
	for (int write = 0; write < 2; write++) {
		const uint64_t places[] = { 0,
					    block,
					    4096 - block,
					    4096,
					    chunk - block,
					    chunk,
					    chunk + block,
					    most - block,
					    most,
					    size - block,
					    size - 4096,
					    size - most,
					    size - 2 * (uint64_t)block };
		const uint64_t lengths[] = { block, 2 * (uint64_t)block, 4096,	       4096 + block,
					     65536, chunk - block,	 most - block, most };

		if (write && !kit_stores(d))
			break;
		for (size_t i = 0; i < ARRAY_SIZE(places) * ARRAY_SIZE(lengths); i++) {
			struct kit_io io = { .op = write ? UBLK_OP_WRITE : UBLK_OP_READ,
					     .offset = places[i % ARRAY_SIZE(places)],
					     .data = buf };
			uint64_t length = lengths[i / ARRAY_SIZE(places)];

			if (io.offset >= size || io.offset % block || length % block || !length)
				continue;
			length = min_of(length, (uint64_t)most);
			io.length = min_of(length, size - io.offset);
			if (limits->chunk_bytes)
				io.length = min_of(io.length, chunk - io.offset % chunk);
			if (!model_holds(&m, &io))
				continue;
			if (write)
				fill(k, &io);
			kit_must(d, io.op, 0, io.offset, io.length, buf);
			if (write)
				model_write(&m, &io);
			else
				model_compare(&m, &io, "read again");
		}
	}
	model_verify(&m, "after writes at all boundaries");
	model_free(&m);
	free(buf);
	kit_finish(d);
}

/* All of a READ's memory is filled, by what does not depend on what was in it: it might be another user's.
 * Reads alternate with others of other lengths, which leave other bytes in the buffers. */
void check_reads(struct kit *k)
{
	struct kit_dev *d = kit_open(k, 0);
	const uint32_t most = d->dev.limits.max_io_bytes;
	void *buf = kit_alloc(k, most);
	struct model m;

	if (!kit_keeps_data(d) && d->dev.limits.map_kinds & UBLK_EXT_VOID)
		kit_skip(k, "the plugin says that reads return anything (UBLK_EXT_VOID)");
	kit_usual_queues(d);
	model_init(&m, d);
	for (int i = 0; i < 300; i++) {
		struct kit_io io = { .op = UBLK_OP_READ, .data = buf };

		model_random_range(&m, most, &io);
		kit_must(d, io.op, 0, io.offset, io.length, buf);
		model_compare(&m, &io, "the same read for the second time");
	}
	model_free(&m);
	free(buf);
	kit_finish(d);
}

/* One random request, alone. */
static void random_step(struct model *m, void *buf)
{
	static const unsigned int ops[] = { UBLK_OP_READ,  UBLK_OP_READ,    UBLK_OP_READ,
					    UBLK_OP_WRITE, UBLK_OP_WRITE,   UBLK_OP_WRITE,
					    UBLK_OP_FLUSH, UBLK_OP_DISCARD, UBLK_OP_WRITE_ZEROES };
	struct kit_dev *d = m->d;
	struct kit *k = d->kit;
	struct kit_io io = { .op = ops[kit_random(k) % ARRAY_SIZE(ops)], .data = buf };
	char text[128];

	if (!kit_serves(k, io.op) && io.op != UBLK_OP_FLUSH)
		return;
	model_random_range(m, d->dev.limits.max_io_bytes, &io);
	if (io.op == UBLK_OP_FLUSH)
		io.offset = io.length = 0;
	if (io.op == UBLK_OP_WRITE) {
		fill(k, &io);
		io.flags = kit_random(k) % 8 ? 0 : UBLK_IOF_FUA;
	}
	if (io.op == UBLK_OP_WRITE_ZEROES)
		io.flags = kit_random(k) % 2 ? UBLK_IOF_NOUNMAP : 0;
	kit_must(d, io.op, io.flags, io.offset, io.length, buf);
	snprintf(text, sizeof(text), "random requests, seed %llu",
		 (unsigned long long)k->request->seed);
	if (io.op == UBLK_OP_READ)
		model_compare(m, &io, text);
	else if (io.op == UBLK_OP_WRITE)
		model_write(m, &io);
	else if (io.op == UBLK_OP_WRITE_ZEROES)
		model_zero(m, &io);
	else if (io.op == UBLK_OP_DISCARD)
		model_forget(m, &io);
}

void check_data(struct kit *k)
{
	struct path_choice path;
	struct kit_dev *d;
	struct model m;
	void *buf;

	for (unsigned int i = 0;; i++) {
		d = kit_open(k, 0);
		need_writes(d);
		if (!kit_path(d, i, &path))
			break;
		kit_queues(d, 1, 4, &path);
		buf = kit_alloc(k, d->dev.limits.max_io_bytes);
		model_init(&m, d);
		for (int round = 0; round < ROUNDS; round++)
			random_step(&m, buf);
		model_verify(&m, "after all random requests");
		model_free(&m);
		free(buf);
		kit_finish(d);
	}
	kit_close(d);
}

/* -- many at once */

struct flight {
	struct kit_io io[IN_FLIGHT];
	bool busy[IN_FLIGHT];
};

static bool overlaps(const struct kit_io *a, const struct kit_io *b)
{
	return a->offset < b->offset + b->length && b->offset < a->offset + a->length;
}

/* The kernel does not order requests for the same bytes: only those that are apart can be foretold. */
static bool is_free(const struct flight *f, const struct kit_io *io)
{
	for (unsigned int i = 0; i < IN_FLIGHT; i++)
		if (f->busy[i] && overlaps(&f->io[i], io))
			return false;
	return true;
}

static void land(struct model *m, struct flight *f, unsigned int i)
{
	struct kit_io *io = &f->io[i];
	char text[128];
	int res = kit_wait(m->d, io);

	f->busy[i] = false;
	if (res)
		kit_fail(m->d->kit, "%s failed among others: %s", kit_io_text(io, text),
			 strerror(-res));
	if (io->op == UBLK_OP_WRITE)
		model_write(m, io);
	else
		model_compare(m, io, "requests at the same time");
}

/* A queue has as many tags as it is deep, and one that is not landed keeps its own. */
static void make_room(struct model *m, struct flight *f, uint16_t qid)
{
	unsigned int busy = 0, last = 0;

	for (unsigned int i = 0; i < IN_FLIGHT; i++)
		if (f->busy[i] && f->io[i].qid == qid) {
			busy++;
			last = i;
		}
	if (busy >= m->d->dev.limits.max_depth)
		land(m, f, last);
}

void check_parallel(struct kit *k)
{
	struct kit_dev *d = kit_open(k, 0);
	const uint32_t most = min_of(d->dev.limits.max_io_bytes, 128u << 10);
	const bool writes = kit_stores(d);
	struct flight f = { 0 };
	struct model m;

	if (!kit_keeps_data(d) && d->dev.limits.map_kinds & UBLK_EXT_VOID)
		kit_skip(k, "the plugin says that reads return anything (UBLK_EXT_VOID)");
	kit_usual_queues(d);
	model_init(&m, d);
	for (unsigned int i = 0; i < IN_FLIGHT; i++)
		f.io[i].data = kit_alloc(k, most);
	for (int n = 0; n < PARALLEL_ROUNDS * IN_FLIGHT / 4; n++) {
		unsigned int i = kit_random(k) % IN_FLIGHT;
		struct kit_io *io = &f.io[i];

		if (f.busy[i])
			land(&m, &f, i);
		io->op = writes && kit_random(k) % 2 ? UBLK_OP_WRITE : UBLK_OP_READ;
		io->qid = (uint16_t)(kit_random(k) % d->nr_queues);
		model_random_range(&m, most, io);
		if (!is_free(&f, io))
			continue;
		if (io->op == UBLK_OP_WRITE)
			fill(k, io);
		make_room(&m, &f, io->qid);
		kit_submit(d, io);
		f.busy[i] = true;
	}
	for (unsigned int i = 0; i < IN_FLIGHT; i++) {
		if (f.busy[i])
			land(&m, &f, i);
		free(f.io[i].data);
	}
	model_verify(&m, "after requests at the same time");
	model_free(&m);
	kit_finish(d);
}
