// SPDX-License-Identifier: MIT
/* Command line of run and up to struct device_options; nothing is opened but the manifest. */
#include <stdio.h>
#include <string.h>

#include "cli/device_options.h"
#include "cli/usage.h"
#include "config/cpulist.h"
#include "config/device_manifest.h"
#include "config/given.h"
#include "kernel/sysfs.h"

enum {
	KEY_CONFIG = 256, /* + enum config_key */
	KEY_OPT = KEY_CONFIG + CFG_NR_KEYS,
	KEY_PLUGIN_DIR,
	KEY_MANIFEST,
	KEY_LOG_FILE,
	KEY_RECOVER,
};

/* The table is made at run time, from that of the config room. */
struct device_usage {
	struct cli_usage usage;
	struct cli_opt opts[CLI_MAX_OPTS];
};

/* What was seen on the command line, before the manifest is read. */
struct device_args {
	struct cli_args cli;
	struct device_config given;
	const char *manifest;
	bool verbose, quiet;
	int err;
};

static const struct cli_opt opts_before[] = {
	{ KEY_MANIFEST, "manifest", "FILE",
	  "take the device from a manifest; options given here win over it" },
	{ KEY_OPT, "opt", "KEY=VALUE", "set an option of the plugin; may be given several times" },
	CLI_OPT_PLUGIN_DIR(KEY_PLUGIN_DIR),
};

static const struct cli_opt opts_up[] = {
	{ KEY_LOG_FILE, "log-file", "FILE|syslog",
	  "append the server's messages to FILE, or syslog" },
};

static const struct cli_opt opts_after[] = {
	{ KEY_RECOVER, "recover", NULL, "serve a device of this name on if its server is dead" },
	{ 'v', "verbose", NULL, "print debug messages too" },
	{ 'q', "quiet", NULL, "print warnings and errors only" },
};

static const struct cli_usage usages[] = {
	[DEVICE_VERB_RUN] = {
		.verb = "run",
		.synopsis = "--plugin NAME|FILE [--opt KEY=VALUE]... [OPTION]...\n"
			    "       ublk-host run --manifest FILE [OPTION]...",
		.about = "Serves a device in the foreground until SIGINT or SIGTERM, and prints its node when it\n"
			 "can be used. The verb may be left out.",
	},
	[DEVICE_VERB_UP] = {
		.verb = "up",
		.synopsis = "--plugin NAME|FILE [--opt KEY=VALUE]... [OPTION]...\n"
			    "       ublk-host up --manifest FILE [OPTION]...",
		.about = "Serves a device in the background. Prints its node and returns when the device can be\n"
			 "used; ublk-host down stops it.",
	},
};

static const char notes[] = "A size is a number of bytes, or 512K, 4M, 1G, 2T.\n"
			    "ublk-host plugins NAME tells the options of a plugin.\n";

static void add_opts(struct device_usage *out, size_t *n, const struct cli_opt *opts, size_t nr)
{
	memcpy(&out->opts[*n], opts, nr * sizeof(*opts));
	*n += nr;
}

static void make_usage(struct device_usage *out, enum device_verb verb)
{
	int key;
	size_t n = 0;

	*out = (struct device_usage){ .usage = usages[verb] };
	out->usage.notes = notes;
	out->usage.opts = out->opts;
	add_opts(out, &n, opts_before, ARRAY_SIZE(opts_before));
	for (key = 0; key < CFG_NR_KEYS; key++) {
		const struct config_key_spec *spec = config_key_spec(key);

		out->opts[n++] =
			(struct cli_opt){ KEY_CONFIG + key, spec->flag, spec->arg, spec->help };
	}
	if (verb == DEVICE_VERB_UP)
		add_opts(out, &n, opts_up, ARRAY_SIZE(opts_up));
	add_opts(out, &n, opts_after, ARRAY_SIZE(opts_after));
}

static int add_plugin_dir(struct device_options *options, const char *dir)
{
	char **dirs =
		reallocarray(options->plugin_dirs, options->nr_plugin_dirs + 1, sizeof(*dirs));

	if (!dirs)
		return -ENOMEM;
	options->plugin_dirs = dirs;
	dirs[options->nr_plugin_dirs] = strdup(dir);
	if (!dirs[options->nr_plugin_dirs])
		return -ENOMEM;
	options->nr_plugin_dirs++;
	return 0;
}

/* The server changes its folder before it opens the file. */
static int set_log_file(struct device_options *options, struct device_args *args, const char *path)
{
	__cleanup_free char *cwd = NULL;

	if (options->log_file || options->log_syslog) {
		cli_error(&args->cli, "--log-file is given twice");
		return 0;
	}
	if (!*path) {
		cli_error(&args->cli, "--log-file: expected a file or syslog, got \"\"");
		return 0;
	}
	if (!given_is_utf8(path)) { /* it goes into the state file, which is */
		cli_error(&args->cli, "--log-file: expected a path in UTF-8");
		return 0;
	}
	if (strcmp(path, "syslog") == 0) {
		options->log_syslog = true;
		return 0;
	}
	if (*path == '/') {
		options->log_file = strdup(path);
		return options->log_file ? 0 : -ENOMEM;
	}
	cwd = getcwd(NULL, 0);
	if (!cwd)
		return -errno;
	return asprintf(&options->log_file, "%s/%s", cwd, path) < 0 ? -ENOMEM : 0;
}

