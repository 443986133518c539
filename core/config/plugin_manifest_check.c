// SPDX-License-Identifier: MIT
/* Is a file a well-formed plugin manifest? */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "config/given.h"
#include "config/manifest_common.h"
#include "config/option_value.h"
#include "config/plugin_manifest_keys.h"

#define POINTER_MAX 96 /* "/options/255/required" and the like */

struct checker {
	const struct json_text *jt;
	struct errors *errors;
	char note
		[MANIFEST_NOTE_MAX]; /* not empty: of a newer minor, whose words are not all known */
};

static void wrong(const struct checker *c, const char *pointer, const json_t *value,
		  const char *expected)
{
	char shown[GIVEN_SHOW_MAX];
	struct given g;

	given_from_json(&g, value);
	json_text_error(c->jt, pointer, false, c->errors, "expected %s, got %s%s", expected,
			given_show(&g, shown), c->note);
}

/* "one of a, b, c" */
static void wrong_word(const struct checker *c, const char *pointer, const json_t *value,
		       const char *const *words)
{
	const char *text = json_string_value(value), *best = NULL;
	char expected[256], hint[SUGGEST_HINT_MAX], shown[GIVEN_SHOW_MAX];
	size_t len = (size_t)snprintf(expected, sizeof(expected), "one of "), nr = 0;
	struct given g;

	for (; words[nr]; nr++) {
		len += (size_t)snprintf(expected + len, sizeof(expected) - len, "%s%s",
					nr ? ", " : "", words[nr]);
		len = min_of(len, sizeof(expected) - 1);
	}
	if (text)
		best = suggest_word(text, words, nr);
	given_from_json(&g, value);
	json_text_error(c->jt, pointer, false, c->errors, "expected %s; got %s%s%s", expected,
			given_show(&g, shown), suggest_hint(best, hint), c->note);
}

static bool is_word(const json_t *value, const char *const *words)
{
	const char *text = json_string_value(value);

	for (size_t i = 0; text && words[i]; i++) {
		if (!strcmp(text, words[i]))
			return true;
	}
	return false;
}

