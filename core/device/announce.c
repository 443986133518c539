// SPDX-License-Identifier: MIT
/* What becomes known of a device that is served: what was chosen goes back into its configuration, and its
 * state is written. Steps of bring-up. */
#include <stdio.h>
#include <string.h>

#include "config/device_manifest.h"
#include "device/clerk.h"
#include "device/internal.h"
#include "device/served_files.h"
#include "device/state.h"

int resolve_config(struct device *d)
{
	struct device_config *cfg = d->cfg;
	const struct ublk_limits *limits = &d->dev.limits;

	cfg->id = d->info.dev_id;
	cfg->queues = d->info.nr_hw_queues;
	if (cfg->threads_per_queue)
		cfg->threads_per_queue = d->dev.threads_per_queue;
	cfg->depth = limits->max_depth;
	cfg->max_io = limits->max_io_bytes;
	cfg->logical_block = limits->logical_block;
	cfg->physical_block = limits->physical_block;
	cfg->read_only = limits->attrs & UBLK_DEV_READ_ONLY;
	if (!cfg->name && asprintf(&cfg->name, "%s-%u", d->plugin->desc.name, d->info.dev_id) < 0)
		return -ENOMEM;
	return 0;
}

int announce(struct device *d)
{
	struct device_state state = {
		.id = d->info.dev_id,
		.name = d->cfg->name,
		.node = d->node,
		.entry = d->entry,
		.plugin_path = d->plugin->path,
		.data_path = (char *)d->path_name,
		.data_path_why = (char *)d->path_why,
		.memory = json_object_size(d->kept) ? d->kept : NULL,
		.log = (char *)d->log_target,
		.source = d->former ? d->former->source : NULL,
		.asked = d->former ? d->former->asked : NULL,
		.manifest = device_manifest_build(d->cfg, &d->plugin->desc, d->values),
	};
	json_t *files = served_files(&d->dev);
	const bool is_new = !d->former && !d->kernel.unprivileged;
	int err = state.manifest && files ? state_self(&state) : -ENOMEM;

	state.files = json_array_size(files) ? files : NULL;
	if (err)
		log_err("cannot put together the state of %s: %s", d->node, strerror(-err));
	else if (d->clerk_asked)
		err = clerk_write(d->clerk, &state, is_new);
	else
		err = state_write(&state);
	json_decref(state.manifest);
	json_decref(files);
	d->written = !err;
	if (d->written && is_new && !d->clerk_asked)
		udev_tell_name(d->node);
	return err;
}
