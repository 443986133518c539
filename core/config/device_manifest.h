/* SPDX-License-Identifier: MIT */
/*
 * Device manifests ("ublk_device_manifest": "1.0") to struct device_config and back. The keys and
 * their checks are those of config_key_spec().
 */
#ifndef CONFIG_DEVICE_MANIFEST_H
#define CONFIG_DEVICE_MANIFEST_H

#include "config/config.h"
#include "config/json_text.h"
#include "config/options.h"

#define DEVICE_MANIFEST_KEY "ublk_device_manifest"
#define DEVICE_MANIFEST_MAJOR 1u
#define DEVICE_MANIFEST_MINOR 0u

/* Fill cfg, as device_config_init() left it (data_path_words may be set), from a file. Relative
 * paths in it are meant from the file's folder. 0, or -errno with every message in errors; cfg is
 * to be freed in both cases. */
int device_manifest_load(struct device_config *cfg, const char *path, struct errors *errors);
/* The same from JSON that is parsed already. folder: absolute, for relative paths; or NULL: there
 * must be none. */
int device_manifest_read(struct device_config *cfg, const struct json_text *jt, const char *folder,
			 struct errors *errors);

/* The manifest that creates the same device again: paths absolute, a secret as @FILE or, if it was
 * written out, left out. Members that are 0 (their default is not resolved) are left out. desc and
 * values: the plugin's options as parsed; NULL: options are left out. A new reference; NULL: no
 * memory. */
json_t *device_manifest_build(const struct device_config *cfg, const struct ublk_plugin *desc,
			      const struct option_values *values);

#endif
