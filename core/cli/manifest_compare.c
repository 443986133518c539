// SPDX-License-Identifier: MIT
/* What a manifest asks for, against what a device is. */
#include <stdio.h>
#include <string.h>

#include "cli/manifest_compare.h"
#include "config/device_manifest.h"
#include "config/given.h"
#include "config/path.h"
#include "config/size.h"

#define OPTIONS "/options/"

struct comparison {
	const struct device_config *cfg;
	const char *plugin_path;
	const struct device_state *state;
	const json_t *plugin;
	json_t *wanted, *defaults;
	struct manifest_changes *changes;
};

/* The value at "/key" or "/section/key", borrowed; NULL: none. */
static json_t *at_pointer(const json_t *root, const char *pointer)
{
	const char *slash = strchr(pointer + 1, '/');
	__cleanup_free char *section = NULL;

	if (!slash)
		return json_object_get(root, pointer + 1);
	section = strndup(pointer + 1, (size_t)(slash - pointer - 1));
	return section ? json_object_get(json_object_get(root, section), slash + 1) : NULL;
}

static bool is_option(const char *key)
{
	return !strncmp(key, OPTIONS, strlen(OPTIONS));
}

static int add_option(json_t *given, const struct option_arg *arg)
{
	__cleanup_free char *key = NULL;

	if (asprintf(&key, OPTIONS "%s", arg->key) < 0) {
		key = NULL;
		return -ENOMEM;
	}
	return json_object_set_new(given, key, json_null()) ? -ENOMEM : 0;
}

json_t *manifest_asked(const struct device_config *cfg)
{
	json_t *all = device_manifest_build(cfg, NULL, NULL), *given = json_object();
	int err = all && given ? 0 : -ENOMEM;

	for (int key = 0; key < CFG_NR_KEYS && !err; key++) {
		const char *pointer = config_key_spec(key)->pointer;
		json_t *value = at_pointer(all, pointer);

		if (cfg->where[key] && value && key != CFG_NAME)
			err = json_object_set(given, pointer, value);
	}
	for (size_t i = 0; i < cfg->nr_opts && !err; i++)
		err = add_option(given, &cfg->opts[i]);
	json_decref(all);
	if (!err)
		return given;
	json_decref(given);
	return NULL;
}

/* A manifest with what a device has that nothing was said about, where that is the same everywhere. */
static json_t *make_defaults(void)
{
	struct device_config cfg;
	json_t *defaults = NULL;

	device_config_init(&cfg);
	cfg.depth = DEFAULT_DEPTH;
	cfg.max_io = DEFAULT_MAX_IO;
	cfg.threads_per_queue = 1;
	cfg.sandbox = strdup("full");
	if (cfg.sandbox)
		defaults = device_manifest_build(&cfg, NULL, NULL);
	device_config_free(&cfg);
	return defaults;
}

/* -- the ways */

/* Keys that are the server's, and nothing to the device: the next server may have others. */
static const enum config_key of_server[] = { CFG_PLUGIN,  CFG_IO_TIMEOUT, CFG_PLUGIN_TIMEOUT,
					     CFG_POLL_US, CFG_SANDBOX,	  CFG_SWAP_SAFE,
					     CFG_USER,	  CFG_CPUS };

static enum change_way way_of(const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(of_server); i++)
		if (!strcmp(key, config_key_spec(of_server[i])->pointer))
			return CHANGE_UPGRADE;
	return strcmp(key, OPTIONS "size") ? CHANGE_RECREATE : CHANGE_RESIZE;
}

const char *change_way_word(enum change_way way)
{
	static const char *const words[] = { [CHANGE_RECOVER] = "recover",
					     [CHANGE_RESIZE] = "resize",
					     [CHANGE_UPGRADE] = "upgrade",
					     [CHANGE_RECREATE] = "re-creation" };

	return words[way];
}

int manifest_change_set_way(struct manifest_change *change, enum change_way way, const char *why)
{
	char *copy = why ? strdup(why) : NULL;

	if (why && !copy)
		return -ENOMEM;
	free(change->why);
	change->why = copy;
	change->way = way;
	return 0;
}

