/* SPDX-License-Identifier: MIT */
/* Whether JSON is as a schema of etc/ says: so much of JSON Schema as those use. A keyword that is not known
 * here fails the test. */
#ifndef TESTS_UNIT_SCHEMA_H
#define TESTS_UNIT_SCHEMA_H

#include <check.h>
#include <jansson.h>
#include <regex.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline bool schema_accepts(json_t *root, json_t *schema, json_t *value);

static inline json_t *schema_load(const char *name)
{
	const char *top = getenv("top_srcdir");
	char path[4096];
	json_t *root;

	snprintf(path, sizeof(path), "%s/etc/%s", top ? top : ".", name);
	root = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
	ck_assert_msg(root != NULL, "%s", path);
	return root;
}

static inline bool schema_type_is(const char *type, const json_t *value)
{
	if (!strcmp(type, "object"))
		return json_is_object(value);
	if (!strcmp(type, "array"))
		return json_is_array(value);
	if (!strcmp(type, "string"))
		return json_is_string(value);
	if (!strcmp(type, "integer"))
		return json_is_integer(value);
	if (!strcmp(type, "number"))
		return json_is_number(value);
	ck_assert_str_eq(type, "boolean");
	return json_is_boolean(value);
}

static inline bool schema_matches(const char *pattern, const char *text)
{
	regex_t regex;
	bool found;

	ck_assert_int_eq(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
	found = !regexec(&regex, text, 0, NULL, 0);
	regfree(&regex);
	return found;
}

static inline bool schema_member(json_t *root, json_t *schema, const char *key, json_t *value)
{
	json_t *known = json_object_get(json_object_get(schema, "properties"), key);
	json_t *more = json_object_get(schema, "additionalProperties"), *unused;
	const char *pattern;

	if (known)
		return schema_accepts(root, known, value);
	json_object_foreach(json_object_get(schema, "patternProperties"), pattern, unused)
	{
		ck_assert(json_is_true(unused));
		if (schema_matches(pattern, key))
			return true;
	}
	return !json_is_false(more) && (!more || schema_accepts(root, more, value));
}

/* One keyword of a schema, which is not about members. */
static inline bool schema_keyword(json_t *root, const char *word, json_t *rule, json_t *value)
{
	const json_int_t number = json_integer_value(value), limit = json_integer_value(rule);
	const char *text = json_string_value(value);
	size_t i, nr = 0;
	json_t *one;

	if (!strcmp(word, "type")) {
		json_array_foreach(rule, i, one) nr +=
			schema_type_is(json_string_value(one), value);
		return nr ||
		       (json_is_string(rule) && schema_type_is(json_string_value(rule), value));
	}
	if (!strcmp(word, "const"))
		return json_equal(rule, value);
	if (!strcmp(word, "enum")) {
		json_array_foreach(rule, i, one) nr += json_equal(one, value);
		return nr;
	}
	if (!strcmp(word, "oneOf")) {
		json_array_foreach(rule, i, one) nr += schema_accepts(root, one, value);
		return nr == 1;
	}
	if (!strcmp(word, "minimum"))
		return number >= limit;
	if (!strcmp(word, "maximum"))
		return number <= limit;
	if (!strcmp(word, "multipleOf"))
		return number % limit == 0;
	if (!strcmp(word, "minLength"))
		return !text || strlen(text) >= (size_t)limit;
	if (!strcmp(word, "maxLength"))
		return !text || strlen(text) <= (size_t)limit;
	if (!strcmp(word, "pattern"))
		return !text || schema_matches(json_string_value(rule), text);
	if (!strcmp(word, "maxProperties"))
		return json_object_size(value) <= (size_t)limit;
	if (!strcmp(word, "maxItems"))
		return json_array_size(value) <= (size_t)limit;
	if (!strcmp(word, "items")) {
		json_array_foreach(value, i, one) nr += !schema_accepts(root, rule, one);
		return !nr;
	}
	if (!strcmp(word, "required")) {
		json_array_foreach(rule, i, one) nr +=
			!json_object_get(value, json_string_value(one));
		return !nr;
	}
	ck_assert_msg(!strcmp(word, "description") || !strcmp(word, "title") || *word == '$' ||
			      strstr(word, "roperties"),
		      "keyword %s", word);
	return true;
}

static inline bool schema_accepts(json_t *root, json_t *schema, json_t *value)
{
	const char *ref = json_string_value(json_object_get(schema, "$ref")), *key;
	json_t *member;
	bool ok = true;

	if (ref) {
		ck_assert_int_eq(strncmp(ref, "#/$defs/", 8), 0);
		return schema_accepts(
			root, json_object_get(json_object_get(root, "$defs"), ref + 8), value);
	}
	json_object_foreach(schema, key, member) ok &= schema_keyword(root, key, member, value);
	json_object_foreach(value, key, member) ok &= schema_member(root, schema, key, member);
	return ok;
}

#endif
