/* SPDX-License-Identifier: MIT */
/*
 * One table per verb says which options there are, what --help tells of them and what the parser
 * accepts, so that none of the three can differ. Names are never abbreviated: a script that says
 * --plug would break with the next option that starts like that.
 */
#ifndef CLI_USAGE_H
#define CLI_USAGE_H

#include <getopt.h>
#include <stdio.h>

#include "base/util.h"
#include "cli/cli.h"
#include "config/errors.h"

struct cli_opt {
	int key;	  /* what cli_next() returns: the short option's letter, or > 255 */
	const char *name; /* the long name, without dashes */
	const char *arg;  /* what its argument is called, NULL: it takes none */
	const char *help; /* one line, no full stop */
};

struct cli_usage {
	const char *verb;
	const char *synopsis;	    /* after the verb: "NAME|ID [OPTION...]" */
	const char *about;	    /* a sentence or two */
	const char *notes;	    /* below the options: lines that end with a newline, or NULL */
	const struct cli_opt *opts; /* ends with name NULL; --help is always there besides */
};

#define CLI_MAX_OPTS 48
#define CLI_END (-1) /* no more arguments, or help was printed: call cli_finish() */
#define CLI_WORD 1   /* an argument that is not an option */

/* The state of parsing one verb's argv. */
struct cli_args {
	const struct cli_usage *usage;
	int argc;
	char **argv;
	char letters[CLI_MAX_OPTS * 2 + 3];
	struct option longs[CLI_MAX_OPTS + 2];
	bool after_unknown, words_only, ended, helped;
	struct errors errors; /* verbs may add theirs */
};

void cli_begin(struct cli_args *args, const struct cli_usage *usage, int argc, char **argv);

/* The next option's key with its argument in *value, CLI_WORD, or CLI_END. What is wrong with an
 * option goes to args->errors, and parsing goes on: a user sees all mistakes at once. */
int cli_next(struct cli_args *args, const char **value);

/* A mistake in the arguments: one line, with a hint at --help. */
void cli_error(struct cli_args *args, const char *fmt, ...) __printf_like(2, 3);
/* A word where none belongs. */
void cli_stray(struct cli_args *args, const char *word);

/* Once, after CLI_END: print the errors. -1: go on; or the status with which the verb ends now. */
int cli_finish(struct cli_args *args);

/* The whole of a verb that takes no words, and no options but --json (key 'j') and --plugin-dir
 * (CLI_KEY_PLUGIN_DIR), each if its table has it: parse, and call report with the folders of plugins.
 * Returns the exit status, which is report's if the arguments are right. */
#define CLI_KEY_PLUGIN_DIR 256
int cli_report(const struct cli_usage *usage, int argc, char **argv,
	       int (*report)(char **plugin_dirs, size_t nr_plugin_dirs, bool json));

void cli_print_help(FILE *out, const struct cli_usage *usage);

/* A whole number in min..max, else a cli_error() that names the option. */
bool cli_number(struct cli_args *args, const char *option, const char *value, uint64_t min,
		uint64_t max, uint64_t *out);

/* Options that several verbs have, in the same words. */
#define CLI_OPT_JSON(key_)                                                                         \
	{                                                                                          \
		key_, "json", NULL, "print JSON"                                                   \
	}
#define CLI_OPT_PLUGIN_DIR(key_)                                                                   \
	{                                                                                          \
		key_, "plugin-dir", "DIR",                                                         \
			"look for plugins in DIR first; may be given several times"                \
	}

#endif
