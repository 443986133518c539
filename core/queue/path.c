// SPDX-License-Identifier: MIT
/* The list of data paths, and the choice among them. Control thread. */
#include <string.h>

#include "queue/path.h"

/* The driver refuses them to who could not be trusted with the pages of others. */
#define PRIVILEGED_FLAGS (UBLK_F_USER_COPY | UBLK_F_SUPPORT_ZERO_COPY | UBLK_F_AUTO_BUF_REG)

const struct data_path *const data_paths[] = { &path_auto_buf_reg, &path_zero_copy, &path_user_copy,
					       &path_commit_address, &path_copy };
const unsigned int nr_data_paths = ARRAY_SIZE(data_paths);

const char *path_choice_name(struct path_choice choice)
{
	return choice.batch ? choice.path->batch_name : choice.path->name;
}

struct path_choice path_choice_find(const char *name)
{
	for (unsigned int i = 0; i < nr_data_paths; i++) {
		if (!strcmp(data_paths[i]->name, name))
			return (struct path_choice){ data_paths[i], false };
		if (data_paths[i]->batch_name && !strcmp(data_paths[i]->batch_name, name))
			return (struct path_choice){ data_paths[i], true };
	}
	return (struct path_choice){ 0 };
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
			needs.data_modes = data_modes;
			break;
		case PROFILE_CALL:
			needs.calls = true;
			break;
		case PROFILE_NONE:
			break;
		}
	}
	return needs;
}

bool data_path_has_buffers(const struct data_path *path, const struct path_needs *needs)
{
	return path->driver_buffers || (needs->map_kinds & path->buffer_kinds) ||
	       ((needs->data_modes || needs->calls) && path->data_mode == UBLK_DATA_MAPPED);
}

const char *path_obstacle(struct path_choice choice, const struct path_kernel *kernel,
			  const struct path_needs *needs)
{
	const struct data_path *path = choice.path;

	if ((kernel->features & path->dev_flags) != path->dev_flags)
		return path->lacking;
	if (kernel->unprivileged && path->dev_flags & PRIVILEGED_FLAGS)
		return "the driver itself copies for users without CAP_SYS_ADMIN";
	if (choice.batch && !path->batch_name)
		return "batch commands cannot carry it";
	if (choice.batch && needs->shared_queues)
		return "batch commands are for one thread per queue";
	if (choice.batch && !(kernel->features & UBLK_F_BATCH_IO))
		return "batch commands need a newer ublk driver (BATCH_IO, Linux 7.0)";
	if (choice.batch && !kernel->buf_ring)
		return "io_uring has no rings of provided buffers on this kernel";
	if (path->needs_buf_table && !kernel->buf_table)
		return "io_uring has no sparse tables of registered buffers on this kernel";
	if (needs->map_kinds & ~path->map_kinds)
		return "the plugin's bytes are in memory, not in a file";
	if ((needs->data_modes && !(needs->data_modes & path->data_mode)) ||
	    (needs->calls && path->data_mode != UBLK_DATA_MAPPED))
		return "the plugin handles the data itself";
	return NULL;
}

/* Best first, by where the bytes are; doc/performance.md has the measurements. Each list ends with
 * what serves everything but a plugin that takes nothing but registered buffers. */
static const struct path_choice for_files[] = {
	{ &path_auto_buf_reg, false },
	{ &path_zero_copy, false },
	{ &path_copy, false },
};
static const struct path_choice for_memory[] = {
	{ &path_user_copy, false },
	{ &path_copy, false },
};
static const struct path_choice for_zeroes[] = {
	{ &path_user_copy, false },
	{ &path_copy, false },
};
static const struct path_choice for_nothing[] = {
	{ &path_zero_copy, true },
	{ &path_zero_copy, false },
	{ &path_user_copy, false },
	{ &path_copy, false },
};
static const struct path_choice for_plugins_own[] = {
	{ &path_copy, false },
};

static const struct path_choice *choices_for(const struct path_needs *needs)
{
	if (needs->map_kinds & UBLK_EXT_FD ||
	    (needs->data_modes & UBLK_DATA_FIXED && !needs->calls))
		return for_files;
	if (needs->map_kinds & UBLK_EXT_MEM)
		return for_memory;
	if (needs->data_modes || needs->calls || !needs->map_kinds)
		return for_plugins_own;
	return needs->map_kinds & UBLK_EXT_ZERO ? for_zeroes : for_nothing;
}

/* Why none of them serves: what the least demanding lacks that could, were the kernel another one. */
static const char *none_serves(const struct path_choice *choice, const struct path_kernel *kernel,
			       const struct path_needs *needs)
{
	const struct path_kernel any = { .features = UINT64_MAX,
					 .buf_table = true,
					 .buf_ring = true };
	const char *why = "it also has data that must be in memory, and no data path has both";

	for (; choice->path != &path_copy; choice++)
		if (!path_obstacle(*choice, &any, needs))
			why = path_obstacle(*choice, kernel, needs);
	return why;
}

struct path_choice path_choose(const struct path_kernel *kernel, const struct path_needs *needs,
			       const char **why)
{
	const struct path_choice *choices = choices_for(needs), *choice = choices;
	const char *obstacle, *first = NULL;

	/* The first obstacle is the reason: it is of the best one. */
	while ((obstacle = path_obstacle(*choice, kernel, needs))) {
		first = first ? first : obstacle;
		if (choice->path == &path_copy) {
			*why = none_serves(choices, kernel, needs);
			return *choice;
		}
		choice++;
	}
	*why = first ? first : choice->path->what;
	return *choice;
}
