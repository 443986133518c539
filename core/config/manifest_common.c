// SPDX-License-Identifier: MIT
/* What both kinds of manifest have in common. */
#include <stdio.h>
#include <string.h>

#include "config/given.h"
#include "config/manifest_common.h"

#define LISTED_BYTES 400

/* "12" to 12, as far as digits go; no sign, no leading zero, at most four. */
static const char *parse_number(const char *text, unsigned int *v)
{
	size_t n = strspn(text, "0123456789");

	if (!n || n > 4 || (*text == '0' && n > 1))
		return NULL;
	*v = (unsigned int)strtoul(text, NULL, 10);
	return text + n;
}

int manifest_version(const struct json_text *jt, const char *key, unsigned int major,
		     unsigned int minor, char note[MANIFEST_NOTE_MAX], struct errors *errors)
{
	const json_t *value = json_object_get(jt->root, key);
	char pointer[64], shown[GIVEN_SHOW_MAX];
	unsigned int got_major, got_minor;
	const char *rest;
	struct given g;

	note[0] = '\0';
	if (!json_is_object(jt->root)) {
		given_from_json(&g, jt->root);
		json_text_error(jt, "", false, errors, "expected an object, got %s",
				given_show(&g, shown));
		return -EINVAL;
	}
	snprintf(pointer, sizeof(pointer), "/%s", key);
	if (!value) {
		json_text_error(jt, pointer, false, errors,
				"missing: the format must be named, as \"%s\": \"%u.%u\"", key,
				major, minor);
		return -EINVAL;
	}
	given_from_json(&g, value);
	rest = g.kind == GIVEN_STRING ? parse_number(g.text, &got_major) : NULL;
	rest = rest && *rest == '.' ? parse_number(rest + 1, &got_minor) : NULL;
	if (!rest || *rest) {
		json_text_error(jt, pointer, false, errors, "expected \"%u.%u\", got %s", major,
				minor, given_show(&g, shown));
		return -EINVAL;
	}
	if (got_major != major) {
		json_text_error(jt, pointer, false, errors, "format %u.%u, this host reads %u.x",
				got_major, got_minor, major);
		return -EINVAL;
	}
	if (got_minor > minor)
		snprintf(note, MANIFEST_NOTE_MAX, " (format %u.%u, this host reads up to %u.%u)",
			 got_major, got_minor, major, minor);
	return 0;
}

bool manifest_ignores(const char *key, bool top)
{
	return !strncmp(key, "x-", 2) || (top && !strcmp(key, "$schema"));
}

void manifest_unknown_key(const struct json_text *jt, const char *pointer, const char *key,
			  const char *const *words, size_t nr, const char *elsewhere,
			  const char *note, struct errors *errors)
{
	char list[LISTED_BYTES] = "", hint[SUGGEST_HINT_MAX];
	const char *best = elsewhere ? elsewhere : suggest_word(key, words, nr);
	size_t len = 0;

	for (size_t i = 0; !best && i < nr; i++) {
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s",
					i ? ", " : "; known here: ", words[i]);
		len = min_of(len, sizeof(list) - 1);
	}
	json_text_error(jt, pointer, true, errors, "unknown key%s%s%s", suggest_hint(best, hint),
			list, note);
}
