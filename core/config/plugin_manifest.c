// SPDX-License-Identifier: MIT
/* What a plugin's descriptor says, as JSON, and whether a manifest says the same. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "config/given.h"
#include "config/manifest_common.h"
#include "config/option_value.h"
#include "config/plugin_manifest_keys.h"
#include "config/size.h"

const struct plugin_manifest_key plugin_manifest_top_keys[] = {
	{ PLUGIN_MANIFEST_KEY, true },
	{ "name", true },
	{ "version", true },
	{ "description", true },
	{ "library", true },
	{ "abi", true },
	{ "thread_model", true },
	{ "nonblocking", true },
	{ "recovery", true },
	{ "ops", true },
	{ "extents", true },
	{ "data_modes", true },
	{ "needs", true },
	{ "options", true },
	{ NULL, false },
};

const struct plugin_manifest_key plugin_manifest_abi_keys[] = {
	{ "major", true }, { "minor", true }, { "min_host_minor", true }, { NULL, false }
};

const struct plugin_manifest_key plugin_manifest_option_keys[] = {
	{ "name", true }, { "type", true },	{ "required", true },
	{ "help", true }, { "choices", false }, { "default", false },
	{ "min", false }, { "max", false },	{ NULL, false }
};

const char *const plugin_manifest_ops[] = { [UBLK_OP_READ] = "read",
					    [UBLK_OP_WRITE] = "write",
					    [UBLK_OP_FLUSH] = "flush",
					    [UBLK_OP_DISCARD] = "discard",
					    [UBLK_OP_WRITE_ZEROES] = "write_zeroes",
					    NULL };

enum { NONE, MAP, ASYNC, CALL };
const char *const plugin_manifest_profiles[] = {
	[NONE] = "none", [MAP] = "map", [ASYNC] = "async", [CALL] = "call", NULL
};

const char *const plugin_manifest_threads[] = { "serial", "per-queue", "parallel", NULL };
const char *const plugin_manifest_recovery[] = { "none", "queue", "reissue", NULL };
const char *const plugin_manifest_extents[] = { "fd", "mem", "zero", "void", NULL };
const char *const plugin_manifest_data_modes[] = { "mapped", "fixed", NULL };
const char *const plugin_manifest_needs[] = { "files", "network", "processes", "ioctls", NULL };

static const char *profile_of(const struct ublk_plugin *desc, unsigned int op)
{
	const bool call[] = { desc->read != NULL, desc->write != NULL, desc->flush != NULL,
			      desc->discard != NULL, desc->write_zeroes != NULL };

	if (desc->map_ops & 1u << op)
		return plugin_manifest_profiles[MAP];
	if (desc->submit_ops & 1u << op)
		return plugin_manifest_profiles[ASYNC];
	return plugin_manifest_profiles[call[op] ? CALL : NONE];
}

static const char *threads_of(const struct ublk_plugin *desc)
{
	if (desc->thread_model < UBLK_THREADS_PER_QUEUE)
		return plugin_manifest_threads[0];
	return plugin_manifest_threads[desc->thread_model < UBLK_THREADS_PARALLEL ? 1 : 2];
}

static const char *recovery_of(const struct ublk_plugin *desc)
{
	if (!(desc->flags & UBLK_PLUGIN_RECOVERS))
		return plugin_manifest_recovery[0];
	return plugin_manifest_recovery[desc->flags & UBLK_PLUGIN_REISSUE ? 2 : 1];
}

static json_t *mask_json(uint32_t mask, const char *const *words)
{
	json_t *list = json_array();

	for (unsigned int bit = 0; words[bit]; bit++) {
		if (mask & 1u << bit && json_array_append_new(list, json_string(words[bit]))) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *ops_json(const struct ublk_plugin *desc)
{
	json_t *ops = json_object();

	for (unsigned int op = 0; plugin_manifest_ops[op]; op++) {
		if (json_object_set_new(ops, plugin_manifest_ops[op],
					json_string(profile_of(desc, op)))) {
			json_decref(ops);
			return NULL;
		}
	}
	return ops;
}

static json_t *choices_json(const char *choices)
{
	json_t *list = json_array();

	while (choices) {
		size_t n = strcspn(choices, "|");

		if (json_array_append_new(list, json_stringn(choices, n))) {
			json_decref(list);
			return NULL;
		}
		choices = choices[n] ? choices + n + 1 : NULL;
	}
	return list;
}

/* Sizes as people write them, other numbers as such, above what JSON integers hold as a string. */
static json_t *number_json(uint32_t type, uint64_t v)
{
	char text[SIZE_TEXT_MAX];

	if (type == UBLK_OPT_SIZE)
		return json_string(size_format(v, text));
	if (v <= INT64_MAX)
		return json_integer((json_int_t)v);
	snprintf(text, sizeof(text), "%" PRIu64, v);
	return json_string(text);
}

