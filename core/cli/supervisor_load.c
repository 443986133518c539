// SPDX-License-Identifier: MIT
/* The supervisor's devices, from the manifests in its folders. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cli/manifest_compare.h"
#include "cli/supervisor_internal.h"

/* A manifest that was read. */
struct loaded {
	struct device_options options;
	json_t *wanted;
};

static struct supervised *find(const struct supervisor *sv, const char *name)
{
	for (size_t i = 0; i < sv->nr; i++)
		if (!strcmp(sv->all[i]->name, name))
			return sv->all[i];
	return NULL;
}

static int copy_plugin_dirs(const struct supervisor *sv, struct device_options *options)
{
	const size_t nr = sv->options->nr_plugin_dirs;

	options->plugin_dirs = calloc(nr + 1, sizeof(char *));
	if (!options->plugin_dirs)
		return -ENOMEM;
	for (size_t i = 0; i < nr; i++, options->nr_plugin_dirs++) {
		options->plugin_dirs[i] = strdup(sv->options->plugin_dirs[i]);
		if (!options->plugin_dirs[i])
			return -ENOMEM;
	}
	return 0;
}

/* A device without a name is called like its file. */
static int settle_name(struct device_config *cfg, const struct manifest_file *file,
		       struct errors *errors)
{
	if (cfg->name)
		return 0;
	if (device_config_set(cfg, CFG_NAME, file->base, errors)) {
		errors_add(errors, "%s: its device needs a \"name\", as the file's cannot be one",
			   file->path);
		return -EINVAL;
	}
	free(cfg->where[CFG_NAME]);
	cfg->where[CFG_NAME] = NULL; /* not in the manifest */
	return 0;
}

/* 0 or -errno, logged, with nothing to free. */
static int read_manifest(const struct supervisor *sv, const struct manifest_file *file,
			 struct loaded *loaded)
{
	struct device_config *cfg = &loaded->options.cfg;
	const struct supervised *other;
	struct errors errors = { 0 };
	int err;

	loaded->wanted = NULL;
	err = device_options_of_manifest(&loaded->options, file->path, sv->path_words, &errors);
	if (!err)
		err = settle_name(cfg, file, &errors);
	if (!err)
		err = copy_plugin_dirs(sv, &loaded->options);
	if (!err) {
		other = find(sv, cfg->name);
		if (other && other->listed) {
			errors_add(&errors, "%s: the name %s is that of %s.json, too", file->path,
				   cfg->name, other->base);
			err = -EEXIST;
		}
	}
	if (!err) {
		loaded->wanted = manifest_wanted(cfg);
		err = loaded->wanted ? 0 : -ENOMEM;
	}
	if (err && !errors_count(&errors))
		log_err("%s: %s", file->path, strerror(-err));
	errors_print(&errors);
	errors_free(&errors);
	if (err)
		device_options_free(&loaded->options);
	return err;
}

static void replace(struct supervised *s, const struct manifest_file *file, struct loaded *loaded)
{
	char *base = strdup(file->base);

	device_options_free(&s->options);
	s->options = loaded->options;
	json_decref(s->wanted);
	s->wanted = loaded->wanted;
	if (base) {
		free(s->base);
		s->base = base;
	}
	s->goal = GOAL_UP;
	s->listed = true;
}

static int add(struct supervisor *sv, const struct manifest_file *file, struct loaded *loaded)
{
	struct supervised **grown = reallocarray(sv->all, sv->nr + 1, sizeof(struct supervised *));
	char *name = strdup(loaded->options.cfg.name), *base = strdup(file->base);
	struct supervised *s = NULL;
	struct restarts restarts;

	if (grown)
		sv->all = grown;
	restarts_init(&restarts, sv->options->restart_limit, sv->options->restart_window_ms);
	if (grown && name && base)
		s = supervised_new(name, base, &loaded->options, loaded->wanted, &restarts);
	if (s) {
		s->listed = true;
		sv->all[sv->nr++] = s;
		return 0;
	}
	log_err("%s: no memory", file->path);
	device_options_free(&loaded->options);
	json_decref(loaded->wanted);
	free(name);
	free(base);
	return -ENOMEM;
}

static void load_file(struct supervisor *sv, const struct manifest_file *file)
{
	struct supervised *known;
	struct loaded loaded;

	if (read_manifest(sv, file, &loaded)) {
		sv->nr_bad++;
		/* What is served already stays. */
		for (size_t i = 0; i < sv->nr; i++)
			sv->all[i]->listed |= !strcmp(sv->all[i]->base, file->base);
		return;
	}
	known = find(sv, loaded.options.cfg.name);
	if (known)
		replace(known, file, &loaded);
	else
		add(sv, file, &loaded);
}

int supervisor_load(struct supervisor *sv)
{
	struct manifest_files files;
	int err = manifest_files_find(&files, sv->folders);

	if (err)
		return err;
	for (size_t i = 0; i < sv->nr; i++)
		sv->all[i]->listed = false;
	sv->nr_bad = 0;
	for (size_t i = 0; i < files.nr; i++)
		load_file(sv, &files.file[i]);
	manifest_files_free(&files);
	for (size_t i = 0; i < sv->nr; i++) {
		struct supervised *s = sv->all[i];

		if (s->listed) {
			supervised_retry(s);
			continue;
		}
		supervised_log(s, log_info, "its manifest is gone: stopping it");
		supervised_aim(s, GOAL_DOWN);
	}
	return 0;
}
