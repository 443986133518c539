// SPDX-License-Identifier: MIT
/* The list of data paths, and the choice among them. Control thread. */
#include <string.h>

#include "queue/path.h"

const struct data_path *const data_paths[] = { &path_auto_buf_reg, &path_copy };
const unsigned int nr_data_paths = ARRAY_SIZE(data_paths);

const struct data_path *data_path_find(const char *name)
{
	for (unsigned int i = 0; i < nr_data_paths; i++)
		if (!strcmp(data_paths[i]->name, name))
			return data_paths[i];
	return NULL;
}

struct path_needs path_needs_of(const struct ublk_plugin *desc, uint32_t map_kinds,
				uint32_t data_modes)
{
	struct path_needs needs = { 0 };

	for (unsigned int op = UBLK_OP_READ; op <= UBLK_OP_WRITE; op++) {
		switch (plugin_profile(desc, op)) {
		case PROFILE_MAP:
			needs.map_kinds = map_kinds;
			break;
		case PROFILE_SUBMIT:
			needs.data_modes =
				needs.data_modes ? needs.data_modes & data_modes : data_modes;
			break;
		case PROFILE_CALL:
			needs.data_modes = UBLK_DATA_MAPPED;
			break;
		case PROFILE_NONE:
			break;
		}
	}
	return needs;
}

const char *data_path_obstacle(const struct data_path *path, uint64_t features, bool buf_table,
			       const struct path_needs *needs)
{
	if ((features & path->dev_flags) != path->dev_flags)
		return path->lacking;
	if (path->needs_buf_table && !buf_table)
		return "io_uring has no sparse tables of registered buffers on this kernel";
	if (needs->map_kinds & ~path->map_kinds)
		return "the plugin's bytes are in memory, not in a file";
	if (needs->data_modes && !(needs->data_modes & path->data_mode))
		return "the plugin handles the data itself";
	return NULL;
}

const struct data_path *data_path_auto(uint64_t features, bool buf_table,
				       const struct path_needs *needs, const char **why)
{
	const char *obstacle = data_path_obstacle(&path_auto_buf_reg, features, buf_table, needs);

	if (obstacle) {
		*why = obstacle;
		return &path_copy;
	}
	/* Without a file there is nothing to move: registering pages would be for nothing. */
	if (!(needs->map_kinds & UBLK_EXT_FD) && !(needs->data_modes & UBLK_DATA_FIXED)) {
		*why = "nothing of this plugin is in a file";
		return &path_copy;
	}
	*why = path_auto_buf_reg.what;
	return &path_auto_buf_reg;
}
