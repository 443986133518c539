// SPDX-License-Identifier: MIT
/* A device of the plugin under check, step by step as the host would make it, over the fake transport. */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

#include "check/kit.h"
#include "check/shim.h"
#include "device/params.h"
#include "kernel/ring_probe.h"

#define IO_TIMEOUT 5 /* ticks that the plugin may hold an io */
#define ENDING_MS 20000
#define FORMER_MS 3000

static void device_failed(struct ublk_dev *dev, int err, const char *why)
{
	struct kit_dev *d = container_of(dev, struct kit_dev, dev);

	kit_fail(d->kit, "the host gave the device up: %s (%s)", why, strerror(-err));
}

/* Memory that outlives a process is a file that the next one finds. */
static int kept_memory(struct ublk_dev *dev, const char *name, uint64_t size)
{
	struct kit_dev *d = container_of(dev, struct kit_dev, dev);
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/memory-%s", d->kit->memory_dir, name);
	fd = open(path, O_RDWR | O_CLOEXEC | (d->recover ? 0 : O_CREAT | O_TRUNC), 0600);
	if (fd < 0)
		return -errno;
	if (lseek(fd, 0, SEEK_END) < (off_t)size && ftruncate(fd, (off_t)size)) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

static struct kit_dev *dev_new(struct kit *k)
{
	struct kit_dev *d = calloc(1, sizeof(*d));

	if (!d)
		kit_fail(k, "out of memory");
	d->kit = k;
	d->file_stat = calloc(DEV_MAX_FILES, sizeof(*d->file_stat));
	d->dev.name = k->desc->name;
	d->dev.nr_files = 1; /* slot 0 is the transport's */
	d->dev.threads_per_queue = 1;
	d->dev.io_timeout = IO_TIMEOUT;
	d->dev.failed = device_failed;
	d->dev.keep_memory = kept_memory;
	d->dev.notify_fd = -1;
	/* Valgrind runs one thread at a time, and up to 3.19 does not know that io_uring_enter() sleeps. */
	d->dev.poll_us = kit_on_valgrind() ? UINT32_MAX : 0;
	if (!d->file_stat)
		kit_fail(k, "out of memory");
	shim_init(d);
	return d;
}

static void dev_free(struct kit_dev *d)
{
	struct kit *k = d->kit;

	if (k->first == d)
		k->first = NULL;
	if (k->second == d)
		k->second = NULL;
	free(d->file_stat);
	free(d);
}

/* The plugin's results of the control thread. */
static void must_be_errno(struct kit *k, const char *what, int res)
{
	if (res > 0 || res < -4095)
		kit_fail(k, "%s() returned %d, which is neither 0 nor an errno", what, res);
}

#define CALL(d, what, expr)                                                                        \
	({                                                                                         \
		int _res;                                                                          \
		atomic_store(&(d)->kit->report->in[0], what);                                      \
		_res = (expr);                                                                     \
		atomic_store(&(d)->kit->report->in[0], NULL);                                      \
		must_be_errno((d)->kit, what, _res);                                               \
		_res;                                                                              \
	})

int kit_try_open(struct kit *k, struct kit_dev **out, uint32_t flags)
{
	struct ublk_open_args args = {
		.struct_size = sizeof(args),
		.flags = flags,
		.nr_opts = k->values.nr,
		.opt_size = sizeof(struct ublk_opt),
		.opts = k->values.opt,
	};
	struct kit_dev *d = dev_new(k);
	int res = 0;

	services_begin(k);
	if (!k->loaded && k->desc->load)
		res = CALL(d, "load", k->desc->load(k->bare ? &host_services : &kit_services));
	if (res)
		kit_fail(k, "load() failed: %s", strerror(-res));
	k->loaded = true;
	*(k->first ? &k->second : &k->first) = d;
	d->recover = flags & UBLK_OPEN_RECOVER;
	d->dev.open_phase = true;
	res = CALL(d, "open", k->desc->open(&d->dev, &args, &d->priv));
	if (res) {
		dev_free(d);
		return res;
	}
	d->opened = true;
	*out = d;
	return 0;
}

void kit_limits(struct kit_dev *d, const struct device_config *cfg)
{
	struct kit *k = d->kit;
	struct ublk_limits *limits = &d->dev.limits, offered;
	int res;

	limits_offer(cfg, k->desc, &offered);
	*limits = offered;
	res = CALL(d, "get_limits", k->desc->get_limits(d->priv, limits));
	if (res)
		kit_fail(k, "get_limits() failed: %s", strerror(-res));
	if (limits_check_plugin(k->desc->name, &offered, limits, cfg))
		kit_fail(k, "get_limits() set what no device can have");
	limits_settle(cfg, k->desc, limits);
	if (limits_check(k->desc->name, limits, cfg))
		kit_fail(k, "get_limits() set what no device can have");
	d->dev.size = limits->size_bytes;
}

/* The plugin gets its own limits; the data plane's have room for the shim afterwards. */
void kit_start(struct kit_dev *d)
{
	struct ublk_limits *limits = &d->dev.limits;
	int res = 0;

	limits->max_queues = min_of(limits->max_queues, (uint32_t)KIT_QUEUES);
	limits->max_depth = min_of(limits->max_depth, (uint32_t)KIT_DEPTH);
	if (d->kit->desc->start)
		res = CALL(d, "start", d->kit->desc->start(d->priv, limits));
	if (res)
		kit_fail(d->kit, "start() failed: %s", strerror(-res));
	d->dev.open_phase = false;
	d->started = true;
	d->scratch = (uint32_t)round_up_to(limits->io_scratch_bytes, 64);
	limits->io_scratch_bytes = d->scratch + shim_scratch_bytes();
}

/* What a process that was killed had in a ring is closed by the kernel a moment later, locks included. */
struct kit_dev *kit_must_open(struct kit *k, uint32_t flags)
{
	uint64_t began = now_ms();
	struct kit_dev *d = NULL;
	bool fresh = !k->loaded;
	int res;

	while ((res = kit_try_open(k, &d, flags)) == -EBUSY && fresh &&
	       now_ms() - began < FORMER_MS)
		usleep(50000);
	if (res)
		kit_fail(k, "open() failed: %s", strerror(-res));
	return d;
}

struct kit_dev *kit_open(struct kit *k, uint32_t flags)
{
	struct device_config cfg = k->cfg;
	struct kit_dev *d = kit_must_open(k, flags);

	cfg.read_only = flags & UBLK_OPEN_READ_ONLY;
	kit_limits(d, &cfg);
	kit_start(d);
	return d;
}

static struct path_kernel fake_kernel(void)
{
	struct ring_features ring;

	ring_probe(&ring);
	return (struct path_kernel){
		.features = UBLK_F_SUPPORT_ZERO_COPY | UBLK_F_AUTO_BUF_REG | UBLK_F_USER_COPY |
			    UBLK_F_NEED_GET_DATA | UBLK_F_BATCH_IO,
		.buf_table = ring.sparse_buffers,
		.buf_ring = ring.provided_buffers,
	};
}

bool kit_path(struct kit_dev *d, unsigned int i, struct path_choice *path)
{
	const struct path_kernel kernel = fake_kernel();
	struct path_needs needs =
		path_needs_of(d->kit->desc, d->dev.limits.map_kinds, d->dev.limits.data_modes);

	for (unsigned int at = 0; at < nr_data_paths; at++) {
		*path = (struct path_choice){ data_paths[at], false };
		if (!path_obstacle(*path, &kernel, &needs) && !i--)
			return true;
	}
	return false;
}

static struct path_choice usual_path(struct kit_dev *d)
{
	const struct path_kernel kernel = fake_kernel();
	struct path_needs needs =
		path_needs_of(d->kit->desc, d->dev.limits.map_kinds, d->dev.limits.data_modes);
	const char *why;
	struct path_choice choice = path_choose(&kernel, &needs, &why);

	if (path_obstacle(choice, &kernel, &needs))
		kit_fail(d->kit, "no data path serves what get_limits() has made of it: %s", why);
	return choice;
}

static void make_transport(struct kit_dev *d, uint16_t nr, uint16_t depth)
{
	struct fake_config config = {
		.nr_queues = nr,
		.depth = depth,
		.max_io = d->dev.limits.max_io_bytes,
		.flags = d->dev.path->dev_flags | (d->dev.batch ? UBLK_F_BATCH_IO : 0),
		.mem_faults = d->dev.limits.attrs & UBLK_DEV_MEM_FAULTS,
	};
	int err = fake_create(&config, &d->fake);

	if (err)
		kit_fail(d->kit, "this machine cannot run the kit: %s",
			 err == -EOPNOTSUPP
				 ? "its io_uring passes no messages between rings (Linux 5.18)"
				 : strerror(-err));
	d->dev.transport = fake_transport(d->fake);
	d->dev.stats = stats_alloc(nr);
	d->dev.notify_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!d->dev.stats || d->dev.notify_fd < 0)
		kit_fail(d->kit, "out of memory or descriptors");
}

