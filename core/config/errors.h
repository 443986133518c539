/* SPDX-License-Identifier: MIT */
/*
 * Collects the messages about what a user wrote, so that all of them are reported at once. One
 * owner, one thread. Initialise with { 0 }.
 */
#ifndef CONFIG_ERRORS_H
#define CONFIG_ERRORS_H

#include "base/util.h"

#define ERRORS_KEPT 20u /* the first ones keep their text, the rest is only counted */

struct errors {
	char *msg[ERRORS_KEPT]; /* NULL: memory ran out */
	size_t nr;		/* of all, kept or not */
};

/* A full one-line message, without the program's name. Control characters are written as \xNN, so
 * that nothing a user wrote can break the line or reach the terminal. */
void errors_add(struct errors *errors, const char *fmt, ...) __printf_like(2, 3);
/* A text as it stands in a message: without control characters. malloc()ed; NULL: no memory. */
char *errors_one_line(const char *text);
size_t errors_count(const struct errors *errors);
/* Further messages would only be counted: their makers may skip costly details. */
bool errors_full(const struct errors *errors);
/* log_err() each one, and "and N more errors" if not all were kept. */
void errors_print(const struct errors *errors);
/* Ready to be used again. */
void errors_free(struct errors *errors);

#endif
