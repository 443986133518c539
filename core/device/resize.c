// SPDX-License-Identifier: MIT
/*
 * Another size for a device that is served. Nothing may reach what is not there: a device grows from the inside
 * out (plugin, queues, driver) and shrinks the other way, and a step that fails is undone in the order of the
 * other way. The control thread's.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "config/size.h"
#include "device/internal.h"

#define BEYOND_MS 5000 /* for requests beyond a new end to be over */

static int refuse(char why[RESIZE_WHY_SIZE], int err, const char *fmt, ...) __printf_like(3, 4);

static int refuse(char why[RESIZE_WHY_SIZE], int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, RESIZE_WHY_SIZE, fmt, ap);
	va_end(ap);
	return err;
}

static int check_size(const struct device *d, uint64_t size, char why[RESIZE_WHY_SIZE])
{
	const uint64_t block = d->dev.limits.logical_block, rest = size % block;

	if (!size || size > INT64_MAX)
		return refuse(why, -EINVAL, "no device can have %" PRIu64 " bytes", size);
	if (rest)
		return refuse(why, -EINVAL,
			      "%" PRIu64 " bytes are no multiple of its logical block, %" PRIu64
			      "; the nearest are %" PRIu64 " and %" PRIu64,
			      size, block, size - rest, size - rest + block);
	return 0;
}

/* All that can be known before anything changes. */
static int check(struct device *d, uint64_t size, char why[RESIZE_WHY_SIZE])
{
	const char *plugin = d->plugin->desc.name;
	int err = check_size(d, size, why);

	if (err)
		return err;
	if (!(d->kernel.features & UBLK_F_UPDATE_SIZE))
		return refuse(why, -EOPNOTSUPP,
			      "the ublk driver cannot (UPDATE_SIZE, Linux 6.16): take the device "
			      "down, and make it anew with the other size");
	if (!d->plugin->desc.resize)
		return refuse(
			why, -EOPNOTSUPP,
			"plugin %s cannot change the size of a device: take it down, and make "
			"it anew with the other size",
			plugin);
	if (resize_is_stuck(d))
		return refuse(why, -EBUSY,
			      "plugin %s has not returned from an earlier resize() yet", plugin);
	return resize_ask_plugin(d, size, UBLK_RESIZE_CHECK, why);
}

static int set_driver(struct device *d, uint64_t size, char why[RESIZE_WHY_SIZE])
{
	int err = ctrl_plain(d->ctrl, UBLK_U_CMD_UPDATE_SIZE, d->info.dev_id, size >> 9);

	if (err)
		ctrl_explain(UBLK_U_CMD_UPDATE_SIZE, d->info.dev_id, err, why, RESIZE_WHY_SIZE);
	return err;
}

/* Where it fails, the queues have their former size. */
static int set_queues(struct device *d, uint64_t size, char why[RESIZE_WHY_SIZE])
{
	int err = dev_set_size(&d->dev, d->queues, d->nr_started, size, BEYOND_MS);

	return err ? refuse(why, err,
			    "requests beyond the new end have not come to an end within %u s",
			    BEYOND_MS / 1000)
		   : 0;
}

static int set_plugin(struct device *d, uint64_t size, char why[RESIZE_WHY_SIZE])
{
	return resize_ask_plugin(d, size, 0, why);
}

/* What has failed is told; that it cannot be undone is only logged. */
static void undo(struct device *d, uint64_t former,
		 int (*step)(struct device *d, uint64_t size, char why[RESIZE_WHY_SIZE]))
{
	char why[RESIZE_WHY_SIZE] = "";

	if (step(d, former, why))
		log_err("%s: going back to %" PRIu64 " bytes: %s", d->node, former, why);
}

static int grow(struct device *d, uint64_t former, uint64_t size, char why[RESIZE_WHY_SIZE])
{
	int err = set_plugin(d, size, why);

	if (err)
		return err;
	err = set_queues(d, size, why);
	if (!err) {
		err = set_driver(d, size, why);
		if (err)
			undo(d, former, set_queues);
	}
	if (err)
		undo(d, former, set_plugin);
	return err;
}

static int shrink(struct device *d, uint64_t former, uint64_t size, char why[RESIZE_WHY_SIZE])
{
	int err = set_driver(d, size, why);

	if (err)
		return err;
	err = set_queues(d, size, why);
	if (!err) {
		err = set_plugin(d, size, why);
		/* It may be giving up what is beyond: that is not served again. */
		if (err && resize_is_stuck(d))
			return err;
		if (err)
			undo(d, former, set_queues);
	}
	if (err)
		undo(d, former, set_driver);
	return err;
}

int device_resize(struct device *d, uint64_t size, char why[RESIZE_WHY_SIZE])
{
	uint64_t former = atomic_load(&d->dev.size);
	char was[SIZE_TEXT_MAX], is[SIZE_TEXT_MAX];
	int err;

	if (size == former)
		return 0;
	err = check(d, size, why);
	if (!err)
		err = size > former ? grow(d, former, size, why) : shrink(d, former, size, why);
	size_format(former, was);
	size_format(size, is);
	if (err)
		log_warn("%s: asked for %s instead of %s: %s", d->node, is, was, why);
	else
		log_info("%s: %s, formerly %s", d->node, is, was);
	return err;
}
