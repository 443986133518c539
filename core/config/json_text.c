// SPDX-License-Identifier: MIT
/* JSON with the text that it came from: read, parsed, searched. */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "config/json_scan.h"

static const char *file_kind(mode_t mode)
{
	if (S_ISDIR(mode))
		return "a folder";
	if (S_ISCHR(mode))
		return "a character device";
	if (S_ISBLK(mode))
		return "a block device";
	return S_ISFIFO(mode) ? "a FIFO" : "a socket";
}

/* O_NONBLOCK: a FIFO must not keep us waiting before we see that it is one. */
static int open_regular(const char *path, struct errors *errors)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), err;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		err = -errno;
		errors_add(errors, "%s: cannot read it: %s", path, strerror(-err));
		goto fail;
	}
	if (!S_ISREG(st.st_mode)) {
		err = S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
		errors_add(errors, "%s: expected a regular file, this is %s", path,
			   file_kind(st.st_mode));
		goto fail;
	}
	return fd;
fail:
	if (fd >= 0)
		close(fd);
	return err;
}

/* One byte more than allowed is read, so that a file that grows meanwhile is seen too. */
static int read_all(int fd, const char *path, char **text, size_t *len, struct errors *errors)
{
	char *buf = malloc(JSON_TEXT_MAX + 1);
	size_t got = 0;
	ssize_t n = 1;
	int err = 0;

	if (!buf) {
		errors_add(errors, "out of memory");
		return -ENOMEM;
	}
	while (n && got <= JSON_TEXT_MAX) {
		n = read(fd, buf + got, JSON_TEXT_MAX + 1 - got);
		if (n < 0 && errno != EINTR) {
			err = -errno;
			errors_add(errors, "%s: cannot read it: %s", path, strerror(-err));
			goto fail;
		}
		got += n > 0 ? (size_t)n : 0;
	}
	if (got > JSON_TEXT_MAX) {
		err = -EFBIG;
		errors_add(errors, "%s: larger than 1 MiB, which no manifest is", path);
		goto fail;
	}
	*text = buf;
	*len = got;
	return 0;
fail:
	free(buf);
	return err;
}

