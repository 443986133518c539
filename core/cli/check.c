// SPDX-License-Identifier: MIT
/* check: does a plugin keep the contract? No root, no driver: see core/check. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "check/check.h"
#include "cli/check_out.h"
#include "cli/check_under.h"
#include "cli/usage.h"
#include "config/suggest.h"
#include "plugin/plugin.h"

#define NAMES_MAX 64
#define DEFAULT_TIMEOUT 120
#define MAX_TIMEOUT 86400

enum {
	KEY_OPT = 300,
	KEY_ONLY,
	KEY_SKIP,
	KEY_SEED,
	KEY_TIMEOUT,
	KEY_OVERWRITE,
	KEY_LIST,
	KEY_BENCH,
	KEY_UNDER
};

static const struct cli_opt opts[] = {
	{ KEY_OPT, "opt", "KEY=VALUE", "set an option of the plugin; may be given several times" },
	CLI_OPT_PLUGIN_DIR(CLI_KEY_PLUGIN_DIR),
	{ KEY_ONLY, "only", "CHECK", "run this check; may be given several times" },
	{ KEY_SKIP, "skip", "CHECK", "leave this check out; may be given several times" },
	{ KEY_SEED, "seed", "NUMBER", "make the random requests of an earlier run again" },
	{ KEY_TIMEOUT, "timeout", "SECONDS", "what one check may take, 120 if not given" },
	{ KEY_OVERWRITE, "overwrite", NULL, "write to the device even if there is data on it" },
	{ KEY_UNDER, "under", "valgrind|asan",
	  "run all of it under valgrind, or with the address sanitizer that the plugin was built with" },
	CLI_OPT_JSON('j'),
	{ KEY_BENCH, "bench", NULL, "measure what the plugin costs, and run no check" },
	{ KEY_LIST, "list", NULL, "print the checks, and run none" },
	{ 0, NULL, NULL, NULL },
};

static const struct cli_usage usage = {
	.verb = "check",
	.synopsis = "NAME|FILE [--opt KEY=VALUE]... [OPTION]...",
	.about =
		"Checks whether a plugin keeps the contract of ublk-plugin(3), by serving a device from it without\n"
		"root and without the kernel's driver, and prints the results as TAP.",
	.notes =
		"The checks write to the device, and leave zeroes there. Give them a backing of their own.\n",
	.opts = opts,
};

struct check_args {
	struct device_config cfg;
	struct check_request request;
	const char *plugin;
	const char **dirs; /* as many as there are arguments, at most */
	const char *only[NAMES_MAX], *skip[NAMES_MAX];
	size_t nr_dirs, nr_only, nr_skip;
	bool overwrite, json, list, bench;
	bool writes; /* what was asked for: to the device */
	enum check_under under;
};

static void add_name(struct cli_args *args, const char **names, size_t *nr, const char *name)
{
	const char *words[NAMES_MAX], *contract;
	char hint[SUGGEST_HINT_MAX];
	size_t n = 0;

	while ((words[n] = check_name(n, &contract)) && strcmp(words[n], name))
		n++;
	if (!words[n])
		cli_error(args, "there is no check \"%s\"%s", name,
			  suggest_hint(suggest_word(name, words, n), hint));
	else if (*nr == NAMES_MAX)
		cli_error(args, "more than %u names", NAMES_MAX);
	else
		names[(*nr)++] = name;
}

static void take(struct cli_args *args, struct check_args *c, int key, const char *value)
{
	uint64_t number;

	switch (key) {
	case KEY_OPT:
		device_config_add_opt(&c->cfg, value, &args->errors);
		break;
	case CLI_KEY_PLUGIN_DIR:
		c->dirs[c->nr_dirs++] = value;
		break;
	case KEY_ONLY:
		add_name(args, c->only, &c->nr_only, value);
		break;
	case KEY_SKIP:
		add_name(args, c->skip, &c->nr_skip, value);
		break;
	case KEY_SEED:
		cli_number(args, "seed", value, 0, INT64_MAX, &c->request.seed);
		break;
	case KEY_TIMEOUT:
		if (cli_number(args, "timeout", value, 1, MAX_TIMEOUT, &number))
			c->request.timeout = (uint32_t)number;
		break;
	case KEY_OVERWRITE:
		c->overwrite = true;
		break;
	case KEY_UNDER:
		c->under = check_under_of(value);
		if (!c->under)
			cli_error(args, "--under: expected valgrind or asan, got \"%s\"", value);
		break;
	case KEY_BENCH:
		c->bench = true;
		break;
	case KEY_LIST:
		c->list = true;
		break;
	case 'j':
		c->json = true;
		break;
	default:
		if (c->plugin)
			cli_stray(args, value);
		else
			c->plugin = value;
	}
}

static bool is_among(const char *name, const char *const *names, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		if (!strcmp(names[i], name))
			return true;
	return false;
}

static bool wanted(const struct check_args *c, const char *name)
{
	return (!c->nr_only || is_among(name, c->only, c->nr_only)) &&
	       !is_among(name, c->skip, c->nr_skip);
}

