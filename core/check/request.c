// SPDX-License-Identifier: MIT
/* The application's side: requests into the fake transport, and their results. */
#include <stdio.h>
#include <string.h>

#include "check/kit.h"

#define TICK_MS 1000
#define PATIENCE_MS                                                                                \
	30000 /* a result that takes longer will not come: the data plane gives up before */

static const char *const op_words[NR_OPS] = { "READ", "WRITE", "FLUSH", "DISCARD", "WRITE_ZEROES" };

const char *kit_io_text(const struct kit_io *io, char buf[128])
{
	snprintf(buf, 128, "%s%s%s offset %llu length %llu", op_words[io->op],
		 io->flags & UBLK_IOF_FUA ? " with FUA" : "",
		 io->flags & UBLK_IOF_NOUNMAP ? " with NOUNMAP" : "",
		 (unsigned long long)io->offset, (unsigned long long)io->length);
	return buf;
}

void kit_tick(struct kit_dev *d)
{
	uint64_t now = now_ms();

	if (now - d->ticked < TICK_MS)
		return;
	d->ticked = now;
	for (unsigned int i = 0; i < d->nr_started; i++)
		queue_ask(d->queue[i].q, QUEUE_ASK_TICK);
}

void kit_submit(struct kit_dev *d, struct kit_io *io)
{
	struct fake_request req = fake_request_of(io->op, io->flags, io->offset, io->length,
						  io->op == UBLK_OP_WRITE ? io->data : NULL);
	uint64_t began = now_ms();
	char text[128];

	io->tag = fake_submit(d->fake, io->qid, &req);
	while (io->tag == -EBUSY && now_ms() - began < PATIENCE_MS) {
		usleep(100);
		kit_tick(d);
		io->tag = fake_submit(d->fake, io->qid, &req);
	}
	if (io->tag < 0)
		kit_fail(d->kit, "%s: could not be handed over: %s", kit_io_text(io, text),
			 strerror(-io->tag));
}

uint64_t kit_step(const struct kit_dev *d, uint64_t offset, uint64_t length)
{
	const uint32_t chunk = d->dev.limits.chunk_bytes;

	length = min_of(length, (uint64_t)d->dev.limits.max_io_bytes);
	return chunk ? min_of(length, chunk - offset % chunk) : length;
}

bool kit_is_done(struct kit_dev *d, const struct kit_io *io)
{
	return fake_is_done(d->fake, io->qid, (uint16_t)io->tag);
}

int kit_wait(struct kit_dev *d, struct kit_io *io)
{
	uint64_t began = now_ms();
	char text[128];
	int32_t res;

	kit_doing(d->kit, "waiting for %s", kit_io_text(io, text));
	while (fake_wait(d->fake, io->qid, (uint16_t)io->tag, TICK_MS / 2, &res,
			 io->op == UBLK_OP_READ ? io->data : NULL)) {
		kit_tick(d);
		if (now_ms() - began > PATIENCE_MS)
			kit_fail(d->kit, "%s: there is no result", kit_io_text(io, text));
	}
	kit_doing(d->kit, "%s", "");
	/* The driver takes bytes done; for what has no data the host answers for it. */
	if (res >= 0 && io->op <= UBLK_OP_WRITE && (uint64_t)res != io->length)
		kit_fail(d->kit, "%s: the application gets %d bytes", kit_io_text(io, text), res);
	return res < 0 ? res : 0;
}

int kit_io(struct kit_dev *d, unsigned int op, unsigned int flags, uint64_t offset, uint64_t length,
	   void *data)
{
	struct kit_io io = {
		.op = op, .flags = flags, .offset = offset, .length = length, .data = data
	};

	kit_submit(d, &io);
	return kit_wait(d, &io);
}

void kit_must(struct kit_dev *d, unsigned int op, unsigned int flags, uint64_t offset,
	      uint64_t length, void *data)
{
	struct kit_io io = {
		.op = op, .flags = flags, .offset = offset, .length = length, .data = data
	};
	char text[128];
	int res;

	kit_submit(d, &io);
	res = kit_wait(d, &io);
	if (res)
		kit_fail(d->kit, "%s failed: %s%s", kit_io_text(&io, text), strerror(-res),
			 res == -EPERM ? "; EPERM is 1: if that was a system call's -1, the plugin "
					 "is to return -errno instead"
				       : "");
}
