/* SPDX-License-Identifier: MIT */
/*
 * One value as a user gave it, from the command line or from JSON, so that both are checked by the
 * same code. For the rooms of config only.
 */
#ifndef CONFIG_GIVEN_H
#define CONFIG_GIVEN_H

#include <jansson.h>

#include "config/config.h"

enum given_kind {
	GIVEN_TEXT, /* the command line: has no type of its own */
	GIVEN_STRING,
	GIVEN_INTEGER,
	GIVEN_REAL,
	GIVEN_BOOL,
	GIVEN_NULL,
	GIVEN_ARRAY,
	GIVEN_OBJECT
};

/* text is not copied. Do not copy the struct: text may point into it. */
struct given {
	enum given_kind kind;
	const char *text;
	char buf[40];
};

void given_from_text(struct given *g, const char *text);
void given_from_json(struct given *g, const json_t *value);
void given_from_option(struct given *g, const struct option_arg *arg);

/* Each returns 0, -EINVAL (another type, or malformed) or -ERANGE (more than 64 bits). JSON must
 * have the matching type: an integer for u64 (a string only above what JSON integers can hold), an
 * integer or a string for a size, true or false for bool. */
int given_u64(const struct given *g, uint64_t *v);
int given_size(const struct given *g, uint64_t *v);
int given_bool(const struct given *g, bool *v);
/* The text of a string; NULL: it is none. */
const char *given_string(const struct given *g);

/* What goes into a manifest has to be. */
bool given_is_utf8(const char *text);

/* How to name the value behind "got": "\"four\"", "5000", "true", "an array"; a long one is cut. A
 * JSON string whose text alone would have been right is "string \"4\"". Returns buf. */
#define GIVEN_SHOW_MAX 96
const char *given_show(const struct given *g, char buf[GIVEN_SHOW_MAX]);
/* The same without the value, for secrets: "a string", "a number". */
const char *given_kind_name(const struct given *g);

#endif
