// SPDX-License-Identifier: MIT
/* The plugin's part of a device's life: load, open, get_limits, start; stop, close. Its calls have a
 * deadline, and what it does not explain itself is explained here. */
#include <string.h>

#include "device/internal.h"
#include "device/params.h"

/* NULL: it is a new device, or the driver does not tell now. */
static const struct ublk_limits *made_with(const struct device *d, struct ublk_limits *limits)
{
	struct ublk_params params;

	if (!d->former || ctrl_get_params(d->ctrl, d->info.dev_id, &params))
		return NULL;
	params_limits(&params, limits);
	return limits;
}

static int open_plugin(struct device *d, uint32_t flags)
{
	const struct ublk_plugin *desc = &d->plugin->desc;
	struct ublk_limits *limits = &d->dev.limits, former;
	struct ublk_open_args args = {
		.struct_size = sizeof(args),
		.flags = (d->cfg->read_only ? UBLK_OPEN_READ_ONLY : 0) |
			 (d->former ? UBLK_OPEN_RECOVER : 0) |
			 (d->recovery_flags ? UBLK_OPEN_KEEP : 0) | flags,
		.nr_opts = d->values->nr,
		.opt_size = sizeof(struct ublk_opt),
		.opts = d->values->opt,
		.former = made_with(d, &former),
	};
	const char *what = "load";
	unsigned int said = log_count(LOG_LVL_ERR);
	int err = 0;

	d->dev.open_phase = true;
	if (desc->load && !d->loaded) {
		guard_begin(d, "%s", what);
		err = desc->load(&host_services);
		guard_end(d);
	}
	if (!err) {
		d->loaded = true;
		what = "open";
		guard_begin(d, "%s", what);
		err = desc->open(&d->dev, &args, &d->dev.priv);
		guard_end(d);
	}
	if (!err) {
		d->opened = true;
		limits_offer(d->cfg, desc, limits);
		what = "get_limits";
		guard_begin(d, "%s", what);
		err = desc->get_limits(d->dev.priv, limits);
		guard_end(d);
	}
	if (!d->opened)
		d->dev.nr_files = 1; /* what it has registered went with it */
	if (err == -EBUSY && !strcmp(what, "open") && flags & UBLK_OPEN_BESIDE &&
	    log_count(LOG_LVL_ERR) == said)
		return 0; /* it wants to be asked again */
	/* The plugin's own message is the one line, if it gave one. */
	if (err && log_count(LOG_LVL_ERR) == said)
		log_err("plugin %s: %s failed: %s", desc->name, what,
			err < 0 && err > -4096 ? strerror(-err) : "(no errno)");
	if (err)
		return err < 0 ? err : -EIO;
	return 0;
}

int backend_open(struct device *d)
{
	return open_plugin(d, 0);
}

int backend_open_beside(struct device *d)
{
	return open_plugin(d, UBLK_OPEN_BESIDE);
}

int backend_start(struct device *d)
{
	const struct ublk_plugin *desc = &d->plugin->desc;
	unsigned int said = log_count(LOG_LVL_ERR);
	int err = 0;

	if (desc->start) {
		guard_begin(d, "start");
		err = desc->start(d->dev.priv, &d->dev.limits);
		guard_end(d);
	}
	d->dev.open_phase = false;
	if (!err) {
		d->started_plugin = true;
		if (device_flushes_nothing(desc, &d->dev.limits, dev_synced_files(&d->dev)))
			log_warn(
				"plugin %s: UBLK_DEV_VOLATILE_CACHE, but neither flush(), nor FLUSH by map "
				"or submit, nor a registered file: a flush does nothing, and what it is to "
				"make stable may be lost",
				desc->name);
		return 0;
	}
	if (log_count(LOG_LVL_ERR) == said)
		log_err("plugin %s: start failed: %s", desc->name,
			err < 0 && err > -4096 ? strerror(-err) : "(no errno)");
	return err < 0 ? err : -EIO;
}

void backend_close(struct device *d)
{
	const struct ublk_plugin *desc = &d->plugin->desc;

	if (!d->opened)
		return;
	guard_new_time(d);
	if (d->started_plugin && desc->stop) {
		guard_begin(d, "stop");
		desc->stop(d->dev.priv);
		guard_end(d);
	}
	if (desc->close) {
		guard_begin(d, "close");
		desc->close(d->dev.priv);
		guard_end(d);
	}
	d->opened = false;
}
