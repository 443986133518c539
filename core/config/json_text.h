/* SPDX-License-Identifier: MIT */
/*
 * JSON with the text that it came from, so that an error about a value can say where it stands.
 * One thread at a time per struct json_text.
 */
#ifndef CONFIG_JSON_TEXT_H
#define CONFIG_JSON_TEXT_H

#include <jansson.h>

#include "config/errors.h"

#define JSON_TEXT_MAX (1u << 20) /* bytes: no manifest is larger */

struct json_text {
	char *file; /* as named in messages */
	char *text; /* NULL: a tree without a text, whose errors have no line */
	size_t len;
	json_t *root; /* a reference of its own */
};

/* Lines and columns from 1; a column is a character (code point), not a byte. */
struct json_pos {
	unsigned int line, col;
};

/* Read and parse a regular file of at most JSON_TEXT_MAX bytes, valid UTF-8, without duplicate
 * keys. 0, or -errno with the messages in errors and nothing to free: -EINVAL the text is wrong,
 * -EFBIG too large, else what open() or read() said. A relative path is meant from the cwd. */
int json_text_load(struct json_text *jt, const char *path, struct errors *errors);
/* The same with a text in memory, which is copied. name: for messages. */
int json_text_parse(struct json_text *jt, const char *name, const char *text, size_t len,
		    struct errors *errors);
/* A tree that is not from a text (a part of a state file); takes a reference of its own. -ENOMEM. */
int json_text_wrap(struct json_text *jt, const char *name, json_t *root);
void json_text_free(struct json_text *jt);

/* Where the value (or the key, of an object's member) that a JSON Pointer (RFC 6901) names begins.
 * 0, or -ENOENT: there is no such value, or no text. */
int json_text_locate(const struct json_text *jt, const char *pointer, bool want_key,
		     struct json_pos *pos);

/* "FILE:LINE:COL: POINTER", the head of a message; malloc()ed, NULL: no memory. A pointer that is
 * not in the text gets the position of its closest parent that is. */
char *json_text_where(const struct json_text *jt, const char *pointer, bool at_key);
/* Add that head, ": " and a message. */
void json_text_error(const struct json_text *jt, const char *pointer, bool at_key,
		     struct errors *errors, const char *fmt, ...) __printf_like(5, 6);

/* PARENT/KEY with KEY escaped (~ as ~0, / as ~1); malloc()ed, NULL: no memory. */
char *json_pointer_join(const char *parent, const char *key);

#endif
