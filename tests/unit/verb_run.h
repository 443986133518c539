/* SPDX-License-Identifier: MIT */
/* Running a verb as main() would, with what it prints caught in out and err. */
#ifndef TESTS_UNIT_VERB_RUN_H
#define TESTS_UNIT_VERB_RUN_H

#include <stdarg.h>

#include "base/log.h"
#include "capture.h"

static struct capture out, err;

/* On what follows its name, NULL at the end. Its exit status. */
static inline int run_verb(int (*verb)(int argc, char **argv), const char *word, ...)
{
	char *argv[16] = { "verb", (char *)word };
	int argc = word ? 2 : 1, status;
	va_list ap;

	va_start(ap, word);
	while (word && (argv[argc] = va_arg(ap, char *)))
		argc++;
	va_end(ap);
	log_set_level(LOG_LVL_INFO);
	capture_begin(&out, STDOUT_FILENO);
	capture_begin(&err, STDERR_FILENO);
	status = verb(argc, argv);
	capture_end(&err);
	capture_end(&out);
	return status;
}

#endif
