// SPDX-License-Identifier: MIT
/* What must be on the device: a copy of some windows of it, kept by what was written. */
#include <stdio.h>
#include <string.h>

#include "check/kit.h"

/* The READ, or WRITE, that goes on at `at` of a window, as long as one may be. */
static struct kit_io window_step(const struct model *m, const struct model_window *w, uint64_t at)
{
	struct kit_io io = { .op = UBLK_OP_READ, .offset = w->offset + at };

	io.length = kit_step(m->d, io.offset, w->length - at);
	return io;
}

/* A window is read as it is; from then on its bytes are known. */
static void window_read(struct model *m, struct model_window *w)
{
	struct kit_io io;

	for (uint64_t at = 0; at < w->length; at += io.length) {
		io = window_step(m, w, at);
		kit_must(m->d, UBLK_OP_READ, 0, io.offset, io.length, w->bytes + at);
	}
}

static void place_windows(struct model *m, struct kit_dev *d)
{
	const uint64_t size = atomic_load(&d->dev.size), length = MODEL_WINDOW_BYTES;

	*m = (struct model){ .d = d, .block = kit_block(d), .nr = 1 };
	m->window[0] = (struct model_window){ .length = size };
	if (size <= MODEL_WINDOWS * length)
		return;
	m->nr = MODEL_WINDOWS;
	m->window[0].length = length;
	m->window[1] = (struct model_window){ .offset = size / 2 & ~(uint64_t)(length - 1),
					      .length = length };
	m->window[2] = (struct model_window){ .offset = size - length, .length = length };
}

void model_init(struct model *m, struct kit_dev *d)
{
	place_windows(m, d);
	for (unsigned int i = 0; i < m->nr; i++) {
		struct model_window *w = &m->window[i];

		w->bytes = kit_alloc(d->kit, w->length);
		w->any = kit_alloc(d->kit, w->length / m->block);
		window_read(m, w);
	}
}

/* Two READs, into memory with other bytes each. */
static const unsigned char poisons[] = { 0x5a, 0xc3 };

/* A byte that is neither zero nor, each time, what was in the memory before: that of a READ which fills nothing. */
static bool has_data(const unsigned char *first, const unsigned char *second, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if ((first[i] || second[i]) && (first[i] != poisons[0] || second[i] != poisons[1]))
			return true;
	return false;
}

/* What cannot be read might be anything: that it fails is not to look as if nothing were there. */
static void read_poisoned(struct kit_dev *d, unsigned char poison, const struct kit_io *io,
			  void *buf)
{
	d->kit->poison = poison;
	fake_set_poison(d->fake, poison);
	kit_must(d, io->op, 0, io->offset, io->length, buf);
}

bool model_finds_data(struct kit_dev *d)
{
	unsigned char *first = kit_alloc(d->kit, d->dev.limits.max_io_bytes);
	unsigned char *second = kit_alloc(d->kit, d->dev.limits.max_io_bytes);
	bool found = false;
	struct model m;
	struct kit_io io;

	place_windows(&m, d);
	for (unsigned int i = 0; i < m.nr && !found; i++)
		for (uint64_t at = 0; at < m.window[i].length && !found; at += io.length) {
			io = window_step(&m, &m.window[i], at);
			read_poisoned(d, poisons[0], &io, first);
			read_poisoned(d, poisons[1], &io, second);
			found = has_data(first, second, io.length);
		}
	free(first);
	free(second);
	return found;
}

void model_free(struct model *m)
{
	for (unsigned int i = 0; i < m->nr; i++) {
		free(m->window[i].bytes);
		free(m->window[i].any);
	}
}

void model_random_range(struct model *m, uint32_t max_length, struct kit_io *io)
{
	const struct ublk_limits *limits = &m->d->dev.limits;
	struct kit *k = m->d->kit;
	const struct model_window *w = &m->window[kit_random(k) % m->nr];
	uint32_t blocks = (uint32_t)(w->length / m->block);
	uint32_t most = max_of(max_length / m->block, 1u), at, length;

	/* Mostly short, sometimes as long as can be. */
	length = 1 + kit_random(k) % (kit_random(k) % 4 ? min_of(most, 16u) : most);
	at = kit_random(k) % blocks;
	length = min_of(length, blocks - at);
	io->offset = w->offset + (uint64_t)at * m->block;
	io->length = (uint64_t)length * m->block;
	if (limits->chunk_bytes && io->op <= UBLK_OP_WRITE)
		io->length =
			min_of(io->length, limits->chunk_bytes - io->offset % limits->chunk_bytes);
}

