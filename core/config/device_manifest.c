// SPDX-License-Identifier: MIT
/* Device manifests to struct device_config, driven by the table of config_key_spec(). */
#include <stdio.h>
#include <string.h>

#include "config/config_keys.h"
#include "config/device_manifest.h"
#include "config/manifest_common.h"
#include "config/path.h"

#define OPTIONS_KEY "options"

struct reader {
	struct device_config *cfg;
	const struct json_text *jt;
	const char *folder;
	struct errors *errors;
	char note[MANIFEST_NOTE_MAX];
};

/* Is this key at the top an object of further keys? */
static bool is_section(const char *key)
{
	size_t n = strlen(key);

	for (int i = 0; i < CFG_NR_KEYS; i++) {
		const char *pointer = config_key_spec(i)->pointer + 1;

		if (!strncmp(pointer, key, n) && pointer[n] == '/')
			return true;
	}
	return false;
}

static int find_key(const char *pointer)
{
	for (int key = 0; key < CFG_NR_KEYS; key++) {
		if (!strcmp(config_key_spec(key)->pointer, pointer))
			return key;
	}
	return -1;
}

/* The names that may stand in a section ("/device"; "" is the top), into words. */
static size_t known_keys(const char *section, const char **words)
{
	size_t n = strlen(section), nr = 0;

	for (int key = 0; key < CFG_NR_KEYS; key++) {
		const char *pointer = config_key_spec(key)->pointer;

		if (!strncmp(pointer, section, n) && pointer[n] == '/' &&
		    !strchr(pointer + n + 1, '/'))
			words[nr++] = pointer + n + 1;
	}
	if (!n) {
		words[nr++] = "device";
		words[nr++] = "limits";
		words[nr++] = OPTIONS_KEY;
		words[nr++] = DEVICE_MANIFEST_KEY;
	}
	return nr;
}

static void unknown_key(struct reader *r, const char *section, const char *pointer, const char *key)
{
	const char *words[CFG_NR_KEYS + 4], *elsewhere = NULL;
	size_t nr = known_keys(section, words);

	/* "queues" at the top belongs into "device"; "path" is the plugin's, so not looked for */
	for (int i = 0; i < CFG_NR_KEYS; i++) {
		const char *other = config_key_spec(i)->pointer;

		if (!strcmp(strrchr(other, '/') + 1, key))
			elsewhere = other;
	}
	manifest_unknown_key(r->jt, pointer, key, words, nr, elsewhere, r->note, r->errors);
}

static int out_of_memory(struct reader *r)
{
	errors_add(r->errors, "%s: out of memory", r->jt->file);
	return -ENOMEM;
}

static bool store_value(struct reader *r, enum config_key key, const char *pointer,
			const json_t *value)
{
	char why[CONFIG_WHY_MAX];
	struct given g;

	given_from_json(&g, value);
	if (!config_store(r->cfg, key, &g, r->folder, why))
		return true;
	json_text_error(r->jt, pointer, false, r->errors, "%s%s", why, r->note);
	return false;
}

static bool store_values(struct reader *r, enum config_key key, const char *pointer,
			 const json_t *array)
{
	char shown[GIVEN_SHOW_MAX], element[128];
	struct given g;
	json_t *value;
	bool ok = true;
	size_t i;

	given_from_json(&g, array);
	if (g.kind != GIVEN_ARRAY) {
		json_text_error(r->jt, pointer, false, r->errors, "expected an array, got %s%s",
				given_show(&g, shown), r->note);
		return false;
	}
	json_array_foreach(array, i, value)
	{
		snprintf(element, sizeof(element), "%s/%zu", pointer, i);
		ok &= store_value(r, key, element, value);
	}
	return ok;
}

static void read_value(struct reader *r, enum config_key key, const char *pointer,
		       const json_t *value)
{
	bool list = config_key_spec(key)->type == CFG_TYPE_PATHS;

	if (!(list ? store_values : store_value)(r, key, pointer, value))
		return;
	r->cfg->where[key] = json_text_where(r->jt, pointer, false);
	if (!r->cfg->where[key])
		out_of_memory(r);
}

