// SPDX-License-Identifier: MIT
/*
 * From a loaded plugin to a node that can be opened. Each step that succeeds is noted in the struct,
 * and device_end() undoes what was noted.
 */
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>

#include "config/size.h"
#include "device/internal.h"
#include "device/params.h"
#include "device/state.h"
#include "device/stats_file.h"
#include "kernel/features.h"
#include "kernel/knobs.h"
#include "kernel/ring_probe.h"

#define OPEN_TRIES 100 /* udev may hold ublkcN for a moment (rule 10) */
#define OPEN_WAIT_US 20000
#define START_DEADLINE_MS 15000
#define NODE_DEADLINE_MS 5000

int ctrl_failed(uint32_t cmd, uint32_t id, int err)
{
	char why[512];

	log_err("%s", ctrl_explain(cmd, id, err, why, sizeof(why)));
	return err;
}

/* From any thread. */
static void device_failed(struct ublk_dev *dev, int err, const char *why)
{
	struct device *d = container_of(dev, struct device, dev);
	uint64_t one = 1;
	int none = 0;

	if (!atomic_compare_exchange_strong(&d->fail_err, &none, err))
		return;
	log_err("%s (%s); the device will be stopped", why, strerror(-err));
	if (write(d->fail_fd, &one, sizeof(one)) < 0)
		log_err("telling the control thread: %m");
}

static int probe_kernel(struct device *d)
{
	struct ring_features ring;
	int err = ctrl_open(&d->ctrl);
	char release[64], why[512];

	if (err)
		return err;
	err = ctrl_get_features(d->ctrl, &d->kernel.features);
	if (err == -EOPNOTSUPP || err == -EINVAL) {
		d->kernel.features = features_assumed(ctrl_is_legacy(d->ctrl)); /* before 6.5 */
		err = 0;
	}
	if (err)
		return ctrl_failed(UBLK_U_CMD_GET_FEATURES, UINT32_MAX, err);
	err = ring_probe(&ring);
	if (err)
		log_err("%s", knob_ring_failure(kernel_release(release, sizeof(release)), "", err,
						why, sizeof(why)));
	d->kernel.unprivileged = !knobs_privileged();
	d->kernel.buf_table = ring.sparse_buffers;
	d->kernel.buf_ring = ring.provided_buffers;
	return err;
}

static int choose_path(struct device *d)
{
	const struct ublk_limits *limits = &d->dev.limits;
	struct path_needs needs =
		path_needs_of(&d->plugin->desc, limits->map_kinds, limits->data_modes);
	const char *obstacle, *word = d->cfg->data_path;
	struct path_choice choice;

	needs.shared_queues = d->dev.threads_per_queue > 1;
	/* The driver's side of a path is the device's for ever. */
	if (d->former && d->former->data_path)
		word = d->former->data_path;
	if (!word || !strcmp(word, "auto")) {
		choice = path_choose(&d->kernel, &needs, &d->path_why);
		if (path_obstacle(choice, &d->kernel, &needs)) {
			log_err("no data path can serve plugin %s, whose submit() takes registered "
				"buffers only (UBLK_DATA_FIXED): %s",
				d->plugin->desc.name, d->path_why);
			return -EOPNOTSUPP;
		}
	} else {
		choice = path_choice_find(word);
		obstacle = path_obstacle(choice, &d->kernel, &needs);
		if (obstacle) {
			log_err("%s %s cannot serve plugin %s: %s%s",
				d->former ? "its data path" : "--data-path", word,
				d->plugin->desc.name, obstacle,
				d->former ? "" : "; leave it at auto");
			return -EOPNOTSUPP;
		}
		d->path_why = d->former ? "that of the server before" : "asked for";
	}
	d->dev.path = choice.path;
	d->dev.batch = choice.batch;
	d->path_name = path_choice_name(choice);
	return 0;
}

static int check_name(struct device *d)
{
	if (!d->cfg->name)
		return 0;
	return state_check_name(d->cfg->name, d->former ? d->former->id : UINT32_MAX);
}