bool plugin_name_ok(const char *name)
{
	static const char rest[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
	size_t len = strlen(name);

	return len && len <= 32 && *name != '-' && strspn(name, rest) == len;
}

/* A path relative to the manifest must stay beside it. */
static bool library_ok(const char *path)
{
	const char *part = path;
	size_t n;

	for (; *part; part += n + (part[n] == '/')) {
		n = strcspn(part, "/");
		if (n == 2 && !memcmp(part, "..", 2))
			return false;
	}
	return *path && path[strlen(path) - 1] != '/';
}

typedef void check_fn(const struct checker *c, const char *pointer, json_t *value);

/* The members of an object against their table. check: called for each that is known, with the
 * index in the table. */
static void check_members(const struct checker *c, const char *pointer, json_t *object,
			  const struct plugin_manifest_key *keys, check_fn *const *checks)
{
	const char *names[16], *name;
	json_t *value;
	size_t nr = 0;

	for (; keys[nr].name; nr++)
		names[nr] = keys[nr].name;
	json_object_foreach(object, name, value)
	{
		__cleanup_free char *at = json_pointer_join(pointer, name);
		size_t i = 0;

		if (manifest_ignores(name, !*pointer))
			continue;
		while (i < nr && strcmp(names[i], name))
			i++;
		if (!at)
			errors_add(c->errors, "%s: out of memory", c->jt->file);
		else if (i == nr && *c->note)
			continue;
		else if (i == nr)
			manifest_unknown_key(c->jt, at, name, names, nr, NULL, c->note, c->errors);
		else if (checks[i])
			checks[i](c, at, value);
	}
	for (size_t i = 0; i < nr; i++) {
		__cleanup_free char *at = json_pointer_join(pointer, names[i]);

		if (at && keys[i].required && !json_object_get(object, names[i]))
			json_text_error(c->jt, at, false, c->errors, "missing%s", c->note);
	}
}

static void check_name(const struct checker *c, const char *pointer, json_t *value)
{
	if (!json_is_string(value) || !plugin_name_ok(json_string_value(value)))
		wrong(c, pointer, value,
		      "a name of 1..32 characters a-z 0-9 - that begins with a letter or digit");
}

static void check_line(const struct checker *c, const char *pointer, json_t *value)
{
	if (!json_is_string(value) || !plugin_line_ok(json_string_value(value)))
		wrong(c, pointer, value, "one line of text");
}

static void check_library(const struct checker *c, const char *pointer, json_t *value)
{
	if (!json_is_string(value) || !library_ok(json_string_value(value)))
		wrong(c, pointer, value, "the path of a .so without \"..\"");
}

static void check_bool(const struct checker *c, const char *pointer, json_t *value)
{
	if (!json_is_boolean(value))
		wrong(c, pointer, value, "true or false");
}

static void check_u16(const struct checker *c, const char *pointer, json_t *value)
{
	json_int_t v = json_integer_value(value);

	if (!json_is_integer(value) || v < 0 || v > UINT16_MAX)
		wrong(c, pointer, value, "integer 0..65535");
}

static void check_abi(const struct checker *c, const char *pointer, json_t *value)
{
	static check_fn *const checks[] = { check_u16, check_u16, check_u16 };

	if (!json_is_object(value))
		wrong(c, pointer, value, "an object");
	else
		check_members(c, pointer, value, plugin_manifest_abi_keys, checks);
}

static void check_threads(const struct checker *c, const char *pointer, json_t *value)
{
	if (!is_word(value, plugin_manifest_threads))
		wrong_word(c, pointer, value, plugin_manifest_threads);
}

static void check_recovery(const struct checker *c, const char *pointer, json_t *value)
{
	if (!is_word(value, plugin_manifest_recovery))
		wrong_word(c, pointer, value, plugin_manifest_recovery);
}

static void check_profile(const struct checker *c, const char *pointer, json_t *value)
{
	if (!is_word(value, plugin_manifest_profiles))
		wrong_word(c, pointer, value, plugin_manifest_profiles);
}

static void check_ops(const struct checker *c, const char *pointer, json_t *value)
{
	struct plugin_manifest_key keys[8] = { { NULL, false } };
	check_fn *checks[8];

	for (size_t op = 0; plugin_manifest_ops[op]; op++) {
		keys[op] = (struct plugin_manifest_key){ plugin_manifest_ops[op], true };
		checks[op] = check_profile;
	}
	if (!json_is_object(value))
		wrong(c, pointer, value, "an object");
	else
		check_members(c, pointer, value, keys, checks);
}

static void check_words(const struct checker *c, const char *pointer, const json_t *list,
			const char *const *words)
{
	if (!json_is_array(list)) {
		wrong(c, pointer, list, "an array");
		return;
	}
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *value = json_array_get(list, i);
		char at[POINTER_MAX];

		snprintf(at, sizeof(at), "%.64s/%zu", pointer, i);
		if (!is_word(value, words)) {
			/* a newer minor's word is nothing to this host, but it is shown */
			if (!*c->note || !json_is_string(value) ||
			    !plugin_line_ok(json_string_value(value)))
				wrong_word(c, at, value, words);
			continue;
		}
		for (size_t j = 0; j < i; j++) {
			if (json_equal(value, json_array_get(list, j))) {
				json_text_error(c->jt, at, false, c->errors, "is there twice%s",
						c->note);
				return;
			}
		}
	}
}

static void check_extents(const struct checker *c, const char *pointer, json_t *value)
{
	check_words(c, pointer, value, plugin_manifest_extents);
}

static void check_data_modes(const struct checker *c, const char *pointer, json_t *value)
{
	check_words(c, pointer, value, plugin_manifest_data_modes);
}

