// SPDX-License-Identifier: MIT
/* Requests from the ublk driver: descriptors mapped from /dev/ublkcN, commands on the queue's ring. */
#include <string.h>
#include <sys/mman.h>

#include "base/log.h"
#include "transport/transport.h"

/* The driver lays queues out as if each had the deepest depth there is (rule 10). */
static size_t queue_stride(size_t page)
{
	return round_up_to(UBLK_MAX_QUEUE_DEPTH * sizeof(struct ublksrv_io_desc), page);
}

static int kernel_queue_open(struct transport *t, struct transport_queue *tq)
{
	size_t page = sysconf(_SC_PAGESIZE);
	off_t at = (off_t)(UBLKSRV_CMD_BUF_OFFSET + tq->qid * queue_stride(page));
	void *descs;

	tq->map_size = round_up_to(tq->depth * sizeof(struct ublksrv_io_desc), page);
	descs = mmap(NULL, tq->map_size, PROT_READ, MAP_SHARED, t->fd, at);
	if (descs == MAP_FAILED) {
		int err = -errno;

		log_err("queue %u: mapping its descriptors failed: %s", tq->qid, strerror(-err));
		return err;
	}
	tq->descs = descs;
	return 0;
}

static void kernel_queue_close(struct transport_queue *tq)
{
	munmap((void *)tq->descs, tq->map_size);
}

/* One io command; the driver reads the payload when the SQE is submitted. */
static int queue_cmd(struct transport_queue *tq, uint32_t op, uint64_t ud, uint16_t tag,
		     int32_t res, const struct tag_addr *addr)
{
	struct io_uring_sqe *sqe = ring_sqe(tq->ring);
	struct ublksrv_io_cmd *cmd;

	if (__builtin_expect(!sqe, 0))
		return -EBUSY;
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->flags = IOSQE_FIXED_FILE;
	sqe->ioprio = 0;
	sqe->fd = 0;
	sqe->off = tq->transport->legacy_ops ? _IOC_NR(op)
					     : op; /* cmd_op, with the padding above it zero */
	sqe->addr = addr->auto_reg;
	sqe->len = 0;
	sqe->rw_flags = 0;
	sqe->user_data = ud;
	sqe->buf_index = 0;
	sqe->personality = 0;
	sqe->file_index = 0;
	cmd = (struct ublksrv_io_cmd *)sqe->cmd;
	cmd->q_id = tq->qid;
	cmd->tag = tag;
	cmd->result = res;
	cmd->addr = addr->buf;
	return 0;
}

static int kernel_fetch(struct transport_queue *tq, uint16_t tag, const struct tag_addr *addr)
{
	return queue_cmd(tq, UBLK_U_IO_FETCH_REQ, ud_make(UD_TAG, tag, 0), tag, 0, addr);
}

static int kernel_commit(struct transport_queue *tq, uint16_t tag, int32_t res,
			 const struct tag_addr *addr)
{
	return queue_cmd(tq, UBLK_U_IO_COMMIT_AND_FETCH_REQ, ud_make(UD_TAG, tag, 0), tag, res,
			 addr);
}

static int kernel_register_buf(struct transport_queue *tq, uint16_t tag)
{
	struct tag_addr addr = { .buf = tag };

	return queue_cmd(tq, UBLK_U_IO_REGISTER_IO_BUF, ud_make(UD_BUFFER, tag, 0), tag, 0, &addr);
}

static int kernel_unregister_buf(struct transport_queue *tq, uint16_t tag)
{
	struct tag_addr addr = { .buf = tag };

	return queue_cmd(tq, UBLK_U_IO_UNREGISTER_IO_BUF, ud_make(UD_QUIET, tag, 0), tag, 0, &addr);
}

static const struct transport_ops kernel_ops = {
	.queue_open = kernel_queue_open,
	.queue_close = kernel_queue_close,
	.fetch = kernel_fetch,
	.commit = kernel_commit,
	.register_buf = kernel_register_buf,
	.unregister_buf = kernel_unregister_buf,
};

void transport_kernel_init(struct transport *t, int fd, bool legacy_ops, uint16_t nr_queues,
			   uint16_t depth)
{
	*t = (struct transport){ &kernel_ops, fd, legacy_ops, nr_queues, depth };
}