void kit_queues(struct kit_dev *d, uint16_t nr, uint16_t depth, const struct path_choice *path)
{
	struct path_choice choice = path ? *path : usual_path(d);
	int err;

	d->dev.path = choice.path;
	d->dev.batch = choice.batch;
	d->nr_queues = nr;
	depth = (uint16_t)min_of((uint32_t)depth, d->dev.limits.max_depth);
	make_transport(d, nr, depth);
	if (dev_prepare(&d->dev))
		kit_fail(d->kit, "the data plane cannot be set up");
	d->prepared = true;
	d->ticked = now_ms();
	for (uint16_t i = 0; i < nr; i++) {
		if (queue_start(&d->dev, i, NULL, 0, &d->queue[i].q))
			kit_fail(d->kit, "a queue cannot be started");
		d->nr_started++;
	}
	for (uint16_t i = 0; i < nr; i++) {
		kit_doing(d->kit, "starting queue %u", i);
		err = queue_wait_started(d->queue[i].q);
		if (err)
			kit_fail(d->kit, "queue_init() of queue %u failed, or its thread: %s", i,
				 strerror(-err));
	}
}

void kit_usual_queues(struct kit_dev *d)
{
	const struct ublk_limits *limits = &d->dev.limits;

	kit_queues(d, (uint16_t)limits->max_queues, (uint16_t)limits->max_depth, NULL);
}

