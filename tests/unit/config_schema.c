// SPDX-License-Identifier: MIT
/*
 * The JSON schemas in etc/ against the tables of the code: every key in one is in the other, with
 * the same type, bounds and words.
 */
#include <inttypes.h>
#include <regex.h>

#include "config/device_manifest.h"
#include "config/plugin_manifest_keys.h"
#include "config_help.h"

static json_t *load(const char *name)
{
	const char *top = getenv("top_srcdir");
	json_error_t error;
	char path[4096];
	json_t *root;

	snprintf(path, sizeof(path), "%s/etc/%s", top ? top : ".", name);
	root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
	ck_assert_msg(root, "%s:%d: %s", path, error.line, error.text);
	return root;
}

/* The schema of a member of an object's schema, $ref followed. */
static json_t *member(json_t *root, json_t *schema, const char *name)
{
	json_t *found = json_object_get(json_object_get(schema, "properties"), name);
	const char *ref = json_string_value(json_object_get(found, "$ref"));

	if (!ref)
		return found;
	ck_assert_int_eq(strncmp(ref, "#/$defs/", 8), 0);
	return json_object_get(json_object_get(root, "$defs"), ref + 8);
}

static json_t *at_pointer(json_t *root, const char *pointer)
{
	char part[64];
	json_t *schema = root;

	while (schema && *pointer == '/') {
		size_t n = strcspn(++pointer, "/");

		snprintf(part, sizeof(part), "%.*s", (int)n, pointer);
		schema = member(root, schema, part);
		pointer += n;
	}
	return schema;
}

static void assert_strict(json_t *schema, const char *what)
{
	ck_assert_msg(json_is_false(json_object_get(schema, "additionalProperties")), "%s", what);
	ck_assert_msg(
		json_is_true(json_object_get(json_object_get(schema, "patternProperties"), "^x-")),
		"%s", what);
}

static void assert_type(json_t *schema, const char *type, const char *what)
{
	const char *got = json_string_value(json_object_get(schema, "type"));

	ck_assert_msg(got && !strcmp(got, type), "%s: %s", what, got ? got : "no type");
}

static uint64_t integer(json_t *schema, const char *name, const char *what)
{
	json_t *value = json_object_get(schema, name);

	ck_assert_msg(json_is_integer(value), "%s: %s", what, name);
	return (uint64_t)json_integer_value(value);
}

static void assert_bounds(json_t *schema, const struct config_key_spec *spec)
{
	assert_type(schema, "integer", spec->pointer);
	ck_assert_uint_eq(integer(schema, "minimum", spec->pointer), spec->min);
	ck_assert_uint_eq(integer(schema, "maximum", spec->pointer), spec->max);
}

static bool matches(json_t *schema, const char *text)
{
	const char *pattern = json_string_value(json_object_get(schema, "pattern"));
	regex_t regex;
	bool match;

	ck_assert_ptr_nonnull(pattern);
	ck_assert_msg(!regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), "%s", pattern);
	match = !regexec(&regex, text, 0, NULL, 0);
	regfree(&regex);
	return match;
}

static bool in_array(json_t *array, const char *word)
{
	json_t *value;
	size_t i;

	json_array_foreach(array, i, value)
	{
		if (!strcmp(json_string_value(value), word))
			return true;
	}
	return false;
}

static void assert_words(json_t *list, const char *const *words, const char *what)
{
	size_t nr = 0;

	for (; words[nr]; nr++)
		ck_assert_msg(in_array(list, words[nr]), "%s: %s", what, words[nr]);
	ck_assert_msg(json_array_size(list) == nr, "%s: %zu words", what, json_array_size(list));
}

/* An array of those words. */
static void assert_items(json_t *root, const char *pointer, const char *const *words)
{
	json_t *items = json_object_get(at_pointer(root, pointer), "items");

	assert_words(json_object_get(items, "enum"), words, pointer);
}

