// SPDX-License-Identifier: MIT
/* The word that a mistyped one comes closest to: edit distance with swaps, case left aside. */
#include <stdio.h>
#include <string.h>

#include "config/suggest.h"

#define WORD_MAX 64u /* longer words get no suggestion */

/* Upper and lower case, '-' and '_', are too easily mixed up to count as a difference. */
static char fold(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A' + 'a';
	return c == '-' ? '_' : c;
}

/* Insertions, deletions, replacements and swaps of neighbours that turn a into b. */
static unsigned int edit_distance(const char *a, size_t na, const char *b, size_t nb)
{
	unsigned int row[3][WORD_MAX + 1], *before = row[0], *above = row[1], *now = row[2];

	for (size_t j = 0; j <= nb; j++)
		above[j] = before[j] = (unsigned int)j;
	for (size_t i = 1; i <= na; i++) {
		unsigned int *spare = before;

		now[0] = (unsigned int)i;
		for (size_t j = 1; j <= nb; j++) {
			bool same = fold(a[i - 1]) == fold(b[j - 1]);
			unsigned int best = above[j - 1] + !same;

			best = min_of(best, above[j] + 1);
			best = min_of(best, now[j - 1] + 1);
			if (i > 1 && j > 1 && fold(a[i - 1]) == fold(b[j - 2]) &&
			    fold(a[i - 2]) == fold(b[j - 1]))
				best = min_of(best, before[j - 2] + 1);
			now[j] = best;
		}
		before = above;
		above = now;
		now = spare;
	}
	return above[nb];
}

static bool is_prefix(const char *word, size_t len, const char *candidate)
{
	for (size_t i = 0; i < len; i++) {
		if (fold(word[i]) != fold(candidate[i]))
			return false;
	}
	return true;
}

void suggest_begin(struct suggest *s, const char *word)
{
	*s = (struct suggest){ .word = word };
}

void suggest_offer(struct suggest *s, const char *candidate)
{
	size_t nw = strlen(s->word), nc = strlen(candidate);
	unsigned int distance, limit;
	bool prefix;

	if (!nw || !nc || nw > WORD_MAX || nc > WORD_MAX)
		return;
	distance = edit_distance(s->word, nw, candidate, nc);
	limit = (unsigned int)((nw + 2) / 3);
	prefix = nw < nc && is_prefix(s->word, nw, candidate);
	/* "phys" for "physical_block" is far by letters, yet plain to see; a real slip goes first */
	if (distance > limit && nw >= 3 && prefix)
		distance = limit;
	if (distance > limit || distance >= min_of(nw, nc))
		return;
	distance = 2 * distance - prefix; /* "of" is rather "off" than "on" */
	if (!s->best || distance < s->distance) {
		s->best = candidate;
		s->distance = distance;
	}
}

const char *suggest_word(const char *word, const char *const *words, size_t nr)
{
	struct suggest s;

	suggest_begin(&s, word);
	for (size_t i = 0; i < nr; i++)
		suggest_offer(&s, words[i]);
	return s.best;
}

const char *suggest_hint(const char *best, char buf[SUGGEST_HINT_MAX])
{
	buf[0] = '\0';
	if (best)
		snprintf(buf, SUGGEST_HINT_MAX, " (did you mean \"%.64s\"?)", best);
	return buf;
}
