/* SPDX-License-Identifier: MIT */
/* The supervisor of all devices that a folder of manifests names; for serve. */
#ifndef CLI_SUPERVISOR_H
#define CLI_SUPERVISOR_H

#include "base/util.h"

#define SUPERVISOR_LIMIT 5u	      /* ends of a server that are too many */
#define SUPERVISOR_WINDOW_SECONDS 60u /* in this time */

struct supervisor_options {
	const char *dir; /* of manifests; NULL: the machine's */
	char **plugin_dirs;
	size_t nr_plugin_dirs;
	unsigned int restart_limit; /* 0: no such number */
	unsigned int restart_window_ms;
	bool keep;    /* at the end, leave the devices to the next supervisor */
	bool standby; /* a server stands by for each device that can have one */
};

/* Until SIGINT or SIGTERM. Returns the exit status. */
int supervisor_run(const struct supervisor_options *options);

#endif