/* A default in the JSON type of its option. It has passed options_check_table(). */
static json_t *default_json(const struct ublk_opt_spec *o)
{
	struct option_value value;
	char why[OPTION_WHY_MAX];
	json_t *json = NULL;
	struct given g;

	given_from_text(&g, o->def);
	if (option_value_parse(o, &g, NULL, &value, why))
		return NULL;
	if (o->type == UBLK_OPT_BOOL)
		json = json_boolean(value.u64);
	else if (option_has_bounds(o->type))
		json = number_json(o->type, value.u64);
	else
		json = json_string(value.str);
	option_value_free(&value);
	return json;
}

static json_t *option_json(const struct ublk_opt_spec *o)
{
	json_t *option = json_pack("{s:s, s:s, s:b, s:s}", "name", o->name, "type",
				   option_type_name(o->type), "required",
				   !!(o->flags & UBLK_OPTF_REQUIRED), "help", o->help);
	int err = option ? 0 : -1;

	if (!err && o->choices)
		err = json_object_set_new(option, "choices", choices_json(o->choices));
	if (!err && o->def)
		err = json_object_set_new(option, "default", default_json(o));
	if (!err && o->min)
		err = json_object_set_new(option, "min", number_json(o->type, o->min));
	if (!err && o->max)
		err = json_object_set_new(option, "max", number_json(o->type, o->max));
	if (err) {
		json_decref(option);
		return NULL;
	}
	return option;
}

static json_t *options_json(const struct ublk_plugin *desc)
{
	json_t *options = json_array();

	for (uint32_t i = 0; i < desc->nr_opts; i++) {
		struct ublk_opt_spec o = options_spec(desc->opts, desc->opt_spec_size, i);

		if (json_array_append_new(options, option_json(&o))) {
			json_decref(options);
			return NULL;
		}
	}
	return options;
}

json_t *plugin_manifest_build(const struct ublk_plugin *desc, const char *library)
{
	char version[24];

	snprintf(version, sizeof(version), "%u.%u", PLUGIN_MANIFEST_MAJOR, PLUGIN_MANIFEST_MINOR);
	return json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:{s:i, s:i, s:i}, s:s, s:b, s:s, s:o, s:o, s:o, s:o, s:o}",
		PLUGIN_MANIFEST_KEY, version, "name", desc->name, "version", desc->version,
		"description", desc->description, "library", library, "abi", "major",
		(int)desc->abi_major, "minor", (int)desc->abi_minor, "min_host_minor",
		(int)desc->min_host_minor, "thread_model", threads_of(desc), "nonblocking",
		!!(desc->flags & UBLK_PLUGIN_NONBLOCKING), "recovery", recovery_of(desc), "ops",
		ops_json(desc), "extents", mask_json(desc->map_kinds, plugin_manifest_extents),
		"data_modes", mask_json(desc->data_modes, plugin_manifest_data_modes), "needs",
		mask_json(desc->flags / UBLK_PLUGIN_NEEDS_FILES, plugin_manifest_needs), "options",
		options_json(desc));
}

