// SPDX-License-Identifier: MIT
/* One value of a plugin's option checked by its entry in the table. */
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "config/option_value.h"
#include "config/path.h"
#include "config/size.h"
#include "config/suggest.h"

static const char *const type_names[] = {
	[UBLK_OPT_STRING] = "string", [UBLK_OPT_BOOL] = "bool", [UBLK_OPT_U64] = "u64",
	[UBLK_OPT_SIZE] = "size",     [UBLK_OPT_PATH] = "path", [UBLK_OPT_ENUM] = "enum",
	[UBLK_OPT_SECRET] = "secret"
};

const char *option_type_name(uint32_t type)
{
	return type < ARRAY_SIZE(type_names) ? type_names[type] : NULL;
}

uint32_t option_type_of(const char *name)
{
	for (uint32_t type = 1; type < ARRAY_SIZE(type_names); type++) {
		if (!strcmp(type_names[type], name))
			return type;
	}
	return 0;
}

bool option_has_bounds(uint32_t type)
{
	return type == UBLK_OPT_U64 || type == UBLK_OPT_SIZE;
}

const char *option_placeholder(const struct ublk_opt_spec *spec)
{
	static const char *const text[] = {
		[UBLK_OPT_STRING] = "STRING", [UBLK_OPT_BOOL] = "true|false",
		[UBLK_OPT_U64] = "N",	      [UBLK_OPT_SIZE] = "SIZE",
		[UBLK_OPT_PATH] = "PATH",     [UBLK_OPT_SECRET] = "@FILE"
	};

	if (spec->type == UBLK_OPT_ENUM && spec->choices)
		return spec->choices;
	return spec->type < ARRAY_SIZE(text) && text[spec->type] ? text[spec->type] : "VALUE";
}

bool option_name_ok(const char *name)
{
	return *name >= 'a' && *name <= 'z' && strncmp(name, "x-", 2) &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == strlen(name);
}

/* The next word of "a|b|c"; *choices moves behind it and is NULL after the last. */
static size_t next_choice(const char **choices, const char **word)
{
	size_t n = strcspn(*choices, "|");

	*word = *choices;
	*choices = (*choices)[n] ? *choices + n + 1 : NULL;
	return n;
}

/* Index of a word among choices; -1: it is not there. */
static int choice_index(const char *choices, const char *text, size_t len)
{
	const char *word;

	for (int i = 0; choices; i++) {
		size_t n = next_choice(&choices, &word);

		if (n == len && !memcmp(word, text, n))
			return i;
	}
	return -1;
}

bool option_choices_ok(const char *choices)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._+-";
	const char *rest = choices, *word;

	for (int i = 0; rest; i++) {
		size_t n = next_choice(&rest, &word);

		if (!n || strspn(word, allowed) < n || choice_index(choices, word, n) != i)
			return false;
	}
	return true;
}

static int wrong(char why[OPTION_WHY_MAX], const struct given *g, const char *expected)
{
	char shown[GIVEN_SHOW_MAX];

	snprintf(why, OPTION_WHY_MAX, "expected %s, got %s", expected, given_show(g, shown));
	return -EINVAL;
}

static int keep(struct option_value *value, char *copy, char why[OPTION_WHY_MAX])
{
	if (!copy) {
		snprintf(why, OPTION_WHY_MAX, "out of memory");
		return -ENOMEM;
	}
	value->str = copy;
	return 0;
}

/* A text that only the manifest limits, which is in UTF-8. */
static int keep_text(struct option_value *value, char *copy, const struct given *g,
		     char why[OPTION_WHY_MAX])
{
	if (copy && !given_is_utf8(copy)) {
		free(copy);
		return wrong(why, g, "text in UTF-8");
	}
	return keep(value, copy, why);
}

