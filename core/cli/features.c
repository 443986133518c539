// SPDX-License-Identifier: MIT
/* Verb features: what this kernel, this build and each plugin can do. No driver, no privilege. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cli/host.h"
#include "cli/json_out.h"
#include "cli/manifest_folder.h"
#include "cli/table.h"
#include "cli/usage.h"
#include "device/confine.h"
#include "device/state.h"
#include "kernel/features.h"

static const struct cli_opt opts[] = {
	CLI_OPT_PLUGIN_DIR(CLI_KEY_PLUGIN_DIR),
	CLI_OPT_JSON('j'),
	{ 0, NULL, NULL, NULL },
};

static const struct cli_usage usage = {
	.verb = "features",
	.synopsis = "[OPTION]...",
	.about =
		"Tells what this kernel's ublk driver and io_uring can do, what this build is, and which\n"
		"data path each plugin would get here, and why.",
	.opts = opts,
};

static json_t *kernel_to_json(const struct host_features *host)
{
	json_t *array = json_array();
	bool asked = !*host->reason;
	size_t i;

	for (i = 0; array && i < nr_features_known; i++) {
		const struct feature *f = &features_known[i];
		json_t *there = asked ? json_boolean(host->features & f->flag) : json_null();

		json_array_append_new(array, json_pack("{s:s, s:o, s:s, s:s}", "name", f->name,
						       "supported", there, "since", f->since,
						       "meaning", f->meaning));
	}
	return json_pack("{s:b, s:o, s:o, s:o}", "present", host->driver, "problem",
			 json_from_text(asked ? NULL : host->reason), "flags",
			 asked ? json_integer((json_int_t)host->features) : json_null(), "features",
			 array);
}

static json_t *ring_to_json(const struct host_features *host)
{
	json_t *abilities = json_object();
	const char *name;
	unsigned int i;
	bool there;

	for (i = 0; abilities && (name = ring_feature_name(&host->ring, i, &there)); i++)
		json_object_set_new(abilities, name, json_boolean(there));
	return json_pack("{s:b, s:o, s:o}", "usable", !host->ring.err, "problem",
			 json_from_text(host->ring.err ? strerror(-host->ring.err) : NULL),
			 "abilities", abilities);
}

static json_t *build_to_json(const struct host_features *host)
{
	json_t *dirs = json_array(), *manifests = json_array();
	char **folders = manifest_folders(NULL);
	size_t i;

	for (i = 0; dirs && i < host->dirs.nr; i++)
		json_array_append_new(dirs, json_from_text(host->dirs.dir[i]));
	for (i = 0; folders && folders[i]; i++)
		json_array_append_new(manifests, json_from_text(folders[i]));
	manifest_folders_free(folders);
	return json_pack("{s:s, s:i, s:i, s:o, s:o, s:o, s:b}", "version", VERSION, "abi_major",
			 (int)UBLK_PLUGIN_ABI_MAJOR, "abi_minor", (int)UBLK_PLUGIN_ABI_MINOR,
			 "plugin_dirs", dirs, "manifest_dirs", manifests, "state_dir",
			 json_from_text(state_dir()), "filters_calls", seccomp_built_in());
}

static json_t *paths_to_json(void)
{
	json_t *paths = json_object();
	unsigned int i;

	for (i = 0; paths && i < nr_data_paths; i++) {
		const struct data_path *path = data_paths[i];
		char what[200];

		json_object_set_new(paths, path->name, json_string(path->what));
		snprintf(what, sizeof(what), "%s; many requests per command", path->what);
		if (path->batch_name)
			json_object_set_new(paths, path->batch_name, json_string(what));
	}
	return paths;
}

/* NULL: none serves it. By the descriptor alone: a device's own limits may narrow it. Of a plugin that has
 * files or memory, as a device's options say, it is the choice for files. */
static const char *choose_path(const struct host_features *host, const struct ublk_plugin *desc,
			       const char **why)
{
	uint32_t kinds =
		desc->map_kinds & UBLK_EXT_FD ? desc->map_kinds & ~UBLK_EXT_MEM : desc->map_kinds;
	struct path_needs needs = path_needs_of(desc, kinds, desc->data_modes);
	const struct path_kernel kernel = host_path_kernel(host);
	const struct path_choice choice = path_choose(&kernel, &needs, why);

	return path_obstacle(choice, &kernel, &needs) ? NULL : path_choice_name(choice);
}

