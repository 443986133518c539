// SPDX-License-Identifier: MIT
/*
 * asyncmem: a memfd by the async profile, for tests of the host. An io is done by an SQE of its own
 * (mode=ring), by a thread that completes it from outside (mode=thread), or inside submit()
 * (mode=inline). busy_every=N turns each Nth submit() away.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ublk-plugin.h"

enum { OPT_SIZE, OPT_MODE, OPT_BUSY_EVERY };
enum mode { MODE_RING, MODE_THREAD, MODE_INLINE }; /* as in the choices */

static const struct ublk_opt_spec asyncmem_opts[] = {
	[OPT_SIZE] = { .name = "size",
		       .help = "size of the device",
		       .def = "64M",
		       .min = 4096,
		       .type = UBLK_OPT_SIZE },
	[OPT_MODE] = { .name = "mode",
		       .help = "who does the work",
		       .def = "ring",
		       .choices = "ring|thread|inline",
		       .type = UBLK_OPT_ENUM },
	[OPT_BUSY_EVERY] = { .name = "busy_every",
			     .help = "answer each Nth submit with EBUSY; 0: never",
			     .def = "0",
			     .max = 1000000,
			     .type = UBLK_OPT_U64 },
};

struct asyncmem {
	uint64_t size, busy_every;
	enum mode mode;
	int fd, slot;
	char *store; /* the memfd, mapped: thread and inline */
};

/* io->scratch */
struct work {
	struct ublk_io *io, *next;
	uint32_t done; /* bytes; ring */
};

struct async_queue {
	struct asyncmem *mem;
	struct ublk_queue *q;
	uint64_t submits;
	/* mode=thread */
	pthread_t thread;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t more;
	struct ublk_io *first, *last;
	bool leaving;
};

static const struct ublk_host *host; /* set once by load() */

static int asyncmem_load(const struct ublk_host *services)
{
	host = services;
	return 0;
}

static void asyncmem_close(void *priv)
{
	struct asyncmem *mem = priv;

	if (mem->store)
		munmap(mem->store, mem->size);
	if (mem->fd >= 0)
		close(mem->fd);
	free(mem);
}

static int make_store(struct asyncmem *mem)
{
	void *store;

	mem->fd = memfd_create("asyncmem", MFD_CLOEXEC);
	if (mem->fd < 0 || ftruncate(mem->fd, (off_t)mem->size))
		return -errno;
	store = mmap(NULL, mem->size, PROT_READ | PROT_WRITE, MAP_SHARED, mem->fd, 0);
	if (store == MAP_FAILED)
		return -errno;
	mem->store = store;
	return 0;
}

static int asyncmem_open(struct ublk_dev *dev, const struct ublk_open_args *args, void **priv)
{
	struct asyncmem *mem = calloc(1, sizeof(*mem));
	int err;

	if (!mem)
		return -ENOMEM;
	mem->size = args->opts[OPT_SIZE].u64;
	mem->mode = (enum mode)args->opts[OPT_MODE].u64;
	mem->busy_every = args->opts[OPT_BUSY_EVERY].u64;
	mem->fd = -1;
	err = make_store(mem);
	if (!err) {
		mem->slot = host->file_register(dev, mem->fd);
		err = mem->slot < 0 ? mem->slot : 0;
	}
	if (err) {
		ublk_logf(host, dev, UBLK_LOG_ERR, "cannot make a memfd: %s", strerror(-err));
		asyncmem_close(mem);
		return err;
	}
	*priv = mem;
	return 0;
}

static int asyncmem_get_limits(void *priv, struct ublk_limits *limits)
{
	const struct asyncmem *mem = priv;

	limits->size_bytes = mem->size;
	limits->attrs |= UBLK_DEV_VOLATILE_CACHE | UBLK_DEV_FUA; /* so that FLUSH is sent */
	limits->data_modes &= UBLK_DATA_MAPPED;
	limits->sqes_per_io = mem->mode == MODE_RING ? 1 : 0;
	limits->io_scratch_bytes = sizeof(struct work);
	return 0;
}

/* The whole io, by hand: the result for complete(). */
static int32_t do_io(const struct asyncmem *mem, const struct ublk_io *io)
{
	switch (io->op) {
	case UBLK_OP_READ:
		memcpy(io->buf, mem->store + io->offset, io->length);
		return (int32_t)io->length;
	case UBLK_OP_WRITE:
		memcpy(mem->store + io->offset, io->buf, io->length);
		return (int32_t)io->length;
	case UBLK_OP_FLUSH:
		return 0;
	default:
		return fallocate(mem->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				 (off_t)io->offset, (off_t)io->length)
			       ? -errno
			       : 0;
	}
}

static void *worker(void *arg)
{
	struct async_queue *aq = arg;

	pthread_mutex_lock(&aq->lock);
	for (;;) {
		struct ublk_io *io = aq->first;

		if (!io && aq->leaving)
			break;
		if (!io) {
			pthread_cond_wait(&aq->more, &aq->lock);
			continue;
		}
		aq->first = ((struct work *)io->scratch)->next;
		pthread_mutex_unlock(&aq->lock);
		host->complete_remote(aq->q, io, do_io(aq->mem, io));
		pthread_mutex_lock(&aq->lock);
	}
	pthread_mutex_unlock(&aq->lock);
	return NULL;
}

