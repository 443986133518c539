// SPDX-License-Identifier: MIT
/* Verb list: every ublk device, one line each. Works without privilege, as far as files tell. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cli/devices.h"
#include "cli/json_out.h"
#include "cli/table.h"
#include "cli/usage.h"
#include "config/size.h"
#include "kernel/sysfs.h"

static const struct cli_opt opts[] = {
	CLI_OPT_JSON('j'),
	{ 0, NULL, NULL, NULL },
};

static const struct cli_usage usage = {
	.verb = "list",
	.synopsis = "[--json]",
	.about =
		"Lists all ublk devices, those of other servers too; to a user without privilege, those\n"
		"of that user, and of the system as far as its files tell.",
	.opts = opts,
	.notes =
		"States: live; stopping; dead (its server has ended: ublk-host down removes it);\n"
		"failed (its servers ended too often, io fails: ublk-host down removes it);\n"
		"quiesced, fail-io (its server has ended, io waits or fails until ublk-host recover);\n"
		"gone (only its state file is left); unknown (the driver does not answer).\n",
};

static void add_number(struct table *table, bool known, uint64_t number)
{
	if (known)
		table_add(table, "%" PRIu64, number);
	else
		table_add(table, "-");
}

static void add_row(struct table *table, const struct device_view *view)
{
	__cleanup_free char *plugin = device_plugin_name(view);
	char size[SIZE_TEXT_MAX], node[NODE_PATH_SIZE];

	table_add(table, "%" PRIu32, view->id);
	table_add(table, "%s", view->ours ? view->state.name : "-");
	table_add(table, "%s", view->has_disk ? node_block(view->id, node) : "-");
	table_add(table, "%s", view->size >= 0 ? size_format((uint64_t)view->size, size) : "-");
	if (view->ours)
		table_add(table, "%s", plugin ? plugin : "-");
	else
		table_add(table, "foreign%s%s%s", *view->command ? " (" : "", view->command,
			  *view->command ? ")" : "");
	table_add(table, "%s", device_condition_word(view));
	add_number(table, view->server_alive, (uint64_t)view->pid);
	add_number(table, view->queues, view->queues);
	add_number(table, view->depth, view->depth);
	table_add(table, "%s", view->ours && view->state.data_path ? view->state.data_path : "-");
}

static int print_table(const struct device_list *list)
{
	static const char *const heads[] = { "ID",    "NAME", "NODE",	"SIZE",	 "PLUGIN",
					     "STATE", "PID",  "QUEUES", "DEPTH", "PATH" };
	struct table table;
	size_t i;
	int err;

	if (list->hidden)
		log_info("%zu more, of other users: sudo ublk-host list shows them", list->hidden);
	if (!list->nr) {
		log_info("no ublk devices%s; ublk-host up --plugin NAME makes one",
			 list->hidden ? " of yours" : "");
		return EXIT_DONE;
	}
	table_begin(&table, ARRAY_SIZE(heads));
	for (i = 0; i < ARRAY_SIZE(heads); i++)
		table_add(&table, "%s", heads[i]);
	for (i = 0; i < list->nr; i++)
		add_row(&table, &list->view[i]);
	err = table_print(&table, stdout);
	if (err)
		log_err("cannot print the list: %s", strerror(-err));
	table_free(&table);
	for (i = 0; i < list->nr && !err; i++) {
		__cleanup_free char *remedy = device_remedy(&list->view[i]);

		if (remedy)
			log_info("%s has no server: %s", list->view[i].state.name, remedy);
	}
	return err ? EXIT_FAILED : EXIT_DONE;
}

/*
 * An array of objects, in order of id. Members, in this order; null where it is not known or there
 * is none: id, name, node, size (bytes), plugin, state, failed (why it was given up), pid, queues,
 * depth, data_path, foreign (true: without a state file, another program's), command (of the server),
 * remedy (a command that helps a device whose server is dead).
 */
static json_t *to_json(const struct device_view *view)
{
	__cleanup_free char *plugin = device_plugin_name(view), *remedy = device_remedy(view);
	char node[NODE_PATH_SIZE];

	return json_pack(
		"{s:I, s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:o}", "id",
		(json_int_t)view->id, "name", json_from_text(view->ours ? view->state.name : NULL),
		"node", json_from_text(view->has_disk ? node_block(view->id, node) : NULL), "size",
		json_number_or_null(view->size >= 0, view->size), "plugin", json_from_text(plugin),
		"state", device_condition_word(view), "failed",
		json_from_text(view->ours ? view->state.failed : NULL), "pid",
		json_number_or_null(view->server_alive, view->pid), "queues",
		json_number_or_null(view->queues, view->queues), "depth",
		json_number_or_null(view->depth, view->depth), "data_path",
		json_from_text(view->ours ? view->state.data_path : NULL), "foreign", !view->ours,
		"command", json_from_text(*view->command ? view->command : NULL), "remedy",
		json_from_text(remedy));
}

static json_t *list_to_json(const struct device_list *list)
{
	json_t *array = json_array();
	size_t i;

	for (i = 0; array && i < list->nr; i++)
		if (json_array_append_new(array, to_json(&list->view[i])) < 0) {
			json_decref(array);
			return NULL;
		}
	return array;
}

static int list(char **plugin_dirs, size_t nr_plugin_dirs, bool json)
{
	struct ctrl *ctrl = devices_ctrl();
	struct device_list list;
	int status = EXIT_FAILED;

	(void)plugin_dirs;
	(void)nr_plugin_dirs;
	if (device_list_read(&list, ctrl) == 0) {
		status = json ? json_print(list_to_json(&list)) : print_table(&list);
		device_list_free(&list);
	}
	ctrl_close(ctrl);
	return status;
}

int verb_list(int argc, char **argv)
{
	return cli_report(&usage, argc, argv, list);
}
