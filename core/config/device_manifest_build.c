// SPDX-License-Identifier: MIT
/* struct device_config back to a device manifest, for state files. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "config/device_manifest.h"

static json_t *number(uint64_t v)
{
	char text[24];

	if (v <= INT64_MAX)
		return json_integer((json_int_t)v);
	snprintf(text, sizeof(text), "%" PRIu64, v);
	return json_string(text);
}

static json_t *text_or_null(const char *text)
{
	return text ? json_string(text) : json_null();
}

static json_t *paths(const struct path_list *list)
{
	json_t *array = list->nr ? json_array() : json_null();

	for (size_t i = 0; array && i < list->nr; i++)
		if (json_array_append_new(array, json_string(list->path[i]))) {
			json_decref(array);
			return NULL;
		}
	return array;
}

/* json_null(): there is nothing to write. */
static json_t *value_of(const struct device_config *cfg, const struct config_key_spec *spec)
{
	const void *at = (const char *)cfg + spec->offset;

	switch (spec->type) {
	case CFG_TYPE_NAME:
	case CFG_TYPE_PLUGIN:
	case CFG_TYPE_WORD:
	case CFG_TYPE_USER:
		return text_or_null(*(char *const *)at);
	case CFG_TYPE_CPUS:
		if (cfg->cpus_mode == CPUS_LIST)
			return text_or_null(cfg->cpus_list);
		return json_string(cfg->cpus_mode == CPUS_NONE ? "none" : "auto");
	case CFG_TYPE_AUTO:
		if (*(const int64_t *)at < 0)
			return json_string("auto");
		return json_integer(*(const int64_t *)at);
	case CFG_TYPE_PATHS:
		return paths(at);
	case CFG_TYPE_BOOL:
		return json_boolean(*(const bool *)at);
	case CFG_TYPE_INT:
	case CFG_TYPE_SIZE:
	case CFG_TYPE_POW2:
		if (!*(const uint32_t *)at && spec->min)
			return json_null();
		return json_integer(*(const uint32_t *)at);
	}
	return NULL;
}

/* Put value at "/key" or "/section/key". Takes the reference. */
static int put(json_t *root, const char *pointer, json_t *value)
{
	const char *slash = strchr(pointer + 1, '/');
	__cleanup_free char *section = NULL;
	json_t *object = root;

	if (json_is_null(value)) {
		json_decref(value);
		return 0;
	}
	if (slash) {
		section = strndup(pointer + 1, (size_t)(slash - pointer - 1));
		if (section && !json_object_get(root, section))
			json_object_set_new(root, section, json_object());
		object = section ? json_object_get(root, section) : NULL;
	}
	return json_object_set_new(object, slash ? slash + 1 : pointer + 1, value);
}

static json_t *option_json(const struct ublk_opt_spec *o, const struct option_values *values,
			   uint32_t i)
{
	const struct ublk_opt *opt = &values->opt[i];
	__cleanup_free char *at_file = NULL;

	switch (o->type) {
	case UBLK_OPT_BOOL:
		return json_boolean(opt->u64);
	case UBLK_OPT_U64:
	case UBLK_OPT_SIZE:
		return number(opt->u64);
	case UBLK_OPT_SECRET:
		if (!values->secret_file[i])
			return json_null();
		if (asprintf(&at_file, "@%s", values->secret_file[i]) < 0) {
			at_file = NULL;
			return NULL;
		}
		return json_string(at_file);
	default:
		return json_string(opt->str);
	}
}

static json_t *options_json(const struct ublk_plugin *desc, const struct option_values *values)
{
	json_t *options = json_object();

	for (uint32_t i = 0; options && i < desc->nr_opts; i++) {
		struct ublk_opt_spec o = options_spec(desc->opts, desc->opt_spec_size, i);
		json_t *value;

		if (!values->opt[i].is_set)
			continue;
		value = option_json(&o, values, i);
		if (!json_is_null(value) && json_object_set_new(options, o.name, value)) {
			json_decref(options);
			return NULL;
		}
	}
	return options;
}

json_t *device_manifest_build(const struct device_config *cfg, const struct ublk_plugin *desc,
			      const struct option_values *values)
{
	char version[24];
	json_t *root = json_object();
	int err;

	snprintf(version, sizeof(version), "%u.%u", DEVICE_MANIFEST_MAJOR, DEVICE_MANIFEST_MINOR);
	err = json_object_set_new(root, DEVICE_MANIFEST_KEY, json_string(version));
	for (int key = 0; !err && key < CFG_NR_KEYS; key++) {
		const struct config_key_spec *spec = config_key_spec(key);

		err = put(root, spec->pointer, value_of(cfg, spec));
		if (!err && key == CFG_PLUGIN && desc && values)
			err = json_object_set_new(root, "options", options_json(desc, values));
	}
	if (err) {
		json_decref(root);
		return NULL;
	}
	return root;
}
