// SPDX-License-Identifier: MIT
/* Devices that outlive their server: what is asked of the driver for that, and how a new server takes
 * over one whose server is gone. */
#include <string.h>
#include <time.h>

#include "config/size.h"
#include "device/internal.h"
#include "device/kept_memory.h"
#include "device/params.h"
#include "device/served_files.h"

#define ADOPT_DEADLINE_MS 15000 /* for the driver to be rid of the old server */
#define ADOPT_WAIT_NS 1000000	/* between two looks */
#define QUIESCE_MS 10000	/* for each queue to have a tag that is free */

enum mode { MODE_NONE, MODE_QUEUE, MODE_REISSUE, MODE_FAIL };

static const char *const mode_words[] = { [MODE_NONE] = "none",
					  [MODE_QUEUE] = "queue",
					  [MODE_REISSUE] = "reissue",
					  [MODE_FAIL] = "fail" };

static const uint64_t mode_flags[] = {
	[MODE_NONE] = 0,
	[MODE_QUEUE] = UBLK_F_USER_RECOVERY,
	[MODE_REISSUE] = UBLK_F_USER_RECOVERY | UBLK_F_USER_RECOVERY_REISSUE,
	[MODE_FAIL] = UBLK_F_USER_RECOVERY | UBLK_F_USER_RECOVERY_FAIL_IO,
};

/* NULL, or why the plugin cannot go on with what a former server had. */
static const char *plugin_obstacle(const struct ublk_plugin *desc, enum mode mode)
{
	if (mode != MODE_NONE && !(desc->flags & UBLK_PLUGIN_RECOVERS))
		return "the plugin cannot open again what a former server had open";
	if (mode == MODE_REISSUE && !(desc->flags & UBLK_PLUGIN_REISSUE))
		return "the plugin does not allow that requests are done twice; queue serves those "
		       "that had not begun";
	return NULL;
}

/* "auto", which is resolved before a state is written, is none of them. */
static enum mode mode_of(const char *word)
{
	enum mode mode = MODE_FAIL;

	while (mode != MODE_NONE && strcmp(mode_words[mode], word))
		mode--;
	return mode;
}

int device_check_successor(const struct device_config *cfg, const struct plugin *plugin)
{
	const char *why = plugin_obstacle(&plugin->desc, mode_of(cfg->recovery));

	if (!why)
		return 0;
	log_err("plugin %s cannot serve the device on (--recovery %s): %s", plugin->desc.name,
		cfg->recovery, why);
	return -EOPNOTSUPP;
}

/* NULL, or why what the user asked for cannot be had from this plugin, this device or this kernel. */
static const char *obstacle(const struct device *d, enum mode mode)
{
	const struct ublk_plugin *desc = &d->plugin->desc;

	if (mode == MODE_NONE)
		return NULL;
	if (plugin_obstacle(desc, mode))
		return plugin_obstacle(desc, mode);
	if (d->kernel.unprivileged)
		return "the driver lets no device of a user without CAP_SYS_ADMIN outlive its server";
	if (d->cfg->shared_memory.nr)
		return "memory that is shared with programs (--shared-memory) is tied to the server";
	for (uint32_t i = 0; i < desc->nr_opts; i++) {
		struct ublk_opt_spec o = options_spec(desc->opts, desc->opt_spec_size, i);

		if (o.type == UBLK_OPT_SECRET && d->values->opt[i].is_set &&
		    !d->values->secret_file[i])
			return "a next server could not know the secret option; give it as @FILE";
	}
	if (!(d->kernel.features & UBLK_F_USER_RECOVERY))
		return "it needs a newer ublk driver (USER_RECOVERY, Linux 6.1)";
	if (mode == MODE_FAIL && !(d->kernel.features & UBLK_F_USER_RECOVERY_FAIL_IO))
		return "it needs a newer ublk driver (USER_RECOVERY_FAIL_IO, Linux 6.13)";
	return NULL;
}

static enum mode default_mode(const struct device *d)
{
	if (!obstacle(d, MODE_REISSUE))
		return MODE_REISSUE;
	return obstacle(d, MODE_QUEUE) ? MODE_NONE : MODE_QUEUE;
}

