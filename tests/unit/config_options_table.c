// SPDX-License-Identifier: MIT
/* Is a plugin's table of options fit to parse with? */
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

static void assert_table(const struct ublk_opt_spec *spec, uint32_t nr, const char *message)
{
	struct errors errors = { 0 };

	ck_assert_int_eq(options_check_table("x.so", spec, nr, sizeof(*spec), false, &errors),
			 -EINVAL);
	assert_messages(&errors, message);
}

#define ASSERT_ENTRY(message, ...)                                                                 \
	assert_table(&(struct ublk_opt_spec){ .name = "a", .help = "A", __VA_ARGS__ }, 1,          \
		     "x.so: option " message)

START_TEST(tables_are_checked)
{
	struct errors errors = { 0 };

	ck_assert_int_eq(options_check_table("x.so", table, ARRAY_SIZE(table), sizeof(table[0]),
					     false, &errors),
			 0);
	ck_assert_int_eq(options_check_table("x.so", NULL, 0, 0, false, &errors), 0);
	assert_silent(&errors);
	ASSERT_ENTRY("\"a\" has an unknown type 0", .type = 0);
	ASSERT_ENTRY("\"a\" has an unknown type 8", .type = 8);
	ASSERT_ENTRY("\"a\" has unknown flags 0x6", .type = 1, .flags = 7);
	ASSERT_ENTRY("\"a\" of type enum must have choices", .type = UBLK_OPT_ENUM);
	ASSERT_ENTRY("\"a\" of type bool may not have choices", .type = UBLK_OPT_BOOL,
		     .choices = "a|b");
	ASSERT_ENTRY("\"a\" of type string may not have bounds", .type = UBLK_OPT_STRING, .max = 5);
	ASSERT_ENTRY("\"a\": its minimum is above its maximum", .type = UBLK_OPT_U64, .min = 6,
		     .max = 5);
	ASSERT_ENTRY("\"a\": wrong default: expected integer 1..5, got \"6\"", .type = UBLK_OPT_U64,
		     .min = 1, .max = 5, .def = "6");
	ASSERT_ENTRY("\"a\": wrong default: expected one of a|b, got \"c\"", .type = UBLK_OPT_ENUM,
		     .choices = "a|b", .def = "c");
	ASSERT_ENTRY("\"a\": wrong default: expected an absolute path, got \"x/y\"",
		     .type = UBLK_OPT_PATH, .def = "x/y");
	ASSERT_ENTRY("\"a\": a secret may not have a default", .type = UBLK_OPT_SECRET, .def = "x");
	ASSERT_ENTRY("\"a\" is required and has a default, too", .type = UBLK_OPT_STRING,
		     .def = "x", .flags = UBLK_OPTF_REQUIRED);
	ASSERT_ENTRY("\"a\": its default is not UTF-8", .type = UBLK_OPT_STRING, .def = "\xff");
}
END_TEST

START_TEST(choices_must_be_different_words)
{
	static const char *const bad[] = { "", "a|", "|a", "a||b", "a|b|a", "a b|c", "a,b" };
	struct errors errors = { 0 };
	char message[128];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct ublk_opt_spec spec = {
			.name = "a", .help = "A", .type = UBLK_OPT_ENUM, .choices = bad[i]
		};

		snprintf(message, sizeof(message),
			 "x.so: option \"a\": choices must be different words with | between them, "
			 "found \"%s\"",
			 bad[i]);
		assert_table(&spec, 1, message);
	}
	ck_assert_int_eq(options_check_table("x.so",
					     &(struct ublk_opt_spec){ .name = "a",
								      .help = "A",
								      .type = UBLK_OPT_ENUM,
								      .choices = "one|On|1.5_x+-" },
					     1, sizeof(table[0]), false, &errors),
			 0);
}
END_TEST

