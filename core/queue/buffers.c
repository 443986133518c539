// SPDX-License-Identifier: MIT
/*
 * The queue's large memory: mapped, so that what nobody touches is not there. The queue's own thread
 * maps and touches it, on its CPUs, which puts it on their node.
 *
 * A tag's buffer is as long as the longest io, and begins with small pages: with huge ones a device of
 * 4 KiB ios would hold all of every buffer, 64 MiB a queue with the defaults. What huge pages save is
 * not the copy (nothing up to 512 KiB, some 6 % from 1 MiB on) but the pinning for direct I/O: of the
 * processor time of a read a fifth with 128 KiB, two fifths with 512 KiB. So a tag's first large io to
 * a file that is open for direct I/O has its buffer made of huge pages. Large is at least a quarter of
 * the buffer: huge pages then hold at most four times what such ios would hold anyway.
 */
#include <linux/mempolicy.h>
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

/* The pages that it has are gathered into huge ones; where there are none yet, or an io in flight
 * keeps them, the next touch or the next large io does it. */
void tag_buffer_huge(struct ublk_queue *q, struct request *r)
{
	uintptr_t huge = q->dev->huge_page, buf = (uintptr_t)r->buf;
	uintptr_t from = buf & ~(huge - 1);
	size_t size = round_up_to(buf + q->dev->limits.max_io_bytes - from, huge);

	r->huge_tries--;
	if (r->buf_own || madvise((void *)from, size, MADV_HUGEPAGE) ||
	    !madvise((void *)from, size, MADV_COLLAPSE) || errno != EAGAIN)
		r->huge_tries = 0;
}
