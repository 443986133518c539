// SPDX-License-Identifier: MIT
/* From argv to a verb, and the verbs that are about the program itself: help and version. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "cli/cli.h"
#include "cli/usage.h"
#include "config/suggest.h"
#include "device/state.h"
#include "ublk-plugin.h"

static const struct verb verbs[] = {
	{ "run", "serve a device in the foreground until it is told to stop (the default)",
	  verb_run },
	{ "up", "serve a device in the background; returns when it can be used", verb_up },
	{ "down", "stop a device and remove it", verb_down },
	{ "serve", "serve the devices of a folder of manifests, and restart what ends",
	  verb_serve },
	{ "recover", "give a device whose server died a new one", verb_recover },
	{ "upgrade", "replace a device's server, program or plugin, while it is in use",
	  verb_upgrade },
	{ "resize", "give a device another size while it is in use", verb_resize },
	{ "export", "print the manifest that makes a device again", verb_export },
	{ "diff", "compare a folder of manifests with the devices that there are", verb_diff },
	{ "apply", "have the devices that a folder of manifests asks for", verb_apply },
	{ "list", "list the devices", verb_list },
	{ "info", "tell all that is known of a device", verb_info },
	{ "stats", "tell what a device has done, and how long it took", verb_stats },
	{ "plugins", "list the plugins, or tell the options of one", verb_plugins },
	{ "new-plugin", "write a plugin that works, to begin one's own with", verb_new_plugin },
	{ "check", "check whether a plugin keeps the contract, without root or driver",
	  verb_check },
	{ "features", "tell what this kernel, this build and each plugin can do", verb_features },
	{ "doctor", "check what devices need on this machine, and say what to do", verb_doctor },
	{ "gc", "find what servers have left behind, and remove it", verb_gc },
	{ "udev", "for udev's rules: tell of a node's device, and give it to its user", verb_udev },
	{ "help", "print help, of one verb if it is named", verb_help },
	{ "version", "print the version", verb_version },
	{ NULL, NULL, NULL },
};

const struct verb *cli_verbs(void)
{
	return verbs;
}

static void print_program_help(void)
{
	const struct verb *verb;

	printf("Usage: ublk-host [VERB] [OPTION...]\n\n"
	       "Serves Linux block devices (ublk) from plugins.\n\nVerbs:\n");
	for (verb = verbs; verb->name; verb++)
		printf("  %-10s %s\n", verb->name, verb->summary);
	printf("\nWithout a verb, options are those of run:\n\n"
	       "  ublk-host --plugin mem --opt size=1G\n\n"
	       "ublk-host VERB --help tells the options of a verb,\n"
	       "ublk-host plugins NAME those of a plugin, from its manifest, which\n"
	       "ublk-host --dump-plugin FILE.so makes.\n");
}

static const struct verb *find_verb(const char *name)
{
	const struct verb *verb;

	for (verb = verbs; verb->name; verb++)
		if (strcmp(verb->name, name) == 0)
			return verb;
	return NULL;
}

static void unknown_verb(const char *name)
{
	const char *names[ARRAY_SIZE(verbs)];
	char hint[SUGGEST_HINT_MAX];
	char list[512] = "";
	size_t n, len = 0;

	for (n = 0; verbs[n].name; n++) {
		names[n] = verbs[n].name;
		len += snprintf(list + len, sizeof(list) - len, "%s%s", n ? ", " : "", names[n]);
	}
	log_err("unknown verb \"%s\"%s; there are %s", name,
		suggest_hint(suggest_word(name, names, n), hint), list);
}

static const struct cli_opt no_opts[] = { { 0, NULL, NULL, NULL } };

int verb_help(int argc, char **argv)
{
	static const struct cli_usage usage = {
		.verb = "help",
		.synopsis = "[VERB]",
		.about = "Prints what the program, or one verb, does.",
		.opts = no_opts,
	};
	const struct verb *verb = NULL;
	char help[] = "--help";
	struct cli_args args;
	const char *value;
	int status;

	cli_begin(&args, &usage, argc, argv);
	while (cli_next(&args, &value) != CLI_END) {
		if (verb) {
			cli_stray(&args, value);
			continue;
		}
		verb = find_verb(value);
		if (!verb) {
			unknown_verb(value);
			return EXIT_USAGE;
		}
	}
	status = cli_finish(&args);
	if (status >= 0)
		return status;
	if (verb)
		return verb->run(2, (char *[]){ (char *)verb->name, help, NULL });
	print_program_help();
	return EXIT_DONE;
}

int verb_version(int argc, char **argv)
{
	static const struct cli_usage usage = {
		.verb = "version",
		.synopsis = "",
		.about = "Prints the version of the program and of its plugin contract.",
		.opts = no_opts,
	};
	struct cli_args args;
	const char *value;
	int status;

	cli_begin(&args, &usage, argc, argv);
	while (cli_next(&args, &value) != CLI_END)
		cli_stray(&args, value);
	status = cli_finish(&args);
	if (status >= 0)
		return status;
	printf("ublk-host %s (plugin ABI %u.%u)\n", VERSION, UBLK_PLUGIN_ABI_MAJOR,
	       UBLK_PLUGIN_ABI_MINOR);
	return EXIT_DONE;
}

static int dump_plugin(int argc, char **argv)
{
	if (argc == 3)
		return cli_dump_plugin(argv[2]);
	log_err("--dump-plugin takes one plugin, and nothing else: ublk-host --dump-plugin FILE.so");
	return EXIT_USAGE;
}

/* What is opened under one of their numbers would be written to, or be closed, as what it is not. Not to be written:
 * output that nobody gets is a failure. */
static void fill_standard_fds(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDONLY);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

int cli_main(int argc, char **argv)
{
	const struct verb *verb;
	int status;

	fill_standard_fds();
	state_choose_dir();
	if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
		print_program_help();
		status = EXIT_DONE;
	} else if (argc > 1 && !strcmp(argv[1], "--version")) {
		status = verb_version(1, argv);
	} else if (argc > 1 && !strcmp(argv[1], "--dump-plugin")) {
		status = dump_plugin(argc, argv);
	} else if (argc < 2 || *argv[1] == '-') {
		status = verb_run(argc, argv);
	} else if ((verb = find_verb(argv[1]))) {
		status = verb->run(argc - 1, argv + 1);
	} else {
		unknown_verb(argv[1]);
		status = EXIT_USAGE;
	}
	/* output that got lost (a full disk, a closed pipe) is a failure */
	if (fflush(stdout) || ferror(stdout)) {
		log_err("cannot write to standard output: %s", strerror(errno));
		status = status == EXIT_DONE ? EXIT_FAILED : status;
	}
	return status;
}