struct plugin_walk {
	const struct host_features *host;
	json_t *array;
};

/* why_not NULL: the plugin is sound. */
static json_t *plugin_to_json(const struct host_features *host, const struct plugin_entry *entry,
			      const struct ublk_plugin *desc, const char *why_not)
{
	const char *path = NULL, *why = NULL;

	if (!why_not && *host->reason)
		why = host->driver ? "the driver cannot be asked" : "there is no ublk driver";
	else if (!why_not)
		path = choose_path(host, desc, &why);
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "name", entry->name, "path",
			 json_from_text(entry->path), "version",
			 json_from_text(desc ? desc->version : NULL), "data_path",
			 json_from_text(path), "why", json_from_text(why), "problem",
			 json_from_text(why_not));
}

static int add_plugin(const struct plugin_entry *entry, void *arg)
{
	struct plugin_walk *walk = arg;
	struct plugin_info info = { 0 };
	struct plugin *plugin = NULL;
	const char *why_not;
	json_t *json;
	int err;

	if (entry->shadowed_by || !entry->has_so)
		return 0;
	err = plugin_inspect(entry, &info);
	why_not = info.problem;
	if (!err && !why_not && plugin_load(entry->path, &plugin) < 0)
		why_not = "it does not load";
	json = err ? NULL
		   : plugin_to_json(walk->host, entry, plugin ? &plugin->desc : NULL, why_not);
	plugin_info_free(&info);
	plugin_free(plugin);
	return json_array_append_new(walk->array, json) < 0 ? -ENOMEM : 0;
}

static json_t *plugins_to_json(const struct host_features *host)
{
	struct plugin_walk walk = { .host = host, .array = json_array() };

	if (walk.array && plugin_for_each(&host->dirs, add_plugin, &walk) < 0) {
		json_decref(walk.array);
		return NULL;
	}
	return walk.array;
}

/*
 * One object. Members, in this order:
 *   kernel     its release
 *   driver     present, problem (null, or why it could not be asked), flags (the bits as a number,
 *              or null), features (an array of: name, supported (null: not known), since, meaning)
 *   io_uring   usable, problem, abilities (an object of booleans)
 *   build      version, abi_major, abi_minor, plugin_dirs and manifest_dirs (arrays), state_dir,
 *              filters_calls
 *   data_paths an object: name to meaning, best first
 *   plugins    an array of: name, path, version, data_path (null: none, or not known), why (null: not known),
 *              problem
 */
static json_t *to_json(const struct host_features *host)
{
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "kernel", host->kernel, "driver",
			 kernel_to_json(host), "io_uring", ring_to_json(host), "build",
			 build_to_json(host), "data_paths", paths_to_json(), "plugins",
			 plugins_to_json(host));
}

static const char *text_of(const json_t *object, const char *key, const char *otherwise)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : otherwise;
}

static const char *yes_no(const json_t *value)
{
	if (!value || json_is_null(value))
		return "?";
	return json_is_true(value) ? "yes" : "no";
}

static int print_section(const char *head, struct table *table)
{
	int err;

	printf("%s\n", head);
	err = table_print(table, stdout);
	printf("\n");
	table_free(table);
	return err;
}

static int print_driver(const json_t *driver)
{
	struct table table;
	json_t *feature;
	char head[640];
	size_t i;

	table_begin(&table, 4);
	json_array_foreach(json_object_get(driver, "features"), i, feature)
	{
		table_add(&table, "  %s", text_of(feature, "name", ""));
		table_add(&table, "%s", yes_no(json_object_get(feature, "supported")));
		table_add(&table, "%s", text_of(feature, "since", ""));
		table_add(&table, "%s", text_of(feature, "meaning", ""));
	}
	snprintf(head, sizeof(head), "ublk driver: %s%s%s",
		 json_is_true(json_object_get(driver, "present")) ? "present" : "absent",
		 json_is_null(json_object_get(driver, "problem")) ? "" : ": ",
		 text_of(driver, "problem", ""));
	return print_section(head, &table);
}

