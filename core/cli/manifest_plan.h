/* SPDX-License-Identifier: MIT */
/*
 * What it takes to have the devices of a folder's manifests, and no others of that folder: for diff, which
 * tells it, and apply, which does it. Making a plan changes nothing.
 */
#ifndef CLI_MANIFEST_PLAN_H
#define CLI_MANIFEST_PLAN_H

#include "cli/manifest_compare.h"
#include "cli/manifest_read.h"
#include "cli/supervised_look.h"

enum plan_kind {
	PLAN_SAME,
	PLAN_ADD,
	PLAN_REMOVE, /* it came from a manifest of this folder, which is gone */
	PLAN_DIFFERS
};

struct plan_entry {
	enum plan_kind kind;
	char *name;   /* of the device */
	char *source; /* its manifest, as states call it; PLAN_REMOVE: what was */
	struct device_options options;
	char *plugin_path;
	struct manifest_changes changes;
	uint32_t id;	  /* of the device; but for PLAN_ADD */
	bool in_hand;	  /* somebody changes its server just now */
	char *other;	  /* another folder that it belongs to, and */
	pid_t supervisor; /* the process that sees to that; 0: none */
};

struct plan {
	struct plan_entry *entry; /* in the order of the manifests; then what is to be removed */
	size_t nr;
	char *folder; /* without links */
};

/* All manifests are read and checked, their plugins loaded by processes of their own. 0; -EINVAL: dir or a
 * manifest is wrong; another -errno. Logged. To be freed in any case. */
int plan_read(struct plan *plan, const char *dir, const struct manifest_reader *reader);
/* Then, what there is of their devices. 0 or -errno, logged. */
int plan_look(struct plan *plan);
void plan_free(struct plan *plan);
bool plan_is_done(const struct plan *plan);

/* From what there is of its device to an entry's kind. facts: what the device can do, which decides on ways;
 * seen SEEN_NOTHING: view and facts are not looked at. 0 or -ENOMEM. */
struct plan_facts {
	char no_resize[128], no_upgrade[256], no_recover[256]; /* why not; "": it can */
	char no_successor[128];				       /* of the plugin that is wanted */
	bool program_replaced, plugin_replaced;
	json_t *plugin; /* manifest of the device's plugin, or NULL */
};
int plan_judge(struct plan_entry *entry, enum seen seen, const struct device_view *view,
	       const struct plan_facts *facts);

/* NULL, or why a plugin with this manifest (NULL: it has none, and has to be tried) cannot go on with a device
 * that is as device, a resolved manifest, tells. */
const char *plan_successor_obstacle(const json_t *plugin, const json_t *device);

/* manifest_plan_out.c */
const char *plan_kind_word(enum plan_kind kind); /* "same", "to-be-added" ... */
/* Where it is told what came of it, outcome is that; NULL: what is to be done. */
json_t *plan_entry_json(const struct plan_entry *entry, const char *outcome);
/* "/options/size 32M -> 64M (live, by resize)"; malloc()ed, NULL: no memory. */
char *plan_change_text(const struct manifest_change *change);
/* On standard output. Returns the exit status of printing. */
int plan_print(const struct plan *plan, bool json);

#endif
