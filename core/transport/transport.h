/* SPDX-License-Identifier: MIT */
/*
 * Where requests come from: the ublk driver (kernel.c), or the program itself (fake.c) so that the
 * whole data plane runs without a driver. A request is a tag: it is fetched, shows up on the queue's
 * ring with a descriptor beside it, and is committed with a result, which fetches the next. Queue
 * functions run on the queue's thread.
 *
 * Commands per io: each arrival is a UD_TAG completion, each commit an SQE. Batch commands: arrivals
 * are UD_TAGS completions, which tags() reads; commits are collected until flush() sends them, and a
 * UD_BATCH completion, which batch_done() reads, tells what became of them.
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
	uint32_t auto_reg; /* struct ublk_auto_buf_reg, the low half of it; 0: none */
	uint32_t head;	   /* of its commits, as transport_head() makes it once */
};

struct transport_ops {
	/* Fill tq; the ring exists, its fixed file 0 is transport_fd() if that is >= 0. */
	int (*queue_open)(struct transport *t, struct transport_queue *tq);
	void (*queue_close)(struct transport_queue *tq);
	/* 0, or -EBUSY: no SQE, or no place in a batch, to be had now; try again after reaping
	 * completions. fetch: once per tag, when the queue starts. */
	int (*fetch)(struct transport_queue *tq, uint16_t tag, const struct tag_addr *addr);
	/* By transport_commit() (commit.h), which mostly can do without it. */
	int (*commit)(struct transport_queue *tq, uint16_t tag, int32_t res,
		      const struct tag_addr *addr);
	/* Answer UBLK_IO_RES_NEED_GET_DATA: have a WRITE's data copied to addr->buf. UD_TAG completes
	 * it, with UBLK_IO_RES_OK. As above. */
	int (*get_data)(struct transport_queue *tq, uint16_t tag, const struct tag_addr *addr);
	/* Make the tag's request pages registered buffer `tag`, by hand; UD_BUFFER completes it.
	 * The way back is quiet. Both as above. */
	int (*register_buf)(struct transport_queue *tq, uint16_t tag);
	int (*unregister_buf)(struct transport_queue *tq, uint16_t tag);
	/* USER_COPY: between memory of ours and the tag's request pages, from byte pos of them: all
	 * of length and 0, or -errno. A system call each. */
	int (*copy_in)(struct transport_queue *tq, uint16_t tag, uint32_t pos, void *to,
		       uint32_t length);
	int (*copy_out)(struct transport_queue *tq, uint16_t tag, uint32_t pos, const void *from,
			uint32_t length);

	/* Batch commands only; NULL otherwise. */

	/* Send what was committed since the last time, before the ring is submitted. How many
	 * completions will be there at once, before anything has happened that is worth waking for. */
	unsigned int (*flush)(struct transport_queue *tq);
	/* A UD_TAGS completion: the tags that have requests, valid until tags_done(), and their
	 * number; or -ENODEV: the device stops, no more will come; or -errno: the same by a fault. */
	int (*tags)(struct transport_queue *tq, const struct io_uring_cqe *cqe,
		    const uint16_t **tags);
	void (*tags_done)(struct transport_queue *tq, const struct io_uring_cqe *cqe);
	/* A UD_BATCH completion: 0, or -errno: a tag was refused, and *tag is the one. */
	int (*batch_done)(struct transport_queue *tq, const struct io_uring_cqe *cqe,
			  uint16_t *tag);
};

/* Shared by the queues of a device; embedded by each kind of transport. */
struct transport {
	const struct transport_ops *ops;
	int fd;		   /* /dev/ublkcN, or -1 */
	uint32_t op_mask;  /* of the commands' numbers, legacy: the low byte */
	bool has_addr;	   /* batch: the driver copies, so commands carry a buffer's address */
	bool has_auto_reg; /* batch: pages are registered by the driver */
	uint16_t nr_queues, depth;
};

struct transport_queue {
	struct transport *transport;
	struct io_uring *ring;
	const struct ublksrv_io_desc *descs; /* depth of them; written by the other side */
	uint16_t qid, depth;
	size_t map_size;     /* kernel: of the mapping that descs points into */
	struct batch *batch; /* kernel, batch commands */
	/* Commits per io go to the ring, as this command (0: by ops->commit()). Batch commands: where
	 * the next commit is collected (NULL: nowhere), the bytes of each, and how many the driver has
	 * not acknowledged. */
	uint32_t commit_op;
	char *elem;
	uint32_t elem_bytes;
	uint32_t uncommitted;
	/* Registered buffer `tag` begins at this address for READ_FIXED and WRITE_FIXED: 0 for pages
	 * of the kernel's, an address of ours with the fake. */
	uint64_t fixed_base, fixed_stride;
};

static inline uint64_t transport_fixed_addr(const struct transport_queue *tq, uint16_t tag)
{
	return tq->fixed_base + tag * tq->fixed_stride;
}

/* The real driver. fd: /dev/ublkcN, owned by the caller, who closes it after the last queue. flags:
 * UBLK_F_* that the device was granted; BATCH_IO among them means batch commands. */
void transport_kernel_init(struct transport *t, int fd, bool legacy_ops, uint64_t flags,
			   uint16_t nr_queues, uint16_t depth);

#endif