static int parse_bounded(const struct ublk_opt_spec *spec, const struct given *g,
			 struct option_value *value, char why[OPTION_WHY_MAX])
{
	bool size = spec->type == UBLK_OPT_SIZE;
	char expected[128], min[SIZE_TEXT_MAX], max[SIZE_TEXT_MAX];
	const char *forms = "";
	uint64_t v;
	int err = size ? given_size(g, &v) : given_u64(g, &v);

	if (!err && v >= spec->min && (!spec->max || v <= spec->max)) {
		value->u64 = v;
		return keep(value, strdup(g->text), why);
	}
	snprintf(min, sizeof(min), "%" PRIu64, spec->min);
	snprintf(max, sizeof(max), "%" PRIu64, spec->max);
	if (size) {
		size_format(spec->min, min);
		size_format(spec->max, max);
		forms = err == -EINVAL ? " (" SIZE_FORMS ")" : "";
	}
	if (spec->max)
		snprintf(expected, sizeof(expected), "%s %s..%s%s", size ? "size" : "integer", min,
			 max, forms);
	else if (!size || spec->min)
		snprintf(expected, sizeof(expected), "%s of at least %s%s",
			 size ? "size" : "integer", min, forms);
	else
		snprintf(expected, sizeof(expected), "size (" SIZE_FORMS ")");
	return wrong(why, g, expected);
}

static int parse_bool(const struct given *g, struct option_value *value, char why[OPTION_WHY_MAX])
{
	bool v;

	if (given_bool(g, &v))
		return wrong(why, g,
			     g->kind == GIVEN_TEXT ? "true, false, on, off, yes, no, 1 or 0"
						   : "true or false");
	value->u64 = v;
	return keep(value, strdup(g->text), why);
}

/* A choice between auto, on and off takes the words of a bool too: "direct": true is on. */
static int parse_enum(const struct ublk_opt_spec *spec, const struct given *g,
		      struct option_value *value, char why[OPTION_WHY_MAX])
{
	const char *text = given_string(g), *rest = spec->choices, *word;
	char candidate[64], hint[SUGGEST_HINT_MAX], shown[GIVEN_SHOW_MAX];
	struct suggest s;
	int index;
	bool v;

	index = text ? choice_index(rest, text, strlen(text)) : -1;
	if (index < 0 && !given_bool(g, &v) && choice_index(rest, "on", 2) >= 0 &&
	    choice_index(rest, "off", 3) >= 0) {
		text = v ? "on" : "off";
		index = choice_index(rest, text, strlen(text));
	}
	if (index >= 0) {
		value->u64 = (uint64_t)index;
		return keep(value, strdup(text), why);
	}
	suggest_begin(&s, text ? text : "");
	while (rest) {
		size_t n = next_choice(&rest, &word);
		struct suggest one;

		snprintf(candidate, sizeof(candidate), "%.*s", (int)n, word);
		suggest_begin(&one, s.word);
		suggest_offer(&one, candidate);
		if (one.best && (!s.best || one.distance < s.distance)) {
			s.best = suggest_hint(candidate, hint);
			s.distance = one.distance;
		}
	}
	snprintf(why, OPTION_WHY_MAX, "expected one of %.300s, got %s%s", spec->choices,
		 given_show(g, shown), s.best ? hint : "");
	return -EINVAL;
}

static int parse_path(const struct given *g, const char *folder, struct option_value *value,
		      char why[OPTION_WHY_MAX])
{
	const char *path = given_string(g);

	if (!path || !*path || strlen(path) >= PATH_MAX)
		return wrong(why, g, "a path");
	if (*path != '/' && !folder)
		return wrong(why, g, "an absolute path");
	return keep_text(value, path_absolute(folder, path), g, why);
}

