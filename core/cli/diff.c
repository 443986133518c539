// SPDX-License-Identifier: MIT
/* Verb diff: the manifests of a folder against the devices that there are. Changes nothing. */
#include "cli/apply.h"
#include "cli/manifest_plan.h"
#include "cli/serving.h"
#include "cli/usage.h"

enum { KEY_PLUGIN_DIR = 256 };

static const struct cli_opt opts[] = {
	CLI_OPT_JSON('j'),
	CLI_OPT_PLUGIN_DIR(KEY_PLUGIN_DIR),
	{ 0, NULL, NULL, NULL },
};

static const struct cli_usage usage = {
	.verb = "diff",
	.synopsis = "DIR [OPTION]...",
	.about =
		"Compares the manifests (*.json) in DIR with the devices that there are, and changes nothing. A\n"
		"line for each device: same, to-be-added, to-be-removed (it came from a manifest of DIR that\n"
		"is gone), or differs, with each key that does, and whether that can be changed while the\n"
		"device is in use. The exit status is 0 where all are the same, 1 where not, 2 for trouble.",
	.opts = opts,
};

int diff_run(const char *dir, char **plugin_dirs, size_t nr_plugin_dirs, bool json)
{
	__cleanup_free const char **words = serving_path_words();
	const struct manifest_reader reader = { words, plugin_dirs, nr_plugin_dirs };
	int status = EXIT_USAGE;
	struct plan plan;

	if (!plan_read(&plan, dir, &reader) && !plan_look(&plan) &&
	    plan_print(&plan, json) == EXIT_DONE)
		status = plan_is_done(&plan) ? EXIT_DONE : EXIT_FAILED;
	plan_free(&plan);
	return status;
}

int verb_diff(int argc, char **argv)
{
	/* as many --plugin-dir as there are arguments, at most */
	__cleanup_free char **dirs = calloc((size_t)argc + 1, sizeof(*dirs));
	const char *value, *dir = NULL;
	struct cli_args args;
	size_t nr_dirs = 0;
	bool json = false;
	int key, status;

	cli_begin(&args, &usage, argc, argv);
	if (!dirs)
		cli_error(&args, "out of memory");
	while ((key = cli_next(&args, &value)) != CLI_END) {
		if (key == 'j')
			json = true;
		else if (key == KEY_PLUGIN_DIR && dirs)
			dirs[nr_dirs++] = (char *)value;
		else if (dir)
			cli_stray(&args, value);
		else
			dir = value;
	}
	if (!dir && !args.helped && !errors_count(&args.errors))
		cli_error(&args, "which folder? Give DIR");
	status = cli_finish(&args);
	return status >= 0 ? status : diff_run(dir, dirs, nr_dirs, json);
}
