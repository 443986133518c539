/* SPDX-License-Identifier: MIT */
/*
 * A RAM disk that keeps the contract, in each of the three profiles, with a file behind it if `path` is given
 * (read by open(), written by flush(), FUA and close()). Each file of this folder is this plugin with one
 * defect, written as somebody might make it, for the test of `ublk-host check` (tests/check.t).
 */
#ifndef DEFECTS_RAM_H
#define DEFECTS_RAM_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ublk-plugin.h"

#define MAYBE __attribute__((unused))

enum { OPT_SIZE, OPT_PATH };

static const struct ublk_opt_spec ram_opts[] = {
	[OPT_SIZE] = { .name = "size",
		       .help = "size of the device",
		       .def = "32M",
		       .type = UBLK_OPT_SIZE },
	[OPT_PATH] = { .name = "path", .help = "file that keeps it", .type = UBLK_OPT_PATH },
};

struct ram {
	struct ublk_dev *dev;
	char *store;
	uint64_t size, room; /* bytes of the device, and of the store */
	int fd;		     /* or -1 */
};

struct ram_queue {
	struct ram *ram;
	struct ublk_queue *q;
};

static const struct ublk_host *host; /* set once by load() */

MAYBE static int ram_load(const struct ublk_host *services)
{
	host = services;
	return 0;
}

MAYBE static int ram_save(const struct ram *ram, uint64_t length, uint64_t offset)
{
	if (ram->fd < 0)
		return 0;
	if (pwrite(ram->fd, ram->store + offset, length, (off_t)offset) != (ssize_t)length)
		return errno ? -errno : -EIO;
	return 0;
}

MAYBE static void ram_close(void *priv)
{
	struct ram *ram = priv;

	if (ram->fd >= 0) {
		ram_save(ram, ram->size, 0);
		close(ram->fd);
	}
	munmap(ram->store, ram->room);
	free(ram);
}

