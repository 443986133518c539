// SPDX-License-Identifier: MIT
/* Verb serve: bring up every device that a folder of manifests names, and see to it that they are
 * served. */
#include <string.h>

#include "base/log.h"
#include "cli/restarts.h"
#include "cli/supervisor.h"
#include "cli/usage.h"

#define MAX_WINDOW 86400u

enum { KEY_PLUGIN_DIR = 256, KEY_KEEP, KEY_LIMIT, KEY_WINDOW, KEY_STANDBY };

static const struct cli_opt opts[] = {
	CLI_OPT_PLUGIN_DIR(KEY_PLUGIN_DIR),
	{ KEY_KEEP, "keep", NULL, "leave the devices to the next supervisor at the end" },
	{ KEY_LIMIT, "restart-limit", "N",
	  "give a device up when N of its servers ended in a row; 0: never (default: 5)" },
	{ KEY_WINDOW, "restart-window", "SECONDS",
	  "the time in which they must have ended (default: 60)" },
	{ KEY_STANDBY, "standby", NULL,
	  "keep a second server ready for each device, which goes on when the first one dies" },
	{ 'v', "verbose", NULL, "print debug messages too" },
	{ 'q', "quiet", NULL, "print warnings and errors only" },
	{ 0, NULL, NULL, NULL },
};

static const struct cli_usage usage = {
	.verb = "serve",
	.synopsis = "[DIR] [OPTION]...",
	.about =
		"Brings up the device of every manifest (*.json) in DIR, or in the folders of this machine,\n"
		"a process for each, and gives those whose server ends the next, until SIGINT or SIGTERM.\n"
		"Devices that are served already are taken over as they are. SIGHUP reads the manifests\n"
		"again.",
	.opts = opts,
};

struct serve_args {
	struct supervisor_options options;
	uint64_t limit, window;
	bool verbose, quiet;
};

static void take(struct cli_args *args, struct serve_args *serve, int key, const char *value)
{
	struct supervisor_options *options = &serve->options;

	switch (key) {
	case KEY_PLUGIN_DIR:
		/* as many as there are arguments, at most */
		options->plugin_dirs[options->nr_plugin_dirs++] = (char *)value;
		break;
	case KEY_KEEP:
		options->keep = true;
		break;
	case KEY_LIMIT:
		cli_number(args, "restart-limit", value, 0, RESTARTS_MAX_LIMIT, &serve->limit);
		break;
	case KEY_WINDOW:
		cli_number(args, "restart-window", value, 1, MAX_WINDOW, &serve->window);
		break;
	case KEY_STANDBY:
		options->standby = true;
		break;
	case 'v':
		serve->verbose = true;
		break;
	case 'q':
		serve->quiet = true;
		break;
	default:
		if (options->dir)
			cli_stray(args, value);
		options->dir = value;
	}
}

int verb_serve(int argc, char **argv)
{
	__cleanup_free char **dirs = calloc((size_t)argc + 1, sizeof(char *));
	struct serve_args serve = { .options = { .plugin_dirs = dirs },
				    .limit = SUPERVISOR_LIMIT,
				    .window = SUPERVISOR_WINDOW_SECONDS };
	struct cli_args args;
	const char *value;
	int key, status;

	if (!dirs) {
		log_err("no memory");
		return EXIT_FAILED;
	}
	cli_begin(&args, &usage, argc, argv);
	while ((key = cli_next(&args, &value)) != CLI_END)
		take(&args, &serve, key, value);
	if (serve.verbose && serve.quiet)
		cli_error(&args, "--verbose and --quiet exclude each other");
	status = cli_finish(&args);
	if (status >= 0)
		return status;
	log_set_level(serve.verbose ? LOG_LVL_DEBUG : serve.quiet ? LOG_LVL_WARN : LOG_LVL_INFO);
	serve.options.restart_limit = (unsigned int)serve.limit;
	serve.options.restart_window_ms = (unsigned int)serve.window * 1000;
	return supervisor_run(&serve.options);
}
