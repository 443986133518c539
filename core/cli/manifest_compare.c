// SPDX-License-Identifier: MIT
/* What a manifest asks for, against what a device was made from. */
#include <stdio.h>
#include <string.h>

#include "cli/manifest_compare.h"
#include "config/device_manifest.h"
#include "config/given.h"
#include "config/path.h"

#define OPTIONS "/options/"

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

static int add_option(json_t *wanted, const struct option_arg *arg)
{
	__cleanup_free char *key = NULL;

	if (asprintf(&key, OPTIONS "%s", arg->key) < 0) {
		key = NULL;
		return -ENOMEM;
	}
	return json_object_set_new(wanted, key, json_string(arg->value)) ? -ENOMEM : 0;
}

json_t *manifest_wanted(const struct device_config *cfg)
{
	json_t *all = device_manifest_build(cfg, NULL, NULL), *wanted = json_object();
	int err = all && wanted ? 0 : -ENOMEM;

	for (int key = 0; key < CFG_NR_KEYS && !err; key++) {
		const char *pointer = config_key_spec(key)->pointer;
		json_t *value = at_pointer(all, pointer);

		if (cfg->where[key] && value)
			err = json_object_set(wanted, pointer, value);
	}
	for (size_t i = 0; i < cfg->nr_opts && !err; i++)
		err = add_option(wanted, &cfg->opts[i]);
	json_decref(all);
	if (!err)
		return wanted;
	json_decref(wanted);
	return NULL;
}

static const struct option_arg *find_option(const struct device_config *cfg, const char *name)
{
	for (size_t i = 0; i < cfg->nr_opts; i++)
		if (!strcmp(cfg->opts[i].key, name))
			return &cfg->opts[i];
	return NULL;
}

/* An option as it was written, and as the plugin's table had it understood. */
static bool same_option(const struct option_arg *arg, const json_t *value)
{
	__cleanup_free char *path = NULL;
	struct given given;
	uint64_t size;
	bool truth;

	given_from_text(&given, arg->value);
	if (json_is_boolean(value))
		return !given_bool(&given, &truth) && truth == json_is_true(value);
	if (json_is_integer(value))
		return !given_size(&given, &size) && size == (uint64_t)json_integer_value(value);
	if (!json_is_string(value))
		return true;
	if (!strcmp(json_string_value(value), arg->value))
		return true;
	path = path_absolute(arg->folder, arg->value);
	return path && !strcmp(json_string_value(value), path);
}

static bool is_negotiated(const char *pointer)
{
	static const char *const keys[] = { "/device/queues",	     "/device/depth",
					    "/device/max_io",	     "/device/threads_per_queue",
					    "/limits/logical_block", "/limits/physical_block",
					    "/device/shared_memory" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (!strcmp(pointer, keys[i]))
			return true;
	return false;
}

static bool same(const struct device_config *cfg, const char *key, const json_t *wanted,
		 const json_t *is)
{
	const char *word = json_string_value(wanted);

	if (!is || is_negotiated(key) || (word && !strcmp(word, "auto")))
		return true;
	if (!strncmp(key, OPTIONS, strlen(OPTIONS)))
		return same_option(find_option(cfg, key + strlen(OPTIONS)), is);
	return json_equal(wanted, is);
}

json_t *manifest_made(const struct device_config *cfg, json_t *wanted, const json_t *resolved)
{
	json_t *made = json_object(), *value;
	const char *key;

	json_object_foreach(wanted, key, value)
	{
		json_t *is = at_pointer(resolved, key);

		if (same(cfg, key, value, is))
			is = value;
		if (made && json_object_set(made, key, is)) {
			json_decref(made);
			return NULL;
		}
	}
	return made;
}

void manifest_note_size(json_t *made, const struct device_config *cfg, json_t *wanted,
			const json_t *resolved)
{
	const char *key = OPTIONS "size";
	json_t *is = at_pointer(resolved, key), *value = json_object_get(wanted, key);

	if (value && json_is_integer(is))
		json_object_set(made, key, same(cfg, key, value, is) ? value : is);
}

static size_t add_key(char *buf, size_t size, size_t len, const char *key)
{
	if (len < size)
		len += snprintf(buf + len, size - len, "%s%s", len ? ", " : "", key);
	return len;
}

const char *manifest_differences(json_t *made, json_t *wanted, char *buf, size_t size)
{
	json_t *value;
	const char *key;
	size_t len = 0;

	*buf = 0;
	json_object_foreach(wanted, key, value) if (!json_equal(value, json_object_get(made, key)))
		len = add_key(buf, size, len, key);
	json_object_foreach(made, key, value) if (!json_object_get(wanted, key)) len =
		add_key(buf, size, len, key);
	return buf;
}
