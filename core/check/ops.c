// SPDX-License-Identifier: MIT
/* Checks of the operations that move no data: flush, discard, write-zeroes; and of another size. */
#include <stdio.h>
#include <string.h>

#include "check/kit.h"
#include "device/params.h"

void check_flush(struct kit *k)
{
	struct kit_dev *d = kit_open(k, 0);
	void *buf = kit_alloc(k, kit_block(d));
	struct model m;

	if (kit_read_only(d))
		kit_skip(k, "the device is read-only");
	if (device_flushes_nothing(k->desc, &d->dev.limits, dev_synced_files(&d->dev)))
		kit_fail(
			k,
			"a FLUSH does nothing: there is UBLK_DEV_VOLATILE_CACHE, but neither flush(), nor "
			"FLUSH in map_ops or submit_ops, nor a file that was registered");
	kit_usual_queues(d);
	model_init(&m, d);
	kit_must(d, UBLK_OP_FLUSH, 0, 0, 0, NULL); /* nothing has been written */
	for (int i = 0; i < 20; i++) {
		struct kit_io io = { .op = UBLK_OP_WRITE,
				     .flags = i % 2 ? UBLK_IOF_FUA : 0,
				     .data = buf };

		model_random_range(&m, kit_block(d), &io);
		kit_pattern(buf, (uint64_t)i, io.offset, io.length);
		kit_must(d, io.op, io.flags, io.offset, io.length, buf);
		model_write(&m, &io);
		kit_must(d, UBLK_OP_FLUSH, 0, 0, 0, NULL);
	}
	if (kit_keeps_data(d))
		model_verify(&m, "after flushes");
	model_free(&m);
	free(buf);
	kit_finish(d);
}

/* Ranges of all lengths, from a block to the longest: in them, what the operation says; around them,
 * what was there. */
static void ranges(struct kit *k, unsigned int op, unsigned int flags, const char *when)
{
	struct kit_dev *d = kit_open(k, 0);
	const uint64_t most = op == UBLK_OP_DISCARD ? d->dev.limits.max_discard_bytes
						    : d->dev.limits.max_write_zeroes_bytes;
	struct model m;

	kit_usual_queues(d);
	model_init(&m, d);
	if (kit_stores(d))
		model_fill(&m);
	for (int i = 0; i < 60; i++) {
		struct kit_io io = { .op = op, .flags = flags };

		model_random_range(&m, (uint32_t)min_of(most, (uint64_t)MODEL_WINDOW_BYTES), &io);
		if (i == 0) { /* all of a window, if it may be so long */
			io.offset = m.window[0].offset;
			io.length = min_of(most & ~(uint64_t)(m.block - 1), m.window[0].length);
		}
		io.length = min_of(io.length, most & ~(uint64_t)(m.block - 1));
		kit_must(d, op, flags, io.offset, io.length, NULL);
		if (op == UBLK_OP_DISCARD)
			model_forget(&m, &io);
		else
			model_zero(&m, &io);
		if (i % 10 == 0 && kit_stores(d))
			model_verify(&m, when);
	}
	if (kit_stores(d))
		model_verify(&m, when);
	/* What was given up can be written again. */
	if (kit_stores(d)) {
		model_fill(&m);
		model_verify(&m, "written again");
	}
	model_free(&m);
	kit_finish(d);
}

static void need_op(struct kit *k, unsigned int op)
{
	struct kit_dev *d;
	bool read_only;

	if (!kit_serves(k, op))
		kit_skip(k, "the plugin does not serve %s", op_name(op));
	d = kit_open(k, 0);
	read_only = kit_read_only(d);
	if (op == UBLK_OP_DISCARD ? !d->dev.limits.max_discard_bytes
				  : !d->dev.limits.max_write_zeroes_bytes)
		kit_skip(k, "the device does not offer %s", op_name(op));
	kit_close(d);
	if (read_only)
		kit_skip(k, "the device is read-only");
}

void check_discard(struct kit *k)
{
	need_op(k, UBLK_OP_DISCARD);
	ranges(k, UBLK_OP_DISCARD, 0, "after discards");
}

