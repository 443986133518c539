/* SPDX-License-Identifier: MIT */
/* One value of a plugin's option checked by its entry in the table. For config only. */
#ifndef CONFIG_OPTION_VALUE_H
#define CONFIG_OPTION_VALUE_H

#include "config/given.h"
#include "config/options.h"

#define OPTION_WHY_MAX 512

struct option_value {
	char *str;	   /* struct ublk_opt.str */
	uint64_t u64;	   /* struct ublk_opt.u64 */
	char *secret_file; /* absolute; SECRET written as @FILE */
};

/* folder: absolute, for relative paths; NULL: there must be none. 0, or -EINVAL (-ENOMEM) with the
 * reason in why, nothing in value, and never a secret in why. */
int option_value_parse(const struct ublk_opt_spec *spec, const struct given *g, const char *folder,
		       struct option_value *value, char why[OPTION_WHY_MAX]);
void option_value_free(struct option_value *value);

/* [a-z][a-z0-9_-]*, not x-*, which manifests ignore */
bool option_name_ok(const char *name);
/* words of [A-Za-z0-9._+-]+ with '|' between them, none twice */
bool option_choices_ok(const char *choices);
/* Number of the type, 0: no such type. The opposite of option_type_name(). */
uint32_t option_type_of(const char *name);
bool option_has_bounds(uint32_t type);

#endif