static void read_option(struct reader *r, const char *pointer, const char *key, const json_t *value)
{
	struct option_arg arg = { .from_json = true };
	char shown[GIVEN_SHOW_MAX];
	struct given g;

	given_from_json(&g, value);
	if (g.kind == GIVEN_NULL || g.kind == GIVEN_ARRAY || g.kind == GIVEN_OBJECT) {
		json_text_error(r->jt, pointer, false, r->errors,
				"expected a string, a number or a boolean, got %s%s",
				given_show(&g, shown), r->note);
		return;
	}
	arg.is_bool = g.kind == GIVEN_BOOL;
	arg.is_number = g.kind == GIVEN_INTEGER || g.kind == GIVEN_REAL;
	arg.key = strdup(key);
	arg.value = strdup(g.text);
	arg.origin = json_text_where(r->jt, pointer, false);
	arg.folder = r->folder ? strdup(r->folder) : NULL;
	if (config_append_option(r->cfg, &arg))
		out_of_memory(r);
}

static void read_options(struct reader *r, json_t *options)
{
	size_t nr = json_object_size(options);
	const char *key;
	json_t *value;

	if (nr > MAX_OPTIONS) {
		json_text_error(r->jt, "/" OPTIONS_KEY, false, r->errors,
				"%zu options, at most %u are allowed", nr, MAX_OPTIONS);
		return;
	}
	json_object_foreach(options, key, value)
	{
		__cleanup_free char *pointer = json_pointer_join("/" OPTIONS_KEY, key);

		if (manifest_ignores(key, false))
			continue;
		if (!pointer)
			out_of_memory(r);
		else
			read_option(r, pointer, key, value);
	}
}

/* The members of an object: the top ("") or a section ("/device"). */
static void read_object(struct reader *r, const char *section, json_t *object)
{
	char shown[GIVEN_SHOW_MAX];
	bool top = !*section;
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value)
	{
		__cleanup_free char *pointer = NULL;
		bool options = top && !strcmp(key, OPTIONS_KEY);
		bool inner = options || (top && is_section(key));
		struct given g;
		int known;

		if (manifest_ignores(key, top) || (top && !strcmp(key, DEVICE_MANIFEST_KEY)))
			continue;
		pointer = json_pointer_join(section, key);
		if (!pointer) {
			out_of_memory(r);
			return;
		}
		known = find_key(pointer);
		given_from_json(&g, value);
		if (inner && g.kind != GIVEN_OBJECT)
			json_text_error(r->jt, pointer, false, r->errors,
					"expected an object, got %s%s", given_show(&g, shown),
					r->note);
		else if (options)
			read_options(r, value);
		else if (inner)
			read_object(r, pointer, value);
		else if (known >= 0)
			read_value(r, known, pointer, value);
		else
			unknown_key(r, section, pointer, key);
	}
}

int device_manifest_read(struct device_config *cfg, const struct json_text *jt, const char *folder,
			 struct errors *errors)
{
	struct reader r = { .cfg = cfg, .jt = jt, .folder = folder, .errors = errors };
	size_t before = errors_count(errors);

	cfg->origin = strdup(jt->file);
	if (!cfg->origin)
		return out_of_memory(&r);
	if (manifest_version(jt, DEVICE_MANIFEST_KEY, DEVICE_MANIFEST_MAJOR, DEVICE_MANIFEST_MINOR,
			     r.note, errors))
		return -EINVAL;
	read_object(&r, "", jt->root);
	if (!json_object_get(jt->root, "plugin"))
		json_text_error(jt, "/plugin", false, errors,
				"missing: the plugin must be named, as \"plugin\": \"mem\"%s",
				r.note);
	config_check_blocks(cfg, errors);
	return errors_count(errors) > before ? -EINVAL : 0;
}

int device_manifest_load(struct device_config *cfg, const char *path, struct errors *errors)
{
	__cleanup_free char *folder = path_folder(path);
	struct json_text jt;
	int err = json_text_load(&jt, path, errors);

	if (err)
		return err;
	err = device_manifest_read(cfg, &jt, folder, errors);
	json_text_free(&jt);
	return err;
}