START_TEST(names_in_a_table_are_checked)
{
	static const char *const bad[] = { "",	 "A",	"1a",  "a.b",	  "-a",
					   "_a", "a b", "x-a", "\xc3\xbc" };
	struct ublk_opt_spec two[] = {
		{ .name = "a", .help = "A", .type = UBLK_OPT_BOOL },
		{ .name = "a", .help = "A", .type = UBLK_OPT_BOOL },
	};
	struct errors errors = { 0 };
	char message[192];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct ublk_opt_spec spec = { .name = bad[i], .help = "A", .type = UBLK_OPT_BOOL };

		snprintf(
			message, sizeof(message),
			"x.so: option \"%s\": a name begins with a-z, goes on with a-z 0-9 _ - and "
			"does not begin with x-",
			bad[i]);
		assert_table(&spec, 1, message);
	}
	assert_table(two, 2, "x.so: option \"a\" is there twice");
	two[1].name = NULL;
	assert_table(two, 2, "x.so: option 1 has no name");
	two[1] = (struct ublk_opt_spec){ .name = "b", .type = UBLK_OPT_BOOL };
	assert_table(two, 2, "x.so: option \"b\" must have a help text of one line");
	two[1].help = "two\nlines";
	assert_table(two, 2, "x.so: option \"b\" must have a help text of one line");
	two[1].help = "\x1b[31mred"; /* its manifest would be refused */
	assert_table(two, 2, "x.so: option \"b\" must have a help text of one line");
	ck_assert_int_eq(options_check_table("x.so", two, 2, 16, false, &errors), -EINVAL);
	assert_messages(&errors, "x.so: impossible opt_spec_size 16 (ABI 1.0: 56)");
	ck_assert_int_eq(options_check_table("x.so", two, 2, 60, false, &errors), -EINVAL);
	assert_messages(&errors, "x.so: impossible opt_spec_size 60 (ABI 1.0: 56)");
	ck_assert_int_eq(options_check_table("x.so", NULL, 2, 56, false, &errors), -EINVAL);
	assert_messages(&errors, "x.so: 2 options, but no table of them");
	ck_assert_int_eq(options_check_table("x.so", two, 257, 56, false, &errors), -EINVAL);
	assert_messages(&errors, "x.so: 257 options, at most 256 are allowed");
}
END_TEST

/* A plugin built against a newer header has longer entries, and flags that are not known. */
START_TEST(longer_entries_are_read_by_their_stride)
{
	struct {
		struct ublk_opt_spec spec;
		uint64_t newer;
	} longer[] = {
		{ { .name = "a", .help = "A", .type = UBLK_OPT_U64, .def = "1" }, UINT64_MAX },
		{ { .name = "b", .help = "B", .type = UBLK_OPT_U64, .def = "2", .flags = 0x80 },
		  UINT64_MAX },
	};
	const struct ublk_plugin newer = { .name = "newer",
					   .opts = &longer[0].spec,
					   .nr_opts = 2,
					   .opt_spec_size = sizeof(longer[0]) };
	struct option_arg arg = { "b", "7", "--opt b", NULL, false, false, false };
	struct option_values v;
	struct errors errors = { 0 };

	ck_assert_int_eq(
		options_check_table("newer", newer.opts, 2, sizeof(longer[0]), true, &errors), 0);
	ck_assert_int_eq(options_parse(&newer, &arg, 1, &v, &errors), 0);
	ck_assert_uint_eq(v.opt[0].u64, 1);
	ck_assert_uint_eq(v.opt[1].u64, 7);
	option_values_free(&v);
	longer[1].spec.type = 99; /* there is no way to do without the type of an option */
	ck_assert_int_eq(
		options_check_table("newer", newer.opts, 2, sizeof(longer[0]), true, &errors),
		-EINVAL);
	assert_messages(&errors,
			"newer: option \"b\" has an unknown type 99: it takes a newer host");
}
END_TEST

START_TEST(placeholders_say_what_to_write)
{
	static const char *const want[] = { "PATH",	  "SIZE",   "SIZE",	   "SIZE",
					    "N",	  "N",	    "auto|on|off", "none|data|full",
					    "true|false", "STRING", "@FILE" };

	for (size_t i = 0; i < ARRAY_SIZE(want); i++)
		ck_assert_str_eq(option_placeholder(&table[i]), want[i]);
	ck_assert_str_eq(option_type_name(UBLK_OPT_SECRET), "secret");
	ck_assert_ptr_null(option_type_name(0));
	ck_assert_ptr_null(option_type_name(99));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("config options table");
	TCase *tc = tcase_create("table");

	tcase_add_test(tc, tables_are_checked);
	tcase_add_test(tc, choices_must_be_different_words);
	tcase_add_test(tc, names_in_a_table_are_checked);
	tcase_add_test(tc, longer_entries_are_read_by_their_stride);
	tcase_add_test(tc, placeholders_say_what_to_write);
	suite_add_tcase(suite, tc);
	return run_tap(suite);
}