/* The schema's pattern and the code's check agree on each of these texts. */
static void assert_agree(json_t *schema, enum config_key key)
{
	static const char *const texts[] = {
		"a",
		"A",
		"",
		"-",
		".a",
		"a.b_c-d",
		"auto",
		"none",
		"0",
		"0-3,6",
		"3,",
		",3",
		"0-",
		"-3",
		"0-1-2",
		"any",
		"a b",
		"autos",
		"1,2,3",
		"0 - 3",
		"a/b",
		"aaaaaaaaaaaaaaaa",
		"9-a",
		"a:b",
		"a:",
		"a:-b",
		"a:b:c",
		"0123456789012345678901234567890123456789012345678901234567890123",
		"01234567890123456789012345678901234567890123456789012345678901234",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct device_config cfg;
		struct errors errors = { 0 };

		device_config_init(&cfg);
		ck_assert_msg(!device_config_set(&cfg, key, texts[i], &errors) ==
				      matches(schema, texts[i]),
			      "%s: \"%s\"", config_key_spec(key)->pointer, texts[i]);
		device_config_free(&cfg);
		errors_free(&errors);
	}
}

static void assert_powers(json_t *list, const struct config_key_spec *spec)
{
	size_t i = 0;

	for (uint64_t v = spec->min; v <= spec->max; v *= 2)
		ck_assert_uint_eq((uint64_t)json_integer_value(json_array_get(list, i++)), v);
	ck_assert_uint_eq(json_array_size(list), i);
}

/* oneOf: a number, or a text as 512K */
static json_t *number_or_size_text(json_t *schema, const char *what)
{
	json_t *either = json_object_get(schema, "oneOf");
	const char *ref;

	ck_assert_msg(json_array_size(either) == 2, "%s", what);
	ref = json_string_value(json_object_get(json_array_get(either, 1), "$ref"));
	ck_assert_msg(ref && !strcmp(ref, "#/$defs/size_text"), "%s", what);
	return json_array_get(either, 0);
}

static void assert_key(json_t *schema, enum config_key key)
{
	const struct config_key_spec *spec = config_key_spec(key);
	json_t *number;

	switch (spec->type) {
	case CFG_TYPE_NAME:
	case CFG_TYPE_CPUS:
	case CFG_TYPE_USER:
		assert_type(schema, "string", spec->pointer);
		assert_agree(schema, key);
		break;
	case CFG_TYPE_PLUGIN:
	case CFG_TYPE_WORD:
		assert_type(schema, "string", spec->pointer);
		if (spec->words) {
			assert_words(json_object_get(schema, "enum"), spec->words, spec->pointer);
			break;
		}
		ck_assert_uint_eq(integer(schema, "minLength", spec->pointer), spec->min);
		ck_assert_uint_eq(integer(schema, "maxLength", spec->pointer), spec->max);
		break;
	case CFG_TYPE_AUTO:
		number = json_array_get(json_object_get(schema, "oneOf"), 1);
		assert_bounds(number, spec);
		ck_assert_str_eq(
			json_string_value(json_object_get(
				json_array_get(json_object_get(schema, "oneOf"), 0), "const")),
			"auto");
		break;
	case CFG_TYPE_INT:
		assert_bounds(schema, spec);
		break;
	case CFG_TYPE_SIZE:
		number = number_or_size_text(schema, spec->pointer);
		assert_bounds(number, spec);
		ck_assert_uint_eq(integer(number, "multipleOf", spec->pointer), spec->step);
		break;
	case CFG_TYPE_POW2:
		number = number_or_size_text(schema, spec->pointer);
		assert_type(number, "integer", spec->pointer);
		assert_powers(json_object_get(number, "enum"), spec);
		break;
	case CFG_TYPE_BOOL:
		assert_type(schema, "boolean", spec->pointer);
		break;
	case CFG_TYPE_PATHS:
		assert_type(schema, "array", spec->pointer);
		ck_assert_uint_eq(integer(schema, "maxItems", spec->pointer), MAX_SHARED_MEMORY);
		schema = json_object_get(schema, "items");
		assert_type(schema, "string", spec->pointer);
		ck_assert_uint_eq(integer(schema, "minLength", spec->pointer), spec->min);
		ck_assert_uint_eq(integer(schema, "maxLength", spec->pointer), spec->max);
		break;
	}
}