static int take(struct device_options *options, struct device_args *args, int key,
		const char *value)
{
	switch (key) {
	case KEY_OPT:
		return device_config_add_opt(&args->given, value, &args->cli.errors);
	case KEY_PLUGIN_DIR:
		return add_plugin_dir(options, value);
	case KEY_MANIFEST:
		if (args->manifest)
			cli_error(&args->cli, "--manifest is given twice");
		else if (!*value)
			cli_error(&args->cli, "--manifest: expected a file, got \"\"");
		args->manifest = value;
		return 0;
	case KEY_LOG_FILE:
		return set_log_file(options, args, value);
	case KEY_RECOVER:
		options->recover = true;
		return 0;
	case 'v':
		args->verbose = true;
		return 0;
	case 'q':
		args->quiet = true;
		return 0;
	case CLI_WORD:
		cli_stray(&args->cli, value);
		return 0;
	default:
		return device_config_set(&args->given, key - KEY_CONFIG, value, &args->cli.errors);
	}
}

/* A CPU that this machine does not have is a mistake here, though not in the list's form. */
static int check_cpus(const struct device_config *cfg, struct errors *errors)
{
	unsigned int highest, nr = sysfs_nr_cpu_ids("");
	struct cpulist list;
	int err;

	if (cfg->cpus_mode != CPUS_LIST)
		return 0;
	err = cpulist_parse(cfg->cpus_list, &list, NULL);
	if (err)
		return err;
	highest = cpulist_nth(&list, list.nr - 1);
	cpulist_free(&list);
	if (highest < nr)
		return 0;
	errors_add(errors, "%s: there is no CPU %u on this machine, the highest is %u",
		   cfg->where[CFG_CPUS] ? cfg->where[CFG_CPUS] : "--cpus", highest, nr - 1);
	return -EINVAL;
}

/* -EINVAL is in the collector already. */
static int merge(struct device_options *options, struct device_args *args)
{
	int err = 0;

	if (args->manifest && *args->manifest) {
		err = device_manifest_load(&options->cfg, args->manifest, &args->cli.errors);
		if (err)
			return err;
	}
	err = device_config_merge(&options->cfg, &args->given);
	/* a mistake in a single option would only be told twice */
	if (!err && !errors_count(&args->cli.errors))
		err = device_config_check(&options->cfg, &args->cli.errors);
	return err ? err : check_cpus(&options->cfg, &args->cli.errors);
}

int device_options_parse(struct device_options *options, enum device_verb verb,
			 const char *const *data_path_words, int argc, char **argv)
{
	struct device_args args = { 0 };
	struct device_usage usage;
	const char *value;
	int key, err = 0;

	*options = (struct device_options){ .level = LOG_LVL_INFO };
	device_config_init(&options->cfg);
	device_config_init(&args.given);
	options->cfg.data_path_words = args.given.data_path_words = data_path_words;
	make_usage(&usage, verb);
	cli_begin(&args.cli, &usage.usage, argc, argv);
	while (err != -ENOMEM && (key = cli_next(&args.cli, &value)) != CLI_END)
		err = take(options, &args, key, value);
	if (args.verbose && args.quiet)
		cli_error(&args.cli, "--verbose and --quiet exclude each other");
	if (!args.cli.helped && err != -ENOMEM)
		err = merge(options, &args);
	if (err && !args.cli.helped && !errors_count(&args.cli.errors))
		cli_error(&args.cli, "cannot read the arguments: %s", strerror(-err));
	options->level = args.verbose ? LOG_LVL_DEBUG : args.quiet ? LOG_LVL_WARN : LOG_LVL_INFO;
	device_config_free(&args.given);
	return cli_finish(&args.cli);
}

int device_options_of_manifest(struct device_options *options, const char *file,
			       const char *const *data_path_words, struct errors *errors)
{
	int err;

	*options = (struct device_options){ .level = LOG_LVL_INFO };
	device_config_init(&options->cfg);
	options->cfg.data_path_words = data_path_words;
	err = device_manifest_load(&options->cfg, file, errors);
	if (!err)
		err = device_config_check(&options->cfg, errors);
	return err ? err : check_cpus(&options->cfg, errors);
}

void device_options_free(struct device_options *options)
{
	size_t i;

	device_config_free(&options->cfg);
	for (i = 0; i < options->nr_plugin_dirs; i++)
		free(options->plugin_dirs[i]);
	free(options->plugin_dirs);
	free(options->log_file);
}