/* What cannot be had is not insisted on. */
static void settle_threads(struct device *d)
{
	const uint32_t wanted = d->cfg->threads_per_queue ? d->cfg->threads_per_queue : 1;
	const char *why = NULL;

	d->dev.poll_us = d->cfg->poll_us;
	d->dev.threads_per_queue = min_of(wanted, d->dev.limits.max_depth);
	if (wanted == 1)
		return;
	if (!(d->kernel.features & UBLK_F_PER_IO_DAEMON))
		why = "it needs a newer ublk driver (PER_IO_DAEMON, Linux 6.16)";
	else if (d->plugin->desc.thread_model == UBLK_THREADS_SERIAL)
		why = "the plugin does one thing at a time";
	if (!why)
		return;
	d->dev.threads_per_queue = 1;
	log_warn("--threads-per-queue %u: one thread instead: %s", wanted, why);
}

static int settle_limits(struct device *d)
{
	const struct ublk_plugin *desc = &d->plugin->desc;
	struct ublk_limits *limits = &d->dev.limits, offered;
	int err;

	limits_offer(d->cfg, desc, &offered);
	err = limits_check_plugin(desc->name, &offered, limits, d->cfg);
	if (err)
		return err;
	limits_settle(d->cfg, desc, limits);
	err = limits_check(desc->name, limits, d->cfg);
	if (err)
		return err;
	settle_threads(d);
	return choose_path(d);
}

static int add_device(struct device *d)
{
	struct ublk_limits *limits = &d->dev.limits;
	struct ublksrv_ctrl_dev_info *info = &d->info;
	uint64_t dev_flags = d->dev.path->dev_flags | (d->dev.batch ? UBLK_F_BATCH_IO : 0) |
			     (d->cfg->shared_memory.nr ? UBLK_F_SHMEM_ZC : 0) |
			     (d->kernel.unprivileged ? UBLK_F_UNPRIVILEGED_DEV : 0) |
			     d->recovery_flags;
	int err;

	*info = (struct ublksrv_ctrl_dev_info){
		.nr_hw_queues = limits->max_queues,
		.queue_depth = limits->max_depth,
		.max_io_buf_bytes = limits->max_io_bytes,
		.dev_id = d->cfg->id < 0 ? UINT32_MAX : (uint32_t)d->cfg->id,
		.flags = UBLK_F_CMD_IOCTL_ENCODE | dev_flags,
	};
	err = add_check(info);
	if (err)
		return err;
	err = ctrl_add_dev(d->ctrl, info);
	if (err)
		return ctrl_failed(UBLK_U_CMD_ADD_DEV,
				   d->cfg->id < 0 ? UINT32_MAX : (uint32_t)d->cfg->id, err);
	d->added = true;
	if (d->request->added)
		d->request->added(info->dev_id, d->request->arg);
	if ((info->flags & dev_flags) != dev_flags) {
		log_err("the driver did not grant data path %s with --recovery %s; try --data-path "
			"copy, or --recovery none",
			d->path_name, d->cfg->recovery);
		return -EOPNOTSUPP;
	}
	if (info->nr_hw_queues < limits->max_queues && d->cfg->queues)
		log_warn("the kernel grants %u queues instead of %u, one for each CPU",
			 info->nr_hw_queues, limits->max_queues);
	limits->max_queues = info->nr_hw_queues * d->dev.threads_per_queue; /* the plugin's */
	limits->max_depth = info->queue_depth;
	limits->max_io_bytes = min_of(limits->max_io_bytes, info->max_io_buf_bytes);
	node_block(info->dev_id, d->node);
	node_char(info->dev_id, d->char_node);
	return 0;
}

static int set_params(struct device *d)
{
	struct ublk_params params;
	int err;

	params_build(&d->dev.limits, device_fua_ok(&d->plugin->desc, &d->dev.limits), &params);
	err = ctrl_set_params(d->ctrl, d->info.dev_id, &params);
	return err ? ctrl_failed(UBLK_U_CMD_SET_PARAMS, d->info.dev_id, err) : 0;
}

/* A new one, or one whose server is gone. */
static int obtain_device(struct device *d)
{
	int err;

	if (d->former)
		return recovery_adopt(d);
	err = add_device(d);
	if (!err)
		err = udev_wait_given(d, d->char_node);
	return err ? err : set_params(d);
}

