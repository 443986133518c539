/* SPDX-License-Identifier: MIT */
/*
 * What a manifest asks for, against what a device is: key by key, and by which way each difference can be
 * made up for. For the supervisor, diff and apply. Nothing is asked of the device. One thread.
 */
#ifndef CLI_MANIFEST_COMPARE_H
#define CLI_MANIFEST_COMPARE_H

#include "config/config.h"
#include "device/state.h"

enum change_way {
	CHANGE_RECOVER,	 /* live: as `recover` does */
	CHANGE_RESIZE,	 /* live: as `resize` does */
	CHANGE_UPGRADE,	 /* live: as `upgrade` does */
	CHANGE_RECREATE, /* down and up */
};

struct manifest_change {
	char *key; /* in the manifest: "/options/size"; without a slash in front, what no manifest says */
	json_t *is,
		*wanted; /* NULL: nothing, the default, or not to be shown; wanted of an option: text */
	bool hidden;	 /* a secret, or what may be one */
	enum change_way way;
	char *why; /* one clause: why that way; or NULL */
};

struct manifest_changes {
	struct manifest_change *change;
	size_t nr;
};

/* Which keys a manifest gave, for the state of the device that is made of it: "/device/queues" to its value,
 * "/options/path" to null, as an option may be a secret. A new reference; NULL: no memory. */
json_t *manifest_asked(const struct device_config *cfg);

/* What cfg, a manifest, asks for that a device with this state does not have. Where the state does not know
 * what was asked for, what the kernel granted less of is taken to be as wanted. plugin_path: of the plugin
 * that cfg names; NULL: compare names. plugin: the manifest of the device's plugin, or NULL. 0 or
 * -ENOMEM; changes is to be freed in both cases. */
int manifest_compare(struct manifest_changes *changes, const struct device_config *cfg,
		     const char *plugin_path, const struct device_state *state,
		     const json_t *plugin);
/* One more. why may be NULL. 0 or -ENOMEM. */
int manifest_change_add(struct manifest_changes *changes, const char *key, enum change_way way,
			const char *why);
/* Another way than it seemed. 0 or -ENOMEM. */
int manifest_change_set_way(struct manifest_change *change, enum change_way way, const char *why);
void manifest_changes_free(struct manifest_changes *changes);

/* The highest way, which is what it takes to make up for all of them; nr is not 0. */
enum change_way manifest_changes_way(const struct manifest_changes *changes);
/* "/options/size, /device/depth": those that change by one of the ways, bits 1 << way. Returns buf. */
#define ALL_WAYS (~0u)
const char *manifest_changes_keys(const struct manifest_changes *changes, unsigned int ways,
				  char *buf, size_t size);

/* "recover", "resize", "upgrade", "re-creation" */
const char *change_way_word(enum change_way way);
/* A value for people: 64M, copy, (default). Returns buf. */
#define CHANGE_TEXT_MAX 80
const char *change_value_text(const struct manifest_change *change, const json_t *value,
			      char buf[CHANGE_TEXT_MAX]);

#endif
