// SPDX-License-Identifier: MIT
/* Plans for people and for programs. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/json_out.h"
#include "cli/manifest_plan.h"
#include "cli/table.h"

#define COLUMNS 3

const char *plan_kind_word(enum plan_kind kind)
{
	static const char *const words[] = { [PLAN_SAME] = "same",
					     [PLAN_ADD] = "to-be-added",
					     [PLAN_REMOVE] = "to-be-removed",
					     [PLAN_DIFFERS] = "differs" };

	return words[kind];
}

char *plan_change_text(const struct manifest_change *change)
{
	char is[CHANGE_TEXT_MAX], wanted[CHANGE_TEXT_MAX], values[2 * CHANGE_TEXT_MAX + 8] = "";
	const bool live = change->way != CHANGE_RECREATE;
	char *text;

	if (*change->key == '/')
		snprintf(values, sizeof(values), " %s -> %s",
			 change_value_text(change, change->is, is),
			 change_value_text(change, change->wanted, wanted));
	if (asprintf(&text, "%s%s (%s%s%s%s)", change->key, values, live ? "live, by " : "needs ",
		     change_way_word(change->way), change->why ? ": " : "",
		     change->why ? change->why : "") < 0)
		return NULL;
	return text;
}

/* All on one line; malloc()ed, NULL: no memory. */
static char *changes_text(const struct manifest_changes *changes)
{
	char *text = strdup(""), *longer;

	for (size_t i = 0; i < changes->nr && text; i++) {
		__cleanup_free char *one = plan_change_text(&changes->change[i]);

		if (!one || asprintf(&longer, "%s%s%s", text, i ? "; " : "", one) < 0)
			longer = NULL;
		free(text);
		text = longer;
	}
	return text;
}

static char *details(const struct plan_entry *entry)
{
	char *text;

	if (entry->kind == PLAN_DIFFERS)
		return changes_text(&entry->changes);
	if (asprintf(&text, "%s%s", entry->source, entry->kind == PLAN_REMOVE ? " is gone" : "") <
	    0)
		return NULL;
	return text;
}

static json_t *change_json(const struct manifest_change *change)
{
	return json_pack("{s:s, s:O?, s:O?, s:s, s:b, s:o}", "key", change->key, "is", change->is,
			 "wanted", change->wanted, "way", change_way_word(change->way), "live",
			 change->way != CHANGE_RECREATE, "why", json_from_text(change->why));
}

json_t *plan_entry_json(const struct plan_entry *entry, const char *outcome)
{
	json_t *changes = json_array(), *json;

	for (size_t i = 0; i < entry->changes.nr; i++)
		if (json_array_append_new(changes, change_json(&entry->changes.change[i]))) {
			json_decref(changes);
			return NULL;
		}
	json = json_pack("{s:s, s:s, s:o, s:o}", "name", entry->name, "status",
			 plan_kind_word(entry->kind), "manifest", json_from_text(entry->source),
			 "changes", changes);
	if (json && outcome && json_object_set_new(json, "outcome", json_string(outcome))) {
		json_decref(json);
		return NULL;
	}
	return json;
}

static int print_json(const struct plan *plan)
{
	json_t *list = json_array();

	for (size_t i = 0; i < plan->nr && list; i++)
		if (json_array_append_new(list, plan_entry_json(&plan->entry[i], NULL))) {
			json_decref(list);
			list = NULL;
		}
	return json_print(list);
}

int plan_print(const struct plan *plan, bool json)
{
	struct table table;
	int err;

	if (json)
		return print_json(plan);
	table_begin(&table, COLUMNS);
	for (size_t i = 0; i < plan->nr; i++) {
		__cleanup_free char *text = details(&plan->entry[i]);

		table_add(&table, "%s", plan_kind_word(plan->entry[i].kind));
		table_add(&table, "%s", plan->entry[i].name);
		table_add(&table, "%s", text ? text : "(out of memory)");
	}
	err = table_print(&table, stdout);
	if (err)
		log_err("cannot tell what differs: %s", strerror(-err));
	table_free(&table);
	return err ? EXIT_FAILED : EXIT_DONE;
}
