// SPDX-License-Identifier: MIT
/* Where plugins are: the folders that are searched, and the names of the files in them. */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "config/path.h"
#include "config/plugin_manifest.h"
#include "config/suggest.h"
#include "plugin/file.h"
#include "plugin/plugin.h"

#define PATH_VARIABLE "UBLK_HOST_PLUGIN_PATH"
#define NAME_MAX_LEN 32

/* An empty name is no folder; one that is there already would only shadow itself. */
static int add_dir(struct plugin_dirs *dirs, const char *path)
{
	char **grown, *full;
	size_t len;

	if (!*path)
		return 0;
	full = path_from_cwd(path);
	grown = full ? reallocarray(dirs->dir, dirs->nr + 1, sizeof(*grown)) : NULL;
	if (!grown) {
		free(full);
		return -ENOMEM;
	}
	dirs->dir = grown;
	for (len = strlen(full); len > 1; len--) {
		if (len > 2 && !strcmp(full + len - 2, "/."))
			full[len - 1] = '\0';
		else if (full[len - 1] == '/')
			full[len - 1] = '\0';
		else
			break;
	}
	for (size_t i = 0; i < dirs->nr; i++) {
		if (!strcmp(dirs->dir[i], full)) {
			free(full);
			return 0;
		}
	}
	dirs->dir[dirs->nr++] = full;
	return 0;
}

int plugin_dirs_init(struct plugin_dirs *dirs, char *const *extra, size_t nr_extra)
{
	const char *variable = secure_getenv(PATH_VARIABLE);
	__cleanup_free char *list = NULL;
	char *rest, *word;
	int ret = 0;

	*dirs = (struct plugin_dirs){ 0 };
	for (size_t i = 0; i < nr_extra && !ret; i++) {
		ret = add_dir(dirs, extra[i]);
		/* The others may well be missing, but this one was asked for just now. */
		if (*extra[i] && access(extra[i], F_OK))
			log_warn("no plugins in --plugin-dir %s: %s", extra[i], strerror(errno));
	}
	if (variable && !ret) {
		rest = list = strdup(variable);
		if (!list)
			ret = -ENOMEM;
		while (!ret && (word = strsep(&rest, ":")))
			ret = add_dir(dirs, word);
	}
	if (!ret)
		ret = add_dir(dirs, PLUGINDIR);
	if (ret)
		plugin_dirs_free(dirs);
	return ret;
}

void plugin_dirs_free(struct plugin_dirs *dirs)
{
	for (size_t i = 0; i < dirs->nr; i++)
		free(dirs->dir[i]);
	free(dirs->dir);
	*dirs = (struct plugin_dirs){ 0 };
}

/* What a folder has under one name. */
struct found {
	char name[NAME_MAX_LEN + 1];
	size_t dir; /* index of the folder: the order of the search */
	bool has_so, has_manifest;
};

struct found_list {
	struct found *item;
	size_t nr, room;
};

static int found_add(struct found_list *list, size_t dir, const char *file)
{
	const char *dot = strrchr(file, '.');
	bool so = dot && !strcmp(dot, ".so");
	struct found *item;
	char name[NAME_MAX_LEN + 1];

	if (!dot || (!so && strcmp(dot, ".json")) || dot - file > NAME_MAX_LEN)
		return 0;
	memcpy(name, file, dot - file);
	name[dot - file] = '\0';
	if (!plugin_name_ok(name))
		return 0;
	for (size_t i = list->nr; i-- > 0 && list->item[i].dir == dir;) {
		if (!strcmp(list->item[i].name, name)) {
			list->item[i].has_so |= so;
			list->item[i].has_manifest |= !so;
			return 0;
		}
	}
	if (list->nr == list->room) {
		size_t room = list->room ? list->room * 2 : 16;

		item = reallocarray(list->item, room, sizeof(*item));
		if (!item)
			return -ENOMEM;
		list->item = item;
		list->room = room;
	}
	item = &list->item[list->nr++];
	*item = (struct found){ .dir = dir, .has_so = so, .has_manifest = !so };
	memcpy(item->name, name, sizeof(name));
	return 0;
}

static int scan_dir(struct found_list *list, const struct plugin_dirs *dirs, size_t dir)
{
	DIR *stream = opendir(dirs->dir[dir]);
	struct dirent *ent;
	int ret = 0;

	if (!stream) {
		if (errno != ENOENT)
			log_warn("cannot look for plugins in %s: %s", dirs->dir[dir],
				 strerror(errno));
		return 0;
	}
	while (!ret && (ent = readdir(stream)))
		ret = found_add(list, dir, ent->d_name);
	closedir(stream);
	return ret;
}

static int compare_found(const void *a, const void *b)
{
	const struct found *x = a, *y = b;
	int by_name = strcmp(x->name, y->name);

	return by_name ? by_name : x->dir < y->dir ? -1 : x->dir > y->dir;
}

/* 0 or -ENOMEM. *list is filled as far as it went. */
static int scan(struct found_list *list, const struct plugin_dirs *dirs)
{
	int ret = 0;

	for (size_t i = 0; i < dirs->nr && !ret; i++)
		ret = scan_dir(list, dirs, i);
	if (list->nr)
		qsort(list->item, list->nr, sizeof(*list->item), compare_found);
	return ret;
}