int manifest_change_add(struct manifest_changes *changes, const char *key, enum change_way way,
			const char *why)
{
	struct manifest_change *grown =
		reallocarray(changes->change, changes->nr + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	changes->change = grown;
	grown[changes->nr] = (struct manifest_change){ .key = strdup(key) };
	if (!grown[changes->nr].key)
		return -ENOMEM;
	return manifest_change_set_way(&grown[changes->nr++], way, why);
}

/* -- the values */

static const struct option_arg *find_option(const struct device_config *cfg, const char *name)
{
	for (size_t i = 0; i < cfg->nr_opts; i++)
		if (!strcmp(cfg->opts[i].key, name))
			return &cfg->opts[i];
	return NULL;
}

/* What the plugin's table says of an option; NULL: not known. */
static const json_t *option_spec(const struct comparison *c, const char *name)
{
	const json_t *option;
	size_t i;

	json_array_foreach(json_object_get(c->plugin, "options"), i, option)
	{
		const char *other = json_string_value(json_object_get(option, "name"));

		if (other && !strcmp(other, name))
			return option;
	}
	return NULL;
}

static bool has_type(const json_t *spec, const char *wanted)
{
	const char *type = json_string_value(json_object_get(spec, "type"));

	return type && !strcmp(type, wanted);
}

/* A path, or "@PATH", as it was written and as it was understood. */
static bool same_path(const struct option_arg *arg, const char *is)
{
	const char *value = arg->value;
	__cleanup_free char *path = NULL;

	if (*is == '@' && *value == '@') {
		is++;
		value++;
	}
	path = path_absolute(arg->folder, value);
	return path && !strcmp(is, path);
}

/* An option's value and one that the plugin's table had understood, however each is written. */
static bool same_value(const struct given *given, const json_t *spec, const json_t *is)
{
	struct given other;
	uint64_t size, is_size;
	bool truth;

	given_from_json(&other, is);
	if (json_is_boolean(is))
		return !given_bool(given, &truth) && truth == json_is_true(is);
	if (json_is_integer(is) || has_type(spec, "size"))
		return !given_size(given, &size) && !given_size(&other, &is_size) &&
		       size == is_size;
	return given_string(given) && json_is_string(is) && !strcmp(other.text, given->text);
}

/* An option as it was written, and as the plugin's table had it understood. */
static bool same_option(const struct option_arg *arg, const json_t *spec, const json_t *is)
{
	struct given given, other;
	bool truth, is_true;

	given_from_text(&given, arg->value);
	if (same_value(&given, spec, is))
		return true;
	if (!json_is_string(is))
		return false;
	given_from_text(&other, json_string_value(is));
	if (same_path(arg, other.text))
		return true;
	/* a choice between on and off takes a boolean, too */
	return arg->is_bool && !given_bool(&given, &truth) && !given_bool(&other, &is_true) &&
	       truth == is_true;
}

/* A default may be written otherwise than the state has it: "250G". */
static bool is_default(const struct comparison *c, const char *name, const json_t *is)
{
	const json_t *spec = option_spec(c, name), *def = json_object_get(spec, "default");
	struct given given;

	if (!def || !is)
		return false;
	given_from_json(&given, def);
	return json_equal(def, is) || same_value(&given, spec, is);
}

/* An option that the state does not have was not given when the device was made, or is a secret. */
static bool option_satisfied(const struct comparison *c, const char *key, const json_t *is)
{
	const char *name = key + strlen(OPTIONS);
	const struct option_arg *arg = find_option(c->cfg, name);
	const json_t *spec = option_spec(c, name), *def = json_object_get(spec, "default");

	if (is)
		return same_option(arg, spec, is);
	if (!c->state->asked || json_object_get(c->state->asked, key))
		return !spec || has_type(spec, "secret") || (def && same_option(arg, spec, def));
	return def && same_option(arg, spec, def);
}

/* What the driver, or the plugin, may have given less of than was asked for. */
static bool is_negotiated(const char *key)
{
	static const enum config_key keys[] = { CFG_QUEUES, CFG_DEPTH, CFG_MAX_IO,
						CFG_THREADS_PER_QUEUE };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (!strcmp(key, config_key_spec(keys[i])->pointer))
			return true;
	return false;
}

static bool is_key(const char *key, enum config_key wanted)
{
	return !strcmp(key, config_key_spec(wanted)->pointer);
}

static bool is_auto(const json_t *value)
{
	const char *word = json_string_value(value);

	return word && !strcmp(word, "auto");
}

/* Of a key that the state has resolved to something else than was asked for: is that still what is asked? */
static bool resolved_from(const struct comparison *c, const char *key, const json_t *wanted,
			  const json_t *is)
{
	const json_t *asked = json_object_get(c->state->asked, key);

	if (is_key(key, CFG_ID))
		return is_auto(wanted);
	if (is_key(key, CFG_RECOVERY) && is_auto(wanted))
		return !asked || is_auto(asked);
	if (!is_negotiated(key) && !is_key(key, CFG_READ_ONLY))
		return false;
	if (c->state->asked)
		return asked && json_equal(asked, wanted);
	return is_negotiated(key) && json_integer_value(wanted) > json_integer_value(is);
}

static bool plugin_satisfied(const struct comparison *c, const json_t *wanted, const json_t *is)
{
	if (!c->plugin_path || !c->state->plugin_path)
		return json_equal(wanted, is);
	return !strcmp(c->plugin_path, c->state->plugin_path);
}

static bool satisfied(const struct comparison *c, const char *key, const json_t *wanted,
		      const json_t *is)
{
	if (is_option(key))
		return option_satisfied(c, key, is);
	if (is_key(key, CFG_PLUGIN))
		return plugin_satisfied(c, wanted, is);
	if (!is)
		is = at_pointer(c->defaults, key);
	return json_equal(wanted, is) || resolved_from(c, key, wanted, is);
}

/* A key that the device was made with, and of which nothing is said any more. */
static bool default_satisfied(const struct comparison *c, const char *key, const json_t *is)
{
	const json_t *def = at_pointer(c->defaults, key);

	if (way_of(key) == CHANGE_UPGRADE || is_key(key, CFG_ID))
		return true; /* whoever asked for it: compare_server(); any will do */
	if (!is_option(key))
		return def && (json_equal(def, is) ||
			       json_equal(def, json_object_get(c->state->asked, key)));
	return is_default(c, key + strlen(OPTIONS), is);
}

static json_t *wanted_value(const struct comparison *c, const char *key, json_t *value)
{
	if (is_option(key))
		return json_string(find_option(c->cfg, key + strlen(OPTIONS))->value);
	if (is_key(key, CFG_PLUGIN) && c->plugin_path)
		return json_string(c->plugin_path);
	return json_incref(value);
}

static bool same_plugin(const struct comparison *c)
{
	const char *key = config_key_spec(CFG_PLUGIN)->pointer;
	const json_t *wanted = json_object_get(c->wanted, key);

	return !wanted || satisfied(c, key, wanted, at_pointer(c->state->manifest, key));
}

/* A secret, or what may be one: without the table of the plugin, to which another may give a secret of the same
 * name, that is every option but the one that the host knows. A secret that was read from a file is in the
 * state: being there proves nothing. */
static bool is_hidden(const struct comparison *c, const char *key)
{
	const json_t *spec;

	if (!is_option(key))
		return false;
	spec = option_spec(c, key + strlen(OPTIONS));
	if (has_type(spec, "secret"))
		return true;
	return strcmp(key, OPTIONS "size") && (!spec || !same_plugin(c));
}

/* wanted NULL: the default. */
static int add_change(struct comparison *c, const char *key, json_t *is, json_t *wanted)
{
	enum change_way way = wanted || !is_option(key) ? way_of(key) : CHANGE_RECREATE;
	struct manifest_change *change;

	if (manifest_change_add(c->changes, key, way, NULL))
		return -ENOMEM;
	change = &c->changes->change[c->changes->nr - 1];
	change->hidden = is_hidden(c, key);
	if (change->hidden)
		return 0;
	change->is = is_key(key, CFG_PLUGIN) && c->state->plugin_path
			     ? json_string(c->state->plugin_path)
			     : json_incref(is);
	change->wanted = wanted ? wanted_value(c, key, wanted) : NULL;
	return !wanted || change->wanted ? 0 : -ENOMEM;
}

/* What the manifest does not give of these is the default, whatever the device was made with. */
static int compare_server(struct comparison *c)
{
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(of_server) && !err; i++) {
		const char *key = config_key_spec(of_server[i])->pointer;
		json_t *is = at_pointer(c->state->manifest, key);

		if (is && !json_object_get(c->wanted, key) &&
		    !json_equal(is, at_pointer(c->defaults, key)))
			err = add_change(c, key, is, NULL);
	}
	return err;
}

