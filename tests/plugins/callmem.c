// SPDX-License-Identifier: MIT
/*
 * callmem: a RAM disk by the call profile, for tests of the host. Its functions may take their time
 * (delay_ms), fail where asked to (fail_offset, fail_errno), and tell in a file (log) of every
 * flush, discard, zeroing and FUA write, one line each.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "ublk-plugin.h"

enum { OPT_SIZE, OPT_DELAY_MS, OPT_LOG, OPT_FUA, OPT_FAIL_OFFSET, OPT_FAIL_ERRNO };

static const struct ublk_opt_spec callmem_opts[] = {
	[OPT_SIZE] = { .name = "size",
		       .help = "size of the device",
		       .def = "64M",
		       .min = 4096,
		       .type = UBLK_OPT_SIZE },
	[OPT_DELAY_MS] = { .name = "delay_ms",
			   .help = "time that each call takes",
			   .def = "0",
			   .max = 600000,
			   .type = UBLK_OPT_U64 },
	[OPT_LOG] = { .name = "log",
		      .help = "file to which each flush, discard, zeroing and FUA write is appended",
		      .type = UBLK_OPT_PATH },
	[OPT_FUA] = { .name = "fua",
		      .help = "honour FUA writes, rather than have the host flush after them",
		      .def = "true",
		      .type = UBLK_OPT_BOOL },
	[OPT_FAIL_OFFSET] = { .name = "fail_offset",
			      .help = "fail every call whose range holds this byte",
			      .type = UBLK_OPT_SIZE },
	[OPT_FAIL_ERRNO] = { .name = "fail_errno",
			     .help = "the errno to fail with",
			     .def = "5",
			     .min = 1,
			     .max = 4095,
			     .type = UBLK_OPT_U64 },
};

struct callmem {
	char *store;
	uint64_t size, delay_ms;
	uint64_t fail_offset; /* UINT64_MAX: nowhere */
	int fail_errno;
	int log_fd; /* or -1 */
	bool fua;
};

static const struct ublk_host *host; /* set once by load() */

static int callmem_load(const struct ublk_host *services)
{
	host = services;
	return 0;
}

static void callmem_close(void *priv)
{
	struct callmem *mem = priv;

	if (mem->store)
		munmap(mem->store, mem->size);
	if (mem->log_fd >= 0)
		close(mem->log_fd);
	free(mem);
}

static int open_log(struct callmem *mem, struct ublk_dev *dev, const char *path)
{
	int err = 0;

	if (!path)
		return 0;
	mem->log_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (mem->log_fd < 0) {
		err = -errno;
		ublk_logf(host, dev, UBLK_LOG_ERR, "%s: cannot open: %s", path, strerror(-err));
	}
	return err;
}

