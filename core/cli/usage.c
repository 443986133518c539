// SPDX-License-Identifier: MIT
/* Parsing a verb's arguments by its table, and printing that table as help. */
#include <ctype.h>
#include <stdarg.h>
#include <string.h>

#include "cli/usage.h"
#include "config/suggest.h"

#define HELP_KEY 'h'
#define HELP_COLUMN 32
#define HELP_WIDTH 98

static const struct cli_opt help_opt = { HELP_KEY, "help", NULL, "print this help" };

static void add_opt(struct cli_args *args, const struct cli_opt *opt, size_t n)
{
	char *letters = args->letters + strlen(args->letters);

	args->longs[n] = (struct option){ .name = opt->name,
					  .has_arg = opt->arg ? required_argument : no_argument,
					  .val = opt->key };
	if (opt->key > 255)
		return;
	*letters++ = (char)opt->key;
	if (opt->arg)
		*letters++ = ':';
	*letters = 0;
}

void cli_begin(struct cli_args *args, const struct cli_usage *usage, int argc, char **argv)
{
	size_t n = 0;

	*args = (struct cli_args){ .usage = usage, .argc = argc, .argv = argv };
	/* '-': words come in their order whatever POSIXLY_CORRECT says; ':': tell a missing argument
	 * from an unknown option */
	strcpy(args->letters, "-:");
	for (; usage->opts[n].name && n < CLI_MAX_OPTS; n++)
		add_opt(args, &usage->opts[n], n);
	add_opt(args, &help_opt, n);
	opterr = 0;
	optind = 0; /* glibc: begin anew; it leaves 1 */
	getopt_long(1, argv, args->letters, args->longs, NULL);
}

void cli_error(struct cli_args *args, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	errors_add(&args->errors, "%s; see ublk-host %s --help", text, args->usage->verb);
}

void cli_stray(struct cli_args *args, const char *word)
{
	cli_error(args, "unexpected argument \"%s\"", word);
}

/* A name that begins an option's name is the best guess; then what was mistyped. */
static const char *closest_option(const struct cli_args *args, const char *name)
{
	const char *names[CLI_MAX_OPTS + 1];
	size_t n, len = strlen(name);

	for (n = 0; args->longs[n].name; n++) {
		names[n] = args->longs[n].name;
		if (len >= 2 && strncmp(name, names[n], len) == 0)
			return names[n];
	}
	return suggest_word(name, names, n);
}

static void unknown_long(struct cli_args *args, const char *name)
{
	const char *guess = closest_option(args, name);

	if (guess)
		errors_add(&args->errors, "unknown option --%s (did you mean --%s?)", name, guess);
	else
		cli_error(args, "unknown option --%s", name);
}

/* Refuse the next argument if it is a long option that is not in the table word for word;
 * getopt_long() alone would take any unique beginning. */
static bool skip_unknown(struct cli_args *args)
{
	int at = optind;
	char name[128];
	size_t n;

	if (at >= args->argc || strncmp(args->argv[at], "--", 2) || !args->argv[at][2])
		return false;
	n = strcspn(args->argv[at] + 2, "=");
	snprintf(name, sizeof(name), "%.*s", (int)n, args->argv[at] + 2);
	for (n = 0; args->longs[n].name; n++)
		if (strcmp(args->longs[n].name, name) == 0)
			return false;
	unknown_long(args, name);
	args->after_unknown = !strchr(args->argv[at], '=');
	optind = at + 1;
	return true;
}

/* What getopt_long() could not take. */
static void bad_option(struct cli_args *args, int how)
{
	const char *text = args->argv[optind - 1];
	const struct option *opt;

	if (how == ':') {
		cli_error(args, "option %s needs an argument", text);
		return;
	}
	for (opt = args->longs; opt->name; opt++)
		if (optopt && opt->val == optopt && strncmp(text, "--", 2) == 0) {
			cli_error(args, "option --%s takes no argument", opt->name);
			return;
		}
	cli_error(args, "unknown option -%c", isprint(optopt) ? optopt : '?');
	args->after_unknown = true;
}

static int next_raw(struct cli_args *args)
{
	int key;

	do {
		if (skip_unknown(args)) {
			key = '?';
			continue;
		}
		key = getopt_long(args->argc, args->argv, args->letters, args->longs, NULL);
		if (key == '?' || key == ':')
			bad_option(args, key);
		/* "--bogus value": one mistake, not two */
		if (key == CLI_WORD && args->after_unknown)
			key = '?';
		if (key != '?')
			args->after_unknown = false;
	} while (key == '?' || key == ':');
	return key;
}

