// SPDX-License-Identifier: MIT
/*
 * Moving between memory of ours and where the plugin says its bytes are: for the data paths that have
 * a buffer for each tag, and for requests in shared memory.
 */
#include <sys/uio.h>
#include <unistd.h>

#include "queue/internal.h"

/* Zeroing is skipped for what is zero still: a device that is only read stays free of memset. */
static void zero_buf(struct request *r, uint32_t pos, uint32_t length)
{
	uint32_t end = pos + length;

	if (pos > r->zeroed) {
		memset((char *)r->buf + pos, 0, length);
	} else if (end > r->zeroed) {
		memset((char *)r->buf + r->zeroed, 0, end - r->zeroed);
		r->zeroed = end;
	}
}

/* its_own: buf is in the tag's buffer. */
static int move_file(struct ublk_queue *q, struct request *r, unsigned int i, char *buf,
		     bool its_own)
{
	const struct ublk_extent *e = &r->ext[i];
	const struct ublk_io *io = &r->slot->io;
	struct io_uring_sqe *sqe;
	bool fixed = false;

	if (its_own && q->dev->files[e->file].is_direct) {
		if (unlikely(!tag_buffer_is_fit(q, r, e->length)))
			tag_buffer_prepare(q, r, e->length);
		fixed = r->pos[i] + e->length <= r->fixed_bytes;
	}
	sqe = ring_sqe(&q->ring);
	if (unlikely(!sqe))
		return -EBUSY;
	io_uring_prep_rw(io->op == UBLK_OP_READ ? IORING_OP_READ : IORING_OP_WRITE, sqe, e->file,
			 buf, e->length, e->at.offset);
	if (fixed) {
		sqe->opcode = io->op == UBLK_OP_READ ? IORING_OP_READ_FIXED : IORING_OP_WRITE_FIXED;
		sqe->buf_index = r->tag;
	}
	if (io->op == UBLK_OP_WRITE && io->flags & UBLK_IOF_FUA)
		sqe->rw_flags = RWF_DSYNC;
	sqe->flags = IOSQE_FIXED_FILE;
	sqe->user_data = ud_make(UD_MOVE, r->tag, i);
	return 1;
}

/* By the kernel, for which a page that is not to be had (a file that was cut, a bad disk) is an error
 * and no signal. */
static __attribute__((noinline, cold)) int mem_read_faulting(void *to, const struct ublk_extent *e)
{
	size_t done = 0;

	while (done < e->length) {
		struct iovec local = { (char *)to + done, e->length - done };
		struct iovec remote = { (char *)e->at.addr + done, e->length - done };
		ssize_t n = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);

		if (n <= 0)
			return n < 0 && errno != EFAULT ? -errno : -EIO;
		done += n;
	}
	return 0;
}

/* base: where the io's data is. its_own: that is the tag's buffer, where r->zeroed tells of it. */
static inline __attribute__((always_inline)) int move_data(struct ublk_queue *q, struct request *r,
							   unsigned int i, char *base, bool its_own)
{
	const struct ublk_extent *e = &r->ext[i];
	bool read = r->op == UBLK_OP_READ;
	char *buf = base + r->pos[i];

	if (its_own && read && e->kind & (UBLK_EXT_FD | UBLK_EXT_MEM))
		r->zeroed = min_of(r->zeroed, r->pos[i]);
	switch (e->kind) {
	case UBLK_EXT_FD:
		return move_file(q, r, i, buf, its_own);
	case UBLK_EXT_MEM:
		if (read && unlikely(q->mem_faults))
			return mem_read_faulting(buf, e);
		if (read)
			memcpy(buf, e->at.addr, e->length);
		else
			memcpy(e->at.addr, buf, e->length);
		return 0;
	case UBLK_EXT_ZERO:
		if (read && its_own)
			zero_buf(r, r->pos[i], e->length);
		else if (read)
			memset(buf, 0, e->length);
		return 0;
	default: /* VOID: whatever is there */
		return 0;
	}
}

int buf_move(struct ublk_queue *q, struct request *r, unsigned int i)
{
	return move_data(q, r, i, r->buf, true);
}

int shared_move(struct ublk_queue *q, struct request *r, unsigned int i)
{
	return move_data(q, r, i, r->shared_buf, false);
}
