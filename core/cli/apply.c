// SPDX-License-Identifier: MIT
/* Verb apply: have the devices that the manifests of a folder ask for. */
#include "base/log.h"
#include "cli/apply.h"
#include "cli/folder_lock.h"
#include "cli/json_out.h"
#include "cli/serving.h"
#include "cli/usage.h"

enum { KEY_PLUGIN_DIR = 256, KEY_RECREATE, KEY_PRUNE };

static const struct cli_opt opts[] = {
	{ 'n', "dry-run", NULL, "change nothing: tell what diff tells" },
	{ KEY_RECREATE, "recreate", NULL,
	  "stop devices whose changes need that, and make them anew" },
	{ KEY_PRUNE, "prune", NULL, "remove devices whose manifest in DIR is gone" },
	CLI_OPT_JSON('j'),
	CLI_OPT_PLUGIN_DIR(KEY_PLUGIN_DIR),
	{ 0, NULL, NULL, NULL },
};

static const struct cli_usage usage = {
	.verb = "apply",
	.synopsis = "DIR [OPTION]...",
	.about =
		"Makes the devices what the manifests (*.json) in DIR ask for: adds those that are missing,\n"
		"resizes and upgrades those that differ while they are in use, and does nothing where nothing\n"
		"differs. All manifests are checked before anything is changed. A folder that ublk-host serve\n"
		"sees to is refused.",
	.opts = opts,
};

/* The folder is ours: a supervisor would do the same at the same time. */
static int lock(struct folder_lock *lock, const char *dir)
{
	pid_t supervisor = folder_supervisor(dir);

	*lock = (struct folder_lock){ 0 };
	if (!supervisor)
		return folder_lock(lock, dir, "apply");
	log_err("ublk-host serve, process %d, sees to %s: kill -HUP %d has it read the manifests again",
		supervisor, dir, supervisor);
	return -EBUSY;
}

static int apply_all(const struct apply_request *request, struct plan *plan)
{
	json_t *list = request->json ? json_array() : NULL;
	int status = EXIT_DONE;

	if (plan_is_done(plan) && !request->json)
		log_info("nothing to do");
	for (size_t i = 0; i < plan->nr; i++) {
		struct plan_entry *entry = &plan->entry[i];
		enum apply_outcome outcome = apply_device(request, entry);

		if (outcome == APPLY_LEFT || outcome == APPLY_FAILED)
			status = EXIT_FAILED;
		if (list && json_array_append_new(
				    list, plan_entry_json(entry, apply_outcome_word(outcome)))) {
			json_decref(list);
			list = NULL;
		}
	}
	return request->json ? max_of((int)json_print(list), status) : status;
}

static int run(const struct apply_request *request, const char *dir)
{
	__cleanup_free const char **words = serving_path_words();
	const struct manifest_reader reader = { words, request->plugin_dirs,
						request->nr_plugin_dirs };
	struct folder_lock held;
	struct plan plan;
	int err, status;

	if (request->dry_run)
		return diff_run(dir, request->plugin_dirs, request->nr_plugin_dirs, request->json);
	err = plan_read(&plan, dir, &reader);
	status = err == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
	if (err)
		goto out;
	err = lock(&held, dir);
	if (!err)
		err = plan_look(&plan);
	if (!err)
		status = apply_all(request, &plan);
	folder_unlock(&held);
out:
	plan_free(&plan);
	return status;
}

static void take(struct cli_args *args, struct apply_request *request, const char **dir, int key,
		 const char *value)
{
	switch (key) {
	case 'n':
		request->dry_run = true;
		break;
	case 'j':
		request->json = true;
		break;
	case KEY_RECREATE:
		request->recreate = true;
		break;
	case KEY_PRUNE:
		request->prune = true;
		break;
	case KEY_PLUGIN_DIR:
		request->plugin_dirs[request->nr_plugin_dirs++] = (char *)value;
		break;
	default:
		if (*dir)
			cli_stray(args, value);
		*dir = value;
	}
}

int verb_apply(int argc, char **argv)
{
	/* as many --plugin-dir as there are arguments, at most */
	__cleanup_free char **dirs = calloc((size_t)argc + 1, sizeof(*dirs));
	struct apply_request request = { .plugin_dirs = dirs };
	const char *value, *dir = NULL;
	struct cli_args args;
	int key, status;

	if (!dirs) {
		log_err("no memory");
		return EXIT_FAILED;
	}
	cli_begin(&args, &usage, argc, argv);
	while ((key = cli_next(&args, &value)) != CLI_END)
		take(&args, &request, &dir, key, value);
	if (!dir && !args.helped && !errors_count(&args.errors))
		cli_error(&args, "which folder? Give DIR");
	status = cli_finish(&args);
	return status >= 0 ? status : run(&request, dir);
}