static int open_char(struct device *d)
{
	for (int i = 0;; i++) {
		d->char_fd = open(d->char_node, O_RDWR | O_CLOEXEC);
		if (d->char_fd >= 0) {
			d->entry = sysfs_device_entry("", d->info.dev_id);
			if (d->entry == SYSFS_ENTRY_UNKNOWN)
				d->entry = 0;
			return 0;
		}
		if ((errno != EBUSY && errno != ENOENT) || i == OPEN_TRIES)
			break;
		usleep(OPEN_WAIT_US);
	}
	log_err("opening %s: %m%s", d->char_node,
		errno == EBUSY ? "; another process keeps it open" : "");
	return -errno;
}

/* For who would ask for another size. */
static uint32_t sizing(const struct device *d)
{
	const bool changes = d->plugin->desc.resize && d->kernel.features & UBLK_F_UPDATE_SIZE;

	return (options_have_size(&d->plugin->desc) ? STATS_SIZE_OPTION : 0) |
	       (changes ? STATS_SIZE_CHANGES : 0);
}

/* Where they cannot be shared, the queues count for themselves. */
static int make_stats(struct device *d)
{
	uint16_t nr_queues = d->info.nr_hw_queues * d->dev.threads_per_queue;

	d->shared_stats = !stats_create(d->info.dev_id, nr_queues, &d->dev.stats);
	if (!d->shared_stats)
		d->dev.stats = stats_alloc(nr_queues);
	if (d->dev.stats) {
		d->dev.stats->request.sizing = sizing(d);
		return 0;
	}
	log_err("no memory for the counters of %u queues", nr_queues);
	return -ENOMEM;
}

/* A queue has ended, or is about to: its own message says why, if it was not the driver that ended it. */
static int queue_lost(const struct device *d)
{
	int err = atomic_load(&d->fail_err);

	if (err)
		return err;
	log_err("%s was stopped from outside before it was ready", d->node);
	return -ECANCELED;
}

/* START_DEV and END_USER_RECOVERY wait for every tag; a queue that ends meanwhile would make them wait for
 * ever. */
static int start_device(struct device *d)
{
	uint64_t until = now_ms() + START_DEADLINE_MS;
	const uint32_t cmd = d->former ? UBLK_U_CMD_END_USER_RECOVERY : UBLK_U_CMD_START_DEV;
	int err = ctrl_begin(d->ctrl, cmd, d->info.dev_id, getpid()), lost = 0;

	while (!err) {
		struct pollfd fds[] = { { ctrl_fd(d->ctrl), POLLIN, 0 },
					{ d->fail_fd, POLLIN, 0 },
					{ d->dev.notify_fd, POLLIN, 0 } };
		uint64_t now = now_ms();

		err = ctrl_result(d->ctrl);
		if (err != -EINPROGRESS)
			break;
		err = 0;
		if (now >= until)
			err = -ETIMEDOUT;
		else if (poll(fds, ARRAY_SIZE(fds), until - now) > 0 &&
			 (fds[1].revents || fds[2].revents))
			err = lost = queue_lost(d);
		if (err)
			ctrl_cancel(d->ctrl);
	}
	if (lost)
		return lost;
	if (err)
		return ctrl_failed(cmd, d->info.dev_id, err);
	d->live = true;
	d->served_since = now_ms();
	err = sysfs_wait_node("", d->info.dev_id, NODE_DEADLINE_MS);
	return err ? err : udev_wait_given(d, d->node);
}

/* Whoever has us brought up may want to say when. Once. */
static int wait_for_word(struct device *d)
{
	const struct device_request *request = d->request;

	if (d->told)
		return 0;
	d->told = true;
	if (request->prepared && request->prepared(request->signal_fd, request->arg))
		return -ECANCELED;
	guard_new_time(d);
	return 0;
}

/* Open the plugin while a former server serves, if it can. What comes after it is then done with few rights,
 * so that the device's file has to be ours. */
static int open_beside(struct device *d)
{
	const uint32_t needed = UBLK_PLUGIN_RECOVERS | UBLK_PLUGIN_OPENS_BESIDE;
	struct stat st;

	if (!d->former || (d->plugin->desc.flags & needed) != needed || d->request->user ||
	    stat(d->char_node, &st) || st.st_uid != geteuid())
		return 0;
	return backend_open_beside(d);
}

/* The thread that watches calls has the rights of before. */
static int end_guard(struct device *d)
{
	guard_drop(d);
	return 0;
}