MAYBE static int ram_open(struct ublk_dev *dev, const struct ublk_open_args *args, void **priv)
{
	struct ram *ram = calloc(1, sizeof(*ram));
	int err = 0;

	if (!ram)
		return -ENOMEM;
	*ram = (struct ram){ .dev = dev, .size = args->opts[OPT_SIZE].u64, .fd = -1 };
	ram->room = ram->size + (4u << 20); /* to grow */
	if (args->opts[OPT_PATH].str) {
		ram->fd = open(args->opts[OPT_PATH].str, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		err = ram->fd < 0 ? -errno : 0;
	}
	if (!err) {
		ram->store = mmap(NULL, ram->room, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		err = ram->store == MAP_FAILED ? -errno : 0;
	}
	if (!err && ram->fd >= 0 && pread(ram->fd, ram->store, ram->size, 0) < 0) {
		err = -errno;
		munmap(ram->store, ram->room);
	}
	if (!err) {
		*priv = ram;
		return 0;
	}
	ublk_logf(host, dev, UBLK_LOG_ERR, "%s: %s",
		  args->opts[OPT_PATH].str ? args->opts[OPT_PATH].str : "memory", strerror(-err));
	if (ram->fd >= 0)
		close(ram->fd);
	free(ram);
	return err;
}

MAYBE static int ram_get_limits(void *priv, struct ublk_limits *limits)
{
	const struct ram *ram = priv;

	limits->size_bytes = ram->size;
	limits->attrs |= UBLK_DEV_VOLATILE_CACHE | UBLK_DEV_FUA;
	return 0;
}

MAYBE static int ram_resize(void *priv, uint64_t size, uint32_t flags)
{
	struct ram *ram = priv;

	if (!size || size > ram->room)
		return -EINVAL;
	if (flags & UBLK_RESIZE_CHECK)
		return 0;
	if (size < ram->size)
		memset(ram->store + size, 0, ram->size - size);
	ram->size = size;
	return 0;
}

/* -- call */

MAYBE static int ram_read(void *priv, void *buf, uint64_t length, uint64_t offset, uint32_t flags)
{
	const struct ram *ram = priv;

	(void)flags;
	memcpy(buf, ram->store + offset, length);
	return 0;
}

MAYBE static int ram_write(void *priv, const void *buf, uint64_t length, uint64_t offset,
			   uint32_t flags)
{
	const struct ram *ram = priv;

	memcpy(ram->store + offset, buf, length);
	return flags & UBLK_IOF_FUA ? ram_save(ram, length, offset) : 0;
}

MAYBE static int ram_flush(void *priv)
{
	const struct ram *ram = priv;

	return ram_save(ram, ram->size, 0);
}

MAYBE static int ram_write_zeroes(void *priv, uint64_t length, uint64_t offset, uint32_t flags)
{
	const struct ram *ram = priv;

	(void)flags;
	memset(ram->store + offset, 0, length);
	return 0;
}

MAYBE static int ram_discard(void *priv, uint64_t length, uint64_t offset, uint32_t flags)
{
	return ram_write_zeroes(priv, length, offset, flags);
}

/* -- async, ended where it begins */

MAYBE static int ram_queue_init(void *priv, struct ublk_queue *q,
				const struct ublk_queue_info *info, void **qpriv)
{
	struct ram_queue *rq = malloc(sizeof(*rq));

	(void)info;
	if (!rq)
		return -ENOMEM;
	*rq = (struct ram_queue){ priv, q };
	*qpriv = rq;
	return 0;
}

MAYBE static void ram_queue_exit(void *qpriv)
{
	free(qpriv);
}

MAYBE static int ram_do(struct ram *ram, const struct ublk_io *io)
{
	switch (io->op) {
	case UBLK_OP_READ:
		return ram_read(ram, io->buf, io->length, io->offset, io->flags);
	case UBLK_OP_WRITE:
		return ram_write(ram, io->buf, io->length, io->offset, io->flags);
	case UBLK_OP_FLUSH:
		return ram_flush(ram);
	default:
		return ram_write_zeroes(ram, io->length, io->offset, io->flags);
	}
}

/* What complete() is to be told. */
MAYBE static int32_t ram_result(struct ram *ram, const struct ublk_io *io)
{
	int err = ram_do(ram, io);

	return err ? err : io->op <= UBLK_OP_WRITE ? (int32_t)io->length : 0;
}

MAYBE static int ram_submit(void *qpriv, struct ublk_io *io)
{
	struct ram_queue *rq = qpriv;

	host->complete(rq->q, io, ram_result(rq->ram, io));
	return 0;
}

/* -- map */

MAYBE static int ram_map(void *qpriv, const struct ublk_io *io, struct ublk_extent *out,
			 uint32_t max)
{
	const struct ram *ram = qpriv;

	(void)max;
	*out = (struct ublk_extent){ .length = io->length,
				     .at.addr = ram->store + io->offset,
				     .kind = UBLK_EXT_MEM };
	return 1;
}

#define RAM_ALL_OPS                                                                                \
	(UBLK_OPS_READ | UBLK_OPS_WRITE | UBLK_OPS_FLUSH | UBLK_OPS_DISCARD | UBLK_OPS_WRITE_ZEROES)

/* What stands in the end counts: a defect overrides what is here. */
#pragma GCC diagnostic ignored "-Woverride-init"
#ifdef __clang__
#pragma clang diagnostic ignored "-Winitializer-overrides"
#endif
#define RAM(name_, ...)                                                                            \
	UBLK_PLUGIN_EXPORT const struct ublk_plugin ublk_plugin_v1 = {                             \
		UBLK_PLUGIN_INIT(0),                                                               \
		.name = name_,                                                                     \
		.version = "1",                                                                    \
		.description = "a RAM disk with one defect",                                       \
		.opts = ram_opts,                                                                  \
		.nr_opts = sizeof(ram_opts) / sizeof(ram_opts[0]),                                 \
		.opt_spec_size = sizeof(ram_opts[0]),                                              \
		.thread_model = UBLK_THREADS_PARALLEL,                                             \
		.load = ram_load,                                                                  \
		.open = ram_open,                                                                  \
		.get_limits = ram_get_limits,                                                      \
		.resize = ram_resize,                                                              \
		.close = ram_close,                                                                \
		__VA_ARGS__                                                                        \
	}
#define RAM_CALL(name, ...)                                                                        \
	RAM(name, .read = ram_read, .write = ram_write, .flush = ram_flush,                        \
	    .discard = ram_discard, .write_zeroes = ram_write_zeroes, __VA_ARGS__)
#define RAM_ASYNC(name, ...)                                                                       \
	RAM(name, .submit_ops = RAM_ALL_OPS, .data_modes = UBLK_DATA_MAPPED,                       \
	    .queue_init = ram_queue_init, .queue_exit = ram_queue_exit, .submit = ram_submit,      \
	    __VA_ARGS__)
#define RAM_MAP(name, ...)                                                                         \
	RAM(name, .map_ops = UBLK_OPS_READ | UBLK_OPS_WRITE | UBLK_OPS_WRITE_ZEROES,               \
	    .map_kinds = UBLK_EXT_MEM, .map = ram_map, .flush = ram_flush,                         \
	    .write_zeroes = ram_write_zeroes, __VA_ARGS__)

#endif