static char *file_in(const char *dir, const char *name, const char *suffix)
{
	char *path;

	return asprintf(&path, "%s/%s%s", strcmp(dir, "/") ? dir : "", name, suffix) < 0 ? NULL
											 : path;
}

static int tell_entry(const struct plugin_dirs *dirs, const struct found *item,
		      const char *shadowed_by,
		      int (*fn)(const struct plugin_entry *entry, void *arg), void *arg)
{
	__cleanup_free char *manifest = file_in(dirs->dir[item->dir], item->name, ".json");
	__cleanup_free char *so = file_in(dirs->dir[item->dir], item->name, ".so");
	struct plugin_entry entry = {
		.name = item->name,
		.path = so,
		.manifest = manifest,
		.shadowed_by = shadowed_by,
		.has_so = item->has_so,
		.has_manifest = item->has_manifest,
	};

	return so && manifest ? fn(&entry, arg) : -ENOMEM;
}

int plugin_for_each(const struct plugin_dirs *dirs,
		    int (*fn)(const struct plugin_entry *entry, void *arg), void *arg)
{
	struct found_list list = { 0 };
	const struct found *winner = NULL;
	int ret = scan(&list, dirs);

	for (size_t i = 0; i < list.nr && !ret; i++) {
		const struct found *item = &list.item[i];
		__cleanup_free char *by = NULL;

		if (winner && !strcmp(winner->name, item->name)) {
			by = file_in(dirs->dir[winner->dir], winner->name, ".so");
			ret = by ? 0 : -ENOMEM;
		} else if (item->has_so) {
			winner = item; /* a lone manifest hides nothing: it is no plugin */
		}
		if (!ret)
			ret = tell_entry(dirs, item, by, fn, arg);
	}
	free(list.item);
	return ret;
}

/* A string that grows; on lack of memory it stays as it was, which only shortens a message. */
static void append(char **text, const char *before, const char *word)
{
	char *longer;

	if (asprintf(&longer, "%s%s%s", *text ? *text : "", *text ? before : "", word) < 0)
		return;
	free(*text);
	*text = longer;
}

/* base: the name without .so, which is what can be close to a plugin's. */
static int unknown(const char *name, const char *base, const struct plugin_dirs *dirs)
{
	__cleanup_free char *plugins = NULL, *folders = NULL;
	char hint[SUGGEST_HINT_MAX];
	struct found_list list = { 0 };
	struct suggest suggest;
	const char *last = NULL;
	int ret = scan(&list, dirs);

	suggest_begin(&suggest, base);
	for (size_t i = 0; i < list.nr; i++) {
		if (!list.item[i].has_so || (last && !strcmp(last, list.item[i].name)))
			continue;
		last = list.item[i].name;
		append(&plugins, ", ", last);
		suggest_offer(&suggest, last);
	}
	for (size_t i = 0; i < dirs->nr; i++)
		append(&folders, ", ", dirs->dir[i]);
	if (plugins)
		log_err("unknown plugin \"%s\"%s; found: %s (in %s)", name,
			suggest_hint(suggest.best, hint), plugins, folders);
	else
		log_err("unknown plugin \"%s\"; there are no plugins in %s: give a path, or a "
			"folder with --plugin-dir",
			name, folders);
	free(list.item);
	return ret ? ret : -ENOENT;
}

/* A folder that cannot be looked into may have the one that was meant. */
static int search(const char *name, const struct plugin_dirs *dirs, char **path)
{
	const char *where = NULL;
	int err = -ENOENT;
	struct stat st;

	for (size_t i = 0; i < dirs->nr; i++) {
		*path = file_in(dirs->dir[i], name, ".so");
		if (!*path)
			return -ENOMEM;
		if (!lstat(*path, &st)) { /* even a bad one is the one that was meant */
			if (where)
				log_warn("cannot look for plugin %s in %s: %s; taking %s", name,
					 where, strerror(-err), *path);
			return 0;
		}
		if (errno != ENOENT && errno != ENOTDIR) {
			err = -errno;
			where = dirs->dir[i];
		}
		free(*path);
		*path = NULL;
	}
	if (where)
		log_err("cannot look for plugin %s in %s: %s", name, where, strerror(-err));
	return err;
}

/* base: for the name without a suffix. */
static int look_up(const char *name, const struct plugin_dirs *dirs, char **path, char **base)
{
	size_t len = strlen(name);

	*path = NULL;
	if (strchr(name, '/')) {
		*path = path_from_cwd(name);
		return *path ? 0 : -ENOMEM;
	}
	*base = strdup(name);
	if (!*base)
		return -ENOMEM;
	if (len > 3 && !strcmp(*base + len - 3, ".so"))
		(*base)[len - 3] = '\0';
	return plugin_name_ok(*base) ? search(*base, dirs, path) : -ENOENT;
}

int plugin_look_up(const char *name, const struct plugin_dirs *dirs, char **path)
{
	__cleanup_free char *base = NULL;

	return look_up(name, dirs, path, &base);
}

int plugin_find(const char *name, const struct plugin_dirs *dirs, char **path)
{
	__cleanup_free char *base = NULL;
	int ret = look_up(name, dirs, path, &base);

	return ret == -ENOENT ? unknown(name, base, dirs) : ret;
}
