// SPDX-License-Identifier: MIT
/*
 * Requests whose data is in memory that the server shares with the program (SHMEM_ZC): whatever the
 * device's data path, they go this way, and nothing is copied for them but between that memory and
 * the plugin's. The driver looks for them request by request, so that any mixture may arrive.
 */
#include <unistd.h>

#include "queue/internal.h"

/* Such a plugin finds the data in the registered buffer, and there it is: the pages are the same. */
static bool served_as_pages(const struct ublk_queue *q, const struct request *r)
{
	return q->dev->profile[r->op] == PROFILE_SUBMIT && q->path->data_mode != UBLK_DATA_MAPPED;
}

/* Functions are promised memory that begins with a page, for they may hand it on to direct I/O; a program's
 * buffer begins anywhere. */
static bool goes_by_buffer(const struct ublk_queue *q, const struct request *r)
{
	return q->dev->profile[r->op] == PROFILE_CALL &&
	       (uintptr_t)r->shared_buf & (sysconf(_SC_PAGESIZE) - 1);
}

int shared_take(struct ublk_queue *q, struct request *r)
{
	/* Read once; it is gone when the driver has answered NEED_GET_DATA. */
	uint64_t addr = __atomic_load_n(&q->tq.descs[r->tag].addr, __ATOMIC_RELAXED);
	uint32_t index = ublk_shmem_zc_index(addr), offset = ublk_shmem_zc_offset(addr);
	struct shared_memory *memory = &q->dev->shared[min_of(index, MAX_SHARED_MEMORY - 1u)];

	if (served_as_pages(q, r))
		return 0;
	if (unlikely(index >= MAX_SHARED_MEMORY || !memory->base ||
		     offset + r->slot->io.length > memory->size))
		return -EIO;
	r->shared = r->ending = true;
	r->shared_memory = memory;
	r->shared_buf = memory->base + offset;
	q->counters->shared += !goes_by_buffer(q, r);
	return 0;
}

static int shared_begin(struct ublk_queue *q, struct request *r)
{
	struct ublk_io *io = &r->slot->io;

	if (!goes_by_buffer(q, r))
		return 0;
	io->buf = r->buf;
	if (r->op == UBLK_OP_WRITE)
		memcpy(r->buf, r->shared_buf, io->length);
	return 0;
}

/* The driver wants to be asked for a WRITE's data even if it has nothing to copy. And what was moved
 * to or from memory that is gone were zeroes. */
static int shared_end(struct ublk_queue *q, struct request *r)
{
	if (r->data_owed)
		return q->path->end(q, r);
	if (r->result < 0)
		return 0;
	if (r->op == UBLK_OP_READ && goes_by_buffer(q, r))
		memcpy(r->shared_buf, r->buf, r->slot->io.length);
	return atomic_load_explicit(&r->shared_memory->lost, memory_order_relaxed) ? -EIO : 0;
}

const struct data_path path_shared = {
	.name = "shared",
	.data_mode = UBLK_DATA_MAPPED,
	.begin = shared_begin,
	.end = shared_end,
	.move = shared_move,
};