static void wait_ended(struct kit_dev *d)
{
	uint64_t began = now_ms();
	bool cancelled = false;

	for (unsigned int i = 0; i < d->nr_started; i++)
		while (!queue_ended(d->queue[i].q)) {
			usleep(200);
			kit_tick(d);
			if (now_ms() - began > 3000 && !cancelled) {
				for (unsigned int j = 0; j < d->nr_started; j++)
					queue_ask(d->queue[j].q, QUEUE_ASK_CANCEL);
				cancelled = true;
			}
			if (now_ms() - began > 6000 && queue_held(d->queue[i].q))
				kit_fail(
					d->kit,
					"%u ios are still with the plugin 6 seconds after the device was to "
					"stop, and 3 after cancel()",
					queue_held(d->queue[i].q));
			if (now_ms() - began > ENDING_MS)
				kit_fail(d->kit, "queue %u does not end", i);
		}
}

/* What the host has noticed of the plugin; its messages have the words. */
static void judge_counters(struct kit_dev *d)
{
	uint64_t misuse = 0, timeouts = 0;

	for (unsigned int i = 0; i < d->nr_started; i++) {
		const struct queue_counters *counters = queue_counters(d->queue[i].q);

		misuse += counters->misuse;
		timeouts += counters->timeouts;
	}
	if (timeouts)
		kit_fail(
			d->kit,
			"%llu ios were with the plugin for more than %u seconds, and were taken away",
			(unsigned long long)timeouts, IO_TIMEOUT);
	if (misuse)
		kit_fail(d->kit, "the host found the contract broken: see its messages");
}

void kit_end_queues(struct kit_dev *d)
{
	kit_doing(d->kit, "ending the queues");
	fake_abort_all(d->fake);
	wait_ended(d);
	for (unsigned int i = 0; i < d->nr_started; i++)
		if (!queue_join(d->queue[i].q))
			kit_fail(d->kit, "a call of queue %u has not come back from the plugin", i);
	judge_counters(d);
	if (fake_violations(d->fake))
		kit_fail(d->kit, "the protocol of the driver was broken: %s",
			 fake_first_violation(d->fake));
}

void kit_free_queues(struct kit_dev *d)
{
	if (!d->prepared)
		return;
	d->prepared = false;
	for (unsigned int i = 0; i < d->nr_started; i++)
		queue_free(d->queue[i].q);
	dev_unprepare(&d->dev);
	free(d->dev.stats);
	close(d->dev.notify_fd);
	fake_destroy(d->fake);
	d->nr_started = 0;
}

void kit_close(struct kit_dev *d)
{
	const struct ublk_plugin *desc = d->kit->desc;

	if (d->started && desc->stop)
		CALL(d, "stop", (desc->stop(d->priv), 0));
	kit_free_queues(d);
	services_check_files(d);
	if (d->opened && desc->close)
		CALL(d, "close", (desc->close(d->priv), 0));
	dev_free(d);
}

void kit_finish(struct kit_dev *d)
{
	kit_end_queues(d);
	kit_close(d);
}

bool kit_serves(const struct kit *k, unsigned int op)
{
	return plugin_profile(k->desc, op) != PROFILE_NONE;
}

bool kit_keeps_data(const struct kit_dev *d)
{
	const struct ublk_plugin *desc = d->kit->desc;
	const uint32_t data = UBLK_OPS_READ | UBLK_OPS_WRITE;

	return (desc->map_ops & data) != data ||
	       d->dev.limits.map_kinds & (UBLK_EXT_FD | UBLK_EXT_MEM);
}

bool kit_read_only(const struct kit_dev *d)
{
	return d->dev.limits.attrs & UBLK_DEV_READ_ONLY;
}

bool kit_stores(const struct kit_dev *d)
{
	return kit_keeps_data(d) && !kit_read_only(d);
}

uint32_t kit_block(const struct kit_dev *d)
{
	return d->dev.limits.logical_block;
}
