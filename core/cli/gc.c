// SPDX-License-Identifier: MIT
/* Verb gc: list what servers have left behind, and remove it if that is wanted. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "cli/json_out.h"
#include "cli/orphans.h"
#include "cli/stop.h"
#include "cli/table.h"
#include "cli/usage.h"

#define DEVICE_MS 10000 /* for each: nobody serves it, so nothing is waited for */

enum { KEY_DRY_RUN = 256, KEY_YES };

static const struct cli_opt opts[] = {
	{ KEY_DRY_RUN, "dry-run", NULL, "only tell what would be removed (the default)" },
	{ KEY_YES, "yes", NULL, "remove it" },
	{ 'f', "force", NULL,
	  "also what is in use, waits for a new server, or may be about to start" },
	CLI_OPT_JSON('j'),
	{ 0, NULL, NULL, NULL },
};

static const struct cli_usage usage = {
	.verb = "gc",
	.synopsis = "[OPTION]...",
	.about =
		"Finds what servers have left behind: devices that nobody serves, of ublk-host and of any\n"
		"other program, and files of devices that are gone. Tells what would be removed, and why.",
	.opts = opts,
};

struct gc_args {
	bool dry_run, yes, force, json;
};

enum outcome { WOULD_REMOVE, WOULD_KEEP, REMOVED, KEPT, FAILED };

static const char *outcome_word(enum outcome outcome)
{
	static const char *const words[] = {
		[WOULD_REMOVE] = "would-remove",
		[WOULD_KEEP] = "would-keep",
		[REMOVED] = "removed",
		[KEPT] = "kept",
		[FAILED] = "failed",
	};

	return words[outcome];
}

/* As down does it, with all that down checks once more. */
static enum outcome remove_device(const struct orphan *orphan, bool force, struct ctrl **ctrl)
{
	struct stop stop;
	enum outcome outcome;

	stop_begin(&stop, orphan->id, orphan->name ? orphan->name : "", force, 0, *ctrl);
	stop_finish(&stop, now_ms() + DEVICE_MS, ctrl);
	outcome = stop.outcome == STOP_FAILED ? FAILED : REMOVED;
	stop_free(&stop);
	return outcome;
}

static enum outcome remove_file(const struct orphan *orphan)
{
	int err = leftover_remove(orphan->file);

	if (!err)
		return REMOVED;
	log_err("cannot remove %s/%s: %s", state_dir(), orphan->file,
		err == -EBUSY ? "it belongs to a device now" : strerror(-err));
	return FAILED;
}

static enum outcome act(const struct orphan *orphan, const struct gc_args *gc, struct ctrl **ctrl)
{
	bool keep = *orphan->keep && !gc->force;

	if (!gc->yes)
		return keep ? WOULD_KEEP : WOULD_REMOVE;
	if (keep)
		return KEPT;
	if (orphan->file)
		return remove_file(orphan);
	/* What is to be kept was told; down asks for force where the device is another program's. */
	return remove_device(orphan, gc->force, ctrl);
}

/* An array of objects: kind ("device", "state", "statistics", "link", "memory", "temporary file"), id (null: a
 * file), name, file (a path, null: a device), why, kept_because (null: nothing speaks for it),
 * outcome. */
static json_t *to_json(const struct orphan *orphan, enum outcome outcome)
{
	char label[400];

	return json_pack(
		"{s:s, s:o, s:o, s:o, s:s, s:o, s:s}", "kind", orphan_kind_word(orphan->kind), "id",
		json_number_or_null(!orphan->file, orphan->id), "name",
		json_from_text(orphan->name), "file",
		json_from_text(orphan->file ? orphan_label(orphan, label, sizeof(label)) : NULL),
		"why", orphan->why, "kept_because",
		json_from_text(*orphan->keep ? orphan->keep : NULL), "outcome",
		outcome_word(outcome));
}

static int print_json(const struct orphan_list *list, const enum outcome *outcomes)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < list->nr; i++)
		if (json_array_append_new(array, to_json(&list->orphan[i], outcomes[i])) < 0) {
			json_decref(array);
			array = NULL;
		}
	return json_print(array);
}

static int print_text(const struct orphan_list *list, const enum outcome *outcomes, bool yes)
{
	struct table table;
	char label[400];
	bool more = false;
	int err;

	table_begin(&table, 4);
	for (size_t i = 0; i < list->nr; i++) {
		const struct orphan *orphan = &list->orphan[i];

		table_add(&table, "%s", outcome_word(outcomes[i]));
		table_add(&table, "%s", orphan_kind_word(orphan->kind));
		table_add(&table, "%s", orphan_label(orphan, label, sizeof(label)));
		table_add(&table, "%s%s%s", orphan->why, *orphan->keep ? "; " : "", orphan->keep);
		more |= outcomes[i] == WOULD_REMOVE;
	}
	err = table_print(&table, stdout);
	table_free(&table);
	if (err)
		log_err("cannot print the list: %s", strerror(-err));
	else if (!list->nr)
		log_info("nothing is left over");
	else if (more && !yes)
		log_info("nothing was removed: ublk-host gc --yes does that");
	return err ? EXIT_FAILED : EXIT_DONE;
}

static int run(const struct gc_args *gc)
{
	struct ctrl *ctrl = devices_ctrl();
	__cleanup_free enum outcome *outcomes = NULL;
	struct orphan_list list;
	int status = EXIT_FAILED, printed;

	if (!ctrl && !access(UBLK_CONTROL_PATH, F_OK))
		log_warn("only root sees whether other programs have left devices behind");
	if (orphans_find(&list, ctrl) < 0)
		goto out;
	outcomes = calloc(list.nr + 1, sizeof(*outcomes));
	if (!outcomes) {
		log_err("cannot look for what is left over: out of memory");
		goto out_free;
	}
	status = EXIT_DONE;
	for (size_t i = 0; i < list.nr; i++) {
		outcomes[i] = act(&list.orphan[i], gc, &ctrl);
		if (outcomes[i] == FAILED)
			status = EXIT_FAILED;
	}
	printed = gc->json ? print_json(&list, outcomes) : print_text(&list, outcomes, gc->yes);
	status = max_of(status, printed);
out_free:
	orphans_free(&list);
out:
	ctrl_close(ctrl);
	return status;
}

int verb_gc(int argc, char **argv)
{
	struct gc_args gc = { 0 };
	struct cli_args args;
	const char *value;
	int key, status;

	cli_begin(&args, &usage, argc, argv);
	while ((key = cli_next(&args, &value)) != CLI_END) {
		if (key == KEY_DRY_RUN)
			gc.dry_run = true;
		else if (key == KEY_YES)
			gc.yes = true;
		else if (key == 'f')
			gc.force = true;
		else if (key == 'j')
			gc.json = true;
		else
			cli_stray(&args, value);
	}
	if (gc.dry_run && gc.yes)
		cli_error(&args, "--dry-run and --yes exclude each other");
	status = cli_finish(&args);
	return status >= 0 ? status : run(&gc);
}
