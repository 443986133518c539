/* SPDX-License-Identifier: MIT */
/*
 * A plugin's options: its table checked, and what the user wrote turned into values by that table.
 * No message ever shows the value of a secret, nor the value of an option that is not known.
 */
#ifndef CONFIG_OPTIONS_H
#define CONFIG_OPTIONS_H

#include "config/config.h"
#include "config/errors.h"
#include "ublk-plugin.h"

#define MAX_OPTIONS 256u	 /* of one plugin, of one command line, of one manifest */
#define OPTION_SECRET_MAX 65536u /* bytes of a secret's file */

/* Values in the order of the plugin's table, ready for ublk_open_args. */
struct option_values {
	struct ublk_opt *opt; /* strings are owned by this struct */
	size_t nr;
	char **secret_file; /* per option: absolute path that a secret was read from, or NULL */
};

/* Is this table fit to parse with: names [a-z][a-z0-9_-]* (not x-*), unique; types and flags known;
 * choices for ENUM and nothing else; bounds for U64 and SIZE and nothing else; defaults that pass
 * their own checks, none for a required option or a secret. newer: the plugin is of a later minor of
 * the ABI, whose flags are left alone. who: the plugin, for messages.
 * 0, or -EINVAL with every fault in errors. */
int options_check_table(const char *who, const struct ublk_opt_spec *spec, uint32_t nr,
			uint32_t stride, bool newer, struct errors *errors);

/* Copy entry i; members beyond the stride are zero. i < nr. */
struct ublk_opt_spec options_spec(const struct ublk_opt_spec *spec, uint32_t stride, uint32_t i);

/* There is an option `size` of type SIZE, which by the contract is the device's size. */
bool options_have_size(const struct ublk_plugin *desc);

/* Parse args by the table of desc, which has passed options_check_table(). Reads the files of
 * secrets. 0, or -EINVAL (-ENOMEM) with all messages in errors and nothing to free. */
int options_parse(const struct ublk_plugin *desc, const struct option_arg *args, size_t nr_args,
		  struct option_values *values, struct errors *errors);
/* Secrets are wiped. */
void option_values_free(struct option_values *values);

/* "string", "bool", "u64", "size", "path", "enum", "secret"; NULL: no such type. */
const char *option_type_name(uint32_t type);
/* What to write for an option, for help and messages: "true|false", "N", "SIZE", "PATH",
 * "auto|on|off", "@FILE", "STRING". */
const char *option_placeholder(const struct ublk_opt_spec *spec);

#endif
