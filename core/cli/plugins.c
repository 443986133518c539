// SPDX-License-Identifier: MIT
/*
 * ublk-host plugins: which plugins there are, and what one of them takes. Reads manifests; only a
 * plugin without one, that was asked for by name, is loaded to be described.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/json_out.h"
#include "cli/plugin_text.h"
#include "cli/usage.h"
#include "config/plugin_manifest.h"
#include "plugin/plugin.h"

enum { KEY_JSON = 256, KEY_PLUGIN_DIR };

#define MAX_PLUGIN_DIRS 64

static const struct cli_opt opts[] = {
	CLI_OPT_JSON(KEY_JSON),
	CLI_OPT_PLUGIN_DIR(KEY_PLUGIN_DIR),
	{ 0, NULL, NULL, NULL },
};

static const struct cli_usage usage = {
	.verb = "plugins",
	.synopsis = "[NAME] [OPTION...]",
	.about =
		"Lists the plugins that there are, or tells what the plugin NAME is and which options "
		"it\ntakes. Plugins are described by their manifests, without running them; only a "
		"plugin that\nhas none is loaded when it is asked for. NAME may be a path.",
	.notes = "Plugins are looked for in the folders of --plugin-dir, in those of\n"
		 "UBLK_HOST_PLUGIN_PATH (with ':' between them), and in\n" PLUGINDIR "\n",
	.opts = opts,
};

struct request {
	const char *name; /* NULL: list all */
	bool json;
	char *dir[MAX_PLUGIN_DIRS];
	size_t nr_dirs;
};

/* -1: go on; else the exit status. */
static int parse(struct request *req, int argc, char **argv)
{
	struct cli_args args;
	const char *value;
	int key;

	*req = (struct request){ 0 };
	cli_begin(&args, &usage, argc, argv);
	while ((key = cli_next(&args, &value)) != CLI_END) {
		if (key == KEY_JSON)
			req->json = true;
		else if (key == KEY_PLUGIN_DIR && req->nr_dirs == MAX_PLUGIN_DIRS)
			cli_error(&args, "more than %d --plugin-dir", MAX_PLUGIN_DIRS);
		else if (key == KEY_PLUGIN_DIR)
			req->dir[req->nr_dirs++] = (char *)value;
		else if (req->name)
			cli_stray(&args, value);
		else
			req->name = value;
	}
	return cli_finish(&args);
}

/* What --json says of a plugin. A new reference; NULL: no memory. */
static json_t *entry_json(const struct plugin_entry *entry, const struct plugin_info *info)
{
	return json_pack("{s:s, s:o, s:O?, s:o, s:o}", "name", entry->name, "path",
			 json_from_text(entry->path), "manifest", info->manifest, "problem",
			 json_from_text(info->problem), "shadowed_by",
			 json_from_text(entry->shadowed_by));
}

static int add_row(const struct plugin_entry *entry, void *arg)
{
	struct plugin_info info;
	int ret = plugin_inspect(entry, &info);

	if (!ret)
		plugin_table_row(arg, entry, &info);
	plugin_info_free(&info);
	return ret;
}

static int add_json(const struct plugin_entry *entry, void *arg)
{
	json_t *list = arg;
	struct plugin_info info;
	int ret = plugin_inspect(entry, &info);

	if (!ret && json_array_append_new(list, entry_json(entry, &info)))
		ret = -ENOMEM;
	plugin_info_free(&info);
	return ret;
}

static json_t *searched_json(const struct plugin_dirs *dirs)
{
	json_t *list = json_array();

	for (size_t i = 0; i < dirs->nr; i++)
		json_array_append_new(list, json_from_text(dirs->dir[i]));
	return list;
}

static int list_json(const struct plugin_dirs *dirs)
{
	json_t *list = json_array();

	if (!list || plugin_for_each(dirs, add_json, list)) {
		log_err("cannot list the plugins: out of memory");
		json_decref(list);
		return EXIT_FAILED;
	}
	return json_print(
		json_pack("{s:o, s:o}", "searched", searched_json(dirs), "plugins", list));
}

static int list_text(const struct plugin_dirs *dirs)
{
	struct table table;
	int ret;

	plugin_table_head(&table);
	ret = plugin_for_each(dirs, add_row, &table);
	if (!ret && table.nr == PLUGIN_COLUMNS) {
		printf("There are no plugins in:\n");
		for (size_t i = 0; i < dirs->nr; i++)
			printf("  %s\n", dirs->dir[i]);
	} else if (!ret) {
		ret = table_print(&table, stdout);
	}
	if (ret)
		log_err("cannot list the plugins: out of memory");
	table_free(&table);
	return ret ? EXIT_FAILED : EXIT_DONE;
}

static int describe(const struct request *req, const char *path)
{
	__cleanup_free char *name = NULL, *manifest = NULL;
	struct plugin_info info = { 0 };
	struct plugin_entry entry;
	int status = EXIT_FAILED;

	if (plugin_entry_of_file(path, &entry, &name, &manifest) || plugin_inspect(&entry, &info)) {
		log_err("cannot describe plugin %s: out of memory", path);
		goto out;
	}
	if (!info.problem && !info.manifest && plugin_describe(path, false, &info.manifest))
		goto out;
	if (req->json)
		status = json_print(entry_json(&entry, &info));
	else if (!info.problem)
		status = plugin_page(&entry, info.manifest) ? EXIT_FAILED : EXIT_DONE;
	if (info.problem) {
		log_err("plugin %s: %s", path, info.problem);
		status = EXIT_FAILED;
	}
out:
	plugin_info_free(&info);
	return status;
}

int verb_plugins(int argc, char **argv)
{
	__cleanup_free char *path = NULL;
	struct plugin_dirs dirs;
	struct request req;
	int status = parse(&req, argc, argv);

	if (status >= 0)
		return status;
	if (plugin_dirs_init(&dirs, req.dir, req.nr_dirs)) {
		log_err("cannot look for plugins: out of memory");
		return EXIT_FAILED;
	}
	if (!req.name)
		status = req.json ? list_json(&dirs) : list_text(&dirs);
	else if (plugin_find(req.name, &dirs, &path))
		status = EXIT_FAILED;
	else
		status = describe(&req, path);
	plugin_dirs_free(&dirs);
	return status;
}

int cli_dump_plugin(const char *path)
{
	json_t *manifest;

	return plugin_describe(path, true, &manifest) ? EXIT_FAILED : json_print(manifest);
}
