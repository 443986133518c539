/* SPDX-License-Identifier: MIT */
/* What both kinds of manifest have in common: a version, and keys that are ignored. For config. */
#ifndef CONFIG_MANIFEST_COMMON_H
#define CONFIG_MANIFEST_COMMON_H

#include "config/json_text.h"
#include "config/suggest.h"

#define MANIFEST_NOTE_MAX 64

/* Check the version, the value of root's member `key`: "MAJOR.MINOR". 0, or -EINVAL with a message
 * in errors: the rest cannot be understood. note: the end of each later message, " (format 1.2,
 * this host reads up to 1.0)" for a newer minor, else "". */
int manifest_version(const struct json_text *jt, const char *key, unsigned int major,
		     unsigned int minor, char note[MANIFEST_NOTE_MAX], struct errors *errors);

/* x-*; and $schema, which is for the top level. */
bool manifest_ignores(const char *key, bool top);

/* Report a key that is not one of nr words, with the closest of them, or all. elsewhere: a better
 * place for this very key, a pointer; or NULL. */
void manifest_unknown_key(const struct json_text *jt, const char *pointer, const char *key,
			  const char *const *words, size_t nr, const char *elsewhere,
			  const char *note, struct errors *errors);

#endif