void check_write_zeroes(struct kit *k)
{
	need_op(k, UBLK_OP_WRITE_ZEROES);
	ranges(k, UBLK_OP_WRITE_ZEROES, 0, "after zeroes were written");
	ranges(k, UBLK_OP_WRITE_ZEROES, UBLK_IOF_NOUNMAP, "after zeroes were written with NOUNMAP");
}

/* -- another size */

static int resize(struct kit_dev *d, uint64_t size, uint32_t flags)
{
	int res;

	kit_doing(d->kit, "resize() to %llu bytes%s", (unsigned long long)size,
		  flags & UBLK_RESIZE_CHECK ? " with UBLK_RESIZE_CHECK" : "");
	res = d->shim.resize(d->dev.priv, size, flags);
	if (res > 0 || res < -4095)
		kit_fail(d->kit, "resize() returned %d, which is neither 0 nor an errno", res);
	return res;
}

static void set_size(struct kit_dev *d, uint64_t size)
{
	struct ublk_queue *queues[KIT_QUEUES];

	for (unsigned int i = 0; i < d->nr_started; i++)
		queues[i] = d->queue[i].q;
	if (dev_set_size(&d->dev, queues, d->nr_started, size, 5000))
		kit_fail(d->kit, "requests beyond the new end do not come to an end");
}

/* As the host does it: the plugin first when it grows, last when it shrinks. */
static bool grow(struct kit_dev *d, uint64_t size)
{
	int res = resize(d, size, UBLK_RESIZE_CHECK);

	if (!res)
		res = resize(d, size, 0);
	if (!res)
		set_size(d, size);
	return !res;
}

static bool shrink(struct kit_dev *d, uint64_t size)
{
	uint64_t former = atomic_load(&d->dev.size);
	int res = resize(d, size, UBLK_RESIZE_CHECK);

	if (res)
		return false;
	set_size(d, size);
	res = resize(d, size, 0);
	if (res)
		set_size(d, former);
	return !res;
}

void check_resize(struct kit *k)
{
	struct kit_dev *d;
	uint64_t size, more;
	uint32_t block;
	struct model m;
	void *buf, *again;

	if (!k->desc->resize)
		kit_skip(k, "the plugin has no resize()");
	d = kit_open(k, 0);
	size = atomic_load(&d->dev.size);
	block = kit_block(d);
	more = size + (1u << 20);
	buf = kit_alloc(k, block);
	again = kit_alloc(k, block);
	kit_usual_queues(d);
	model_init(&m, d);
	if (kit_stores(d))
		model_fill(&m);
	/* A check is no more than that. */
	resize(d, more, UBLK_RESIZE_CHECK);
	if (size > 2 * (uint64_t)block)
		resize(d, size - block, UBLK_RESIZE_CHECK);
	model_verify(&m, "after resize() with UBLK_RESIZE_CHECK");
	if (!grow(d, more))
		kit_skip(k, "the plugin does not let this device grow");
	model_verify(&m, "after the device grew");
	kit_must(d, UBLK_OP_READ, 0, more - block, block, buf);
	kit_must(d, UBLK_OP_READ, 0, more - block, block, again);
	if (memcmp(buf, again, block))
		kit_fail(k, "what has been added at the end reads otherwise each time");
	if (kit_stores(d)) {
		kit_pattern(buf, 7, 0, block);
		kit_must(d, UBLK_OP_WRITE, 0, more - block, block, buf);
		kit_must(d, UBLK_OP_READ, 0, more - block, block, again);
		if (memcmp(buf, again, block))
			kit_fail(k, "what was written at the new end is not there");
	}
	if (shrink(d, size) && grow(d, more)) {
		kit_must(d, UBLK_OP_READ, 0, more - block, block, again);
		for (uint32_t i = 0; i < block; i++)
			if (((char *)again)[i] && ((char *)again)[i] != ((char *)buf)[i])
				kit_fail(k,
					 "after the device shrank and grew again, its end reads as "
					 "neither zeroes nor what was there");
		shrink(d, size);
	}
	model_verify(&m, "after the device had other sizes");
	model_free(&m);
	free(buf);
	free(again);
	kit_finish(d);
}