/* Length of the UTF-8 character at p, 0 if it is none (overlong, a surrogate, above U+10FFFF). */
static size_t utf8_length(const unsigned char *p, size_t left)
{
	static const unsigned int lowest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = *p < 0x80 ? 1 : *p < 0xc0 ? 0 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : 4;
	unsigned int c;

	if (*p >= 0xf8 || len > left || !len)
		return 0;
	if (len == 1)
		return 1;
	c = *p & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < lowest[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	return len;
}

static int check_bytes(const struct json_text *jt, struct errors *errors)
{
	const unsigned char *text = (const unsigned char *)jt->text;
	struct json_pos pos;
	size_t at = 0, len;

	if (jt->len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) {
		errors_add(errors, "%s:1:1: begins with a byte order mark: save it without one",
			   jt->file);
		return -EINVAL;
	}
	for (; at < jt->len; at += len) {
		len = text[at] ? utf8_length(text + at, jt->len - at) : 0;
		if (len)
			continue;
		pos = json_pos_at(jt->text, at);
		errors_add(errors, "%s:%u:%u: byte 0x%02x is not valid UTF-8 text", jt->file,
			   pos.line, pos.col, text[at]);
		return -EINVAL;
	}
	if (!json_scan_peek(&(struct json_scan){ jt->text, jt->text + jt->len, { 1, 1 } }).len) {
		errors_add(errors, "%s:1:1: the file is empty", jt->file);
		return -EINVAL;
	}
	return 0;
}

/* jansson tells the end of the token that it stumbled over; people look at its beginning. */
static struct json_pos syntax_pos(const struct json_text *jt, const json_error_t *error)
{
	size_t offset = min_of((size_t)max_of(error->position, 0), jt->len), end;
	struct json_token token;
	struct json_scan s;

	json_scan_begin(&s, jt->text, jt->len);
	do {
		token = json_scan_next(&s);
		end = (size_t)(s.p - jt->text);
	} while (token.len && end < offset);
	if (token.open && json_error_code(error) == json_error_premature_end_of_input)
		return token.pos;
	if (!token.len || json_error_code(error) == json_error_premature_end_of_input)
		return json_pos_at(jt->text, jt->len);
	if (*token.start == '"' && offset < end && offset)
		return json_pos_at(jt->text, offset - 1);
	return token.pos;
}

/* Report every duplicate key of the object or array that is next. jansson has accepted the text and
 * limits its depth. */
static void report_duplicates(const struct json_text *jt, struct json_scan *s,
			      struct errors *errors)
{
	struct json_token token = json_scan_peek(s);
	bool object = *token.start == '{';
	json_t *seen, *name;

	if (*token.start != '{' && *token.start != '[') {
		json_scan_skip_value(s);
		return;
	}
	seen = json_object();
	do {
		json_scan_next(s); /* the bracket, or the comma */
		token = json_scan_peek(s);
		if (*token.start == '}' || *token.start == ']')
			break;
		if (object) {
			const char *key;
			json_t *first;

			name = json_token_string(&token);
			key = json_string_value(name);
			first = key ? json_object_get(seen, key) : NULL;
			if (first)
				errors_add(errors,
					   "%s:%u:%u: duplicate key \"%.64s\", as in line %d",
					   jt->file, token.pos.line, token.pos.col, key,
					   (int)json_integer_value(first));
			else if (key)
				json_object_set_new_nocheck(seen, key,
							    json_integer(token.pos.line));
			json_decref(name);
			json_scan_next(s);
			json_scan_next(s); /* the colon */
		}
		report_duplicates(jt, s, errors);
		token = json_scan_peek(s);
	} while (*token.start == ',');
	json_scan_next(s);
	json_decref(seen);
}

static int parse_text(struct json_text *jt, struct errors *errors)
{
	size_t before = errors_count(errors);
	struct json_scan s;
	struct json_pos pos;
	json_error_t error;

	if (check_bytes(jt, errors))
		return -EINVAL;
	jt->root = json_loadb(jt->text, jt->len, JSON_REJECT_DUPLICATES, &error);
	if (jt->root)
		return 0;
	if (json_error_code(&error) == json_error_duplicate_key) {
		json_t *root = json_loadb(jt->text, jt->len, 0, &error);

		json_scan_begin(&s, jt->text, jt->len);
		if (root)
			report_duplicates(jt, &s, errors);
		json_decref(root);
		if (errors_count(errors) > before)
			return -EINVAL;
	}
	pos = syntax_pos(jt, &error);
	errors_add(errors, "%s:%u:%u: not JSON: %s", jt->file, pos.line, pos.col, error.text);
	return -EINVAL;
}

int json_text_parse(struct json_text *jt, const char *name, const char *text, size_t len,
		    struct errors *errors)
{
	int err;

	*jt = (struct json_text){ .file = strdup(name), .text = malloc(len + 1), .len = len };
	if (!jt->file || !jt->text) {
		errors_add(errors, "out of memory");
		err = -ENOMEM;
	} else if (len > JSON_TEXT_MAX) {
		errors_add(errors, "%s: larger than 1 MiB, which no manifest is", name);
		err = -EFBIG;
	} else {
		memcpy(jt->text, text, len);
		jt->text[len] = '\0';
		err = parse_text(jt, errors);
	}
	if (err)
		json_text_free(jt);
	return err;
}

int json_text_load(struct json_text *jt, const char *path, struct errors *errors)
{
	__cleanup_fd int fd = open_regular(path, errors);
	__cleanup_free char *text = NULL;
	size_t len = 0;
	int err = fd;

	*jt = (struct json_text){ 0 };
	if (fd >= 0)
		err = read_all(fd, path, &text, &len, errors);
	if (!err)
		err = json_text_parse(jt, path, text, len, errors);
	if (text)
		explicit_bzero(text, len); /* as json_text_free() does */
	return err;
}

int json_text_wrap(struct json_text *jt, const char *name, json_t *root)
{
	*jt = (struct json_text){ .file = strdup(name), .root = json_incref(root) };
	if (jt->file)
		return 0;
	json_text_free(jt);
	return -ENOMEM;
}

void json_text_free(struct json_text *jt)
{
	if (jt->text)
		explicit_bzero(jt->text, jt->len); /* a secret may be written in it */
	json_decref(jt->root);
	free(jt->file);
	free(jt->text);
	*jt = (struct json_text){ 0 };
}
