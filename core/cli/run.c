// SPDX-License-Identifier: MIT
/* Verbs run and up: serve one device, in the foreground or as a daemon. */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/device_options.h"
#include "cli/devices.h"
#include "cli/serving.h"

/* --recover: the device of this name, if it waits for a server. 0; 1: there is none; -errno, logged. */
static int find_former(const struct device_options *options, struct device_state *former)
{
	struct ctrl *ctrl;
	struct device_view view;
	char why[256];
	int err;

	if (!options->recover || !options->cfg.name)
		return 1;
	err = state_find_name(options->cfg.name, former);
	if (err) /* a file that cannot be used was told of, and may be anybody's */
		return err == -ENOENT || err == -EBADMSG ? 1 : err;
	ctrl = devices_ctrl();
	err = device_view_read(&view, former->id, former->name, ctrl);
	ctrl_close(ctrl);
	if (!err) {
		err = !device_can_recover(&view, why, sizeof(why));
		device_view_free(&view);
	}
	if (err)
		state_free(former);
	return err == -ENOENT ? 1 : err;
}

static int start(const struct serving *serving)
{
	char node[SERVING_NODE_SIZE];
	int status = serving_start(serving, node);

	if (status == EXIT_DONE)
		printf("%s\n", node);
	return status;
}

static int serve_verb(enum device_verb verb, int argc, char **argv)
{
	__cleanup_free const char **words = serving_path_words();
	struct device_options given, options;
	struct device_state former;
	int status = device_options_parse(&given, verb, words, argc, argv), found = 1;
	struct serving serving = { .options = &given };

	if (status < 0) {
		log_set_level(given.level);
		found = find_former(&given, &former);
	}
	if (found == 0) {
		serving = (struct serving){ .options = &options, .former = &former };
		found = serving_of_state(&options, &former);
	}
	if (status < 0 && found >= 0)
		status = verb == DEVICE_VERB_UP ? start(&serving) : serving_run(&serving);
	else if (status < 0)
		status = EXIT_FAILED;
	if (serving.former) {
		device_options_free(&options);
		state_free(&former);
	}
	device_options_free(&given);
	return status;
}

int verb_run(int argc, char **argv)
{
	return serve_verb(DEVICE_VERB_RUN, argc, argv);
}

int verb_up(int argc, char **argv)
{
	return serve_verb(DEVICE_VERB_UP, argc, argv);
}