/* Regular files only: options may be parsed more than once, which a pipe does not survive. */
static int read_secret(const char *path, char **secret, char why[OPTION_WHY_MAX])
{
	__cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char *buf = malloc(OPTION_SECRET_MAX + 2);
	ssize_t n = 1, got = 0;
	struct stat st;
	int err = buf ? 0 : -ENOMEM;

	if (!err && (fd < 0 || fstat(fd, &st) < 0))
		err = -errno;
	if (!err && !S_ISREG(st.st_mode))
		err = S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	while (!err && n && got <= (ssize_t)OPTION_SECRET_MAX) {
		n = read(fd, buf + got, (size_t)(OPTION_SECRET_MAX + 1 - got));
		if (n < 0 && errno != EINTR)
			err = -errno;
		got += n > 0 ? n : 0;
	}
	if (err) {
		snprintf(why, OPTION_WHY_MAX, "cannot read the secret's file %.256s: %s", path,
			 err == -EINVAL ? "it is not a regular file" : strerror(-err));
	} else if (got > (ssize_t)OPTION_SECRET_MAX || memchr(buf, '\0', (size_t)got)) {
		snprintf(why, OPTION_WHY_MAX, "the secret's file %.256s %s", path,
			 got > (ssize_t)OPTION_SECRET_MAX ? "is larger than 64 KiB"
							  : "has a NUL byte in it");
		err = -EINVAL;
	}
	if (err) {
		if (buf)
			explicit_bzero(buf, OPTION_SECRET_MAX + 2);
		free(buf);
		return err;
	}
	got -= got && buf[got - 1] == '\n';
	buf[got] = '\0';
	*secret = buf;
	return 0;
}

/* "@FILE" is read from FILE, "@@x" is the secret "@x", anything else is the secret itself. */
static int parse_secret(const struct given *g, const char *folder, struct option_value *value,
			char why[OPTION_WHY_MAX])
{
	const char *text = given_string(g);
	int err;

	if (!text) {
		snprintf(why, OPTION_WHY_MAX, "expected a string or @FILE, got %s",
			 given_kind_name(g));
		return -EINVAL;
	}
	if (text[0] != '@' || text[1] == '@')
		return keep(value, strdup(text + (text[0] == '@')), why);
	if (!text[1] || (text[1] != '/' && !folder)) {
		snprintf(why, OPTION_WHY_MAX, "expected @FILE with %s path behind the @",
			 text[1] ? "an absolute" : "a");
		return -EINVAL;
	}
	value->secret_file = path_absolute(folder, text + 1);
	if (!value->secret_file)
		return keep(value, NULL, why);
	if (given_is_utf8(value->secret_file)) {
		err = read_secret(value->secret_file, &value->str, why);
	} else {
		snprintf(why, OPTION_WHY_MAX, "expected @FILE with a path in UTF-8");
		err = -EINVAL;
	}
	if (err)
		option_value_free(value);
	return err == -ENOMEM ? err : err ? -EINVAL : 0;
}

int option_value_parse(const struct ublk_opt_spec *spec, const struct given *g, const char *folder,
		       struct option_value *value, char why[OPTION_WHY_MAX])
{
	*value = (struct option_value){ 0 };
	switch (spec->type) {
	case UBLK_OPT_STRING:
		if (!given_string(g))
			return wrong(why, g, "a string");
		return keep_text(value, strdup(g->text), g, why);
	case UBLK_OPT_BOOL:
		return parse_bool(g, value, why);
	case UBLK_OPT_U64:
	case UBLK_OPT_SIZE:
		return parse_bounded(spec, g, value, why);
	case UBLK_OPT_PATH:
		return parse_path(g, folder, value, why);
	case UBLK_OPT_ENUM:
		return parse_enum(spec, g, value, why);
	case UBLK_OPT_SECRET:
		return parse_secret(g, folder, value, why);
	}
	snprintf(why, OPTION_WHY_MAX, "has an unknown type %" PRIu32, spec->type);
	return -EINVAL;
}

void option_value_free(struct option_value *value)
{
	if (value->str)
		explicit_bzero(value->str, strlen(value->str));
	free(value->str);
	free(value->secret_file);
	*value = (struct option_value){ 0 };
}
