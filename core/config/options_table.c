// SPDX-License-Identifier: MIT
/* A plugin's table of options: is it fit to parse with? */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "config/option_value.h"
#include "config/plugin_manifest.h"

#define SPEC_SIZE_V1_0 (offsetof(struct ublk_opt_spec, flags) + sizeof(uint32_t))

struct ublk_opt_spec options_spec(const struct ublk_opt_spec *spec, uint32_t stride, uint32_t i)
{
	struct ublk_opt_spec copy = { 0 };

	memcpy(&copy, (const char *)spec + (size_t)stride * i,
	       min_of((size_t)stride, sizeof(copy)));
	return copy;
}

struct table {
	const char *who;
	const struct ublk_opt_spec *spec;
	uint32_t nr, stride;
	bool newer;
	struct errors *errors;
};

/* Returns whether the other checks have a name to speak of. */
static bool check_name(const struct table *t, uint32_t i, const char *name)
{
	if (!name) {
		errors_add(t->errors, "%s: option %" PRIu32 " has no name", t->who, i);
		return false;
	}
	if (!option_name_ok(name))
		errors_add(
			t->errors,
			"%s: option \"%s\": a name begins with a-z, goes on with a-z 0-9 _ - and "
			"does not begin with x-",
			t->who, name);
	for (uint32_t j = 0; j < i; j++) {
		struct ublk_opt_spec other = options_spec(t->spec, t->stride, j);

		if (other.name && !strcmp(other.name, name)) {
			errors_add(t->errors, "%s: option \"%s\" is there twice", t->who, name);
			break;
		}
	}
	return true;
}

static void check_default(const struct table *t, const struct ublk_opt_spec *o)
{
	struct option_value value;
	char why[OPTION_WHY_MAX];
	struct given g;

	if (o->flags & UBLK_OPTF_REQUIRED) {
		errors_add(t->errors, "%s: option \"%s\" is required and has a default, too",
			   t->who, o->name);
		return;
	}
	if (o->type == UBLK_OPT_SECRET) {
		errors_add(t->errors, "%s: option \"%s\": a secret may not have a default", t->who,
			   o->name);
		return;
	}
	given_from_text(&g, o->def);
	if (!given_is_utf8(o->def)) {
		errors_add(t->errors, "%s: option \"%s\": its default is not UTF-8", t->who,
			   o->name);
		return;
	}
	if (option_value_parse(o, &g, NULL, &value, why)) {
		errors_add(t->errors, "%s: option \"%s\": wrong default: %s", t->who, o->name, why);
		return;
	}
	option_value_free(&value);
}

static void check_entry(const struct table *t, uint32_t i)
{
	struct ublk_opt_spec o = options_spec(t->spec, t->stride, i);
	size_t before = errors_count(t->errors);

	if (!check_name(t, i, o.name))
		return;
	if (!o.help || !plugin_line_ok(o.help))
		errors_add(t->errors, "%s: option \"%s\" must have a help text of one line", t->who,
			   o.name);
	if (o.flags & ~(uint32_t)UBLK_OPTF_REQUIRED && !t->newer)
		errors_add(t->errors, "%s: option \"%s\" has unknown flags 0x%" PRIx32, t->who,
			   o.name, o.flags & ~(uint32_t)UBLK_OPTF_REQUIRED);
	if (!option_type_name(o.type)) {
		errors_add(t->errors, "%s: option \"%s\" has an unknown type %" PRIu32 "%s", t->who,
			   o.name, o.type, t->newer ? ": it takes a newer host" : "");
		return;
	}
	if ((o.type == UBLK_OPT_ENUM) != (o.choices != NULL))
		errors_add(t->errors, "%s: option \"%s\" of type %s %s", t->who, o.name,
			   option_type_name(o.type),
			   o.choices ? "may not have choices" : "must have choices");
	else if (o.choices && !option_choices_ok(o.choices))
		errors_add(t->errors,
			   "%s: option \"%s\": choices must be different words with | between "
			   "them, found \"%s\"",
			   t->who, o.name, o.choices);
	if (!option_has_bounds(o.type) && (o.min || o.max))
		errors_add(t->errors, "%s: option \"%s\" of type %s may not have bounds", t->who,
			   o.name, option_type_name(o.type));
	else if (o.max && o.min > o.max)
		errors_add(t->errors, "%s: option \"%s\": its minimum is above its maximum", t->who,
			   o.name);
	if (o.def && errors_count(t->errors) == before)
		check_default(t, &o);
}

int options_check_table(const char *who, const struct ublk_opt_spec *spec, uint32_t nr,
			uint32_t stride, bool newer, struct errors *errors)
{
	struct table t = { who, spec, nr, stride, newer, errors };
	size_t before = errors_count(errors);

	if (!nr)
		return 0;
	if (nr > MAX_OPTIONS)
		errors_add(errors, "%s: %" PRIu32 " options, at most %u are allowed", who, nr,
			   MAX_OPTIONS);
	else if (!spec)
		errors_add(errors, "%s: %" PRIu32 " options, but no table of them", who, nr);
	else if (stride < SPEC_SIZE_V1_0 || stride % sizeof(uint64_t))
		errors_add(errors, "%s: impossible opt_spec_size %" PRIu32 " (ABI 1.0: %zu)", who,
			   stride, SPEC_SIZE_V1_0);
	if (errors_count(errors) > before)
		return -EINVAL;
	for (uint32_t i = 0; i < nr; i++)
		check_entry(&t, i);
	return errors_count(errors) > before ? -EINVAL : 0;
}
