// SPDX-License-Identifier: MIT
/*
 * The queue's large memory: mapped, so that what nobody touches is not there. The queue's own thread
 * maps and touches it, on its CPUs, which puts it on their node.
 *
 * A tag's buffer is as long as the longest io, and begins with small pages: with huge ones a device of
 * 4 KiB ios would hold all of every buffer, 64 MiB a queue with the defaults. What a file that is open
 * for direct I/O reads to, or writes from, has to be pinned; for each io, unless the ring knows it as a
 * registered buffer. So as much of a tag's buffer is registered as its longest such io has needed. And
 * huge pages save more, the work per page below: a tag's first large io has its buffer made of them.
 * Large is at least a quarter of the buffer: huge pages then hold at most four times what such ios would
 * hold anyway.
 */
#include <linux/mempolicy.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel/sysfs.h"
#include "queue/internal.h"

#define LARGE_IO (128u << 10)	  /* what is shorter pins few pages */
#define HUGE_PAGE_MAX (2ul << 20) /* those of some machines are larger than anything here */

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* Linux 6.1 */
#endif

void *buffer_alloc(size_t size)
{
	void *buf = mmap(NULL, size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (buf == MAP_FAILED)
		return NULL;
	madvise(buf, size, MADV_NOHUGEPAGE);
	return buf;
}

size_t huge_page_size(void)
{
	char enabled[64];
	uint64_t size;

	if (sysfs_read_line("", "/sys/kernel/mm/transparent_hugepage/enabled", enabled,
			    sizeof(enabled)) ||
	    strstr(enabled, "[never]") ||
	    sysfs_read_number("", "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", &size))
		return 0;
	return is_pow2(size) && size <= HUGE_PAGE_MAX ? size : 0;
}

/* The call profile's workers may be the first to touch a buffer, and run anywhere. */
static void prefer_this_node(void *buf, size_t size)
{
	unsigned long nodes[16] = { 0 };
	const unsigned int bits = 8 * sizeof(nodes[0]);
	unsigned int cpu, node;

	if (syscall(SYS_getcpu, &cpu, &node, NULL) || node >= ARRAY_SIZE(nodes) * bits)
		return;
	nodes[node / bits] |= 1ul << node % bits;
	syscall(SYS_mbind, buf, size, MPOL_PREFERRED, nodes, sizeof(nodes) * 8, 0);
}

int tag_buffers_alloc(struct ublk_queue *q)
{
	const struct ublk_limits *limits = &q->dev->limits;
	size_t huge = q->dev->huge_page, step = huge ? huge : 4096, all, before;
	char *buf;

	q->bufs_size = round_up_to((size_t)q->depth * limits->max_io_bytes, step);
	all = q->bufs_size + huge;
	buf = buffer_alloc(all);
	if (!buf)
		return -ENOMEM;
	/* Cut to the borders of huge pages. */
	before = -(uintptr_t)buf & (step - 1);
	if (before)
		munmap(buf, before);
	if (huge > before)
		munmap(buf + before + q->bufs_size, huge - before);
	q->bufs = buf + before;
	q->large_io = huge ? max_of(LARGE_IO, limits->max_io_bytes / 4) : UINT32_MAX;
	if (q->cpus && q->dev->profile[UBLK_OP_READ] == PROFILE_CALL)
		prefer_this_node(q->bufs, q->bufs_size);
	return 0;
}

bool tag_buffers_can_register(const struct ublk_queue *q)
{
	struct rlimit lock = { .rlim_cur = 0 };

	/* What a user may lock is scarce, and rings are made of it. */
	if (!q->bufs ||
	    (geteuid() && (getrlimit(RLIMIT_MEMLOCK, &lock) || lock.rlim_cur != RLIM_INFINITY)))
		return false;
	for (unsigned int i = 0; i < q->dev->nr_files; i++)
		if (q->dev->files[i].is_direct)
			return true;
	return false;
}

/* The first bytes of the tag's buffer are registered buffer `tag`, or 0: nothing is. */
static void tag_buffer_register(struct ublk_queue *q, struct request *r, uint32_t bytes)
{
	struct iovec iov = { bytes ? r->buf : NULL, bytes };

	if (io_uring_register_buffers_update_tag(&q->ring, r->tag, &iov, NULL, 1) == 1) {
		r->fixed_bytes = bytes;
		return;
	}
	/* More memory than we may lock, most likely: others would be refused the same way. */
	if (bytes)
		q->registers = false;
}

/* Pinned pages cannot be gathered, and neighbours have theirs in the same huge pages. False: not now,
 * as what is queued may name what would go away, and the kernel takes no more at the moment. */
static bool tag_buffers_unregister(struct ublk_queue *q, uintptr_t from, uintptr_t end)
{
	io_uring_submit(&q->ring);
	if (unlikely(io_uring_sq_ready(&q->ring)))
		return false;
	for (uint32_t tag = 0; tag < q->depth; tag++) {
		struct request *r = &q->reqs[tag];

		if (r->fixed_bytes && (uintptr_t)r->buf < end &&
		    (uintptr_t)r->buf + r->fixed_bytes > from)
			tag_buffer_register(q, r, 0);
	}
	return true;
}

/* The pages that it has are gathered into huge ones; where there are none yet, or an io in flight
 * keeps them, the next touch or the next large io does it. */
static void tag_buffer_huge(struct ublk_queue *q, struct request *r)
{
	uintptr_t huge = q->dev->huge_page, buf = (uintptr_t)r->buf;
	uintptr_t from = buf & ~(huge - 1);
	size_t size = round_up_to(buf + q->dev->limits.max_io_bytes - from, huge);

	r->huge_tries--;
	if (q->registers && !r->buf_own && !tag_buffers_unregister(q, from, from + size))
		return;
	if (r->buf_own || madvise((void *)from, size, MADV_HUGEPAGE) ||
	    !madvise((void *)from, size, MADV_COLLAPSE) || errno != EAGAIN)
		r->huge_tries = 0;
}

void tag_buffer_prepare(struct ublk_queue *q, struct request *r, uint32_t length)
{
	uint32_t all = q->dev->limits.max_io_bytes, needed = r->slot->io.length;
	uint32_t bytes = min_of(1u << (32 - __builtin_clz(max_of(needed, 4096u) - 1)), all);

	if (r->pending > 1) /* operations in flight for it use what is registered */
		return;
	if (length >= q->large_io && r->huge_tries) {
		tag_buffer_huge(q, r);
		bytes = all;
	}
	if (q->registers && bytes > r->fixed_bytes)
		tag_buffer_register(q, r, bytes);
}
