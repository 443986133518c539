/* SPDX-License-Identifier: MIT */
/* A manifest of a folder, to the options that its device is served with. For serve, diff and apply. */
#ifndef CLI_MANIFEST_READ_H
#define CLI_MANIFEST_READ_H

#include "cli/device_options.h"
#include "cli/manifest_folder.h"

/* What is the same for all manifests of a folder. */
struct manifest_reader {
	const char **path_words; /* serving_path_words() */
	char **plugin_dirs;	 /* --plugin-dir */
	size_t nr_plugin_dirs;
};

/* Checked, with a name: that of the file, if the manifest has none. 0, or -errno with every message in
 * errors. options: for device_options_free() in any case. */
int manifest_read(const struct manifest_reader *reader, const struct manifest_file *file,
		  struct device_options *options, struct errors *errors);

/* The file of its plugin, malloc()ed; NULL, logged: there is none. */
char *manifest_plugin_path(const struct device_options *options);

/* How the state of a device calls the manifest that it belongs to: the file's path, its folder without
 * links; malloc()ed. NULL: no memory, or the folder is gone. */
char *manifest_source(const struct manifest_file *file);

#endif
