/* SPDX-License-Identifier: MIT */
/* Another server for a device while it is in use; what the verb upgrade does, for apply too. */
#ifndef CLI_UPGRADE_H
#define CLI_UPGRADE_H

#include "cli/devices.h"

struct upgrade_outcome {
	bool upgraded, restored; /* restored: the old program serves it again */
	uint64_t pause_ms;
};

/* By the plugin of this name or path, NULL: the one that it has; with the options of view->state.manifest,
 * which may differ from those of the old server. Returns the exit status; logged. */
int upgrade_device(struct device_view *view, const char *plugin, struct upgrade_outcome *outcome);

#endif
