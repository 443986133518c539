/* SPDX-License-Identifier: MIT */
/*
 * The queue's io_uring as its users share it: who a completion belongs to (user_data), and how to
 * get an SQE when the ring is full. Queue thread only.
 */
#ifndef TRANSPORT_RING_H
#define TRANSPORT_RING_H

#include <liburing.h>

#include "base/util.h"

/* user_data: kind in the top byte, a 24-bit index, a 32-bit cookie. */
enum ud_kind {
	UD_TAG = 1, /* FETCH, COMMIT, NEED_GET_DATA: index is the tag */
	UD_TAGS,    /* batch commands: some tags have requests */
	UD_BATCH,   /* batch commands: PREP or COMMIT of many tags; index is the transport's */
	UD_MOVE,    /* data movement by the host: index is the tag, cookie the extent */
	UD_RANGE, /* a file's range by the host: index is the tag, cookie the range and operation */
	UD_SYNC,  /* fsync by the host: index is the tag, cookie its serial number's low bits */
	UD_BUFFER, /* REGISTER_IO_BUF by hand: index is the tag */
	UD_PLUGIN, /* a plugin's SQE: index is its place among those in flight, cookie the plugin's */
	UD_UNCOMMITTED, /* an SQE that a plugin took and did not give back */
	UD_WAKE,	/* the queue's eventfd */
	UD_CANCEL,	/* of a plugin's operation */
	UD_QUIET,	/* nobody waits for it; an error is logged */
};

#define RING_BUF_GROUP 0xffff /* of provided buffers: plugins that have some count from 0 or 1 */

static inline uint64_t ud_make(enum ud_kind kind, uint32_t index, uint32_t cookie)
{
	return (uint64_t)kind << 56 | (uint64_t)index << 32 | cookie;
}

static inline enum ud_kind ud_kind(uint64_t ud)
{
	return ud >> 56;
}

static inline uint32_t ud_index(uint64_t ud)
{
	return (ud >> 32) & 0xffffff;
}

static inline uint32_t ud_cookie(uint64_t ud)
{
	return (uint32_t)ud;
}

static __attribute__((noinline, cold, unused)) struct io_uring_sqe *ring_sqe_when_full(
	struct io_uring *ring)
{
	io_uring_submit(ring);
	return io_uring_get_sqe(ring);
}

/* An SQE, submitting what is queued if the ring is full. NULL: the kernel takes no more before
 * completions have been reaped; the caller puts the request on the retry list. */
static inline struct io_uring_sqe *ring_sqe(struct io_uring *ring)
{
	struct io_uring_sq *sq = &ring->sq;
	unsigned int tail = sq->sqe_tail;

	/* As io_uring_get_sqe(), of which this is the part for SQEs of 64 bytes. */
	if (__builtin_expect(tail - io_uring_smp_load_acquire(sq->khead) >= sq->ring_entries, 0))
		return ring_sqe_when_full(ring);
	sq->sqe_tail = tail + 1;
	return &sq->sqes[tail & sq->ring_mask];
}

#endif