int recovery_settle(struct device *d)
{
	const char *word = d->cfg->recovery, *why;
	enum mode mode = strcmp(word, "auto") ? mode_of(word) : default_mode(d);

	why = obstacle(d, mode);
	if (why) {
		log_err("--recovery %s is not possible with plugin %s: %s", word,
			d->plugin->desc.name, why);
		return -EOPNOTSUPP;
	}
	d->recovery_flags = mode_flags[mode];
	if (mode != MODE_NONE)
		d->recovery_flags |= d->kernel.features & UBLK_F_QUIESCE;
	word = strdup(mode_words[mode]); /* resolved, for the state file */
	if (!word)
		return -ENOMEM;
	free(d->cfg->recovery);
	d->cfg->recovery = (char *)word;
	d->kept = d->former && d->former->memory ? json_incref(d->former->memory) : json_object();
	return d->kept ? 0 : -ENOMEM;
}

int recovery_memory(struct ublk_dev *dev, const char *name, uint64_t size)
{
	struct device *d = container_of(dev, struct device, dev);

	if (d->former)
		return kept_memory_find(d->kept, name, size);
	if (d->recovery_flags)
		return kept_memory_make(d->kept, name, size);
	return kept_memory_ordinary(name, size);
}

static int refuse(const struct device *d, int err, const char *why)
{
	log_err("%s cannot be recovered: %s", d->node, why);
	return err;
}

/* Drivers before 6.16 refuse to begin what a server has begun that did not come to its end. They are as
 * ready for another as if it had been begun now. */
static bool was_begun(struct device *d)
{
	struct ublksrv_ctrl_dev_info info;

	return !ctrl_get_dev_info(d->ctrl, d->former->id, &info) &&
	       info.flags & UBLK_F_USER_RECOVERY &&
	       (info.state == UBLK_S_DEV_QUIESCED || info.state == UBLK_S_DEV_FAIL_IO);
}

/* Another process removes it just now, or has given it a new server; the id may be another device's. */
static int is_lost(const struct device *d)
{
	struct device_state now;
	int err = state_read(d->former->id, &now);

	if (err)
		return err == -ENOENT ? -ENODEV : err;
	if (now.pid != d->former->pid || now.pid_start != d->former->pid_start ||
	    state_is_of_former(&now))
		err = -ENODEV;
	state_free(&now);
	return err;
}

/* The driver still may be busy with the end of the old server (rule 20). */
int recovery_begin(struct device *d)
{
	const struct timespec wait = { .tv_nsec = ADOPT_WAIT_NS };
	uint64_t until = now_ms() + ADOPT_DEADLINE_MS;
	char why[512];
	int err;

	if (!d->former)
		return 0;
	d->recovery_began = now_ms();
	while (!(err = is_lost(d)) &&
	       (err = ctrl_plain(d->ctrl, UBLK_U_CMD_START_USER_RECOVERY, d->info.dev_id, 0)) ==
		       -EBUSY &&
	       now_ms() < until)
		nanosleep(&wait, NULL);
	d->old_gone = now_ms();
	if (err == -EINVAL && was_begun(d))
		err = 0;
	if (err)
		log_err("%s", ctrl_explain(UBLK_U_CMD_START_USER_RECOVERY, d->info.dev_id, err, why,
					   sizeof(why)));
	return err;
}

/* NULL, or what the kernel takes for granted since the device was made, and is so no more. */
static const char *broken_promise(const struct device *d, const struct ublk_params *params)
{
	const struct ublk_limits *limits = &d->dev.limits;

	return params_unkept(params, limits, device_fua_ok(&d->plugin->desc, limits),
			     d->dev.path->dev_flags & UBLK_F_SUPPORT_ZERO_COPY);
}