typedef int (*bring_up_step)(struct device *d);

static int take_steps(struct device *d, const bring_up_step *steps, size_t nr)
{
	int err = 0;

	for (size_t i = 0; i < nr && !err; i++) {
		err = steps[i](d);
		if (err == -EINVAL && steps[i] != settle_limits)
			err = -EIO; /* only there it means that the user is wrong */
	}
	return err;
}

static int bring_up(struct device *d)
{
	static const bring_up_step look[] = { pressure_begin, probe_kernel, check_name,
					      recovery_settle, open_beside };
	static const bring_up_step beside[] = { settle_limits,	headroom_check,	  shared_open,
						obtain_device,	confine_begin,	  pressure_fill,
						queues_prepare, pressure_settle,  wait_for_word,
						recovery_begin, recovery_confirm, open_char,
						make_stats };
	/* Other plugins open what a former server had only when that cannot touch it any more: the driver
	 * knows when the last of its threads is gone. */
	static const bring_up_step alone[] = { wait_for_word, recovery_begin, backend_open,
					       settle_limits, headroom_check, shared_open,
					       obtain_device, open_char,      make_stats,
					       confine_begin };
	static const bring_up_step start[] = { backend_start, shared_register, pressure_fill,
					       queues_start,  end_guard,       pressure_settle,
					       start_device,  resolve_config,  announce,
					       confine_calls };
	/* What looks changes nothing, and is done while a former server serves. */
	int err = d->former ? 0 : wait_for_word(d);

	if (!err)
		err = take_steps(d, look, ARRAY_SIZE(look));
	if (!err && d->opened)
		err = take_steps(d, beside, ARRAY_SIZE(beside));
	else if (!err)
		err = take_steps(d, alone, ARRAY_SIZE(alone));
	return err ? err : take_steps(d, start, ARRAY_SIZE(start));
}

int device_bring_up(const struct device_request *request, struct device **out)
{
	struct device *d = calloc(1, sizeof(*d));
	char text[256];
	int err;

	if (!d) {
		log_err("no memory for a device");
		return -ENOMEM;
	}
	d->request = request;
	d->cfg = request->cfg;
	d->plugin = request->plugin;
	d->values = request->values;
	d->former = request->former;
	if (d->former) {
		d->info.dev_id = d->former->id;
		node_block(d->info.dev_id, d->node);
		node_char(d->info.dev_id, d->char_node);
	}
	d->log_target = request->log;
	d->char_fd = -1;
	d->clerk = request->clerk;
	d->signal_fd = request->signal_fd;
	d->dev.name = d->plugin->desc.name;
	d->dev.plugin = &d->plugin->desc;
	d->dev.transport = &d->transport;
	d->dev.nr_files = 1;
	d->dev.io_timeout = d->cfg->io_timeout;
	d->dev.failed = device_failed;
	d->dev.keep_memory = recovery_memory;
	d->fail_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	d->dev.notify_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (d->fail_fd < 0 || d->dev.notify_fd < 0) {
		err = -errno;
		log_err("eventfd: %s", knob_file_failure("", err, text, sizeof(text)));
	} else {
		guard_new_time(d);
		err = bring_up(d);
	}
	if (err && d->former) /* it still waits for a server, or does so again */
		d->handed_over = true;
	if (err)
		return device_end(d) == -ETIMEDOUT ? -ETIMEDOUT : err;
	log_info("%s: %s, %u queue%s of depth %u, data path %s: %s", d->node,
		 size_format(d->dev.limits.size_bytes, text), d->info.nr_hw_queues,
		 d->info.nr_hw_queues == 1 ? "" : "s", d->info.queue_depth, d->path_name,
		 d->path_why);
	if (d->former)
		log_info(
			"%s: served again, %u ms after its recovery began; for %u of them the driver "
			"was not rid of the old server",
			d->node, (unsigned int)(now_ms() - d->recovery_began),
			(unsigned int)(d->old_gone - d->recovery_began));
	*out = d;
	return 0;
}

const char *device_node(const struct device *d)
{
	return d->node;
}

const char *device_name(const struct device *d)
{
	return d->cfg->name;
}

uint64_t device_served_since(const struct device *d)
{
	return d->served_since;
}