static void check_needs(const struct checker *c, const char *pointer, json_t *value)
{
	check_words(c, pointer, value, plugin_manifest_needs);
}

/* A member that checks itself later, when the whole option is known. */
#define LATER NULL

static void check_option_name(const struct checker *c, const char *pointer, json_t *value)
{
	if (!json_is_string(value) || !option_name_ok(json_string_value(value)))
		wrong(c, pointer, value,
		      "a name of a-z 0-9 _ - that begins with a-z and not with x-");
}

static void check_option_type(const struct checker *c, const char *pointer, json_t *value)
{
	const char *words[UBLK_OPT_SECRET + 1] = { NULL };

	for (uint32_t type = 1; type <= UBLK_OPT_SECRET; type++)
		words[type - 1] = option_type_name(type);
	if (!is_word(value, words))
		wrong_word(c, pointer, value, words);
}

/* "a|b|c" from ["a", "b", "c"]; malloc()ed, NULL: they are not choices. */
static char *join_choices(const json_t *list)
{
	size_t size = 1, nr = json_array_size(list);
	char *text, *out;

	for (size_t i = 0; i < nr; i++) {
		const char *word = json_string_value(json_array_get(list, i));

		if (!word || strchr(word, '|'))
			return NULL;
		size += strlen(word) + 1;
	}
	text = nr ? malloc(size) : NULL;
	if (!text)
		return NULL;
	out = text;
	for (size_t i = 0; i < nr; i++)
		out += sprintf(out, "%s%s", i ? "|" : "",
			       json_string_value(json_array_get(list, i)));
	if (!option_choices_ok(text)) {
		free(text);
		return NULL;
	}
	return text;
}

static bool read_bound(const struct checker *c, const char *option, const char *name,
		       const json_t *value, struct ublk_opt_spec *o, uint64_t *bound)
{
	char at[POINTER_MAX];
	struct given g;
	int err;

	if (!value)
		return true;
	snprintf(at, sizeof(at), "%.64s/%s", option, name);
	if (!option_has_bounds(o->type)) {
		json_text_error(c->jt, at, true, c->errors,
				"only for options of type u64 and size%s", c->note);
		return false;
	}
	given_from_json(&g, value);
	err = o->type == UBLK_OPT_SIZE ? given_size(&g, bound) : given_u64(&g, bound);
	if (err)
		wrong(c, at, value, o->type == UBLK_OPT_SIZE ? "size" : "integer");
	return !err;
}

/* Returns whether the choices are as the type wants them; then spec->choices is set, malloc()ed. */
static bool read_choices(const struct checker *c, const char *option, const json_t *value,
			 struct ublk_opt_spec *o)
{
	char at[POINTER_MAX];

	snprintf(at, sizeof(at), "%.64s/choices", option);
	if (o->type == UBLK_OPT_ENUM && !value) {
		json_text_error(c->jt, at, false, c->errors, "missing: an enum needs them%s",
				c->note);
		return false;
	}
	if (!value)
		return true;
	if (o->type != UBLK_OPT_ENUM) {
		json_text_error(c->jt, at, true, c->errors, "only for options of type enum%s",
				c->note);
		return false;
	}
	o->choices = join_choices(value);
	if (!o->choices)
		json_text_error(c->jt, at, false, c->errors,
				"expected an array of different words%s", c->note);
	return o->choices;
}

static void check_default(const struct checker *c, const char *option, const json_t *value,
			  bool required, const struct ublk_opt_spec *o)
{
	char at[POINTER_MAX], why[OPTION_WHY_MAX];
	struct option_value parsed;
	struct given g;

	snprintf(at, sizeof(at), "%.64s/default", option);
	if (required || o->type == UBLK_OPT_SECRET) {
		json_text_error(c->jt, at, true, c->errors, "%s may not have a default%s",
				required ? "a required option" : "a secret", c->note);
		return;
	}
	given_from_json(&g, value);
	if (option_value_parse(o, &g, NULL, &parsed, why))
		json_text_error(c->jt, at, false, c->errors, "%s%s", why, c->note);
	else
		option_value_free(&parsed);
}