START_TEST(each_key_of_the_code_is_in_the_device_schema)
{
	json_t *root = load("device-manifest.schema.json");

	for (int key = 0; key < CFG_NR_KEYS; key++) {
		json_t *schema = at_pointer(root, config_key_spec(key)->pointer);

		ck_assert_msg(schema, "%s", config_key_spec(key)->pointer);
		assert_key(schema, key);
	}
	json_decref(root);
}
END_TEST

/* Keys of an object's schema that no table knows. */
static void assert_known(json_t *root, const char *section)
{
	json_t *schema = *section ? at_pointer(root, section) : root, *value;
	char pointer[128];
	const char *name;

	assert_type(schema, "object", section);
	assert_strict(schema, section);
	json_object_foreach(json_object_get(schema, "properties"), name, value)
	{
		bool known = !*section && (!strcmp(name, "$schema") || !strcmp(name, "options") ||
					   !strcmp(name, DEVICE_MANIFEST_KEY));
		bool inner = json_object_get(value, "properties");

		snprintf(pointer, sizeof(pointer), "%s/%s", section, name);
		for (int key = 0; key < CFG_NR_KEYS && !known; key++)
			known = !strcmp(config_key_spec(key)->pointer, pointer);
		ck_assert_msg(known || inner, "%s", pointer);
		if (inner)
			assert_known(root, pointer);
	}
}

START_TEST(each_key_of_the_device_schema_is_in_the_code)
{
	json_t *root = load("device-manifest.schema.json");
	json_t *required = json_object_get(root, "required");
	json_t *options = at_pointer(root, "/options");

	assert_known(root, "");
	ck_assert_uint_eq(json_array_size(required), 2);
	ck_assert_str_eq(json_string_value(json_array_get(required, 0)), DEVICE_MANIFEST_KEY);
	ck_assert_str_eq(json_string_value(json_array_get(required, 1)), "plugin");
	ck_assert_uint_eq(integer(options, "maxProperties", "options"), MAX_OPTIONS);
	json_decref(root);
}
END_TEST

static void assert_version_pattern(json_t *schema, unsigned int major)
{
	static const char *const minors[] = { "0", "1", "12", "9999" };
	char text[32];

	for (size_t i = 0; i < ARRAY_SIZE(minors); i++) {
		snprintf(text, sizeof(text), "%u.%s", major, minors[i]);
		ck_assert_msg(matches(schema, text), "%s", text);
	}
	snprintf(text, sizeof(text), "%u.0", major + 1);
	ck_assert(!matches(schema, text));
	snprintf(text, sizeof(text), "%u.01", major);
	ck_assert(!matches(schema, text));
	snprintf(text, sizeof(text), "%u.10000", major);
	ck_assert(!matches(schema, text));
	ck_assert(!matches(schema, "1"));
}

START_TEST(the_versions_are_those_that_the_code_reads)
{
	json_t *root = load("device-manifest.schema.json");

	assert_version_pattern(at_pointer(root, "/" DEVICE_MANIFEST_KEY), DEVICE_MANIFEST_MAJOR);
	json_decref(root);
	root = load("plugin-manifest.schema.json");
	assert_version_pattern(at_pointer(root, "/" PLUGIN_MANIFEST_KEY), PLUGIN_MANIFEST_MAJOR);
	json_decref(root);
}
END_TEST

START_TEST(size_texts_are_those_that_the_code_reads)
{
	static const char *const texts[] = {
		"0", "4096", "512K", "512k", "4M",   "1g", "2T",  "2t",
		"",  "K",    "4KK",  "-1",   "1.5K", "4P", "4 K", " 4"
	};
	static const char *const schemas[] = { "device-manifest.schema.json",
					       "plugin-manifest.schema.json" };
	static const struct ublk_opt_spec size = { .name = "size",
						   .help = "Size",
						   .type = UBLK_OPT_SIZE };

	for (size_t s = 0; s < ARRAY_SIZE(schemas); s++) {
		json_t *root = load(schemas[s]);
		json_t *text = json_object_get(json_object_get(root, "$defs"), "size_text");

		for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
			struct ublk_opt_spec spec = size;
			struct errors errors = { 0 };

			spec.def = texts[i];
			ck_assert_msg(!options_check_table("x", &spec, 1, sizeof(spec), false,
							   &errors) == matches(text, texts[i]),
				      "\"%s\"", texts[i]);
			errors_free(&errors);
		}
		json_decref(root);
	}
}
END_TEST