static int compare(struct comparison *c)
{
	const json_t *resolved = c->state->manifest;
	const char *key;
	json_t *value;
	int err = 0;

	json_object_foreach(c->wanted, key, value)
	{
		json_t *is = at_pointer(resolved, key);

		if (!err && !satisfied(c, key, value, is))
			err = add_change(c, key, is, value);
	}
	json_object_foreach(c->state->asked, key, value)
	{
		json_t *is = at_pointer(resolved, key);

		if (!err && !json_object_get(c->wanted, key) && !default_satisfied(c, key, is))
			err = add_change(c, key, is, NULL);
	}
	return err ? err : compare_server(c);
}

int manifest_compare(struct manifest_changes *changes, const struct device_config *cfg,
		     const char *plugin_path, const struct device_state *state,
		     const json_t *plugin)
{
	struct comparison c = { .cfg = cfg,
				.plugin_path = plugin_path,
				.state = state,
				.plugin = plugin,
				.wanted = manifest_asked(cfg),
				.defaults = make_defaults(),
				.changes = changes };
	int err = c.wanted && c.defaults ? 0 : -ENOMEM;

	*changes = (struct manifest_changes){ 0 };
	if (!err)
		err = compare(&c);
	json_decref(c.wanted);
	json_decref(c.defaults);
	return err;
}