int cli_next(struct cli_args *args, const char **value)
{
	int key = args->ended || args->words_only ? -1 : next_raw(args);

	*value = optarg;
	if (key == HELP_KEY) {
		cli_print_help(stdout, args->usage);
		args->helped = args->ended = true;
		return CLI_END;
	}
	if (key != -1)
		return key;
	if (!args->ended && optind < args->argc) { /* after "--" */
		args->words_only = true;
		*value = args->argv[optind++];
		return CLI_WORD;
	}
	args->ended = true;
	*value = NULL;
	return CLI_END;
}

int cli_finish(struct cli_args *args)
{
	int status = -1;

	if (args->helped) {
		status = EXIT_DONE;
	} else if (errors_count(&args->errors)) {
		errors_print(&args->errors);
		status = EXIT_USAGE;
	}
	errors_free(&args->errors);
	return status;
}

/* Words from column HELP_COLUMN on; the line is broken where it would pass HELP_WIDTH. */
static void print_wrapped(FILE *out, const char *text)
{
	int column = HELP_COLUMN;

	while (*text) {
		int len = (int)strcspn(text, " ");

		if (column > HELP_COLUMN && column + 1 + len > HELP_WIDTH) {
			fprintf(out, "\n%*s", HELP_COLUMN, "");
			column = HELP_COLUMN;
		}
		column += fprintf(out, "%s%.*s", column > HELP_COLUMN ? " " : "", len, text);
		text += len + strspn(text + len, " ");
	}
	fputc('\n', out);
}

static void print_opt(FILE *out, const struct cli_opt *opt)
{
	char left[80];

	snprintf(left, sizeof(left), "  %c%c%s --%s%s%s", opt->key < 256 ? '-' : ' ',
		 opt->key < 256 ? opt->key : ' ', opt->key < 256 ? "," : " ", opt->name,
		 opt->arg ? " " : "", opt->arg ? opt->arg : "");
	fprintf(out, "%-*s ", HELP_COLUMN - 1, left);
	print_wrapped(out, opt->help);
}

void cli_print_help(FILE *out, const struct cli_usage *usage)
{
	const struct cli_opt *opt;

	fprintf(out, "Usage: ublk-host %s%s%s\n\n%s\n\nOptions:\n", usage->verb,
		*usage->synopsis ? " " : "", usage->synopsis, usage->about);
	for (opt = usage->opts; opt->name; opt++)
		print_opt(out, opt);
	print_opt(out, &help_opt);
	if (usage->notes)
		fprintf(out, "\n%s", usage->notes);
}

bool cli_number(struct cli_args *args, const char *option, const char *value, uint64_t min,
		uint64_t max, uint64_t *out)
{
	unsigned long long v = 0;
	char *end = NULL;

	errno = 0;
	if (isdigit((unsigned char)*value))
		v = strtoull(value, &end, 10);
	if (!end || *end || errno || v < min || v > max) {
		cli_error(args, "--%s: expected a whole number %llu..%llu, got \"%s\"", option,
			  (unsigned long long)min, (unsigned long long)max, value);
		return false;
	}
	*out = v;
	return true;
}

int cli_report(const struct cli_usage *usage, int argc, char **argv,
	       int (*report)(char **plugin_dirs, size_t nr_plugin_dirs, bool json))
{
	/* as many --plugin-dir as there are arguments, at most */
	__cleanup_free char **dirs = calloc((size_t)argc + 1, sizeof(*dirs));
	struct cli_args args;
	size_t nr_dirs = 0;
	const char *value;
	bool json = false;
	int key, status;

	cli_begin(&args, usage, argc, argv);
	if (!dirs)
		cli_error(&args, "out of memory");
	while ((key = cli_next(&args, &value)) != CLI_END) {
		if (key == 'j')
			json = true;
		else if (key == CLI_KEY_PLUGIN_DIR && dirs)
			dirs[nr_dirs++] = (char *)value;
		else if (key == CLI_WORD)
			cli_stray(&args, value);
	}
	status = cli_finish(&args);
	return status >= 0 ? status : report(dirs, nr_dirs, json);
}
