// SPDX-License-Identifier: MIT
/* A ring without a kernel, and the kernel's transport on it. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "transport_rig.h"

struct rig rig;

/* These stand before liburing's. A full ring stays full. */
int io_uring_submit(struct io_uring *ring)
{
	ck_assert_ptr_eq(ring, &rig.ring);
	return -EBUSY;
}

int io_uring_register_buf_ring(struct io_uring *ring, struct io_uring_buf_reg *reg,
			       unsigned int flags)
{
	ck_assert_ptr_eq(ring, &rig.ring);
	ck_assert_uint_eq(flags, 0);
	rig.bufs = (void *)(uintptr_t)reg->ring_addr;
	rig.nr_bufs = reg->ring_entries;
	return 0;
}

int io_uring_unregister_buf_ring(struct io_uring *ring, int group)
{
	ck_assert_ptr_eq(ring, &rig.ring);
	ck_assert_int_eq(group, RING_BUF_GROUP);
	rig.bufs = NULL;
	return 0;
}

void rig_start(uint64_t flags, bool legacy)
{
	memset(&rig, 0, sizeof(rig));
	rig.ring.sq.khead = &rig.head;
	rig.ring.sq.kring_mask = &rig.ring.sq.ring_mask;
	rig.ring.sq.kring_entries = &rig.ring.sq.ring_entries;
	rig.ring.sq.ring_mask = RIG_ENTRIES - 1;
	rig.ring.sq.ring_entries = RIG_ENTRIES;
	rig.ring.sq.sqes = rig.sqes;
	rig.fd = memfd_create("ublkc", MFD_CLOEXEC);
	ck_assert_int_ge(rig.fd, 0);
	ck_assert_int_eq(ftruncate(rig.fd, 1 << 24), 0);
	transport_kernel_init(&rig.t, rig.fd, legacy, flags, 4, RIG_DEPTH);
	rig.tq = (struct transport_queue){
		.transport = &rig.t, .ring = &rig.ring, .qid = 3, .depth = RIG_DEPTH
	};
	ck_assert_int_eq(rig.t.ops->queue_open(&rig.t, &rig.tq), 0);
}

void rig_stop(void)
{
	rig.t.ops->queue_close(&rig.tq);
	ck_assert_ptr_null(rig.bufs);
	close(rig.fd);
}

unsigned int rig_queued(void)
{
	return rig.ring.sq.sqe_tail - rig.head;
}

const struct io_uring_sqe *rig_take(void)
{
	ck_assert_uint_gt(rig_queued(), 0);
	return &rig.sqes[rig.head++ & (RIG_ENTRIES - 1)];
}

void rig_fill(void)
{
	while (rig_queued() < RIG_ENTRIES)
		memset(ring_sqe(&rig.ring), 0, sizeof(struct io_uring_sqe));
}

void rig_drain(void)
{
	rig.head = rig.ring.sq.sqe_tail;
}

struct tag_addr rig_addr(uint16_t tag)
{
	return (struct tag_addr){ .buf = 0x10000u * (tag + 1u),
				  .head = transport_head(&rig.tq, tag, 0) };
}
