// SPDX-License-Identifier: MIT
/* Where in a JSON text a value stands, by JSON Pointer, for messages: jansson keeps no positions. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "config/json_scan.h"

/* The segment of a pointer up to the next '/', ~0 and ~1 resolved, into a buffer as long as it. */
static size_t unescape(const char *segment, size_t n, char *out)
{
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		if (segment[i] == '~' && i + 1 < n &&
		    (segment[i + 1] == '0' || segment[i + 1] == '1'))
			out[len++] = segment[++i] == '0' ? '~' : '/';
		else
			out[len++] = segment[i];
	}
	return len;
}

/* At an object: go to the value of a member. *key: where its key stands. */
static int enter_member(struct json_scan *s, const char *name, size_t n, struct json_pos *key)
{
	struct json_token token;

	json_scan_next(s);
	if (*json_scan_peek(s).start == '}')
		return -ENOENT;
	do {
		token = json_scan_next(s);
		json_scan_next(s); /* the colon */
		if (json_token_is(&token, name, n)) {
			*key = token.pos;
			return 0;
		}
		json_scan_skip_value(s);
	} while (*json_scan_next(s).start == ',');
	return -ENOENT;
}

static int enter_element(struct json_scan *s, const char *name, size_t n)
{
	size_t index = 0;

	if (!n || n > 9 || strspn(name, "0123456789") < n || (*name == '0' && n > 1))
		return -ENOENT;
	for (size_t i = 0; i < n; i++)
		index = index * 10 + (size_t)(name[i] - '0');
	json_scan_next(s);
	if (*json_scan_peek(s).start == ']')
		return -ENOENT;
	while (index--) {
		json_scan_skip_value(s);
		if (*json_scan_next(s).start != ',')
			return -ENOENT;
	}
	return 0;
}

static int locate(const struct json_text *jt, const char *pointer, size_t len, bool want_key,
		  struct json_pos *pos)
{
	__cleanup_free char *name = malloc(len + 1);
	const char *end = pointer + len;
	bool in_object = false;
	struct json_pos key = { 1, 1 };
	struct json_scan s;
	int err = name && jt->text ? 0 : -ENOENT;

	json_scan_begin(&s, jt->text, jt->text ? jt->len : 0);
	while (!err && pointer < end) {
		const char *segment = pointer + 1, *slash;
		struct json_token token = json_scan_peek(&s);
		size_t n;

		if (*pointer != '/')
			return -ENOENT;
		slash = memchr(segment, '/', (size_t)(end - segment));
		pointer = slash ? slash : end;
		n = unescape(segment, (size_t)(pointer - segment), name);
		name[n] = '\0';
		in_object = *token.start == '{';
		if (in_object)
			err = enter_member(&s, name, n, &key);
		else
			err = *token.start == '[' ? enter_element(&s, name, n) : -ENOENT;
	}
	if (!err)
		*pos = want_key && in_object ? key : json_scan_peek(&s).pos;
	return err;
}

int json_text_locate(const struct json_text *jt, const char *pointer, bool want_key,
		     struct json_pos *pos)
{
	return locate(jt, pointer, strlen(pointer), want_key, pos);
}

char *json_text_where(const struct json_text *jt, const char *pointer, bool at_key)
{
	const char *gap = *pointer ? ": " : "";
	size_t len = strlen(pointer);
	struct json_pos pos;
	char *where;
	int n;

	while (jt->text && locate(jt, pointer, len, at_key, &pos) && len) {
		do
			len--;
		while (len && pointer[len] != '/');
		at_key = false; /* the object that lacks it */
	}
	if (jt->text)
		n = asprintf(&where, "%s:%u:%u%s%s", jt->file, pos.line, pos.col, gap, pointer);
	else
		n = asprintf(&where, "%s%s%s", jt->file, gap, pointer);
	return n < 0 ? NULL : where;
}

void json_text_error(const struct json_text *jt, const char *pointer, bool at_key,
		     struct errors *errors, const char *fmt, ...)
{
	__cleanup_free char *where = NULL, *message = NULL;
	va_list ap;

	if (!errors_full(errors)) { /* else it is only counted: spare us the search */
		where = json_text_where(jt, pointer, at_key);
		va_start(ap, fmt);
		if (vasprintf(&message, fmt, ap) < 0)
			message = NULL;
		va_end(ap);
	}
	errors_add(errors, "%s: %s", where ? where : jt->file, message ? message : "out of memory");
}

char *json_pointer_join(const char *parent, const char *key)
{
	size_t len = strlen(parent);
	char *pointer = malloc(len + 2 * strlen(key) + 2), *out;

	if (!pointer)
		return NULL;
	memcpy(pointer, parent, len);
	out = pointer + len;
	*out++ = '/';
	for (; *key; key++) {
		if (*key == '~' || *key == '/') {
			*out++ = '~';
			*out++ = *key == '~' ? '0' : '1';
		} else {
			*out++ = *key;
		}
	}
	*out = '\0';
	return pointer;
}
