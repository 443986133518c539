// SPDX-License-Identifier: MIT
/* A manifest of a folder, to the options that its device is served with. */
#include <stdio.h>
#include <string.h>

#include "cli/manifest_read.h"
#include "config/path.h"
#include "plugin/plugin.h"

static int copy_plugin_dirs(const struct manifest_reader *reader, struct device_options *options)
{
	const size_t nr = reader->nr_plugin_dirs;

	options->plugin_dirs = calloc(nr + 1, sizeof(char *));
	if (!options->plugin_dirs)
		return -ENOMEM;
	for (size_t i = 0; i < nr; i++, options->nr_plugin_dirs++) {
		options->plugin_dirs[i] = strdup(reader->plugin_dirs[i]);
		if (!options->plugin_dirs[i])
			return -ENOMEM;
	}
	return 0;
}

/* A device without a name is called like its file. */
static int settle_name(struct device_config *cfg, const struct manifest_file *file,
		       struct errors *errors)
{
	struct errors wrong = { 0 };
	int err;

	if (cfg->name)
		return 0;
	err = device_config_set(cfg, CFG_NAME, file->base, &wrong);
	errors_free(&wrong);
	if (err) {
		errors_add(errors, "%s: its device needs a \"name\", as the file's cannot be one",
			   file->path);
		return -EINVAL;
	}
	free(cfg->where[CFG_NAME]);
	cfg->where[CFG_NAME] = NULL; /* not in the manifest */
	return 0;
}

int manifest_read(const struct manifest_reader *reader, const struct manifest_file *file,
		  struct device_options *options, struct errors *errors)
{
	int err = device_options_of_manifest(options, file->path, reader->path_words, errors);

	if (!err)
		err = settle_name(&options->cfg, file, errors);
	if (!err)
		err = copy_plugin_dirs(reader, options);
	if (err && !errors_count(errors))
		errors_add(errors, "%s: %s", file->path, strerror(-err));
	return err;
}

char *manifest_plugin_path(const struct device_options *options)
{
	struct plugin_dirs dirs;
	char *path = NULL;

	if (plugin_dirs_init(&dirs, options->plugin_dirs, options->nr_plugin_dirs)) {
		log_err("cannot look for plugins: out of memory");
		return NULL;
	}
	if (plugin_find(options->cfg.plugin, &dirs, &path))
		path = NULL;
	plugin_dirs_free(&dirs);
	return path;
}

char *manifest_source(const struct manifest_file *file)
{
	__cleanup_free char *folder = path_folder(file->path), *real = NULL;

	real = folder ? realpath(folder, NULL) : NULL;
	return real ? path_absolute(real, strrchr(file->path, '/') + 1) : NULL;
}
