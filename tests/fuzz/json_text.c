// SPDX-License-Identifier: MIT
/*
 * JSON texts (config/json_*.c): every value of a tree is found again in its text, at the place that a
 * message would tell.
 */
#include "fuzz.h"

#include "config/json_scan.h"

#define MAX_TEXT 1000 /* each value is searched for from the start */

/* The byte that a position means. */
static size_t offset_of(const struct json_text *jt, struct json_pos pos)
{
	for (size_t i = 0; i <= jt->len; i++) {
		struct json_pos here = json_pos_at(jt->text, i);

		if (here.line == pos.line && here.col == pos.col)
			return i;
	}
	FUZZ_CHECK(false, "no place %u:%u", pos.line, pos.col);
	return 0;
}

static void check_value(const struct json_text *jt, const char *pointer, const json_t *value)
{
	struct json_pos pos;
	json_t *there;
	size_t at;

	FUZZ_CHECK(!json_text_locate(jt, pointer, false, &pos), "%s", pointer);
	at = offset_of(jt, pos);
	there = json_loadb(jt->text + at, jt->len - at, JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK,
			   NULL);
	FUZZ_CHECK(there && json_equal(there, value), "%s is not at %u:%u", pointer, pos.line,
		   pos.col);
	json_decref(there);
}

static void check_key(const struct json_text *jt, const char *pointer, const char *key)
{
	struct json_pos pos;
	json_t *there;
	size_t at;

	FUZZ_CHECK(!json_text_locate(jt, pointer, true, &pos), "%s", pointer);
	at = offset_of(jt, pos);
	there = json_loadb(jt->text + at, jt->len - at, JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK,
			   NULL);
	FUZZ_CHECK(json_is_string(there) && !strcmp(json_string_value(there), key),
		   "the key of %s is not at %u:%u", pointer, pos.line, pos.col);
	json_decref(there);
}

static void check_tree(const struct json_text *jt, const char *pointer, json_t *value)
{
	const char *key;
	json_t *child;
	size_t i;

	check_value(jt, pointer, value);
	json_array_foreach(value, i, child)
	{
		char index[24];
		__cleanup_free char *inner = NULL;

		snprintf(index, sizeof(index), "%zu", i);
		inner = json_pointer_join(pointer, index);
		check_tree(jt, inner, child);
	}
	json_object_foreach(value, key, child)
	{
		__cleanup_free char *inner = json_pointer_join(pointer, key);

		check_key(jt, inner, key);
		check_tree(jt, inner, child);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct errors errors = { 0 };
	struct json_text jt;
	int err;

	if (size > MAX_TEXT)
		return 0;
	err = json_text_parse(&jt, "file", (const char *)data, size, &errors);
	fuzz_check_errors(err, &errors);
	if (err)
		return 0;
	check_tree(&jt, "", jt.root);
	json_text_free(&jt);
	return 0;
}
