/* SPDX-License-Identifier: MIT */
/* For device_life.c: a plugin whose calls can fail, a device of it in this process, and its requests. */
#ifndef TESTS_UNIT_DEVICE_LIFE_HELP_H
#define TESTS_UNIT_DEVICE_LIFE_HELP_H

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>

#include "fake_driver.h"
#include "plane.h"
#include "state_help.h"

#define SIZE (1u << 20)

/* The plugin, a store in memory, and what was asked of it. */
static struct {
	char mem[2 * SIZE];
	uint64_t size;
	uint32_t nr_queues; /* that start() was told of */
	struct ublk_dev *dev;
	unsigned int opened, started; /* and not yet closed, stopped */
	uint32_t open_flags;
	const char *fail; /* the call that fails */
	int resize_err;
	void (*narrow)(struct ublk_limits *limits); /* what get_limits() does beyond the size */
} store;

static inline int result_of(const char *call)
{
	return store.fail && !strcmp(store.fail, call) ? -EIO : 0;
}

static inline int do_load(const struct ublk_host *host)
{
	(void)host;
	return result_of("load");
}

static inline int do_open(struct ublk_dev *dev, const struct ublk_open_args *args, void **priv)
{
	int err = result_of("open");

	store.dev = dev;
	store.open_flags = args->flags;
	*priv = &store;
	store.opened += !err;
	return err;
}

static inline int do_get_limits(void *priv, struct ublk_limits *limits)
{
	(void)priv;
	limits->size_bytes = store.size;
	if (store.narrow)
		store.narrow(limits);
	return result_of("get_limits");
}

static inline int do_start(void *priv, const struct ublk_limits *limits)
{
	int err = result_of("start");

	(void)priv;
	ck_assert_uint_eq(limits->size_bytes, store.size);
	store.nr_queues = limits->max_queues;
	store.started += !err;
	return err;
}

static inline void do_stop(void *priv)
{
	(void)priv;
	store.started--;
}

static inline void do_close(void *priv)
{
	(void)priv;
	store.opened--;
}

static inline int do_queue_init(void *priv, struct ublk_queue *q,
				const struct ublk_queue_info *info, void **qpriv)
{
	(void)q;
	*qpriv = priv;
	return info->qid == 1 ? result_of("queue_init") : 0;
}

static inline int do_map(void *qpriv, const struct ublk_io *io, struct ublk_extent *out,
			 uint32_t max)
{
	(void)qpriv;
	(void)max;
	*out = (struct ublk_extent){ .kind = UBLK_EXT_MEM,
				     .at.addr = store.mem + io->offset,
				     .length = io->length };
	return 1;
}

static inline int do_resize(void *priv, uint64_t size, uint32_t flags)
{
	(void)priv;
	if (store.resize_err)
		return store.resize_err;
	if (!(flags & UBLK_RESIZE_CHECK))
		store.size = size;
	return 0;
}

static struct plugin plugin;
static struct device_config cfg;
static struct option_values values;
static struct device_request request;
static struct device *device;
static pthread_t server;
static int served;

static inline void init_request(void)
{
	device_config_init(&cfg);
	cfg.plugin = strdup("store");
	cfg.name = strdup("scratch");
	cfg.sandbox = strdup("off");
	cfg.queues = 2;
	cfg.depth = 4;
	cfg.max_io = 65536;
	request = (struct device_request){
		.cfg = &cfg, .plugin = &plugin, .values = &values, .signal_fd = request.signal_fd
	};
}

static inline void life_setup(void)
{
	sigset_t set;

	/* Statistics have to be in memory. */
	snprintf(dir, sizeof(dir), "/dev/shm/ublk-host-life-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	setenv("UBLK_HOST_RUN_DIR", dir, 1);
	log_set_level(LOG_LVL_ERR);
	fake_driver_begin(dir);
	memset(&store, 0, sizeof(store));
	store.size = SIZE;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	request.signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	plugin = (struct plugin){
		.path = (char *)"/lib/store.so",
		.desc = { UBLK_PLUGIN_INIT(0), .name = "store", .version = "1",
			  .description = "Store", .thread_model = UBLK_THREADS_PARALLEL,
			  .flags = UBLK_PLUGIN_RECOVERS, .map_ops = UBLK_OPS_READ | UBLK_OPS_WRITE,
			  .map_kinds = UBLK_EXT_MEM, .load = do_load, .open = do_open,
			  .get_limits = do_get_limits, .start = do_start, .stop = do_stop,
			  .close = do_close, .queue_init = do_queue_init, .map = do_map,
			  .resize = do_resize }
	};
	init_request();
}

static inline void life_teardown(void)
{
	fake_driver_end();
	device_config_free(&cfg);
	close(request.signal_fd);
	state_teardown();
}

static inline void *serve(void *arg)
{
	(void)arg;
	served = device_serve(device);
	return NULL;
}

static inline void up(void)
{
	ck_assert_int_eq(device_bring_up(&request, &device), 0);
	ck_assert_int_eq(pthread_create(&server, NULL, serve, NULL), 0);
}

/* Tell the server's thread, and see what it ended with. */
static inline int serve_until(int signal)
{
	if (signal)
		ck_assert_int_eq(kill(getpid(), signal), 0);
	pthread_join(server, NULL);
	return served;
}

static inline void check_nothing_left(void)
{
	ck_assert_uint_eq(store.opened, 0);
	ck_assert_uint_eq(store.started, 0);
	ck_assert(!first_device.there);
	ck_assert(!exists("900001.json"));
	ck_assert(!exists("900001.stats"));
	ck_assert(!exists("by-name/scratch"));
}

static inline int32_t io(uint32_t op, uint64_t sector, uint32_t sectors, void *data)
{
	struct fake_request req = { .tag = FAKE_ANY_TAG,
				    .op_flags = op,
				    .nr_sectors = sectors,
				    .start_sector = sector,
				    .data = data };
	int tag = fake_submit(driver.fake, 1, &req);
	int32_t res = 0;

	ck_assert_int_ge(tag, 0);
	ck_assert_int_eq(fake_wait(driver.fake, 1, tag, 10000, &res, data), 0);
	return res;
}

#endif
