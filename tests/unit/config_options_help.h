/* SPDX-License-Identifier: MIT */
/* For the tests of options: a plugin's table with one option of each kind, and parsing by it. */
#ifndef TESTS_UNIT_CONFIG_OPTIONS_HELP_H
#define TESTS_UNIT_CONFIG_OPTIONS_HELP_H

#include "config/options.h"
#include "config_help.h"

static const struct ublk_opt_spec table[] = {
	{ .name = "path",
	  .help = "Backing file",
	  .type = UBLK_OPT_PATH,
	  .flags = UBLK_OPTF_REQUIRED },
	{ .name = "size", .help = "Size", .type = UBLK_OPT_SIZE, .min = 512, .max = 1ull << 50 },
	{ .name = "grain", .help = "Grain", .def = "64K", .type = UBLK_OPT_SIZE, .min = 4096 },
	{ .name = "any", .help = "Any size", .type = UBLK_OPT_SIZE },
	{ .name = "workers",
	  .help = "Workers",
	  .def = "4",
	  .type = UBLK_OPT_U64,
	  .min = 1,
	  .max = 64 },
	{ .name = "seed", .help = "Seed", .type = UBLK_OPT_U64 },
	{ .name = "direct",
	  .help = "Direct",
	  .def = "auto",
	  .choices = "auto|on|off",
	  .type = UBLK_OPT_ENUM },
	{ .name = "level", .help = "Level", .choices = "none|data|full", .type = UBLK_OPT_ENUM },
	{ .name = "create", .help = "Create", .def = "false", .type = UBLK_OPT_BOOL },
	{ .name = "label", .help = "Label", .type = UBLK_OPT_STRING },
	{ .name = "password", .help = "Password", .type = UBLK_OPT_SECRET },
};

enum { PATH, SIZE, GRAIN, ANY, WORKERS, SEED, DIRECT, LEVEL, CREATE, LABEL, PASSWORD };

static const struct ublk_plugin plugin = {
	.name = "demo",
	.opts = table,
	.nr_opts = ARRAY_SIZE(table),
	.opt_spec_size = sizeof(table[0]),
};

/* Parse "key=value" words as from the command line. */
static inline int parse(const char *const *words, size_t nr, struct option_values *values,
			struct errors *errors)
{
	struct device_config cfg;
	int err;

	device_config_init(&cfg);
	for (size_t i = 0; i < nr; i++)
		ck_assert_int_eq(device_config_add_opt(&cfg, words[i], errors), 0);
	err = options_parse(&plugin, cfg.opts, cfg.nr_opts, values, errors);
	device_config_free(&cfg);
	return err;
}

#define PARSE(values, errors, ...)                                                                 \
	parse((const char *const[]){ __VA_ARGS__ },                                                \
	      sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *), values, errors)

/* One wrong argument, beside the one that is required. */
static inline void assert_wrong(const char *word, const char *message)
{
	struct option_values values;
	struct errors errors = { 0 };

	ck_assert_int_eq(PARSE(&values, &errors, "path=/x", word), -EINVAL);
	ck_assert_ptr_null(values.opt);
	assert_messages(&errors, message);
}

static inline struct option_arg json_arg(char *key, char *value, bool is_bool, bool is_number)
{
	return (struct option_arg){ key, value, "m", "/", true, is_bool, is_number };
}

static inline void assert_wrong_json(char *key, char *value, bool is_bool, bool is_number,
				     const char *message)
{
	struct option_arg args[] = { json_arg("path", "/x", false, false),
				     json_arg(key, value, is_bool, is_number) };
	struct option_values v;
	struct errors errors = { 0 };

	ck_assert_int_eq(options_parse(&plugin, args, 2, &v, &errors), -EINVAL);
	assert_messages(&errors, message);
}

#endif
