// SPDX-License-Identifier: MIT
/* Folders of device manifests. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cli/manifest_folder.h"
#include "config/path.h"
#include "device/state.h"

#define SUFFIX ".json"
#define SUBFOLDER "/devices.d"

char **manifest_folders(const char *dir)
{
	const char *const machine[] = { SYSCONFDIR, state_dir(), LIBDIR };
	char **folders = calloc(ARRAY_SIZE(machine) + 1, sizeof(*folders));
	bool ok = folders;

	if (folders && dir) {
		folders[0] = path_from_cwd(dir);
		ok = folders[0];
	}
	for (size_t i = 0; ok && !dir && i < ARRAY_SIZE(machine); i++)
		if (asprintf(&folders[i], "%s" SUBFOLDER, machine[i]) < 0) {
			folders[i] = NULL;
			ok = false;
		}
	if (!ok)
		manifest_folders_free(folders);
	return ok ? folders : NULL;
}

void manifest_folders_free(char **folders)
{
	for (size_t i = 0; folders && folders[i]; i++)
		free(folders[i]);
	free(folders);
}

static int is_manifest(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return *entry->d_name != '.' && len > strlen(SUFFIX) &&
	       !strcmp(entry->d_name + len - strlen(SUFFIX), SUFFIX);
}

static bool is_masked(const char *path)
{
	__cleanup_free char *real = realpath(path, NULL);

	return real && !strcmp(real, "/dev/null");
}

/* Also those that are masked, which shadow others. */
static int add_file(struct manifest_files *files, const char *folder, const char *name)
{
	struct manifest_file file = {
		.base = strndup(name, strlen(name) - strlen(SUFFIX)),
	}, *grown = NULL;

	for (size_t i = 0; file.base && i < files->nr; i++)
		if (!strcmp(files->file[i].base, file.base)) {
			free(file.base);
			return 0;
		}
	if (file.base && asprintf(&file.path, "%s/%s", folder, name) < 0)
		file.path = NULL;
	if (file.path)
		grown = reallocarray(files->file, files->nr + 1, sizeof(*grown));
	if (!grown) {
		free(file.base);
		free(file.path);
		return -ENOMEM;
	}
	files->file = grown;
	files->file[files->nr++] = file;
	return 0;
}

static int look_through(struct manifest_files *files, const char *folder)
{
	struct dirent **entries;
	int nr = scandir(folder, &entries, is_manifest, alphasort), err = 0;

	if (nr < 0 && errno == ENOENT)
		return 0;
	if (nr < 0)
		return -errno;
	for (int i = 0; i < nr; i++) {
		if (!err)
			err = add_file(files, folder, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return err;
}

static int by_base(const void *a, const void *b)
{
	const struct manifest_file *x = a, *y = b;

	return strcmp(x->base, y->base);
}

static void free_file(const struct manifest_file *file)
{
	free(file->base);
	free(file->path);
}

int manifest_files_find(struct manifest_files *files, char *const *folders)
{
	size_t kept = 0;
	int err = 0;

	*files = (struct manifest_files){ 0 };
	for (size_t i = 0; folders[i] && !err; i++) {
		err = look_through(files, folders[i]);
		if (err)
			log_err("cannot read the folder %s: %s", folders[i], strerror(-err));
	}
	for (size_t i = 0; i < files->nr; i++) {
		if (is_masked(files->file[i].path))
			free_file(&files->file[i]);
		else
			files->file[kept++] = files->file[i];
	}
	files->nr = kept;
	if (kept)
		qsort(files->file, kept, sizeof(*files->file), by_base);
	if (err)
		manifest_files_free(files);
	return err;
}

void manifest_files_free(struct manifest_files *files)
{
	for (size_t i = 0; i < files->nr; i++)
		free_file(&files->file[i]);
	free(files->file);
	*files = (struct manifest_files){ 0 };
}
