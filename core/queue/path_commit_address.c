// SPDX-License-Identifier: MIT
/*
 * Data path "commit-address": the driver copies straight between the application's pages and the
 * plugin's memory. A READ's COMMIT names the memory that holds the bytes; a WRITE says that it needs
 * an address, and gets the place where its bytes belong.
 *
 * The address of a COMMIT stays the tag's: a driver that copied the tag's next WRITE without asking
 * would write it over what the last READ read. NEED_GET_DATA makes it ask, always, so that no WRITE
 * ever lands by itself. Batch commands have no such question.
 */
#include <unistd.h>

#include "queue/internal.h"

static void address_tag_addr(const struct ublk_queue *q, struct request *r)
{
	(void)q;
	r->addr.buf = (uintptr_t)r->buf;
}

static int get_data(struct ublk_queue *q, struct request *r, void *to, enum data_then then)
{
	struct tag_addr addr = { .buf = (uintptr_t)to };
	int res = q->tq.transport->ops->get_data(&q->tq, r->tag, &addr);

	if (unlikely(res))
		return res;
	r->data_asked = true;
	r->data_then = then;
	return 1;
}

/* The whole io is one run of memory. */
static bool is_whole(const struct request *r)
{
	return r->nr_ext == 1 && r->ext[0].length == r->slot->io.length;
}

static int address_buf(struct ublk_queue *q, struct request *r, unsigned int i)
{
	r->addr.buf = (uintptr_t)r->buf;
	return buf_move(q, r, i);
}

/*
 * Memory that may fault: where the driver's copy finds no page, it does not tell us. It copies what
 * there is and sends the rest anew, and some drivers (Linux 6.12) do so for ever if that is nothing. So
 * one READ in so many is looked at before: healthy ones pay next to nothing for that, and one that
 * comes again and again is soon met, whatever else there is.
 */
#define LOOK_EVERY 61 /* a prime: in step with nothing */

static __attribute__((noinline)) int mem_look(struct ublk_queue *q, const struct ublk_extent *e)
{
	uintptr_t page = sysconf(_SC_PAGESIZE), from = (uintptr_t)e->at.addr & ~(page - 1);
	size_t length = (uintptr_t)e->at.addr + e->length - from;

	q->mem_reads = 0;
	if (!madvise((void *)from, length, MADV_POPULATE_READ) ||
	    (errno != EFAULT && errno != EHWPOISON))
		return 0;
	return -EIO;
}

static int address_read(struct ublk_queue *q, struct request *r, unsigned int i)
{
	const struct ublk_extent *e = &r->ext[i];

	if (e->kind == UBLK_EXT_MEM && is_whole(r)) {
		r->addr.buf = (uintptr_t)e->at.addr;
		if (unlikely(q->mem_faults && ++q->mem_reads == LOOK_EVERY))
			return mem_look(q, e);
		return 0;
	}
	if (e->kind == UBLK_EXT_ZERO && is_whole(r))
		r->addr.buf = (uintptr_t)q->dev->zeroes;
	else
		return address_buf(q, r, i);
	return 0;
}

static int address_write(struct ublk_queue *q, struct request *r, unsigned int i)
{
	const struct ublk_extent *e = &r->ext[i];
	int res = 1;

	if (!r->data_owed)
		return buf_move(q, r, i);
	if (e->kind == UBLK_EXT_MEM && is_whole(r))
		return get_data(q, r, e->at.addr, THEN_MOVED);
	if (!r->data_asked)
		res = get_data(q, r, r->buf, THEN_MOVE);
	if (res > 0)
		r->retry_bits |= 1ull << i; /* all that asked are moved when it is there */
	return res;
}

static int address_move(struct ublk_queue *q, struct request *r, unsigned int i)
{
	return r->op == UBLK_OP_READ ? address_read(q, r, i) : address_write(q, r, i);
}

/* The driver takes no COMMIT of a WRITE whose data was not fetched, not even to fail it. */
static int address_end(struct ublk_queue *q, struct request *r)
{
	return r->data_owed ? get_data(q, r, r->buf, THEN_COMMIT) : 0;
}

const struct data_path path_commit_address = {
	.name = "commit-address",
	.what = "the driver copies straight to and from the plugin's memory, once",
	.dev_flags = UBLK_F_NEED_GET_DATA,
	.lacking = "the ublk driver has no NEED_GET_DATA",
	.map_kinds = UBLK_EXT_FD | UBLK_EXT_MEM | UBLK_EXT_ZERO | UBLK_EXT_VOID,
	.buffer_kinds = UBLK_EXT_FD | UBLK_EXT_MEM | UBLK_EXT_ZERO | UBLK_EXT_VOID,
	.zero_kinds = UBLK_EXT_ZERO,
	.tag_addr = address_tag_addr,
	.end = address_end,
	.move = address_move,
};
