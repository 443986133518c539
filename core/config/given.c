// SPDX-License-Identifier: MIT
/* One value as a user gave it, from the command line or from JSON. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "config/given.h"
#include "config/size.h"

#define SHOW_BYTES 64 /* of a value, in a message */

void given_from_text(struct given *g, const char *text)
{
	g->kind = GIVEN_TEXT;
	g->text = text;
}

void given_from_json(struct given *g, const json_t *value)
{
	int len;

	g->text = g->buf;
	g->buf[0] = '\0';
	switch (json_typeof(value)) {
	case JSON_STRING:
		g->kind = GIVEN_STRING;
		g->text = json_string_value(value);
		break;
	case JSON_INTEGER:
		g->kind = GIVEN_INTEGER;
		snprintf(g->buf, sizeof(g->buf), "%" JSON_INTEGER_FORMAT,
			 json_integer_value(value));
		break;
	case JSON_REAL:
		g->kind = GIVEN_REAL;
		len = snprintf(g->buf, sizeof(g->buf), "%.15g", json_real_value(value));
		if (!strpbrk(g->buf, ".e"))
			strcpy(g->buf + len, ".0"); /* "expected integer, got 2" would puzzle */
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		g->kind = GIVEN_BOOL;
		g->text = json_is_true(value) ? "true" : "false";
		break;
	case JSON_NULL:
		g->kind = GIVEN_NULL;
		break;
	case JSON_ARRAY:
		g->kind = GIVEN_ARRAY;
		break;
	case JSON_OBJECT:
		g->kind = GIVEN_OBJECT;
		break;
	}
}

void given_from_option(struct given *g, const struct option_arg *arg)
{
	g->text = arg->value;
	if (arg->is_bool)
		g->kind = GIVEN_BOOL;
	else if (arg->is_number)
		g->kind = strspn(arg->value, "-0123456789") == strlen(arg->value) ? GIVEN_INTEGER
										  : GIVEN_REAL;
	else
		g->kind = arg->from_json ? GIVEN_STRING : GIVEN_TEXT;
}

static int parse_u64(const char *text, uint64_t *v)
{
	if (!*text || strspn(text, "0123456789") != strlen(text))
		return -EINVAL;
	return size_parse(text, v);
}

static int parse_bool(const char *text, bool *v)
{
	static const char *const words[] = { "false", "off", "no", "0", "true", "on", "yes", "1" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (!strcmp(text, words[i])) {
			*v = i >= ARRAY_SIZE(words) / 2;
			return 0;
		}
	}
	return -EINVAL;
}

int given_u64(const struct given *g, uint64_t *v)
{
	uint64_t parsed;
	int err;

	if (g->kind != GIVEN_TEXT && g->kind != GIVEN_INTEGER && g->kind != GIVEN_STRING)
		return -EINVAL;
	err = parse_u64(g->text, &parsed);
	if (!err && g->kind == GIVEN_STRING && parsed <= INT64_MAX)
		err = -EINVAL;
	if (!err)
		*v = parsed;
	return err;
}

int given_size(const struct given *g, uint64_t *v)
{
	if (g->kind == GIVEN_INTEGER)
		return parse_u64(g->text, v);
	return given_string(g) ? size_parse(g->text, v) : -EINVAL;
}

int given_bool(const struct given *g, bool *v)
{
	if (g->kind != GIVEN_TEXT && g->kind != GIVEN_BOOL)
		return -EINVAL;
	return parse_bool(g->text, v);
}

const char *given_string(const struct given *g)
{
	return g->kind == GIVEN_TEXT || g->kind == GIVEN_STRING ? g->text : NULL;
}

bool given_is_utf8(const char *text)
{
	json_t *string = json_string(text);

	json_decref(string);
	return string;
}

const char *given_kind_name(const struct given *g)
{
	static const char *const names[] = {
		[GIVEN_TEXT] = "a string",    [GIVEN_STRING] = "a string",
		[GIVEN_INTEGER] = "a number", [GIVEN_REAL] = "a number",
		[GIVEN_BOOL] = "a boolean",   [GIVEN_NULL] = "null",
		[GIVEN_ARRAY] = "an array",   [GIVEN_OBJECT] = "an object"
	};

	return names[g->kind];
}

const char *given_show(const struct given *g, char buf[GIVEN_SHOW_MAX])
{
	size_t len = strlen(g->text);
	const char *more = "", *type = "";
	uint64_t number;
	bool truth;

	switch (g->kind) {
	case GIVEN_STRING:
		/* "4" is all right but for its quotation marks, which the reader may overlook */
		if (!parse_u64(g->text, &number) || !parse_bool(g->text, &truth))
			type = "string ";
		/* fall through */
	case GIVEN_TEXT:
		if (len > SHOW_BYTES) {
			len = SHOW_BYTES;
			while (len && ((unsigned char)g->text[len] & 0xc0) == 0x80)
				len--; /* not in the middle of a character */
			more = "...";
		}
		snprintf(buf, GIVEN_SHOW_MAX, "%s\"%.*s%s\"", type, (int)len, g->text, more);
		break;
	case GIVEN_INTEGER:
	case GIVEN_REAL:
	case GIVEN_BOOL:
		snprintf(buf, GIVEN_SHOW_MAX, "%s", g->text);
		break;
	default:
		snprintf(buf, GIVEN_SHOW_MAX, "%s", given_kind_name(g));
	}
	return buf;
}
