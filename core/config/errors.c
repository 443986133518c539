// SPDX-License-Identifier: MIT
/* Collects messages about what a user wrote. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "config/errors.h"

char *errors_one_line(const char *text)
{
	char *line = malloc(4 * strlen(text) + 1), *out = line;

	if (!line)
		return NULL;
	for (const char *p = text; *p; p++) {
		if (is_control(p)) {
			p += *p == '\xc2';
			out += sprintf(out, "\\x%02x", (unsigned char)*p);
		} else {
			*out++ = *p;
		}
	}
	*out = '\0';
	return line;
}

void errors_add(struct errors *errors, const char *fmt, ...)
{
	__cleanup_free char *text = NULL;
	va_list ap;
	int len;

	if (errors_full(errors)) {
		errors->nr++;
		return;
	}
	va_start(ap, fmt);
	len = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (len < 0)
		text = NULL;
	errors->msg[errors->nr++] = text ? errors_one_line(text) : NULL;
}

size_t errors_count(const struct errors *errors)
{
	return errors->nr;
}

bool errors_full(const struct errors *errors)
{
	return errors->nr >= ERRORS_KEPT;
}

void errors_print(const struct errors *errors)
{
	size_t kept = min_of(errors->nr, (size_t)ERRORS_KEPT);

	for (size_t i = 0; i < kept; i++)
		log_err("%s", errors->msg[i] ? errors->msg[i] : "out of memory");
	if (errors->nr > kept)
		log_err("and %zu more error%s", errors->nr - kept,
			errors->nr - kept == 1 ? "" : "s");
}

void errors_free(struct errors *errors)
{
	for (size_t i = 0; i < ERRORS_KEPT; i++)
		free(errors->msg[i]);
	*errors = (struct errors){ 0 };
}