static int map_store(struct callmem *mem, struct ublk_dev *dev)
{
	void *store = mmap(NULL, mem->size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (store == MAP_FAILED) {
		int err = -errno;

		ublk_logf(host, dev, UBLK_LOG_ERR, "cannot map size=%" PRIu64 ": %s", mem->size,
			  strerror(-err));
		return err;
	}
	mem->store = store;
	return 0;
}

static int callmem_open(struct ublk_dev *dev, const struct ublk_open_args *args, void **priv)
{
	const struct ublk_opt *opts = args->opts;
	struct callmem *mem = calloc(1, sizeof(*mem));
	int err;

	if (!mem)
		return -ENOMEM;
	mem->size = opts[OPT_SIZE].u64;
	mem->delay_ms = opts[OPT_DELAY_MS].u64;
	mem->fua = opts[OPT_FUA].u64;
	mem->fail_offset = opts[OPT_FAIL_OFFSET].is_set ? opts[OPT_FAIL_OFFSET].u64 : UINT64_MAX;
	mem->fail_errno = (int)opts[OPT_FAIL_ERRNO].u64;
	mem->log_fd = -1;
	err = open_log(mem, dev, opts[OPT_LOG].str);
	if (!err)
		err = map_store(mem, dev);
	if (err)
		callmem_close(mem);
	else
		*priv = mem;
	return err;
}

static int callmem_get_limits(void *priv, struct ublk_limits *limits)
{
	const struct callmem *mem = priv;

	limits->size_bytes = mem->size;
	limits->attrs |= UBLK_DEV_VOLATILE_CACHE | (mem->fua ? UBLK_DEV_FUA : 0);
	return 0;
}

/* One write(): lines of several threads do not mix. */
static void tell(const struct callmem *mem, const char *what, uint64_t offset, uint64_t length,
		 const char *how)
{
	char line[128];
	int len;

	if (mem->log_fd < 0)
		return;
	len = snprintf(line, sizeof(line), "%s %" PRIu64 " %" PRIu64 "%s\n", what, offset, length,
		       how);
	if (write(mem->log_fd, line, (size_t)len) < 0)
		host->log(NULL, UBLK_LOG_WARN, "callmem cannot write its log");
}

/* What every call begins with. */
static int begin(const struct callmem *mem, uint64_t offset, uint64_t length)
{
	struct timespec delay = { .tv_sec = (time_t)(mem->delay_ms / 1000),
				  .tv_nsec = (long)(mem->delay_ms % 1000) * 1000000 };

	if (mem->delay_ms)
		nanosleep(&delay, NULL);
	if (mem->fail_offset >= offset && mem->fail_offset - offset < length)
		return -mem->fail_errno;
	return 0;
}

static int callmem_read(void *priv, void *buf, uint64_t length, uint64_t offset, uint32_t flags)
{
	const struct callmem *mem = priv;
	int err = begin(mem, offset, length);

	(void)flags;
	if (!err)
		memcpy(buf, mem->store + offset, length);
	return err;
}

static int callmem_write(void *priv, const void *buf, uint64_t length, uint64_t offset,
			 uint32_t flags)
{
	const struct callmem *mem = priv;
	int err = begin(mem, offset, length);

	if (err)
		return err;
	memcpy(mem->store + offset, buf, length);
	if (flags & UBLK_IOF_FUA)
		tell(mem, "fua", offset, length, "");
	return 0;
}

static int callmem_flush(void *priv)
{
	const struct callmem *mem = priv;
	int err = begin(mem, 0, 0);

	if (!err)
		tell(mem, "flush", 0, 0, "");
	return err;
}

static int clear(void *priv, uint64_t length, uint64_t offset, const char *what, const char *how)
{
	const struct callmem *mem = priv;
	int err = begin(mem, offset, length);

	if (err)
		return err;
	memset(mem->store + offset, 0, length);
	tell(mem, what, offset, length, how);
	return 0;
}

static int callmem_discard(void *priv, uint64_t length, uint64_t offset, uint32_t flags)
{
	(void)flags;
	return clear(priv, length, offset, "discard", "");
}

static int callmem_write_zeroes(void *priv, uint64_t length, uint64_t offset, uint32_t flags)
{
	return clear(priv, length, offset, "write_zeroes",
		     flags & UBLK_IOF_NOUNMAP ? " nounmap" : "");
}

const struct ublk_plugin ublk_plugin_v1 = {
	UBLK_PLUGIN_INIT(0),
	.name = "callmem",
	.version = PACKAGE_VERSION,
	.description = "RAM disk by blocking calls, for tests",
	.opts = callmem_opts,
	.nr_opts = sizeof(callmem_opts) / sizeof(callmem_opts[0]),
	.opt_spec_size = sizeof(callmem_opts[0]),
	.thread_model = UBLK_THREADS_PARALLEL,
	.load = callmem_load,
	.open = callmem_open,
	.get_limits = callmem_get_limits,
	.close = callmem_close,
	.read = callmem_read,
	.write = callmem_write,
	.flush = callmem_flush,
	.discard = callmem_discard,
	.write_zeroes = callmem_write_zeroes,
};