static void give_to_worker(struct async_queue *aq, struct ublk_io *io)
{
	((struct work *)io->scratch)->next = NULL;
	pthread_mutex_lock(&aq->lock);
	if (aq->first)
		((struct work *)aq->last->scratch)->next = io;
	else
		aq->first = io;
	aq->last = io;
	pthread_cond_signal(&aq->more);
	pthread_mutex_unlock(&aq->lock);
}

static int asyncmem_queue_init(void *priv, struct ublk_queue *q, const struct ublk_queue_info *info,
			       void **qpriv)
{
	struct async_queue *aq = calloc(1, sizeof(*aq));
	int err = 0;

	(void)info;
	if (!aq)
		return -ENOMEM;
	aq->mem = priv;
	aq->q = q;
	pthread_mutex_init(&aq->lock, NULL);
	pthread_cond_init(&aq->more, NULL);
	if (aq->mem->mode == MODE_THREAD)
		err = pthread_create(&aq->thread, NULL, worker, aq);
	if (err)
		free(aq);
	else
		*qpriv = aq;
	return -err;
}

static void asyncmem_queue_exit(void *qpriv)
{
	struct async_queue *aq = qpriv;

	if (aq->mem->mode == MODE_THREAD) {
		pthread_mutex_lock(&aq->lock);
		aq->leaving = true;
		pthread_cond_signal(&aq->more);
		pthread_mutex_unlock(&aq->lock);
		pthread_join(aq->thread, NULL);
	}
	pthread_cond_destroy(&aq->more);
	pthread_mutex_destroy(&aq->lock);
	free(aq);
}

/* An SQE for what is left of the io. */
static int queue_sqe(struct async_queue *aq, struct ublk_io *io)
{
	const struct work *work = io->scratch;
	struct io_uring_sqe *sqe;
	int err = host->sqe_get(aq->q, 1, &sqe);

	if (err)
		return err;
	memset(sqe, 0, sizeof(*sqe));
	sqe->flags = IOSQE_FIXED_FILE;
	sqe->fd = aq->mem->slot;
	sqe->off = io->offset + work->done;
	if (io->op == UBLK_OP_READ || io->op == UBLK_OP_WRITE) {
		sqe->opcode = io->op == UBLK_OP_READ ? IORING_OP_READ : IORING_OP_WRITE;
		sqe->addr = (uintptr_t)io->buf + work->done;
		sqe->len = (uint32_t)io->length - work->done;
	} else {
		sqe->opcode = IORING_OP_FALLOCATE;
		sqe->addr = io->length;
		sqe->len = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	}
	return host->sqe_commit(aq->q, sqe, io, 0);
}

static int asyncmem_submit(void *qpriv, struct ublk_io *io)
{
	struct async_queue *aq = qpriv;
	const struct asyncmem *mem = aq->mem;

	if (mem->busy_every && ++aq->submits % mem->busy_every == 0)
		return -EBUSY;
	if (io->op == UBLK_OP_FLUSH || mem->mode == MODE_INLINE) {
		host->complete(aq->q, io, do_io(mem, io));
		return 0;
	}
	if (mem->mode == MODE_THREAD) {
		give_to_worker(aq, io);
		return 0;
	}
	((struct work *)io->scratch)->done = 0;
	return queue_sqe(aq, io);
}

/* A short transfer goes on where it ended: the host takes a short result for an error. */
static void asyncmem_cqe(void *qpriv, struct ublk_io *io, uint32_t cookie, int32_t res,
			 uint32_t cqe_flags)
{
	struct async_queue *aq = qpriv;
	struct work *work = io->scratch;

	(void)cookie;
	(void)cqe_flags;
	if (res <= 0 || (io->op != UBLK_OP_READ && io->op != UBLK_OP_WRITE)) {
		host->complete(aq->q, io, res);
		return;
	}
	work->done += (uint32_t)res;
	if (work->done == io->length) {
		host->complete(aq->q, io, (int32_t)io->length);
		return;
	}
	res = queue_sqe(aq, io);
	if (res)
		host->complete(aq->q, io, res);
}

const struct ublk_plugin ublk_plugin_v1 = {
	UBLK_PLUGIN_INIT(0),
	.name = "asyncmem",
	.version = PACKAGE_VERSION,
	.description = "RAM disk by submit and complete, for tests",
	.opts = asyncmem_opts,
	.nr_opts = sizeof(asyncmem_opts) / sizeof(asyncmem_opts[0]),
	.opt_spec_size = sizeof(asyncmem_opts[0]),
	.thread_model = UBLK_THREADS_PARALLEL,
	.submit_ops = UBLK_OPS_READ | UBLK_OPS_WRITE | UBLK_OPS_FLUSH | UBLK_OPS_DISCARD |
		      UBLK_OPS_WRITE_ZEROES,
	.data_modes = UBLK_DATA_MAPPED,
	.load = asyncmem_load,
	.open = asyncmem_open,
	.get_limits = asyncmem_get_limits,
	.close = asyncmem_close,
	.queue_init = asyncmem_queue_init,
	.queue_exit = asyncmem_queue_exit,
	.submit = asyncmem_submit,
	.cqe = asyncmem_cqe,
};