/* An object of the plugin schema has these keys, and these are required. */
static void assert_table(json_t *schema, const struct plugin_manifest_key *keys, const char *what)
{
	json_t *required = json_object_get(schema, "required");
	json_t *properties = json_object_get(schema, "properties");
	size_t nr = 0, nr_required = 0;

	assert_strict(schema, what);
	for (; keys[nr].name; nr++) {
		ck_assert_msg(json_object_get(properties, keys[nr].name), "%s: %s", what,
			      keys[nr].name);
		ck_assert_msg(in_array(required, keys[nr].name) == keys[nr].required, "%s: %s",
			      what, keys[nr].name);
		nr_required += keys[nr].required;
	}
	nr += json_object_get(properties, "$schema") != NULL;
	ck_assert_msg(json_object_size(properties) == nr, "%s: %zu keys", what,
		      json_object_size(properties));
	ck_assert_msg(json_array_size(required) == nr_required, "%s", what);
}

START_TEST(the_plugin_schema_has_the_keys_of_the_code)
{
	json_t *root = load("plugin-manifest.schema.json");
	json_t *ops = at_pointer(root, "/ops"), *abi = at_pointer(root, "/abi");
	struct plugin_manifest_key keys[8] = { { NULL, false } };

	for (size_t op = 0; plugin_manifest_ops[op]; op++)
		keys[op] = (struct plugin_manifest_key){ plugin_manifest_ops[op], true };
	assert_table(root, plugin_manifest_top_keys, "top");
	assert_table(abi, plugin_manifest_abi_keys, "abi");
	assert_table(ops, keys, "ops");
	assert_table(json_object_get(json_object_get(root, "$defs"), "option"),
		     plugin_manifest_option_keys, "option");
	for (size_t i = 0; plugin_manifest_abi_keys[i].name; i++) {
		json_t *number = member(root, abi, plugin_manifest_abi_keys[i].name);

		ck_assert_uint_eq(integer(number, "minimum", "abi"), 0);
		ck_assert_uint_eq(integer(number, "maximum", "abi"), UINT16_MAX);
	}
	json_decref(root);
}
END_TEST

START_TEST(the_plugin_schema_has_the_words_of_the_code)
{
	json_t *root = load("plugin-manifest.schema.json");
	json_t *option = json_object_get(json_object_get(root, "$defs"), "option");
	const char *types[UBLK_OPT_SECRET + 1] = { NULL };

	for (uint32_t type = 1; type <= UBLK_OPT_SECRET; type++)
		types[type - 1] = option_type_name(type);
	assert_words(json_object_get(at_pointer(root, "/thread_model"), "enum"),
		     plugin_manifest_threads, "thread_model");
	assert_words(json_object_get(at_pointer(root, "/recovery"), "enum"),
		     plugin_manifest_recovery, "recovery");
	for (size_t op = 0; plugin_manifest_ops[op]; op++)
		assert_words(json_object_get(member(root, at_pointer(root, "/ops"),
						    plugin_manifest_ops[op]),
					     "enum"),
			     plugin_manifest_profiles, "profile");
	assert_items(root, "/extents", plugin_manifest_extents);
	assert_items(root, "/data_modes", plugin_manifest_data_modes);
	assert_items(root, "/needs", plugin_manifest_needs);
	assert_words(json_object_get(member(root, option, "type"), "enum"), types, "type");
	ck_assert_uint_eq(integer(at_pointer(root, "/options"), "maxItems", "options"),
			  MAX_OPTIONS);
	json_decref(root);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("config schema");
	TCase *tc = tcase_create("schema");

	tcase_add_test(tc, each_key_of_the_code_is_in_the_device_schema);
	tcase_add_test(tc, each_key_of_the_device_schema_is_in_the_code);
	tcase_add_test(tc, the_versions_are_those_that_the_code_reads);
	tcase_add_test(tc, size_texts_are_those_that_the_code_reads);
	tcase_add_test(tc, the_plugin_schema_has_the_keys_of_the_code);
	tcase_add_test(tc, the_plugin_schema_has_the_words_of_the_code);
	suite_add_tcase(suite, tc);
	return run_tap(suite);
}
