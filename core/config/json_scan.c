// SPDX-License-Identifier: MIT
/* Walks over the tokens of a JSON text and knows where it is. */
#include <string.h>

#include "config/json_scan.h"

void json_scan_begin(struct json_scan *s, const char *text, size_t len)
{
	*s = (struct json_scan){ .p = text, .end = text + len, .pos = { 1, 1 } };
}

static void step(struct json_scan *s)
{
	if (*s->p == '\n') {
		s->pos.line++;
		s->pos.col = 1;
	} else if (((unsigned char)*s->p & 0xc0) != 0x80) {
		s->pos.col++; /* the first byte of a character */
	}
	s->p++;
}

static bool is_one_of(char c, const char *set)
{
	return c && strchr(set, c);
}

/* At an opening quotation mark. Returns whether the string is closed. */
static bool scan_string(struct json_scan *s)
{
	step(s);
	while (s->p < s->end) {
		char c = *s->p;

		step(s);
		if (c == '"')
			return true;
		if (c == '\\' && s->p < s->end)
			step(s);
	}
	return false;
}

struct json_token json_scan_next(struct json_scan *s)
{
	struct json_token token = { 0 };

	while (s->p < s->end && is_one_of(*s->p, " \t\r\n"))
		step(s);
	token.start = s->p;
	token.pos = s->pos;
	if (s->p < s->end && *s->p == '"') {
		token.open = !scan_string(s);
	} else if (s->p < s->end && is_one_of(*s->p, "{}[]:,")) {
		step(s);
	} else {
		while (s->p < s->end && !is_one_of(*s->p, "{}[]:,\" \t\r\n"))
			step(s);
	}
	token.len = (size_t)(s->p - token.start);
	return token;
}

struct json_token json_scan_peek(const struct json_scan *s)
{
	struct json_scan copy = *s;

	return json_scan_next(&copy);
}

void json_scan_skip_value(struct json_scan *s)
{
	size_t depth = 0;

	do {
		struct json_token token = json_scan_next(s);

		if (!token.len)
			return;
		if (is_one_of(*token.start, "{["))
			depth++;
		else if (is_one_of(*token.start, "}]"))
			depth--;
	} while (depth);
}

json_t *json_token_string(const struct json_token *token)
{
	return json_loadb(token->start, token->len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
}

bool json_token_is(const struct json_token *token, const char *text, size_t n)
{
	json_t *decoded;
	bool same;

	if (*token->start != '"' || token->len < 2)
		return false;
	if (!memchr(token->start, '\\', token->len))
		return token->len - 2 == n && !memcmp(token->start + 1, text, n);
	decoded = json_token_string(token);
	same = decoded && json_string_length(decoded) == n &&
	       !memcmp(json_string_value(decoded), text, n);
	json_decref(decoded);
	return same;
}

struct json_pos json_pos_at(const char *text, size_t offset)
{
	struct json_scan s;

	json_scan_begin(&s, text, offset);
	while (s.p < s.end)
		step(&s);
	return s.pos;
}