/* Whether a check that is wanted writes to the device. */
static bool will_write(const struct check_args *c)
{
	const char *name, *contract;

	for (size_t i = 0; (name = check_name(i, &contract)); i++)
		if (wanted(c, name) && check_writes(i))
			return true;
	return false;
}

/* If something is wrong with the device, the first check tells what. */
static bool will_run(const struct check_args *c, const struct check_out *out, size_t i,
		     const char *name)
{
	return wanted(c, name) || (!i && !out->device->opened);
}

/* Without a device there is nothing to check but that there is none. One that comes up at the second try has
 * not been looked at. */
static bool goes_on(const struct check_args *c, const struct check_out *out, size_t i,
		    const struct check_result *result)
{
	return i || out->device->opened ||
	       (result->verdict != CHECK_FAILED && (c->overwrite || !c->writes));
}

static int run_checks(const struct check_args *c, struct check_out *out)
{
	bool going = true;
	const char *name, *contract;
	struct check_result result;
	unsigned int nr = 0;
	int err = 0;

	for (size_t i = 0; (name = check_name(i, &contract)); i++)
		nr += will_run(c, out, i, name);
	check_out_begin(out, nr);
	for (size_t i = 0; !err && going && (name = check_name(i, &contract)); i++) {
		if (!will_run(c, out, i, name))
			continue;
		err = check_one(&c->request, i, &result);
		if (!err)
			err = check_out_result(out, &result);
		going = goes_on(c, out, i, &result);
		check_result_free(&result);
	}
	return err;
}

/* Logged. What could not be looked at counts as data: it may be some. */
static bool may_write(const struct check_args *c, const struct check_device *device)
{
	if (!c->writes || c->overwrite || (!device->holds_data && !*device->unread))
		return true;
	if (device->holds_data)
		log_err("there is data on this device, which the checks would overwrite: give the plugin an "
			"empty backing (zeroes), or say --overwrite");
	else
		log_err("there may be data on this device, which the checks would overwrite, as it could not "
			"be looked at (%s): say --overwrite if there is none to lose",
			device->unread);
	return false;
}

/* What did not come up for a look was not looked at either: nothing is tried once more. */
static int run_bench(const struct check_out *out)
{
	if (out->device->opened)
		return check_out_bench(out);
	log_err("cannot measure it: %s; ublk-host check without --bench tells more",
		out->device->unread);
	return -EIO;
}

static int run(struct check_args *c)
{
	struct check_device device = { .plugin = "" };
	struct check_out out = { .json = c->json, .request = &c->request, .device = &device };
	int err = check_look(&c->request, &device), status;

	c->writes = c->bench || will_write(c);
	if (err)
		return err == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
	if (device.opened && !may_write(c, &device))
		return EXIT_USAGE;
	err = c->bench ? run_bench(&out) : run_checks(c, &out);
	if (device.opened && c->writes)
		check_clean(&c->request);
	if (err || c->bench)
		return err ? EXIT_FAILED : EXIT_DONE;
	status = check_out_end(&out);
	return status || may_write(c, &device) ? status : EXIT_USAGE;
}

static int find_and_run(struct check_args *c)
{
	struct plugin_dirs dirs;
	char *path = NULL;
	int err = plugin_dirs_init(&dirs, (char *const *)c->dirs, c->nr_dirs);
	int status = EXIT_FAILED;

	if (err) {
		log_err("out of memory");
		return EXIT_FAILED;
	}
	err = plugin_find(c->plugin, &dirs, &path);
	if (err)
		status = err == -ENOENT ? EXIT_USAGE : EXIT_FAILED;
	c->request.path = path;
	c->request.cfg = &c->cfg;
	if (!err && access(path, R_OK)) {
		log_err("plugin %s: %m", path);
		status = EXIT_USAGE;
	} else if (!err) {
		status = run(c);
	}
	free(path);
	plugin_dirs_free(&dirs);
	return status;
}

static int list(void)
{
	const char *name, *contract;

	for (size_t i = 0; (name = check_name(i, &contract)); i++)
		printf("%-14s %s\n", name, contract);
	return EXIT_DONE;
}

int verb_check(int argc, char **argv)
{
	__cleanup_free const char **dirs = calloc((size_t)argc + 1, sizeof(*dirs));
	struct check_args c = { .request.timeout = DEFAULT_TIMEOUT, .dirs = dirs };
	struct timespec now;
	struct cli_args args;
	const char *value;
	int key, status;

	if (!dirs) {
		log_err("out of memory");
		return EXIT_FAILED;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	c.request.seed = (uint64_t)now.tv_sec ^ (uint64_t)now.tv_nsec;
	device_config_init(&c.cfg);
	cli_begin(&args, &usage, argc, argv);
	while ((key = cli_next(&args, &value)) != CLI_END)
		take(&args, &c, key, value);
	if (!c.plugin && !c.list && !args.helped && !errors_count(&args.errors))
		cli_error(&args, "which plugin? Give its NAME, or the path of its FILE");
	status = cli_finish(&args);
	if (status < 0 && c.list)
		status = list();
	else if (status < 0 && c.under)
		status = check_under_run(c.under, argc, argv);
	if (status < 0) {
		check_plain_heap(argc, argv);
		status = find_and_run(&c);
	}
	device_config_free(&c.cfg);
	return status;
}
