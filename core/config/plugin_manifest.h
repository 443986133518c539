/* SPDX-License-Identifier: MIT */
/*
 * Plugin manifests ("ublk_plugin_manifest": "1.0"): what a descriptor says, as JSON, so that it can
 * be read without running the plugin. The descriptor is the truth.
 */
#ifndef CONFIG_PLUGIN_MANIFEST_H
#define CONFIG_PLUGIN_MANIFEST_H

#include "config/json_text.h"
#include "ublk-plugin.h"

#define PLUGIN_MANIFEST_KEY "ublk_plugin_manifest"
#define PLUGIN_MANIFEST_MAJOR 1u
#define PLUGIN_MANIFEST_MINOR 0u

/* From a descriptor that passed its checks. library: the file's name, "file.so". A new reference;
 * NULL: no memory. */
json_t *plugin_manifest_build(const struct ublk_plugin *desc, const char *library);

/* Is it a well-formed plugin manifest: every key, type, word, option. Of a newer minor, keys and words
 * that are not known are left alone. 0, or -EINVAL with every fault in errors. */
int plugin_manifest_check(const struct json_text *jt, struct errors *errors);
/* json_text_load() and the check. On success jt->root is what plugin_manifest_build() made. */
int plugin_manifest_load(struct json_text *jt, const char *path, struct errors *errors);

/* Does a checked manifest say what the descriptor says: 0, or -ESTALE with one message in errors
 * for each value that differs ("FILE:LINE:COL: /version: stale manifest: says "1", file.so says
 * "2""). x-* and $schema are not looked at, nor what only a newer minor knows. -ENOMEM. */
int plugin_manifest_compare(const struct json_text *jt, const struct ublk_plugin *desc,
			    const char *library, struct errors *errors);

/* [a-z0-9][a-z0-9-]{0,31} */
bool plugin_name_ok(const char *name);
/* One line of UTF-8 that is not empty and has no control characters: it is printed in tables, logs and JSON. */
bool plugin_line_ok(const char *text);

#endif
