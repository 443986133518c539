// SPDX-License-Identifier: MIT
/* Printing JSON. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/json_out.h"

static int print(json_t *json, size_t flags)
{
	int err;

	if (!json) {
		log_err("cannot print JSON: out of memory");
		return EXIT_FAILED;
	}
	err = json_dumpf(json, stdout, flags);
	json_decref(json);
	if (err) {
		log_err("cannot write JSON to standard output: %s", strerror(errno));
		return EXIT_FAILED;
	}
	putchar('\n');
	return EXIT_DONE;
}

int json_print(json_t *json)
{
	return print(json, JSON_INDENT(2));
}

int json_print_line(json_t *json)
{
	return print(json, JSON_COMPACT);
}

json_t *json_from_text(const char *text)
{
	__cleanup_free char *copy = NULL;
	json_t *json;
	char *at;

	if (!text)
		return json_null();
	json = json_string(text);
	if (json)
		return json;
	copy = strdup(text);
	if (!copy)
		return NULL;
	for (at = copy; *at; at++)
		if (*at & 0x80)
			*at = '?';
	return json_string(copy);
}
