// SPDX-License-Identifier: MIT
/* What the user wrote turned into values by a plugin's table of options. */
#include <stdio.h>
#include <string.h>

#include "config/option_value.h"
#include "config/suggest.h"

#define LISTED_BYTES 400 /* of the names of options, in a message */

static struct ublk_opt_spec entry(const struct ublk_plugin *desc, uint32_t i)
{
	return options_spec(desc->opts, desc->opt_spec_size, i);
}

static int find(const struct ublk_plugin *desc, const char *key)
{
	for (uint32_t i = 0; i < desc->nr_opts; i++) {
		if (!strcmp(entry(desc, i).name, key))
			return (int)i;
	}
	return -1;
}

static void unknown(const struct ublk_plugin *desc, const struct option_arg *arg,
		    struct errors *errors)
{
	char list[LISTED_BYTES + 8] = "", hint[SUGGEST_HINT_MAX];
	struct suggest s;
	size_t len = 0;

	suggest_begin(&s, arg->key);
	for (uint32_t i = 0; i < desc->nr_opts; i++) {
		const char *name = entry(desc, i).name;

		suggest_offer(&s, name);
		if (len > LISTED_BYTES)
			continue;
		if (len + strlen(name) + 2 > LISTED_BYTES) {
			snprintf(list + len, sizeof(list) - len, ", ...");
			len = sizeof(list);
		} else {
			len += (size_t)sprintf(list + len, "%s%s", len ? ", " : "", name);
		}
	}
	if (!desc->nr_opts)
		errors_add(errors, "%s: plugin %s takes no options", arg->origin, desc->name);
	else
		errors_add(errors, "%s: plugin %s has no option \"%.64s\"%s; its options: %s",
			   arg->origin, desc->name, arg->key, suggest_hint(s.best, hint), list);
}

static void store(struct option_values *values, uint32_t i, struct option_value *value, bool given)
{
	values->opt[i] = (struct ublk_opt){ .str = value->str, .u64 = value->u64, .is_set = given };
	values->secret_file[i] = value->secret_file;
	*value = (struct option_value){ 0 };
}

static int parse_arg(const struct ublk_plugin *desc, const struct option_arg *arg, bool *seen,
		     struct option_values *values, struct errors *errors)
{
	struct option_value value;
	struct ublk_opt_spec o;
	char why[OPTION_WHY_MAX];
	struct given g;
	int i = find(desc, arg->key), err;

	if (i < 0) {
		unknown(desc, arg, errors);
		return -EINVAL;
	}
	if (seen[i]) {
		errors_add(errors, "%s: given more than once", arg->origin);
		return -EINVAL;
	}
	seen[i] = true;
	o = entry(desc, (uint32_t)i);
	given_from_option(&g, arg);
	err = option_value_parse(&o, &g, arg->folder, &value, why);
	if (err)
		errors_add(errors, "%s: %s", arg->origin, why);
	else
		store(values, (uint32_t)i, &value, true);
	return err;
}

static int fill_in(const struct ublk_plugin *desc, uint32_t i, struct option_values *values,
		   struct errors *errors)
{
	struct ublk_opt_spec o = entry(desc, i);
	struct option_value value;
	char why[OPTION_WHY_MAX];
	struct given g;
	int err;

	if (o.flags & UBLK_OPTF_REQUIRED) {
		errors_add(errors,
			   "plugin %s needs option \"%s\" (%s): give --opt %s=%s, or \"%s\" in the "
			   "manifest's \"options\"",
			   desc->name, o.name, o.help, o.name, option_placeholder(&o), o.name);
		return -EINVAL;
	}
	if (!o.def)
		return 0;
	given_from_text(&g, o.def);
	err = option_value_parse(&o, &g, NULL, &value, why);
	if (err)
		errors_add(errors, "plugin %s: option \"%s\": wrong default: %s", desc->name,
			   o.name, why);
	else
		store(values, i, &value, false);
	return err;
}

int options_parse(const struct ublk_plugin *desc, const struct option_arg *args, size_t nr_args,
		  struct option_values *values, struct errors *errors)
{
	__cleanup_free bool *seen = calloc(desc->nr_opts + 1, sizeof(*seen));
	int err = 0, fault;

	*values = (struct option_values){
		.opt = calloc(desc->nr_opts + 1, sizeof(*values->opt)),
		.nr = desc->nr_opts,
		.secret_file = calloc(desc->nr_opts + 1, sizeof(*values->secret_file)),
	};
	if (!seen || !values->opt || !values->secret_file) {
		errors_add(errors, "out of memory");
		err = -ENOMEM;
		goto out;
	}
	for (size_t i = 0; i < nr_args; i++) {
		fault = parse_arg(desc, &args[i], seen, values, errors);
		err = err ? err : fault;
	}
	for (uint32_t i = 0; i < desc->nr_opts; i++) {
		fault = seen[i] ? 0 : fill_in(desc, i, values, errors);
		err = err ? err : fault;
	}
out:
	if (err)
		option_values_free(values);
	return err;
}

void option_values_free(struct option_values *values)
{
	for (size_t i = 0; values->opt && values->secret_file && i < values->nr; i++) {
		struct option_value value = { (char *)values->opt[i].str, 0,
					      values->secret_file[i] };

		option_value_free(&value);
	}
	free(values->opt);
	free(values->secret_file);
	*values = (struct option_values){ 0 };
}

bool options_have_size(const struct ublk_plugin *desc)
{
	for (uint32_t i = 0; i < desc->nr_opts; i++) {
		struct ublk_opt_spec o = options_spec(desc->opts, desc->opt_spec_size, i);

		if (o.type == UBLK_OPT_SIZE && !strcmp(o.name, "size"))
			return true;
	}
	return false;
}