void manifest_changes_free(struct manifest_changes *changes)
{
	for (size_t i = 0; i < changes->nr; i++) {
		free(changes->change[i].key);
		free(changes->change[i].why);
		json_decref(changes->change[i].is);
		json_decref(changes->change[i].wanted);
	}
	free(changes->change);
	*changes = (struct manifest_changes){ 0 };
}

enum change_way manifest_changes_way(const struct manifest_changes *changes)
{
	enum change_way way = changes->change[0].way;

	for (size_t i = 1; i < changes->nr; i++)
		way = max_of(way, changes->change[i].way);
	return way;
}

const char *manifest_changes_keys(const struct manifest_changes *changes, unsigned int ways,
				  char *buf, size_t size)
{
	size_t len = 0;

	*buf = 0;
	for (size_t i = 0; i < changes->nr && len < size; i++)
		if (ways & 1u << changes->change[i].way)
			len += snprintf(buf + len, size - len, "%s%s", len ? ", " : "",
					changes->change[i].key);
	return buf;
}

static bool is_size_key(const char *key)
{
	return !strcmp(key, OPTIONS "size") || is_key(key, CFG_MAX_IO) ||
	       is_key(key, CFG_LOGICAL_BLOCK) || is_key(key, CFG_PHYSICAL_BLOCK);
}

const char *change_value_text(const struct manifest_change *change, const json_t *value,
			      char buf[CHANGE_TEXT_MAX])
{
	__cleanup_free char *text =
		value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;

	if (!value)
		snprintf(buf, CHANGE_TEXT_MAX, "%s", change->hidden ? "(not shown)" : "(default)");
	else if (json_is_integer(value) && is_size_key(change->key))
		size_format((uint64_t)json_integer_value(value), buf);
	else if (json_is_string(value))
		snprintf(buf, CHANGE_TEXT_MAX, "%s", json_string_value(value));
	else
		snprintf(buf, CHANGE_TEXT_MAX, "%s", text ? text : "?");
	return buf;
}