static int print_ring(const json_t *ring)
{
	struct table table;
	const char *name;
	json_t *there;
	char head[160];

	table_begin(&table, 2);
	json_object_foreach(json_object_get(ring, "abilities"), name, there)
	{
		table_add(&table, "  %s", name);
		table_add(&table, "%s", yes_no(there));
	}
	snprintf(head, sizeof(head), "io_uring: %s%s",
		 json_is_true(json_object_get(ring, "usable")) ? "usable" : "not usable: ",
		 text_of(ring, "problem", ""));
	return print_section(head, &table);
}

static int print_build(const json_t *build)
{
	struct table table;
	json_t *dir;
	size_t i;

	table_begin(&table, 2);
	table_add(&table, "  plugin ABI");
	table_add(&table, "%u.%u", UBLK_PLUGIN_ABI_MAJOR, UBLK_PLUGIN_ABI_MINOR);
	json_array_foreach(json_object_get(build, "plugin_dirs"), i, dir)
	{
		table_add(&table, "%s", i ? "" : "  plugins");
		table_add(&table, "%s", json_string_value(dir));
	}
	json_array_foreach(json_object_get(build, "manifest_dirs"), i, dir)
	{
		table_add(&table, "%s", i ? "" : "  manifests of serve");
		table_add(&table, "%s", json_string_value(dir));
	}
	table_add(&table, "  state");
	table_add(&table, "%s", text_of(build, "state_dir", ""));
	table_add(&table, "  filter of system calls");
	table_add(&table, "%s",
		  json_is_true(json_object_get(build, "filters_calls"))
			  ? "yes"
			  : "no: built without libseccomp");
	return print_section("This build: ublk-host " VERSION, &table);
}

static int print_paths(json_t *paths, const json_t *plugins)
{
	struct table table;
	const char *name;
	json_t *value;
	size_t i;
	int err;

	table_begin(&table, 2);
	json_object_foreach(paths, name, value)
	{
		table_add(&table, "  %s", name);
		table_add(&table, "%s", json_string_value(value));
	}
	err = print_section("Data paths:", &table);
	table_begin(&table, 3);
	json_array_foreach(plugins, i, value)
	{
		table_add(&table, "  %s", text_of(value, "name", ""));
		table_add(&table, "%s", text_of(value, "data_path", "-"));
		table_add(&table, "%s", text_of(value, "problem", text_of(value, "why", "")));
	}
	printf(json_array_size(plugins) ? "Plugins and their data paths here:\n" : "No plugins.\n");
	if (!err)
		err = table_print(&table, stdout);
	table_free(&table);
	return err;
}

/* The same as the JSON, so that neither knows more than the other. */
static int print_text(json_t *json)
{
	int err = json ? 0 : -ENOMEM;

	if (!err) {
		printf("Kernel: %s\n\n", text_of(json, "kernel", "?"));
		err = print_driver(json_object_get(json, "driver"));
	}
	if (!err)
		err = print_ring(json_object_get(json, "io_uring"));
	if (!err)
		err = print_build(json_object_get(json, "build"));
	if (!err)
		err = print_paths(json_object_get(json, "data_paths"),
				  json_object_get(json, "plugins"));
	if (err)
		log_err("cannot tell the features: %s", strerror(-err));
	json_decref(json);
	return err ? EXIT_FAILED : EXIT_DONE;
}

static int tell(char **plugin_dirs, size_t nr_plugin_dirs, bool json)
{
	struct host_features host = { 0 };
	int status;

	if (plugin_dirs_init(&host.dirs, plugin_dirs, nr_plugin_dirs) < 0) {
		log_err("cannot tell the features: out of memory");
		return EXIT_FAILED;
	}
	host_features_read(&host);
	status = json ? json_print(to_json(&host)) : print_text(to_json(&host));
	plugin_dirs_free(&host.dirs);
	return status;
}

int verb_features(int argc, char **argv)
{
	return cli_report(&usage, argc, argv, tell);
}
