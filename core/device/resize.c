// SPDX-License-Identifier: MIT
/*
 * Another size for a device that is served. To grow, room is made first and the driver told last; to shrink,
 * the other way round, so that the driver never hands out what the plugin has not got. The control thread's.
 */
#include <stdio.h>
#include <string.h>

#include "config/size.h"
#include "device/internal.h"

#define BEYOND_MS 5000 /* for requests beyond a new end to be over */

static const char *obstacle(const struct device *d, uint64_t size, char *buf, size_t buf_size)
{
	const uint32_t block = d->dev.limits.logical_block;

	if (!d->plugin->desc.resize)
		snprintf(buf, buf_size, "plugin %s cannot change the size of a device",
			 d->plugin->desc.name);
	else if (!(d->kernel.features & UBLK_F_UPDATE_SIZE))
		snprintf(
			buf, buf_size,
			"the ublk driver cannot (UPDATE_SIZE, Linux 6.16): take the device down, and make "
			"it anew with the other size");
	else if (!size || size % block || size > INT64_MAX)
		snprintf(buf, buf_size, "%llu bytes are no multiple of its logical block, %u bytes",
			 (unsigned long long)size, block);
	else
		return NULL;
	return buf;
}

/* A plugin that never comes back takes the server with it, not the device if that can have another. */
static int ask_plugin(struct device *d, uint64_t size)
{
	struct guard guard;
	int err;

	guard_new_time(d);
	d->handed_over = d->recovery_flags;
	guard_begin(&guard, d, "resize");
	err = d->plugin->desc.resize(d->dev.priv, size);
	guard_end(&guard);
	d->handed_over = false;
	return err > 0 ? -EIO : err;
}

static int tell_driver(struct device *d, uint64_t size)
{
	return ctrl_plain(d->ctrl, UBLK_U_CMD_UPDATE_SIZE, d->info.dev_id, size >> 9);
}

static int set_queues(struct device *d, uint64_t size)
{
	return dev_set_size(&d->dev, d->queues, d->nr_started, size, BEYOND_MS);
}

static int grow(struct device *d, uint64_t former, uint64_t size, const char **who)
{
	int err;

	*who = d->plugin->desc.name;
	err = ask_plugin(d, size);
	if (err)
		return err;
	*who = "a queue";
	err = set_queues(d, size);
	if (!err) {
		*who = "the driver";
		err = tell_driver(d, size);
		if (err)
			set_queues(d, former);
	}
	if (err && ask_plugin(d, former))
		log_warn("plugin %s keeps the room for %llu bytes", d->plugin->desc.name,
			 (unsigned long long)size);
	return err;
}

static int shrink(struct device *d, uint64_t former, uint64_t size, const char **who)
{
	int err;

	*who = "the driver";
	err = tell_driver(d, size);
	if (err)
		return err;
	*who = "a queue, with requests beyond the new end";
	err = set_queues(d, size);
	if (!err) {
		*who = d->plugin->desc.name;
		err = ask_plugin(d, size);
		if (err)
			set_queues(d, former);
	}
	if (err && tell_driver(d, former))
		log_err("%s stays at %llu bytes: the driver does not take the former size back",
			d->node, (unsigned long long)size);
	return err;
}

int device_resize(struct device *d, uint64_t size, char *why, size_t why_size)
{
	uint64_t former = atomic_load(&d->dev.size);
	char was[SIZE_TEXT_MAX], is[SIZE_TEXT_MAX];
	const char *who = "";
	int err;

	if (obstacle(d, size, why, why_size))
		return size && d->plugin->desc.resize && d->kernel.features & UBLK_F_UPDATE_SIZE
			       ? -EINVAL
			       : -EOPNOTSUPP;
	if (size == former)
		return 0;
	err = size > former ? grow(d, former, size, &who) : shrink(d, former, size, &who);
	if (err)
		snprintf(why, why_size, "%s: %s%s", who, strerror(-err),
			 who == d->plugin->desc.name ? "; the server's log may say more" : "");
	else
		log_info("%s: %s, formerly %s", d->node, size_format(size, is),
			 size_format(former, was));
	return err;
}
