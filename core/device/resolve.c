// SPDX-License-Identifier: MIT
/* From what the user wrote to a loaded plugin, its options and its limits. Creates nothing. */
#include <string.h>

#include "config/given.h"
#include "device/internal.h"
#include "device/params.h"

int device_resolve(const struct device_config *cfg, const struct plugin_dirs *dirs,
		   const char *given, struct plugin **plugin, struct option_values *values)
{
	__cleanup_free char *path = NULL;
	struct errors errors = { 0 };
	int err;

	err = plugin_find(given ? given : cfg->plugin, dirs, &path);
	if (err)
		return err == -ENOENT ? -EINVAL : err;
	/* It goes into the state file, which is in UTF-8. */
	if (!given_is_utf8(path)) {
		log_err("plugin %s: its path is not text in UTF-8; have it somewhere else", path);
		return -EINVAL;
	}
	err = plugin_load(path, plugin);
	if (err)
		return err == -EINVAL ? -ENOEXEC : err;
	err = options_parse(&(*plugin)->desc, cfg->opts, cfg->nr_opts, values, &errors);
	if (err) {
		errors_print(&errors);
		plugin_free(*plugin);
		*plugin = NULL;
	}
	errors_free(&errors);
	return err;
}

static uint32_t default_queues(void)
{
	long online = sysconf(_SC_NPROCESSORS_ONLN);

	return online < 1 ? 1 : min_of((uint32_t)online, DEFAULT_QUEUES_CAP);
}

void limits_offer(const struct device_config *cfg, const struct ublk_plugin *desc,
		  struct ublk_limits *limits)
{
	*limits = (struct ublk_limits){
		.struct_size = sizeof(*limits),
		.attrs = cfg->read_only ? UBLK_DEV_READ_ONLY : 0,
		.logical_block = 512,
		.physical_block = 4096,
		.max_io_bytes = cfg->max_io ? cfg->max_io : DEFAULT_MAX_IO,
		.dma_align = 4,
		.discard_granularity = 4096,
		.max_discard_bytes = UINT64_MAX,
		.max_write_zeroes_bytes = UINT64_MAX,
		.map_kinds = desc->map_kinds,
		.data_modes = desc->data_modes,
		.max_queues = cfg->queues ? cfg->queues : default_queues(),
		.max_depth = cfg->depth ? cfg->depth : DEFAULT_DEPTH,
	};
}

void limits_settle(const struct device_config *cfg, const struct ublk_plugin *desc,
		   struct ublk_limits *limits)
{
	if (plugin_profile(desc, UBLK_OP_DISCARD) == PROFILE_NONE)
		limits->max_discard_bytes = 0;
	/* The kernel then writes zeroes itself. */
	if (plugin_profile(desc, UBLK_OP_WRITE_ZEROES) == PROFILE_NONE)
		limits->max_write_zeroes_bytes = 0;
	if (plugin_profile(desc, UBLK_OP_WRITE) == PROFILE_NONE || cfg->read_only)
		limits->attrs |= UBLK_DEV_READ_ONLY;
	if (desc->thread_model == UBLK_THREADS_SERIAL) {
		if (cfg->queues > 1)
			log_warn("plugin %s does one thing at a time: 1 queue instead of %u",
				 desc->name, cfg->queues);
		limits->max_queues = 1;
	}
	if (cfg->logical_block)
		limits->logical_block = cfg->logical_block;
	limits->physical_block = max_of(limits->physical_block, limits->logical_block);
	if (cfg->physical_block)
		limits->physical_block = cfg->physical_block;
	if (!limits->io_min)
		limits->io_min = limits->physical_block;
	if (!limits->io_opt)
		limits->io_opt = limits->physical_block;
}

bool device_flushes_nothing(const struct ublk_plugin *desc, const struct ublk_limits *limits,
			    unsigned int nr_synced)
{
	return limits->attrs & UBLK_DEV_VOLATILE_CACHE && !(limits->attrs & UBLK_DEV_READ_ONLY) &&
	       plugin_profile(desc, UBLK_OP_FLUSH) == PROFILE_NONE && !nr_synced;
}

bool device_fua_ok(const struct ublk_plugin *desc, const struct ublk_limits *limits)
{
	switch (plugin_profile(desc, UBLK_OP_WRITE)) {
	case PROFILE_MAP: /* a file is synced; what becomes of memory only the plugin's flush() knows */
		return !(limits->map_kinds & UBLK_EXT_MEM);
	case PROFILE_CALL: /* the host follows the write with a flush */
		return desc->flush || (limits->attrs & UBLK_DEV_FUA);
	default:
		return limits->attrs & UBLK_DEV_FUA;
	}
}
