/* SPDX-License-Identifier: MIT */
/* What --json prints: one value, indented, its members in the order that they were added in. */
#ifndef CLI_JSON_OUT_H
#define CLI_JSON_OUT_H

#include <jansson.h>

#include "base/util.h"

/* Print json (which is used up) to standard output. NULL: memory ran out while it was made. Returns
 * the verb's exit status. */
int json_print(json_t *json);

/* The same on one line, for one value after another. */
int json_print_line(json_t *json);

/* A number, or null if it is not known. */
static inline json_t *json_number_or_null(bool known, int64_t number)
{
	return known ? json_integer(number) : json_null();
}

/* Text from anywhere: bytes that are not UTF-8 become '?'. NULL: null. */
json_t *json_from_text(const char *text);

#endif
