// SPDX-License-Identifier: MIT
/* The kernel marks the names of files that are gone from their places, which is how programs are replaced. */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/server_files.h"

#define GONE " (deleted)"

static bool is_gone(const char *name)
{
	size_t len = strlen(name);

	return len > strlen(GONE) && !strcmp(name + len - strlen(GONE), GONE);
}

static bool program_replaced(const char *root, int32_t pid)
{
	char path[PATH_MAX], name[PATH_MAX];
	ssize_t n;

	snprintf(path, sizeof(path), "%s/proc/%d/exe", root, pid);
	n = readlink(path, name, sizeof(name) - 1);
	if (n < 0)
		return false;
	name[n] = 0;
	return is_gone(name);
}

/* A line of /proc/PID/maps: "ADDRESS PERMISSIONS OFFSET DEVICE INODE   NAME". */
static bool plugin_replaced(const char *root, int32_t pid, const char *plugin)
{
	char path[PATH_MAX], gone[PATH_MAX + sizeof(GONE)];
	bool found = false;
	char *line = NULL, *name;
	size_t size = 0;
	FILE *maps;

	snprintf(path, sizeof(path), "%s/proc/%d/maps", root, pid);
	snprintf(gone, sizeof(gone), "%s" GONE, plugin);
	maps = fopen(path, "re");
	while (maps && !found && getline(&line, &size, maps) > 0) {
		line[strcspn(line, "\n")] = 0;
		name = strchr(line, '/');
		found = name && !strcmp(name, gone);
	}
	free(line);
	if (maps)
		fclose(maps);
	return found;
}

struct server_files server_files_replaced(const char *root, const struct device_state *state)
{
	return (struct server_files){
		.program = program_replaced(root, state->pid),
		.plugin = state->plugin_path && !access(state->plugin_path, F_OK) &&
			  plugin_replaced(root, state->pid, state->plugin_path),
	};
}