static int index_of(const struct model *m, const struct kit_io *io)
{
	for (unsigned int i = 0; i < m->nr; i++)
		if (io->offset >= m->window[i].offset &&
		    io->offset + io->length <= m->window[i].offset + m->window[i].length)
			return (int)i;
	return -1;
}

bool model_holds(const struct model *m, const struct kit_io *io)
{
	return index_of(m, io) >= 0;
}

static struct model_window *window_of(struct model *m, const struct kit_io *io)
{
	int i = index_of(m, io);

	if (i < 0)
		abort(); /* the kit's own mistake */
	return &m->window[i];
}

static void mark(struct model *m, struct model_window *w, const struct kit_io *io, bool any)
{
	memset(w->any + (io->offset - w->offset) / m->block, any, io->length / m->block);
}

void model_write(struct model *m, const struct kit_io *io)
{
	struct model_window *w = window_of(m, io);

	memcpy(w->bytes + (io->offset - w->offset), io->data, io->length);
	mark(m, w, io, false);
}

void model_zero(struct model *m, const struct kit_io *io)
{
	struct model_window *w = window_of(m, io);

	memset(w->bytes + (io->offset - w->offset), 0, io->length);
	mark(m, w, io, false);
}

void model_forget(struct model *m, const struct kit_io *io)
{
	mark(m, window_of(m, io), io, true);
}

void model_compare(struct model *m, const struct kit_io *io, const char *when)
{
	const struct model_window *w = window_of(m, io);
	const uint8_t *got = io->data, *want = w->bytes + (io->offset - w->offset);
	char text[128];

	for (uint64_t at = 0; at < io->length; at += m->block) {
		uint64_t i = 0;

		if (w->any[(io->offset + at - w->offset) / m->block] ||
		    !memcmp(got + at, want + at, m->block))
			continue;
		while (got[at + i] == want[at + i])
			i++;
		kit_fail(
			m->d->kit,
			"%s: %s gives 0x%02x at byte %llu of the device; it is 0x%02x that was there",
			when, kit_io_text(io, text), got[at + i],
			(unsigned long long)(io->offset + at + i), want[at + i]);
	}
}

void model_verify(struct model *m, const char *when)
{
	void *buf = kit_alloc(m->d->kit, m->d->dev.limits.max_io_bytes);
	struct kit_io io;

	for (unsigned int i = 0; i < m->nr; i++)
		for (uint64_t at = 0; at < m->window[i].length; at += io.length) {
			io = window_step(m, &m->window[i], at);
			io.data = buf;
			kit_must(m->d, io.op, 0, io.offset, io.length, buf);
			model_compare(m, &io, when);
		}
	free(buf);
}

void model_fill(struct model *m)
{
	const uint64_t seed = kit_random(m->d->kit);
	struct kit_io io;

	for (unsigned int i = 0; i < m->nr; i++)
		for (uint64_t at = 0; at < m->window[i].length; at += io.length) {
			io = window_step(m, &m->window[i], at);
			io.data = m->window[i].bytes + at;
			kit_pattern(io.data, seed, io.offset, io.length);
			kit_must(m->d, UBLK_OP_WRITE, 0, io.offset, io.length, io.data);
			mark(m, &m->window[i], &io, false);
		}
}

void model_clear(struct model *m)
{
	static const uint64_t zero;
	struct kit_io io;

	for (unsigned int i = 0; i < m->nr; i++)
		for (uint64_t at = 0; at < m->window[i].length; at += io.length) {
			uint8_t *bytes = m->window[i].bytes + at;

			io = window_step(m, &m->window[i], at);
			if (!memcmp(bytes, &zero, sizeof(zero)) &&
			    !memcmp(bytes, bytes + sizeof(zero), io.length - sizeof(zero)))
				continue;
			memset(bytes, 0, io.length);
			kit_must(m->d, UBLK_OP_WRITE, 0, io.offset, io.length, bytes);
		}
}
