/* SPDX-License-Identifier: MIT */
/* "Did you mean": the word of a list that a mistyped one comes closest to. Any thread. */
#ifndef CONFIG_SUGGEST_H
#define CONFIG_SUGGEST_H

#include "base/util.h"

/* Offer candidates one by one; the strings are not copied. */
struct suggest {
	const char *word;      /* as mistyped */
	const char *best;      /* closest candidate so far, or NULL: none is close */
	unsigned int distance; /* of best; less is closer */
};

void suggest_begin(struct suggest *s, const char *word);
void suggest_offer(struct suggest *s, const char *candidate);

/* The closest of nr words, or NULL if none is close. */
const char *suggest_word(const char *word, const char *const *words, size_t nr);

/* The end of a message: " (did you mean \"queues\"?)", or "" when best is NULL. Returns buf. */
#define SUGGEST_HINT_MAX 96
const char *suggest_hint(const char *best, char buf[SUGGEST_HINT_MAX]);

#endif
