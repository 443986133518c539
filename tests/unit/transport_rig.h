/* SPDX-License-Identifier: MIT */
/* A queue of the kernel's transport over a ring whose memory is the test's own: no kernel sees it, and
 * a full ring stays full. One per program. */
#ifndef TESTS_UNIT_TRANSPORT_RIG_H
#define TESTS_UNIT_TRANSPORT_RIG_H

#include "tap.h"
#include "transport/commit.h"

#define RIG_DEPTH 8
#define RIG_ENTRIES 32

struct rig {
	struct io_uring ring;
	struct io_uring_sqe sqes[RIG_ENTRIES];
	unsigned int head; /* the kernel's: what it has taken */
	struct io_uring_buf_ring *bufs;
	unsigned int nr_bufs;
	struct transport t;
	struct transport_queue tq; /* queue 3 */
	int fd;
};
extern struct rig rig;

/* flags: UBLK_F_* that the device was granted. */
void rig_start(uint64_t flags, bool legacy);
void rig_stop(void);

/* Entries that wait for the kernel. */
unsigned int rig_queued(void);
/* The oldest of them, as the kernel takes it. */
const struct io_uring_sqe *rig_take(void);
/* Entries that are nobody's, until the ring is full; and the kernel takes all. */
void rig_fill(void);
void rig_drain(void);

struct tag_addr rig_addr(uint16_t tag);

#endif
