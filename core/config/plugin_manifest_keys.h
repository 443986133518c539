/* SPDX-License-Identifier: MIT */
/*
 * Keys and words of plugin manifests: one set of tables for making them, checking them, and the
 * test of their JSON schema. Lists of words end with NULL.
 */
#ifndef CONFIG_PLUGIN_MANIFEST_KEYS_H
#define CONFIG_PLUGIN_MANIFEST_KEYS_H

#include "base/util.h"
#include "config/plugin_manifest.h"

struct plugin_manifest_key {
	const char *name; /* NULL: end of the table */
	bool required;
};

extern const struct plugin_manifest_key plugin_manifest_top_keys[];
extern const struct plugin_manifest_key plugin_manifest_abi_keys[];
extern const struct plugin_manifest_key plugin_manifest_option_keys[];

extern const char *const plugin_manifest_ops[];	     /* by UBLK_OP_*; also keys of "ops" */
extern const char *const plugin_manifest_profiles[]; /* "none", "map", "async", "call" */
extern const char *const plugin_manifest_threads[];
extern const char *const plugin_manifest_recovery[];
extern const char *const plugin_manifest_extents[];    /* by bit of UBLK_EXT_* */
extern const char *const plugin_manifest_data_modes[]; /* by bit of UBLK_DATA_* */
extern const char *const plugin_manifest_needs[];      /* by bit, from NEEDS_FILES on */

#endif