struct comparison {
	const struct json_text *jt;
	const char *library;
	bool newer; /* of a later minor than ours: may say more than we know */
	struct errors *errors;
};

/* Short words for one side: the value itself, if it is short. */
static const char *shown(const json_t *value, char buf[GIVEN_SHOW_MAX])
{
	struct given g;

	if (!value)
		return "nothing";
	given_from_json(&g, value);
	if (g.kind == GIVEN_STRING)
		g.kind = GIVEN_TEXT; /* plain quotation marks */
	return given_show(&g, buf);
}

static void differ(const struct comparison *c, const char *pointer, const json_t *theirs,
		   const json_t *ours)
{
	char a[GIVEN_SHOW_MAX], b[GIVEN_SHOW_MAX];

	json_text_error(c->jt, pointer, false, c->errors, "stale manifest: says %s, %s says %s",
			shown(theirs, a), c->library, shown(ours, b));
}

static void compare(const struct comparison *c, const char *pointer, json_t *theirs, json_t *ours);

/* One member or element, of which either side may be missing. */
static void compare_child(const struct comparison *c, const char *parent, const char *name,
			  json_t *theirs, json_t *ours)
{
	__cleanup_free char *pointer = json_pointer_join(parent, name);

	if (!pointer)
		errors_add(c->errors, "out of memory");
	else if (c->newer && !ours)
		return;
	else if (!theirs || !ours)
		differ(c, pointer, theirs, ours);
	else
		compare(c, pointer, theirs, ours);
}

static void compare_objects(const struct comparison *c, const char *pointer, json_t *theirs,
			    json_t *ours)
{
	const char *key;
	json_t *value;

	json_object_foreach(ours, key, value)
		compare_child(c, pointer, key, json_object_get(theirs, key), value);
	json_object_foreach(theirs, key, value)
	{
		if (!json_object_get(ours, key) && !manifest_ignores(key, !*pointer))
			compare_child(c, pointer, key, value, NULL);
	}
}

static void compare_arrays(const struct comparison *c, const char *pointer, const json_t *theirs,
			   const json_t *ours)
{
	size_t nr = max_of(json_array_size(theirs), json_array_size(ours));
	char index[24];

	for (size_t i = 0; i < nr; i++) {
		snprintf(index, sizeof(index), "%zu", i);
		compare_child(c, pointer, index, json_array_get(theirs, i),
			      json_array_get(ours, i));
	}
}

static void compare(const struct comparison *c, const char *pointer, json_t *theirs, json_t *ours)
{
	if (json_is_object(theirs) && json_is_object(ours))
		compare_objects(c, pointer, theirs, ours);
	else if (json_is_array(theirs) && json_is_array(ours))
		compare_arrays(c, pointer, theirs, ours);
	else if (!json_equal(theirs, ours))
		differ(c, pointer, theirs, ours);
}

int plugin_manifest_compare(const struct json_text *jt, const struct ublk_plugin *desc,
			    const char *library, struct errors *errors)
{
	struct comparison c = { .jt = jt, .library = library, .errors = errors };
	size_t before = errors_count(errors);
	json_t *ours = plugin_manifest_build(desc, library);
	char note[MANIFEST_NOTE_MAX];

	if (!ours) {
		errors_add(errors, "%s: cannot be compared with %s: out of memory", jt->file,
			   library);
		return -ENOMEM;
	}
	c.newer = !manifest_version(jt, PLUGIN_MANIFEST_KEY, PLUGIN_MANIFEST_MAJOR,
				    PLUGIN_MANIFEST_MINOR, note, errors) &&
		  *note;
	json_object_set(ours, PLUGIN_MANIFEST_KEY, json_object_get(jt->root, PLUGIN_MANIFEST_KEY));
	compare(&c, "", jt->root, ours);
	json_decref(ours);
	return errors_count(errors) > before ? -ESTALE : 0;
}

bool plugin_line_ok(const char *text)
{
	const char *p = text;

	while (*p && !is_control(p))
		p++;
	return p > text && !*p && given_is_utf8(text);
}
