// SPDX-License-Identifier: MIT
/*
 * mortal: a RAM disk that outlives its server, and needs to: it crashes at every crash_every-th request,
 * and may fail or crash when a new server opens it again.
 */
#include "config.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ublk-plugin.h"

enum { OPT_SIZE, OPT_CRASH_EVERY, OPT_AGAIN };
enum {
	AGAIN_FAIL,
	AGAIN_OK,
	AGAIN_CRASH,
	AGAIN_BUSY,
	AGAIN_SLOW,
	AGAIN_LATE,
	AGAIN_TIDY /* only when close() of the former one has done its work, which takes a while */
};		   /* as in the choices */

#define GO "/run/mortal.go" /* what a late one waits for */

static const struct ublk_opt_spec mortal_opts[] = {
	[OPT_SIZE] = { .name = "size",
		       .help = "size of the device",
		       .def = "16M",
		       .min = 4096,
		       .type = UBLK_OPT_SIZE },
	[OPT_CRASH_EVERY] = { .name = "crash_every",
			      .help = "requests that a server serves before it crashes; 0: all",
			      .def = "0",
			      .type = UBLK_OPT_U64 },
	[OPT_AGAIN] = { .name = "again",
			.help = "what becomes of a new server for an old device",
			.def = "fail",
			.choices = "fail|ok|crash|busy|slow|late|tidy",
			.type = UBLK_OPT_ENUM },
};

struct mortal {
	char *store;
	uint64_t size, crash_every, served;
	bool late, recovers;
	char *closed; /* of keep_memory(): whether it is; or NULL */
};

static const struct ublk_host *host;

static int mortal_load(const struct ublk_host *services)
{
	host = services;
	return 0;
}

/* While the former server serves: what fails because of it is not known yet. */
static int open_beside(struct ublk_dev *dev, uint64_t again)
{
	if (again == AGAIN_FAIL)
		return -EBUSY;
	if (again == AGAIN_BUSY) {
		host->log(dev, UBLK_LOG_ERR, "again=busy: in use");
		return -EBUSY;
	}
	if (again == AGAIN_SLOW)
		sleep(60);
	host->log(dev, UBLK_LOG_INFO, "open beside the server before");
	return 0;
}

static int map_kept(struct ublk_dev *dev, const char *name, uint64_t size, char **mapped)
{
	int fd = host->keep_memory(dev, name, size);

	if (fd < 0)
		return fd;
	*mapped = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return *mapped == MAP_FAILED ? -ENOMEM : 0;
}

static int mortal_open(struct ublk_dev *dev, const struct ublk_open_args *args, void **priv)
{
	uint64_t again = args->opts[OPT_AGAIN].u64;
	struct mortal *mortal;
	int err = args->flags & UBLK_OPEN_BESIDE ? open_beside(dev, again) : 0;

	if (err)
		return err;
	if (args->flags & UBLK_OPEN_RECOVER && again == AGAIN_FAIL) {
		host->log(dev, UBLK_LOG_ERR, "again=fail: not a second time");
		return -EIO;
	}
	if (args->flags & UBLK_OPEN_RECOVER && again == AGAIN_CRASH)
		abort();
	mortal = calloc(1, sizeof(*mortal));
	if (!mortal)
		return -ENOMEM;
	mortal->size = args->opts[OPT_SIZE].u64;
	mortal->crash_every = args->opts[OPT_CRASH_EVERY].u64;
	mortal->late = args->flags & UBLK_OPEN_RECOVER && again == AGAIN_LATE;
	mortal->recovers = args->flags & UBLK_OPEN_RECOVER;
	err = map_kept(dev, "store", mortal->size, &mortal->store);
	if (!err && again == AGAIN_TIDY)
		err = map_kept(dev, "closed", 4096, &mortal->closed);
	if (err)
		free(mortal);
	else
		*priv = mortal;
	return err;
}

static int mortal_get_limits(void *priv, struct ublk_limits *limits)
{
	const struct mortal *mortal = priv;

	limits->size_bytes = mortal->size;
	return 0;
}

/* The former server is gone by now. */
static int mortal_start(void *priv, const struct ublk_limits *limits)
{
	const struct mortal *mortal = priv;

	(void)limits;
	while (mortal->late && access(GO, F_OK))
		usleep(10000);
	if (mortal->closed) {
		if (mortal->recovers && !*mortal->closed)
			return -EBUSY;
		*mortal->closed = 0;
	}
	return 0;
}

static void mortal_close(void *priv)
{
	struct mortal *mortal = priv;

	if (mortal->closed) {
		usleep(300000);
		*mortal->closed = 1;
		munmap(mortal->closed, 4096);
	}
	munmap(mortal->store, mortal->size);
	free(mortal);
}

static int mortal_map(void *qpriv, const struct ublk_io *io, struct ublk_extent *out, uint32_t max)
{
	struct mortal *mortal = qpriv;

	(void)max; /* one is always enough */
	if (mortal->crash_every && ++mortal->served == mortal->crash_every)
		*(volatile char *)NULL = 1;
	*out = (struct ublk_extent){ .length = io->length,
				     .at.addr = mortal->store + io->offset,
				     .kind = UBLK_EXT_MEM };
	return 1;
}

const struct ublk_plugin ublk_plugin_v1 = {
	UBLK_PLUGIN_INIT(0),
	.name = "mortal",
	.version = PACKAGE_VERSION,
	.description = "RAM disk whose server crashes",
	.opts = mortal_opts,
	.nr_opts = sizeof(mortal_opts) / sizeof(mortal_opts[0]),
	.opt_spec_size = sizeof(mortal_opts[0]),
	.thread_model = UBLK_THREADS_SERIAL,
	.flags = UBLK_PLUGIN_RECOVERS | UBLK_PLUGIN_REISSUE | UBLK_PLUGIN_OPENS_BESIDE |
		 UBLK_PLUGIN_NEEDS_FILES, /* to look for one */
	.map_ops = UBLK_OPS_READ | UBLK_OPS_WRITE,
	.map_kinds = UBLK_EXT_MEM,
	.load = mortal_load,
	.open = mortal_open,
	.start = mortal_start,
	.get_limits = mortal_get_limits,
	.close = mortal_close,
	.map = mortal_map,
};
