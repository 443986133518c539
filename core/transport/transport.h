/* SPDX-License-Identifier: MIT */
/*
 * Where requests come from: the ublk driver (kernel.c), or the program itself (fake.c) so that the
 * whole data plane runs without a driver. A request is a tag: it is fetched, shows up as a UD_TAG
 * completion on the queue's ring with a descriptor beside it, and is committed with a result, which
 * fetches the next. Queue functions run on the queue's thread.
 */
#ifndef TRANSPORT_TRANSPORT_H
#define TRANSPORT_TRANSPORT_H

#include "kernel/uapi.h"
#include "transport/ring.h"

struct transport;
struct transport_queue;

/* What FETCH and COMMIT say about the tag's data: which of them is used is the data path's. */
struct tag_addr {
	uint64_t buf;	   /* address of the tag's buffer, in the command's payload; 0: none */
	uint64_t auto_reg; /* struct ublk_auto_buf_reg as sqe->addr; 0: none */
};

struct transport_ops {
	/* Fill tq; the ring exists, its fixed file 0 is transport_fd() if that is >= 0. */
	int (*queue_open)(struct transport *t, struct transport_queue *tq);
	void (*queue_close)(struct transport_queue *tq);
	/* 0, or -EBUSY: no SQE to be had now, try again after reaping completions. */
	int (*fetch)(struct transport_queue *tq, uint16_t tag, const struct tag_addr *addr);
	int (*commit)(struct transport_queue *tq, uint16_t tag, int32_t res,
		      const struct tag_addr *addr);
	/* Make the tag's request pages registered buffer `tag`, by hand; UD_BUFFER completes it.
	 * The way back is quiet. Both as above. */
	int (*register_buf)(struct transport_queue *tq, uint16_t tag);
	int (*unregister_buf)(struct transport_queue *tq, uint16_t tag);
};

/* Shared by the queues of a device; embedded by each kind of transport. */
struct transport {
	const struct transport_ops *ops;
	int fd;		 /* /dev/ublkcN, or -1 */
	bool legacy_ops; /* a driver before 6.4: commands by their numbers alone (rule 2) */
	uint16_t nr_queues, depth;
};

struct transport_queue {
	struct transport *transport;
	struct io_uring *ring;
	const struct ublksrv_io_desc *descs; /* depth of them; written by the other side */
	uint16_t qid, depth;
	size_t map_size; /* kernel: of the mapping that descs points into */
	/* Registered buffer `tag` begins at this address for READ_FIXED and WRITE_FIXED: 0 for pages
	 * of the kernel's, an address of ours with the fake. */
	uint64_t fixed_base, fixed_stride;
};

static inline uint64_t transport_fixed_addr(const struct transport_queue *tq, uint16_t tag)
{
	return tq->fixed_base + tag * tq->fixed_stride;
}

/* The real driver. fd: /dev/ublkcN, owned by the caller, who closes it after the last queue. */
void transport_kernel_init(struct transport *t, int fd, bool legacy_ops, uint16_t nr_queues,
			   uint16_t depth);

#endif
