// SPDX-License-Identifier: MIT
/* ring: a file as a device, by the async profile, with operations of its own on the queue's io_uring. */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <ublk-plugin.h>

static const struct ublk_opt_spec opts[] = {
	{ "path", "the file", NULL, NULL, 0, 0, UBLK_OPT_PATH, UBLK_OPTF_REQUIRED },
};
static const struct ublk_host *host; /* set once by load() */

struct ring_dev {
	int fd, slot;
};

struct ring_queue {
	struct ublk_queue *q;
	int slot;
};

static int ring_load(const struct ublk_host *services)
{
	host = services;
	return 0;
}

static void ring_close(void *priv)
{
	close(((struct ring_dev *)priv)->fd);
	free(priv);
}

static int ring_open(struct ublk_dev *dev, const struct ublk_open_args *args, void **priv)
{
	int mode = args->flags & UBLK_OPEN_READ_ONLY ? O_RDONLY : O_RDWR, err;
	struct ring_dev *file = calloc(1, sizeof(*file));

	if (!file)
		return -ENOMEM;
	file->fd = open(args->opts[0].str, mode | O_CLOEXEC);
	file->slot = file->fd < 0 ? -errno : host->file_register(dev, file->fd);
	*priv = file;
	if (file->slot > 0)
		return 0;
	err = file->slot;
	ublk_logf(host, dev, UBLK_LOG_ERR, "%s: %s", args->opts[0].str, strerror(-err));
	ring_close(file);
	return err;
}

static int ring_get_limits(void *priv, struct ublk_limits *limits)
{
	off_t end = lseek(((const struct ring_dev *)priv)->fd, 0, SEEK_END);

	if (end < 0)
		return -errno;
	limits->size_bytes = (uint64_t)end & ~4095ull; /* whole blocks */
	limits->attrs |= UBLK_DEV_VOLATILE_CACHE;      /* FLUSH comes, also instead of FUA */
	limits->sqes_per_io = 1;
	limits->io_scratch_bytes = sizeof(uint32_t); /* how much of an io is done */
	return 0;
}

static int ring_queue_init(void *priv, struct ublk_queue *q, const struct ublk_queue_info *info,
			   void **qpriv)
{
	struct ring_queue *rq = malloc(sizeof(*rq));

	if (rq)
		*rq = (struct ring_queue){ .q = q, .slot = ((const struct ring_dev *)priv)->slot };
	*qpriv = rq;
	return rq ? 0 : -ENOMEM;
}

/* One operation for what is left of the io. */
static int queue_rest(const struct ring_queue *rq, struct ublk_io *io)
{
	uint32_t done = *(const uint32_t *)io->scratch;
	struct io_uring_sqe *sqe;

	if (host->sqe_get(rq->q, 1, &sqe))
		return -EBUSY; /* the host tries again */
	sqe->fd = rq->slot;
	sqe->flags = IOSQE_FIXED_FILE;
	if (io->op == UBLK_OP_FLUSH) {
		sqe->opcode = IORING_OP_FSYNC;
		sqe->fsync_flags = IORING_FSYNC_DATASYNC;
		return host->sqe_commit(rq->q, sqe, io, 0);
	}
	sqe->off = io->offset + done;
	sqe->len = (uint32_t)io->length - done;
	if (io->buf) { /* memory */
		sqe->opcode = io->op == UBLK_OP_READ ? IORING_OP_READ : IORING_OP_WRITE;
		sqe->addr = (uintptr_t)io->buf + done;
	} else { /* a registered buffer: the request's own pages */
		sqe->opcode = io->op == UBLK_OP_READ ? IORING_OP_READ_FIXED : IORING_OP_WRITE_FIXED;
		sqe->addr = io->fixed_addr + done;
		sqe->buf_index = io->buf_index;
	}
	return host->sqe_commit(rq->q, sqe, io, 0);
}

static int ring_submit(void *qpriv, struct ublk_io *io)
{
	*(uint32_t *)io->scratch = 0;
	return queue_rest(qpriv, io);
}

/* A short transfer goes on where it ended, as the host takes a short result for an error. */
static void ring_cqe(void *qpriv, struct ublk_io *io, uint32_t cookie, int32_t res, uint32_t flags)
{
	const struct ring_queue *rq = qpriv;
	uint32_t *done = io->scratch;

	if (io->op != UBLK_OP_FLUSH && res >= 0) {
		*done += (uint32_t)res;
		if (res == 0) /* the file has shrunk */
			res = -EIO;
		else if (*done == io->length)
			res = (int32_t)io->length;
		else if ((res = queue_rest(rq, io)) == 0)
			return;
	}
	host->complete(rq->q, io, res);
}

const struct ublk_plugin ublk_plugin_v1 = {
	UBLK_PLUGIN_INIT(0),
	.name = "ring",
	.version = "1.0",
	.description = "One file, by the async profile",
	.opts = opts,
	.nr_opts = sizeof(opts) / sizeof(opts[0]),
	.opt_spec_size = sizeof(opts[0]),
	.thread_model = UBLK_THREADS_PARALLEL,
	.submit_ops = UBLK_OPS_READ | UBLK_OPS_WRITE | UBLK_OPS_FLUSH,
	.data_modes = UBLK_DATA_MAPPED | UBLK_DATA_FIXED,
	.load = ring_load,
	.open = ring_open,
	.get_limits = ring_get_limits,
	.close = ring_close,
	.queue_init = ring_queue_init,
	.queue_exit = free,
	.submit = ring_submit,
	.cqe = ring_cqe,
};
