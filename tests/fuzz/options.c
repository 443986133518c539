// SPDX-License-Identifier: MIT
/*
 * Options of plugins (config/options*.c, option_value.c): a table made of the input, and values for it. What
 * is taken comes back from the manifest that is made of it; no message shows a secret.
 */
#include <stdlib.h>

#include "fuzz.h"

#include "config/device_manifest.h"
#include "config/options.h"

#define MAX_TABLE 6u
#define SECRET "\x1b\x1d" /* of which a secret is made; a message would show it as \x1b\x1d */

struct made {
	struct ublk_opt_spec opts[MAX_TABLE];
	struct option_arg args[MAX_TABLE + 1];
	char *texts[5 * MAX_TABLE];
	unsigned int nr_texts, nr_args;
	struct ublk_plugin desc;
};

static char *a_text(struct made *made, struct fuzz_input *in)
{
	char *text = fuzz_line(in);

	if (!text)
		text = strdup("");
	FUZZ_CHECK(text);
	text[strcspn(text, SECRET "\\")] = '\0'; /* nobody else's text looks like a secret */
	return made->texts[made->nr_texts++] = text;
}

static void make_option(struct made *made, struct fuzz_input *in, struct ublk_opt_spec *o)
{
	static const char *const names[MAX_TABLE] = { "a", "b", "size", "c-d", "e_f", "g1" };
	uint8_t how = fuzz_byte(in);

	o->name = names[o - made->opts];
	o->help = "help";
	o->type = how % 7 + 1;
	o->flags = how & 0x80 ? UBLK_OPTF_REQUIRED : 0;
	if (how & 0x40 && (o->type == UBLK_OPT_U64 || o->type == UBLK_OPT_SIZE))
		fuzz_take(in, &o->min, 16);
	if (o->type == UBLK_OPT_ENUM)
		o->choices = a_text(made, in);
	if (how & 0x20)
		o->def = a_text(made, in);
}

static void make_arg(struct made *made, struct fuzz_input *in)
{
	struct option_arg *arg = &made->args[made->nr_args++];
	uint8_t how = fuzz_byte(in);
	const struct ublk_opt_spec *o = &made->opts[how % MAX_TABLE];
	char *value = a_text(made, in);

	arg->key = (char *)o->name;
	arg->origin = (char *)"--opt";
	arg->folder = how & 0x40 ? NULL : (char *)"/folder";
	arg->from_json = how & 0x80;
	arg->value = value;
	if (o->type != UBLK_OPT_SECRET)
		return;
	FUZZ_CHECK(asprintf(&made->texts[made->nr_texts - 1], SECRET "%s", value) > 0);
	free(value);
	arg->value = made->texts[made->nr_texts - 1];
}

static void check_no_secret(const struct errors *errors)
{
	for (size_t i = 0; i < min_of(errors->nr, (size_t)ERRORS_KEPT); i++)
		for (const char *p = errors->msg[i]; p && *p; p++)
			FUZZ_CHECK(strncmp(p, "\\x1b\\x1d", 8), "a secret in: %s", errors->msg[i]);
}

/* What is in a state file, and how the next server reads it. */
static void read_back(const struct made *made, const struct option_values *values)
{
	struct errors errors = { 0 };
	struct device_config cfg, back;
	struct option_values again;
	struct json_text jt;
	json_t *manifest;

	device_config_init(&cfg);
	cfg.plugin = strdup("fuzz");
	manifest = device_manifest_build(&cfg, &made->desc, values);
	FUZZ_CHECK(manifest, "no manifest can be made of it");
	FUZZ_CHECK(!json_text_wrap(&jt, "back", manifest));
	device_config_init(&back);
	FUZZ_CHECK(!device_manifest_read(&back, &jt, NULL, &errors), "%s", errors.msg[0]);
	if (!options_parse(&made->desc, back.opts, back.nr_opts, &again, &errors)) {
		for (unsigned int i = 0; i < MAX_TABLE; i++) {
			const struct ublk_opt *a = &values->opt[i], *b = &again.opt[i];

			if (made->opts[i].type == UBLK_OPT_SECRET)
				continue; /* not written out */
			FUZZ_CHECK(a->is_set == b->is_set && a->u64 == b->u64, "%s",
				   made->opts[i].name);
			FUZZ_CHECK(made->opts[i].type == UBLK_OPT_BOOL ||
					   made->opts[i].type == UBLK_OPT_U64 ||
					   made->opts[i].type == UBLK_OPT_SIZE ||
					   !a->str == !b->str,
				   "%s", made->opts[i].name);
			FUZZ_CHECK((made->opts[i].type != UBLK_OPT_STRING &&
				    made->opts[i].type != UBLK_OPT_PATH) ||
					   !a->str || !strcmp(a->str, b->str),
				   "%s: %s, then %s", made->opts[i].name, a->str, b->str);
		}
		option_values_free(&again);
	} else {
		/* Only a secret that was written out, and is required, may be missing. */
		for (size_t i = 0; i < errors.nr; i++)
			FUZZ_CHECK(strstr(errors.msg[i], "needs option"), "%s", errors.msg[i]);
	}
	errors_free(&errors);
	json_text_free(&jt);
	json_decref(manifest);
	device_config_free(&cfg);
	device_config_free(&back);
}

static void parse(const struct made *made)
{
	struct errors errors = { 0 };
	struct option_values values;
	int err = options_parse(&made->desc, made->args, made->nr_args, &values, &errors);

	check_no_secret(&errors);
	fuzz_check_errors(err, &errors);
	if (err) {
		FUZZ_CHECK(!values.opt && !values.secret_file);
		return;
	}
	for (unsigned int i = 0; i < MAX_TABLE; i++) {
		const struct ublk_opt_spec *o = &made->opts[i];

		FUZZ_CHECK(values.opt[i].str || (!values.opt[i].is_set && !o->def), "%s", o->name);
		if (values.opt[i].str && (o->type == UBLK_OPT_U64 || o->type == UBLK_OPT_SIZE))
			FUZZ_CHECK(values.opt[i].u64 >= o->min &&
					   (!o->max || values.opt[i].u64 <= o->max),
				   "%s", o->name);
		if (values.opt[i].str && o->type == UBLK_OPT_PATH)
			FUZZ_CHECK(values.opt[i].str[0] == '/', "%s", values.opt[i].str);
	}
	read_back(made, &values);
	option_values_free(&values);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	struct errors errors = { 0 };
	struct made made = { 0 };
	int err;

	made.desc = (struct ublk_plugin){ .name = "fuzz",
					  .opts = made.opts,
					  .nr_opts = MAX_TABLE,
					  .opt_spec_size = sizeof(made.opts[0]) };
	for (unsigned int i = 0; i < MAX_TABLE; i++)
		make_option(&made, &in, &made.opts[i]);
	while (in.size && made.nr_args < ARRAY_SIZE(made.args))
		make_arg(&made, &in);
	err = options_check_table("fuzz", made.opts, MAX_TABLE, sizeof(made.opts[0]), false,
				  &errors);
	fuzz_check_errors(err, &errors);
	if (!err)
		parse(&made);
	for (unsigned int i = 0; i < made.nr_texts; i++)
		free(made.texts[i]);
	return 0;
}
