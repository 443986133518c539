// SPDX-License-Identifier: MIT
/* Verb recover: give devices whose server is dead a new one. */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>

#include "base/clock.h"
#include "base/log.h"
#include "cli/devices.h"
#include "cli/json_out.h"
#include "cli/serving.h"
#include "cli/usage.h"

#define END_MS 500

enum { KEY_ALL = 256 };

static const struct cli_opt opts[] = {
	{ KEY_ALL, "all", NULL, "every device of ublk-host that waits for a server" },
	CLI_OPT_JSON('j'),
	{ 'v', "verbose", NULL, "print debug messages too" },
	{ 0, NULL, NULL, NULL },
};

static const struct cli_usage usage = {
	.verb = "recover",
	.synopsis = "NAME|ID|--all [OPTION]...",
	.about =
		"Gives a device whose server died, or handed it over, a new server in the background, as\n"
		"its state file says. Requests have waited meanwhile (--recovery queue, reissue), or failed\n"
		"(fail), and are served again when this returns.",
	.opts = opts,
};

struct recover_args {
	const char *word;
	bool all, json, verbose;
};

struct recovery {
	uint32_t id;
	char *name;
	bool skip; /* --all: it does not want one */
	int status;
	uint64_t ms; /* that it took */
};

struct recoveries {
	struct recovery *recovery;
	size_t nr;
	const char *name; /* of the one, if the user called it by that */
};

static int add(struct recoveries *all, uint32_t id)
{
	struct recovery *grown = reallocarray(all->recovery, all->nr + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	all->recovery = grown;
	all->recovery[all->nr++] = (struct recovery){ .id = id };
	return 0;
}

static int add_state(const struct device_state *state, void *arg)
{
	return add(arg, state->id);
}

/* 0 or -errno, logged. */
static int choose(struct recoveries *all, const struct recover_args *recover)
{
	uint32_t id;
	int err;

	if (recover->all)
		return state_for_each(add_state, all);
	err = device_find(recover->word, &id, &all->name);
	return err ? err : add(all, id);
}

static int recover_view(struct recovery *r, const struct device_view *view,
			const struct recover_args *recover)
{
	struct device_options options = { 0 };
	char node[SERVING_NODE_SIZE];
	uint64_t began = now_ms();
	int status = EXIT_FAILED;
	char why[256];

	if (!device_can_recover(view, why, sizeof(why))) {
		r->skip = recover->all;
		if (!r->skip)
			log_err("device %" PRIu32 " cannot be recovered: %s", r->id, why);
		return EXIT_FAILED;
	}
	r->name = strdup(view->state.name);
	if (device_take_in_hand(view, "recovered"))
		return EXIT_FAILED;
	if (serving_of_state(&options, &view->state) == 0) {
		if (recover->verbose)
			log_set_level(LOG_LVL_DEBUG);
		status = serving_start(
			&(struct serving){ .options = &options, .former = &view->state }, node);
	}
	if (status != EXIT_DONE)
		state_let_go(view->id);
	device_options_free(&options);
	r->ms = now_ms() - began;
	if (status == EXIT_DONE && !recover->json)
		printf("recovered %s (%s)\n", view->state.name, node);
	return status;
}

/* A process that was just killed may take a moment to end. */
static void wait_for_end(const struct device_view *view)
{
	struct pollfd pfd = { .fd = pidfd_open(view->pid, 0), .events = POLLIN };

	if (pfd.fd < 0)
		return;
	poll(&pfd, 1, END_MS);
	close(pfd.fd);
}

static int recover_one(struct recovery *r, const char *name, const struct recover_args *recover)
{
	struct ctrl *ctrl = devices_ctrl();
	struct device_view view;
	int err = device_view_read(&view, r->id, name, ctrl);
	int status = EXIT_FAILED;

	if (!err && view.ours && view.server_alive && !recover->all) {
		wait_for_end(&view);
		device_view_free(&view);
		err = device_view_read(&view, r->id, name, ctrl);
	}
	/* Before the fork: a control ring is this process's. */
	ctrl_close(ctrl);
	if (err)
		device_view_failed("recover", r->id, name, err);
	else
		status = recover_view(r, &view, recover);
	if (!err)
		device_view_free(&view);
	return status;
}

/* An array of objects: id, name (null: not ours), recovered, ms (that it took). */
static json_t *to_json(const struct recoveries *all)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < all->nr; i++) {
		const struct recovery *r = &all->recovery[i];

		if (r->skip)
			continue;
		if (json_array_append_new(array, json_pack("{s:I, s:s?, s:b, s:I}", "id",
							   (json_int_t)r->id, "name", r->name,
							   "recovered", r->status == EXIT_DONE,
							   "ms", (json_int_t)r->ms)) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static int run(const struct recover_args *recover)
{
	struct recoveries all = { 0 };
	int status = choose(&all, recover) ? EXIT_FAILED : EXIT_DONE;
	size_t i, tried = 0;

	for (i = 0; i < all.nr; i++) {
		struct recovery *r = &all.recovery[i];

		r->status = recover_one(r, all.name, recover);
		tried += !r->skip;
		if (!r->skip && r->status != EXIT_DONE)
			status = EXIT_FAILED;
	}
	if (recover->all && !tried && status == EXIT_DONE)
		log_info("no device waits for a server");
	if (recover->json)
		status = max_of((int)json_print(to_json(&all)), status);
	for (i = 0; i < all.nr; i++)
		free(all.recovery[i].name);
	free(all.recovery);
	return status;
}

int verb_recover(int argc, char **argv)
{
	struct recover_args recover = { 0 };
	struct cli_args args;
	const char *value;
	int key, status;

	cli_begin(&args, &usage, argc, argv);
	while ((key = cli_next(&args, &value)) != CLI_END) {
		if (key == KEY_ALL) {
			recover.all = true;
		} else if (key == 'j') {
			recover.json = true;
		} else if (key == 'v') {
			recover.verbose = true;
		} else {
			if (recover.word)
				cli_stray(&args, value);
			recover.word = value;
		}
	}
	if (recover.all && recover.word)
		cli_error(&args, "\"%s\" and --all exclude each other", recover.word);
	if (!recover.all && !recover.word && !errors_count(&args.errors))
		cli_error(&args, "which device? Give its NAME, ID or --all");
	status = cli_finish(&args);
	return status >= 0 ? status : run(&recover);
}
