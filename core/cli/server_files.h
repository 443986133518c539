/* SPDX-License-Identifier: MIT */
/* The files that a server runs, and whether others are in their places by now. Any thread. */
#ifndef CLI_SERVER_FILES_H
#define CLI_SERVER_FILES_H

#include "device/state.h"

/* What was replaced on the disk since the server has it. What cannot be seen was not. */
struct server_files {
	bool program, plugin;
};

/* root: "", or a folder with a /proc of its own. */
struct server_files server_files_replaced(const char *root, const struct device_state *state);

#endif