/* What only makes sense together: type, choices, bounds, default. */
static void check_option_whole(const struct checker *c, const char *pointer, const json_t *option)
{
	const char *type = json_string_value(json_object_get(option, "type"));
	struct ublk_opt_spec o = { .type = type ? option_type_of(type) : 0 };
	const json_t *def = json_object_get(option, "default");
	bool good;

	if (!o.type)
		return; /* said already */
	good = read_choices(c, pointer, json_object_get(option, "choices"), &o);
	good &= read_bound(c, pointer, "min", json_object_get(option, "min"), &o, &o.min);
	good &= read_bound(c, pointer, "max", json_object_get(option, "max"), &o, &o.max);
	if (good && o.max && o.min > o.max) {
		json_text_error(c->jt, pointer, false, c->errors, "min is above max%s", c->note);
		good = false;
	}
	if (good && def)
		check_default(c, pointer, def, json_is_true(json_object_get(option, "required")),
			      &o);
	free((char *)o.choices);
}

static void check_unique(const struct checker *c, const json_t *list, size_t i)
{
	const json_t *name = json_object_get(json_array_get(list, i), "name");
	char at[POINTER_MAX];

	for (size_t j = 0; name && j < i; j++) {
		const json_t *other = json_object_get(json_array_get(list, j), "name");

		if (!other || !json_equal(name, other))
			continue;
		snprintf(at, sizeof(at), "/options/%zu/name", i);
		json_text_error(c->jt, at, false, c->errors, "is there twice%s", c->note);
		return;
	}
}

static void check_options(const struct checker *c, const char *pointer, json_t *list)
{
	static check_fn *const checks[] = { check_option_name,
					    check_option_type,
					    check_bool,
					    check_line,
					    LATER,
					    LATER,
					    LATER,
					    LATER };
	size_t nr = json_array_size(list);
	char at[POINTER_MAX];

	if (!json_is_array(list)) {
		wrong(c, pointer, list, "an array");
		return;
	}
	if (nr > MAX_OPTIONS) {
		json_text_error(c->jt, pointer, false, c->errors,
				"%zu options, at most %u are allowed", nr, MAX_OPTIONS);
		return;
	}
	for (size_t i = 0; i < nr; i++) {
		json_t *option = json_array_get(list, i);

		snprintf(at, sizeof(at), "%.64s/%zu", pointer, i);
		if (!json_is_object(option)) {
			wrong(c, at, option, "an object");
			continue;
		}
		check_members(c, at, option, plugin_manifest_option_keys, checks);
		check_option_whole(c, at, option);
		check_unique(c, list, i);
	}
}

int plugin_manifest_check(const struct json_text *jt, struct errors *errors)
{
	/* in the order of plugin_manifest_top_keys[]; the version has been checked by then */
	static check_fn *const checks[] = { NULL,	   check_name,	  check_line,
					    check_line,	   check_library, check_abi,
					    check_threads, check_bool,	  check_recovery,
					    check_ops,	   check_extents, check_data_modes,
					    check_needs,   check_options };
	struct checker c = { .jt = jt, .errors = errors };
	size_t before = errors_count(errors);

	if (manifest_version(jt, PLUGIN_MANIFEST_KEY, PLUGIN_MANIFEST_MAJOR, PLUGIN_MANIFEST_MINOR,
			     c.note, errors))
		return -EINVAL;
	check_members(&c, "", jt->root, plugin_manifest_top_keys, checks);
	return errors_count(errors) > before ? -EINVAL : 0;
}

int plugin_manifest_load(struct json_text *jt, const char *path, struct errors *errors)
{
	int err = json_text_load(jt, path, errors);

	if (err)
		return err;
	err = plugin_manifest_check(jt, errors);
	if (err)
		json_text_free(jt);
	return err;
}
