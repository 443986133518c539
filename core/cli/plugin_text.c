// SPDX-License-Identifier: MIT
/* Manifests as text. What is printed has passed plugin_manifest_check(): texts are single lines. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/plugin_text.h"

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* The profiles that serve any operation, each once: "map", "map, call". */
static void add_profiles(struct table *table, const json_t *manifest)
{
	const json_t *ops = json_object_get(manifest, "ops");
	bool used[PROFILE_CALL + 1] = { false };
	char text[64] = "";
	size_t len = 0;

	for (unsigned int op = 0; op < NR_OPS; op++)
		for (enum profile p = PROFILE_MAP; p <= PROFILE_CALL; p++)
			used[p] |= !strcmp(text_of(ops, op_name(op)), profile_name(p));
	for (enum profile p = PROFILE_MAP; p <= PROFILE_CALL; p++)
		if (used[p])
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s",
						len ? ", " : "", profile_name(p));
	table_add(table, "%s", text);
}

void plugin_table_head(struct table *table)
{
	static const char *const heads[PLUGIN_COLUMNS] = { "NAME", "VERSION", "PROFILE", "FILE",
							   "DESCRIPTION" };

	table_begin(table, PLUGIN_COLUMNS);
	for (size_t i = 0; i < PLUGIN_COLUMNS; i++)
		table_add(table, "%s", heads[i]);
}

void plugin_table_row(struct table *table, const struct plugin_entry *entry,
		      const struct plugin_info *info)
{
	table_add(table, "%s", entry->name);
	table_add(table, "%s", info->manifest ? text_of(info->manifest, "version") : "-");
	if (info->manifest)
		add_profiles(table, info->manifest);
	else
		table_add(table, "-");
	table_add(table, "%s", entry->has_so ? entry->path : entry->manifest);
	/* what hides it comes first: the rest does not matter then */
	if (entry->shadowed_by)
		table_add(table, "hidden by %s", entry->shadowed_by);
	else if (info->problem)
		table_add(table, "cannot be used: %s", info->problem);
	else if (info->manifest)
		table_add(table, "%s", text_of(info->manifest, "description"));
	else
		table_add(table, "(no manifest)");
}

/* A default or a bound: text, number or truth. buf: room for a number. */
static const char *value_text(const json_t *value, char *buf, size_t size)
{
	if (json_is_string(value))
		return json_string_value(value);
	if (json_is_boolean(value))
		return json_is_true(value) ? "true" : "false";
	snprintf(buf, size, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	return buf;
}

/* What to write for an option: its words, or a name for its type. malloc()ed. */
static char *argument_of(const json_t *option)
{
	static const struct {
		const char *type, *arg;
	} args[] = { { "bool", "true|false" }, { "u64", "N" },	      { "size", "SIZE" },
		     { "path", "PATH" },       { "secret", "@FILE" }, { "string", "STRING" } };
	const json_t *word;
	char *text = NULL, *longer;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(args); i++)
		if (!strcmp(args[i].type, text_of(option, "type")))
			return strdup(args[i].arg);
	json_array_foreach(json_object_get(option, "choices"), i, word)
	{
		if (asprintf(&longer, "%s%s%s", text ? text : "", text ? "|" : "",
			     json_string_value(word)) < 0)
			break;
		free(text);
		text = longer;
	}
	return text;
}

/* "Size of the device; 512 or more; default 250G" */
static void add_option(struct table *table, const json_t *option)
{
	const json_t *def = json_object_get(option, "default");
	const json_t *min = json_object_get(option, "min");
	const json_t *max = json_object_get(option, "max");
	__cleanup_free char *arg = argument_of(option);
	char range[80] = "", a[24], b[24];

	if (max)
		snprintf(range, sizeof(range), "; %s to %s",
			 min ? value_text(min, a, sizeof(a)) : "0", value_text(max, b, sizeof(b)));
	else if (min)
		snprintf(range, sizeof(range), "; %s or more", value_text(min, a, sizeof(a)));
	table_add(table, "  %s=%s", text_of(option, "name"), arg ? arg : "");
	table_add(table, "%s%s%s%s%s", text_of(option, "help"),
		  json_is_true(json_object_get(option, "required")) ? "; required" : "", range,
		  def ? "; default " : "", def ? value_text(def, a, sizeof(a)) : "");
}

static int print_options(const json_t *options)
{
	struct table table;
	const json_t *option;
	size_t i;
	int ret;

	if (!json_array_size(options)) {
		printf("\nIt takes no options.\n");
		return 0;
	}
	table_begin(&table, 2);
	json_array_foreach(options, i, option) add_option(&table, option);
	printf("\nOptions, each given as --opt NAME=VALUE:\n");
	ret = table_print(&table, stdout);
	table_free(&table);
	return ret;
}

static void print_words(const char *head, const json_t *words)
{
	const json_t *word;
	size_t i;

	if (!json_array_size(words))
		return;
	printf("%s", head);
	json_array_foreach(words, i, word) printf("%s%s", i ? ", " : "", json_string_value(word));
	printf("\n");
}

static void print_operations(const json_t *ops)
{
	const char *before = "Operations:  ";

	for (unsigned int op = 0; op < NR_OPS; op++) {
		const char *profile = text_of(ops, op_name(op));

		if (!strcmp(profile, profile_name(PROFILE_NONE)))
			continue;
		printf("%s%s (%s)", before, op_name(op), profile);
		before = ", ";
	}
	printf("\n");
}

int plugin_page(const struct plugin_entry *entry, const json_t *manifest)
{
	const json_t *abi = json_object_get(manifest, "abi");

	printf("%s %s - %s\n\nFile:        %s\n", text_of(manifest, "name"),
	       text_of(manifest, "version"), text_of(manifest, "description"), entry->path);
	printf("ABI:         %d.%d\n", (int)json_integer_value(json_object_get(abi, "major")),
	       (int)json_integer_value(json_object_get(abi, "minor")));
	printf("Threads:     %s%s\n", text_of(manifest, "thread_model"),
	       json_is_true(json_object_get(manifest, "nonblocking")) ? ", never blocks" : "");
	printf("Recovery:    %s\n", text_of(manifest, "recovery"));
	print_words("Extents:     ", json_object_get(manifest, "extents"));
	print_words("Data:        ", json_object_get(manifest, "data_modes"));
	print_operations(json_object_get(manifest, "ops"));
	print_words("Needs:       ", json_object_get(manifest, "needs"));
	return print_options(json_object_get(manifest, "options"));
}
