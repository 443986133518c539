// SPDX-License-Identifier: MIT
/* Requests from the ublk driver: descriptors mapped from /dev/ublkcN, commands per io on the queue's
 * ring. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "transport/kernel_internal.h"

/* The driver lays queues out as if each had the deepest depth there is (rule 10). */
static size_t queue_stride(size_t page)
{
	return round_up_to(UBLK_MAX_QUEUE_DEPTH * sizeof(struct ublksrv_io_desc), page);
}

int kernel_queue_open(struct transport *t, struct transport_queue *tq)
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
	if (!tq->batch)
		tq->commit_op = UBLK_U_IO_COMMIT_AND_FETCH_REQ & t->op_mask;
	return 0;
}

void kernel_queue_close(struct transport_queue *tq)
{
	munmap((void *)tq->descs, tq->map_size);
}

/* One io command, NULL: no SQE; the driver reads the payload when the SQE is submitted. */
static inline struct io_uring_sqe *queue_cmd(struct transport_queue *tq, uint32_t op, uint64_t ud,
					     uint16_t tag, int32_t res, const struct tag_addr *addr)
{
	struct io_uring_sqe *sqe = ring_sqe(tq->ring);
	union {
		struct ublksrv_io_cmd cmd;
		uint64_t words[2];
	} payload = { .cmd = { .q_id = tq->qid, .tag = tag, .result = res, { addr->buf } } };

	if (__builtin_expect(!sqe, 0))
		return NULL;
	cmd_prep(sqe, op & tq->transport->op_mask, ud, addr->auto_reg, payload.words[0],
		 payload.words[1]);
	return sqe;
}

static int kernel_fetch(struct transport_queue *tq, uint16_t tag, const struct tag_addr *addr)
{
	return queue_cmd(tq, UBLK_U_IO_FETCH_REQ, ud_make(UD_TAG, tag, 0), tag, 0, addr) ? 0
											 : -EBUSY;
}

static int kernel_get_data(struct transport_queue *tq, uint16_t tag, const struct tag_addr *addr)
{
	return queue_cmd(tq, UBLK_U_IO_NEED_GET_DATA, ud_make(UD_TAG, tag, 0), tag, 0, addr)
		       ? 0
		       : -EBUSY;
}

int kernel_register_buf(struct transport_queue *tq, uint16_t tag)
{
	struct tag_addr addr = { .buf = tag };

	return queue_cmd(tq, UBLK_U_IO_REGISTER_IO_BUF, ud_make(UD_BUFFER, tag, 0), tag, 0, &addr)
		       ? 0
		       : -EBUSY;
}

int kernel_unregister_buf(struct transport_queue *tq, uint16_t tag)
{
	struct tag_addr addr = { .buf = tag };
	struct io_uring_sqe *sqe = queue_cmd(tq, UBLK_U_IO_UNREGISTER_IO_BUF,
					     ud_make(UD_QUIET, tag, 0), tag, 0, &addr);

	if (__builtin_expect(!sqe, 0))
		return -EBUSY;
	sqe->flags |= IOSQE_CQE_SKIP_SUCCESS; /* nobody is to be woken for it */
	return 0;
}

/* Not by the ring: the driver's file knows no "without waiting", so that io_uring would hand each
 * copy to a worker thread. It does not wait. */
int kernel_copy_in(struct transport_queue *tq, uint16_t tag, uint32_t pos, void *to,
		   uint32_t length)
{
	while (length) {
		ssize_t n =
			pread(tq->transport->fd, to, length, ublk_user_copy_pos(tq->qid, tag, pos));

		if (__builtin_expect(n <= 0, 0)) {
			if (n < 0 && errno == EINTR)
				continue;
			return n < 0 ? -errno : -EIO;
		}
		to = (char *)to + n;
		pos += n;
		length -= n;
	}
	return 0;
}

int kernel_copy_out(struct transport_queue *tq, uint16_t tag, uint32_t pos, const void *from,
		    uint32_t length)
{
	while (length) {
		ssize_t n = pwrite(tq->transport->fd, from, length,
				   ublk_user_copy_pos(tq->qid, tag, pos));

		if (__builtin_expect(n <= 0, 0)) {
			if (n < 0 && errno == EINTR)
				continue;
			return n < 0 ? -errno : -EIO;
		}
		from = (const char *)from + n;
		pos += n;
		length -= n;
	}
	return 0;
}

static const struct transport_ops kernel_ops = {
	.queue_open = kernel_queue_open,
	.queue_close = kernel_queue_close,
	.fetch = kernel_fetch,
	.get_data = kernel_get_data,
	.register_buf = kernel_register_buf,
	.unregister_buf = kernel_unregister_buf,
	.copy_in = kernel_copy_in,
	.copy_out = kernel_copy_out,
};

void transport_kernel_init(struct transport *t, int fd, bool legacy_ops, uint64_t flags,
			   uint16_t nr_queues, uint16_t depth)
{
	const uint64_t no_addr = UBLK_F_USER_COPY | UBLK_F_SUPPORT_ZERO_COPY | UBLK_F_AUTO_BUF_REG;

	*t = (struct transport){
		.ops = flags & UBLK_F_BATCH_IO ? &kernel_batch_ops : &kernel_ops,
		.fd = fd,
		.op_mask = legacy_ops ? 0xff : UINT32_MAX,
		.has_addr = !(flags & no_addr),
		.has_auto_reg = flags & UBLK_F_AUTO_BUF_REG,
		.nr_queues = nr_queues,
		.depth = depth,
	};
}