/* The device is as it was made; what the plugin says now has to go with it. */
static int compare(struct device *d)
{
	struct ublk_limits *limits = &d->dev.limits;
	char is[SIZE_TEXT_MAX], was[SIZE_TEXT_MAX];
	struct ublk_params params;
	const char *broken;
	uint64_t size;
	int err = ctrl_get_params(d->ctrl, d->info.dev_id, &params);

	if (err)
		return refuse(d, err, "the driver does not tell its parameters");
	size = params.basic.dev_sectors << 9;
	if (limits->size_bytes < size) {
		log_err("%s cannot be recovered: it has %s, and its backing has %s now", d->node,
			size_format(size, was), size_format(limits->size_bytes, is));
		return -ENOSPC;
	}
	limits->size_bytes = size;
	if (limits->attrs & UBLK_DEV_READ_ONLY && !(params.basic.attrs & UBLK_ATTR_READ_ONLY))
		return refuse(d, -EROFS, "its backing can no longer be written");
	if (limits->logical_block > 1u << params.basic.logical_bs_shift)
		return refuse(d, -EINVAL, "the blocks of its backing have become larger");
	limits->logical_block = 1u << params.basic.logical_bs_shift;
	broken = broken_promise(d, &params);
	if (!broken)
		return 0;
	log_err("%s cannot be recovered: %s; such a device has to be made anew", d->node, broken);
	return -EOPNOTSUPP;
}

int recovery_adopt(struct device *d)
{
	struct ublk_limits *limits = &d->dev.limits;
	struct ublksrv_ctrl_dev_info *info = &d->info;
	uint64_t dev_flags = d->dev.path->dev_flags | (d->dev.batch ? UBLK_F_BATCH_IO : 0);
	int err;

	err = ctrl_get_dev_info(d->ctrl, d->former->id, info);
	if (err)
		return refuse(d, err, "the driver does not tell what it is");
	d->added = true;
	if ((info->flags & dev_flags) != dev_flags)
		return refuse(d, -EINVAL, "it was not made for its data path");
	/* Before threads share them, as its limits are. */
	if (info->nr_hw_queues > limits->max_queues || info->queue_depth > limits->max_depth) {
		log_err("%s cannot be recovered: it has %u queues of depth %u, and the plugin takes %u "
			"of %u",
			d->node, info->nr_hw_queues, info->queue_depth, limits->max_queues,
			limits->max_depth);
		return -EOPNOTSUPP;
	}
	limits->max_queues = info->nr_hw_queues * d->dev.threads_per_queue;
	limits->max_depth = info->queue_depth;
	if (limits->max_io_bytes < info->max_io_buf_bytes)
		return refuse(d, -EINVAL, "the plugin does not take requests of its size");
	limits->max_io_bytes = info->max_io_buf_bytes;
	err = compare(d);
	return err ? err : served_files_check(&d->dev, d->former->files, d->node);
}

/* What was prepared beside the former server is for the size that the device had then, and it may have been
 * inside of resize() until now. Its next server begins with the right one. */
int recovery_confirm(struct device *d)
{
	struct ublk_params params;
	int err = ctrl_get_params(d->ctrl, d->info.dev_id, &params);

	if (err)
		return refuse(d, err, "the driver does not tell its parameters");
	if (params.basic.dev_sectors << 9 != d->dev.limits.size_bytes)
		return refuse(d, -ESTALE, "its size has changed meanwhile; try again");
	return 0;
}

/*
 * The device goes on under another server. The driver first hands out no more requests. Without that
 * (Linux 6.12) all tags of a queue may be with a server that leaves, and such a driver learns of its end by
 * a FETCH that it cancels: there would be none, and the device would hang.
 */
int recovery_hand_over(struct device *d)
{
	const uint64_t needed = UBLK_F_USER_RECOVERY | UBLK_F_QUIESCE;
	char why[512];
	int err;

	if ((d->info.flags & needed) != needed || d->info.flags & UBLK_F_USER_RECOVERY_FAIL_IO) {
		log_warn("asked to hand the device over, but --recovery %s, or a driver without "
			 "QUIESCE (Linux 6.16), does not allow it",
			 d->cfg->recovery);
		return -EOPNOTSUPP;
	}
	err = ctrl_plain(d->ctrl, UBLK_U_CMD_QUIESCE_DEV, d->info.dev_id, QUIESCE_MS);
	/* Rule 21: there is no way back from here, whatever it says. */
	if (err)
		log_warn("%s", ctrl_explain(UBLK_U_CMD_QUIESCE_DEV, d->info.dev_id, err, why,
					    sizeof(why)));
	d->quiesced = !err;
	d->handed_over = true;
	log_info("handing the device over to another server");
	return 0;
}
