// SPDX-License-Identifier: MIT
/* Verb down: stop one device, or all that this program serves, and leave nothing behind. */
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "cli/json_out.h"
#include "cli/stop.h"
#include "cli/usage.h"

#define DEFAULT_TIMEOUT (STOP_DEFAULT_MS / 1000)
#define MAX_TIMEOUT 86400u

enum { KEY_ALL = 256, KEY_TIMEOUT, KEY_WAIT };

static const struct cli_opt opts[] = {
	{ KEY_ALL, "all", NULL, "every device that ublk-host serves" },
	{ 'f', "force", NULL, "even if it is in use, another program's, or its server hangs" },
	{ KEY_TIMEOUT, "timeout", "SECONDS", "how long to wait for the server (default: 30)" },
	{ KEY_WAIT, "wait", "SECONDS", "how long to wait for users to leave it (default: 0)" },
	CLI_OPT_JSON('j'),
	{ 0, NULL, NULL, NULL },
};

static const struct cli_usage usage = {
	.verb = "down",
	.synopsis = "NAME|ID|--all [OPTION]...",
	.about =
		"Stops a device: its server ends the requests it has and removes it. A device that is\n"
		"mounted, used as swap, held by another device or open is refused. What a dead server\n"
		"left is removed.",
	.opts = opts,
};

struct down_args {
	const char *word;
	bool all, force, json;
	uint64_t timeout, wait; /* s */
};

struct stops {
	struct stop *stop;
	size_t nr;
	const char *name; /* of the one, if the user called it by that */
	bool passed_over; /* there is a device, perhaps, of which nothing is known */
};

static int add_stop(struct stops *stops, uint32_t id)
{
	struct stop *grown = reallocarray(stops->stop, stops->nr + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	stops->stop = grown;
	stops->stop[stops->nr++] = (struct stop){ .id = id, .pidfd = -1, .try = { .fd = -1 } };
	return 0;
}

static int add_state(const struct device_state *state, void *arg)
{
	return add_stop(arg, state->id);
}

/* 0 or -errno, logged. */
static int choose(struct stops *stops, const struct down_args *down)
{
	uint32_t id;
	int err;

	if (!down->all) {
		err = device_find(down->word, &id, &stops->name);
		return err ? err : add_stop(stops, id);
	}
	err = state_for_each(add_state, stops);
	if (!err && !stops->nr)
		log_info("no devices to stop");
	if (err == -EBADMSG) /* told; the others are stopped all the same */
		stops->passed_over = true;
	return err == -EBADMSG ? 0 : err;
}

/* An array of objects: id, name (null: another program's device), outcome ("stopped": its server
 * ended; "removed": it had none; "killed"; "tidied": only a state file was left; "failed"). */
static json_t *to_json(const struct stops *stops)
{
	json_t *array = json_array();
	size_t i;

	for (i = 0; array && i < stops->nr; i++) {
		const struct stop *stop = &stops->stop[i];

		if (json_array_append_new(array,
					  json_pack("{s:I, s:s?, s:s}", "id", (json_int_t)stop->id,
						    "name", stop->name, "outcome",
						    stop_outcome_word(stop->outcome))) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static void print_text(const struct stops *stops)
{
	size_t i;

	for (i = 0; i < stops->nr; i++)
		if (stops->stop[i].outcome != STOP_FAILED)
			printf("%s %s\n", stop_outcome_word(stops->stop[i].outcome),
			       stops->stop[i].label);
}

/* All are asked to stop, then waited for together. */
static int stop_all(struct stops *stops, const struct down_args *down)
{
	const uint64_t free_until = now_ms() + down->wait * 1000;
	uint64_t deadline;
	struct ctrl *ctrl = devices_ctrl();
	int status = stops->passed_over ? EXIT_FAILED : EXIT_DONE;
	size_t i;

	for (i = 0; i < stops->nr; i++)
		stop_begin(&stops->stop[i], stops->stop[i].id, stops->name, down->force, free_until,
			   ctrl);
	for (i = 0; i < stops->nr; i++)
		stop_ask(&stops->stop[i], ctrl);
	/* Looking for users may have taken its time. */
	deadline = now_ms() + down->timeout * 1000;
	for (i = 0; i < stops->nr; i++) {
		stop_finish(&stops->stop[i], deadline, &ctrl);
		if (stops->stop[i].outcome == STOP_FAILED)
			status = EXIT_FAILED;
	}
	ctrl_close(ctrl);
	return status;
}

static int run(const struct down_args *down)
{
	struct stops stops = { 0 };
	int status = EXIT_FAILED;
	size_t i;

	if (choose(&stops, down) == 0) {
		status = stop_all(&stops, down);
		if (down->json)
			status = max_of((int)json_print(to_json(&stops)), status);
		else
			print_text(&stops);
	}
	for (i = 0; i < stops.nr; i++)
		stop_free(&stops.stop[i]);
	free(stops.stop);
	return status;
}

static void take(struct cli_args *args, struct down_args *down, int key, const char *value)
{
	switch (key) {
	case KEY_ALL:
		down->all = true;
		break;
	case 'f':
		down->force = true;
		break;
	case 'j':
		down->json = true;
		break;
	case KEY_TIMEOUT:
		cli_number(args, "timeout", value, 1, MAX_TIMEOUT, &down->timeout);
		break;
	case KEY_WAIT:
		cli_number(args, "wait", value, 0, MAX_TIMEOUT, &down->wait);
		break;
	default:
		if (down->word)
			cli_stray(args, value);
		down->word = value;
	}
}

int verb_down(int argc, char **argv)
{
	struct down_args down = { .timeout = DEFAULT_TIMEOUT };
	struct cli_args args;
	const char *value;
	int key, status;

	cli_begin(&args, &usage, argc, argv);
	while ((key = cli_next(&args, &value)) != CLI_END)
		take(&args, &down, key, value);
	if (down.all && down.word)
		cli_error(&args, "\"%s\" and --all exclude each other", down.word);
	if (!down.all && !down.word && !errors_count(&args.errors))
		cli_error(&args, "which device? Give its NAME, ID or --all");
	status = cli_finish(&args);
	return status >= 0 ? status : run(&down);
}
