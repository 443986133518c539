// SPDX-License-Identifier: MIT
/* The supervisor's devices, from the manifests in its folders. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/supervisor_internal.h"

static struct supervised *find(const struct supervisor *sv, const char *name)
{
	for (size_t i = 0; i < sv->nr; i++)
		if (!strcmp(sv->all[i]->name, name))
			return sv->all[i];
	return NULL;
}

/* 0 or -errno, logged, with nothing to free. */
static int read_manifest(const struct supervisor *sv, const struct manifest_file *file,
			 struct device_options *options)
{
	const struct supervised *other;
	struct errors errors = { 0 };
	int err = manifest_read(&sv->reader, file, options, &errors);

	if (!err) {
		other = find(sv, options->cfg.name);
		if (other && other->listed) {
			errors_add(&errors, "%s: the name %s is that of %s.json, too", file->path,
				   options->cfg.name, other->base);
			err = -EEXIST;
		}
	}
	errors_print(&errors);
	errors_free(&errors);
	if (err)
		device_options_free(options);
	return err;
}

static void replace(struct supervised *s, const struct manifest_file *file,
		    const struct device_options *options)
{
	char *base = strdup(file->base), *source = manifest_source(file);

	device_options_free(&s->options);
	s->options = *options;
	if (base) {
		free(s->base);
		s->base = base;
	}
	if (source) {
		free(s->source);
		s->source = source;
	}
	s->goal = GOAL_UP;
	s->listed = true;
}

static int add(struct supervisor *sv, const struct manifest_file *file,
	       struct device_options *options)
{
	struct supervised **grown = reallocarray(sv->all, sv->nr + 1, sizeof(struct supervised *));
	char *name = strdup(options->cfg.name), *base = strdup(file->base);
	struct supervised *s = NULL;
	struct restarts restarts;

	if (grown)
		sv->all = grown;
	restarts_init(&restarts, sv->options->restart_limit, sv->options->restart_window_ms);
	if (grown && name && base)
		s = supervised_new(name, base, options, &restarts, sv->options->standby);
	if (s) {
		s->source = manifest_source(file);
		s->listed = true;
		sv->all[sv->nr++] = s;
		return 0;
	}
	log_err("%s: no memory", file->path);
	device_options_free(options);
	free(name);
	free(base);
	return -ENOMEM;
}

static void load_file(struct supervisor *sv, const struct manifest_file *file)
{
	struct device_options options;
	struct supervised *known;

	if (read_manifest(sv, file, &options)) {
		sv->nr_bad++;
		/* What is served already stays. */
		for (size_t i = 0; i < sv->nr; i++)
			sv->all[i]->listed |= !strcmp(sv->all[i]->base, file->base);
		return;
	}
	known = find(sv, options.cfg.name);
	if (known)
		replace(known, file, &options);
	else
		add(sv, file, &options);
}

/* One that is not there, as while it is replaced or not mounted, says nothing of the devices whose manifests were
 * in it. */
static int check_folders(const struct supervisor *sv)
{
	for (size_t i = 0; i < sv->nr; i++) {
		char *slash = sv->all[i]->source ? strrchr(sv->all[i]->source, '/') : NULL;
		int err = 0;

		if (!slash || !sv->all[i]->listed)
			continue;
		*slash = 0;
		if (access(sv->all[i]->source, F_OK)) {
			err = -errno;
			log_err("cannot read the folder %s: %s; the devices stay as they are",
				sv->all[i]->source, strerror(-err));
		}
		*slash = '/';
		if (err)
			return err;
	}
	return 0;
}

int supervisor_load(struct supervisor *sv)
{
	struct manifest_files files;
	int err = check_folders(sv);

	if (!err)
		err = manifest_files_find(&files, sv->folders);
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
