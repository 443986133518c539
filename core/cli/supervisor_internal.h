/* SPDX-License-Identifier: MIT */
/* What the supervisor's files share. */
#ifndef CLI_SUPERVISOR_INTERNAL_H
#define CLI_SUPERVISOR_INTERNAL_H

#include "cli/folder_lock.h"
#include "cli/manifest_read.h"
#include "cli/notify.h"
#include "cli/supervised.h"
#include "cli/supervisor.h"

struct supervisor {
	const struct supervisor_options *options;
	struct manifest_reader reader;
	char **folders;
	struct supervised **all;
	size_t nr;
	size_t nr_bad; /* manifests that are wrong */
	struct notify notify;
	uint64_t next_watchdog;
	int signal_fd;
	struct folder_lock lock;
	bool loaded; /* READY=1 is owed as soon as all have settled */
	bool ending, forced;
	bool leaving; /* with all servers going on */
	char status[256];
};

/* supervisor_load.c: read the manifests, and have all devices come to what they say; those that have none
 * any more are stopped. 0 or -errno, logged. What is wrong with a manifest has been logged, and what was
 * served of it is served on. */
int supervisor_load(struct supervisor *sv);

#endif
