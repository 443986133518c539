// SPDX-License-Identifier: MIT
/* Verb export: the manifest that makes a device again. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cli/devices.h"
#include "cli/json_out.h"
#include "cli/usage.h"
#include "plugin/plugin.h"

static const struct cli_opt no_opts[] = { { 0, NULL, NULL, NULL } };

static const struct cli_usage usage = {
	.verb = "export",
	.synopsis = "NAME|ID",
	.about =
		"Prints the device manifest that makes the same device again, for --manifest, or for the folder\n"
		"of serve and apply. Secret options are not in it.",
	.opts = no_opts,
};

/* By its name, if that still leads to the same file. A new reference; NULL: no memory. */
static json_t *plugin_word(const struct device_state *state, const char *word)
{
	__cleanup_free char *path = NULL;
	struct plugin_dirs dirs;

	if (!state->plugin_path)
		return json_string(word);
	if (plugin_dirs_init(&dirs, NULL, 0))
		return NULL;
	if (plugin_look_up(word, &dirs, &path))
		path = NULL;
	plugin_dirs_free(&dirs);
	return json_from_text(path && !strcmp(path, state->plugin_path) ? word
									: state->plugin_path);
}

static void tell_of_secret(const char *device, const json_t *option)
{
	const char *name = json_string_value(json_object_get(option, "name"));

	log_warn(
		"%s: option %s is a secret and is not shown: %sadd \"%s\": \"@FILE\" to \"options\"",
		device, name,
		json_is_true(json_object_get(option, "required")) ? "" : "if it was given, ", name);
}

/* A state does not have them, unless they are in a file. */
static void tell_of_secrets(const struct device_state *state)
{
	const json_t *given = json_object_get(state->manifest, "options"), *option;
	json_t *plugin = NULL;
	size_t i;

	if (state->plugin_path)
		plugin = plugin_manifest_of_file(state->plugin_path);
	if (!plugin && (!state->plugin_path || plugin_describe(state->plugin_path, false, &plugin)))
		log_warn(
			"%s: without its plugin it is not known which options are secret: they are "
			"not shown",
			state->name);
	json_array_foreach(json_object_get(plugin, "options"), i, option)
	{
		const char *type = json_string_value(json_object_get(option, "type"));
		const char *name = json_string_value(json_object_get(option, "name"));

		if (type && name && !strcmp(type, "secret") && !json_object_get(given, name))
			tell_of_secret(state->name, option);
	}
	json_decref(plugin);
}

static int print(const struct device_state *state)
{
	const char *word = json_string_value(json_object_get(state->manifest, "plugin"));
	json_t *manifest;

	if (!word) {
		log_err("%s cannot be exported: its state file does not say what it was made of",
			state->name);
		return EXIT_FAILED;
	}
	manifest = json_deep_copy(state->manifest);
	if (json_object_set_new(manifest, "plugin", plugin_word(state, word))) {
		json_decref(manifest);
		manifest = NULL;
	}
	tell_of_secrets(state);
	return json_print(manifest);
}

static int run(const char *word)
{
	struct device_state state;
	uint32_t id;
	int err = device_find_state(&state, word, "export", &id), status;

	if (err == -ENXIO)
		log_err("device %" PRIu32 " cannot be exported: it has no state file: it is "
			"not a device of ublk-host",
			id);
	if (err)
		return EXIT_FAILED;
	status = print(&state);
	state_free(&state);
	return status;
}

int verb_export(int argc, char **argv)
{
	struct cli_args args;
	const char *value, *word = NULL;
	int status;

	cli_begin(&args, &usage, argc, argv);
	while (cli_next(&args, &value) != CLI_END) {
		if (word)
			cli_stray(&args, value);
		word = value;
	}
	if (!word && !args.helped && !errors_count(&args.errors))
		cli_error(&args, "which device? Give its NAME or ID");
	status = cli_finish(&args);
	return status >= 0 ? status : run(word);
}
