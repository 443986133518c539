/* SPDX-License-Identifier: MIT */
/* What the verbs diff and apply share beside the plan. */
#ifndef CLI_APPLY_H
#define CLI_APPLY_H

#include "cli/manifest_plan.h"

/* All of the verb diff. Returns the exit status. */
int diff_run(const char *dir, char **plugin_dirs, size_t nr_plugin_dirs, bool json);

enum apply_outcome {
	APPLY_NOTHING, /* it was so already */
	APPLY_ADDED,
	APPLY_CHANGED, /* while it was in use */
	APPLY_RECREATED,
	APPLY_REMOVED,
	APPLY_KEPT, /* it is to be removed, and nobody asked for that */
	APPLY_LEFT, /* it needs re-creation, and nobody asked for that; or it is another's */
	APPLY_FAILED
};

struct apply_request {
	bool recreate, prune, dry_run, json;
	char **plugin_dirs;
	size_t nr_plugin_dirs;
};

/* apply_device.c: make one device what its manifest says. What is done or not done is told, on standard
 * output or, with json, nowhere; what fails is logged. */
enum apply_outcome apply_device(const struct apply_request *request, struct plan_entry *entry);
const char *apply_outcome_word(enum apply_outcome outcome);

#endif
