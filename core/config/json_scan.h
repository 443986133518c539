/* SPDX-License-Identifier: MIT */
/* Walks over the tokens of a JSON text and knows where it is. For json_text.c only. */
#ifndef CONFIG_JSON_SCAN_H
#define CONFIG_JSON_SCAN_H

#include "config/json_text.h"

struct json_scan {
	const char *p, *end;
	struct json_pos pos;
};

struct json_token {
	const char *start;
	size_t len; /* 0: the text is at its end */
	struct json_pos pos;
	bool open; /* a string without its closing quotation mark */
};

void json_scan_begin(struct json_scan *s, const char *text, size_t len);
/* Skip blanks and take the next token: a string, one of {}[]:, or a run of other characters. Any
 * text will do, JSON or not. */
struct json_token json_scan_next(struct json_scan *s);
/* The next token, which stays there. */
struct json_token json_scan_peek(const struct json_scan *s);
/* Skip a whole value of a text that is JSON. */
void json_scan_skip_value(struct json_scan *s);

/* What a string token says: is it `text` of n bytes? */
bool json_token_is(const struct json_token *token, const char *text, size_t n);
/* The same as a value of its own; NULL: no memory. */
json_t *json_token_string(const struct json_token *token);

/* Line and column of text[offset]. */
struct json_pos json_pos_at(const char *text, size_t offset);

#endif
