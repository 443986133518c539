// SPDX-License-Identifier: MIT
/* Tables of options checked, and arguments parsed by them. */
#include "config_options_help.h"

START_TEST(values_have_their_types)
{
	struct option_values v;
	struct errors errors = { 0 };

	ck_assert_int_eq(PARSE(&v, &errors, "path=/x/y", "size=2T", "workers=64", "direct=off",
			       "create=yes", "label=a=b c", "password=hunter2", "level=full",
			       "seed=18446744073709551615", "any=0"),
			 0);
	assert_silent(&errors);
	ck_assert_uint_eq(v.nr, ARRAY_SIZE(table));
	ck_assert_str_eq(v.opt[PATH].str, "/x/y");
	ck_assert_uint_eq(v.opt[PATH].is_set, 1);
	ck_assert_uint_eq(v.opt[SIZE].u64, 2ull << 40);
	ck_assert_str_eq(v.opt[SIZE].str, "2T");
	ck_assert_uint_eq(v.opt[WORKERS].u64, 64);
	ck_assert_uint_eq(v.opt[DIRECT].u64, 2);
	ck_assert_str_eq(v.opt[DIRECT].str, "off");
	ck_assert_uint_eq(v.opt[LEVEL].u64, 2);
	ck_assert_uint_eq(v.opt[CREATE].u64, 1);
	ck_assert_str_eq(v.opt[LABEL].str, "a=b c");
	ck_assert_str_eq(v.opt[PASSWORD].str, "hunter2");
	ck_assert_ptr_null(v.secret_file[PASSWORD]);
	ck_assert_uint_eq(v.opt[SEED].u64, UINT64_MAX);
	ck_assert_uint_eq(v.opt[ANY].u64, 0);
	option_values_free(&v);
	ck_assert_ptr_null(v.opt);
}
END_TEST

START_TEST(defaults_fill_in_what_is_not_given)
{
	struct option_values v;
	struct errors errors = { 0 };

	ck_assert_int_eq(PARSE(&v, &errors, "path=/x"), 0);
	ck_assert_uint_eq(v.opt[GRAIN].u64, 65536);
	ck_assert_str_eq(v.opt[GRAIN].str, "64K");
	ck_assert_uint_eq(v.opt[GRAIN].is_set, 0);
	ck_assert_str_eq(v.opt[DIRECT].str, "auto");
	ck_assert_uint_eq(v.opt[DIRECT].u64, 0);
	ck_assert_uint_eq(v.opt[CREATE].u64, 0);
	ck_assert_ptr_null(v.opt[SIZE].str);
	ck_assert_uint_eq(v.opt[SIZE].u64, 0);
	ck_assert_uint_eq(v.opt[SIZE].is_set, 0);
	ck_assert_ptr_null(v.opt[PASSWORD].str);
	option_values_free(&v);
}
END_TEST

START_TEST(bool_words_are_all_known)
{
	static const struct {
		const char *word;
		uint64_t want;
	} cases[] = { { "create=true", 1 }, { "create=on", 1 },	   { "create=yes", 1 },
		      { "create=1", 1 },    { "create=false", 0 }, { "create=off", 0 },
		      { "create=no", 0 },   { "create=0", 0 } };
	struct option_values v;
	struct errors errors = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ck_assert_int_eq(PARSE(&v, &errors, "path=/x", cases[i].word), 0);
		ck_assert_uint_eq(v.opt[CREATE].u64, cases[i].want);
		ck_assert_uint_eq(v.opt[CREATE].is_set, 1);
		option_values_free(&v);
	}
}
END_TEST

START_TEST(an_enum_with_on_and_off_takes_bool_words)
{
	struct option_values v;
	struct errors errors = { 0 };

	ck_assert_int_eq(PARSE(&v, &errors, "path=/x", "direct=true"), 0);
	ck_assert_str_eq(v.opt[DIRECT].str, "on");
	ck_assert_uint_eq(v.opt[DIRECT].u64, 1);
	option_values_free(&v);
	ck_assert_int_eq(PARSE(&v, &errors, "path=/x", "direct=no"), 0);
	ck_assert_str_eq(v.opt[DIRECT].str, "off");
	option_values_free(&v);
	assert_wrong("level=true", "--opt level: expected one of none|data|full, got \"true\"");
}
END_TEST

START_TEST(wrong_values_say_what_was_expected)
{
	assert_wrong("size=12Q", "--opt size: expected size 512..1024T (bytes, or as 512K, 4M, 1G, "
				 "2T), got \"12Q\"");
	assert_wrong("grain=1P", "--opt grain: expected size of at least 4K (bytes, or as 512K, "
				 "4M, 1G, 2T), got \"1P\"");
	assert_wrong("size=511", "--opt size: expected size 512..1024T, got \"511\"");
	assert_wrong("size=1025T", "--opt size: expected size 512..1024T, got \"1025T\"");
	assert_wrong("size=99999999999T", "--opt size: expected size 512..1024T, got "
					  "\"99999999999T\"");
	assert_wrong("grain=1K", "--opt grain: expected size of at least 4K, got \"1K\"");
	assert_wrong("any=-1",
		     "--opt any: expected size (bytes, or as 512K, 4M, 1G, 2T), got \"-1\"");
	assert_wrong("workers=0", "--opt workers: expected integer 1..64, got \"0\"");
	assert_wrong("workers=65", "--opt workers: expected integer 1..64, got \"65\"");
	assert_wrong("workers=4K", "--opt workers: expected integer 1..64, got \"4K\"");
	assert_wrong("workers=", "--opt workers: expected integer 1..64, got \"\"");
	assert_wrong("seed=1.5", "--opt seed: expected integer of at least 0, got \"1.5\"");
	assert_wrong("seed=18446744073709551616", "--opt seed: expected integer of at least 0, got "
						  "\"18446744073709551616\"");
	assert_wrong("direct=onn",
		     "--opt direct: expected one of auto|on|off, got \"onn\" (did you "
		     "mean \"on\"?)");
	assert_wrong("level=dta", "--opt level: expected one of none|data|full, got \"dta\" (did "
				  "you mean \"data\"?)");
	assert_wrong("level=", "--opt level: expected one of none|data|full, got \"\"");
	assert_wrong("create=maybe",
		     "--opt create: expected true, false, on, off, yes, no, 1 or 0, "
		     "got \"maybe\"");
	assert_wrong("label=\xff", "--opt label: expected text in UTF-8, got \"\xff\"");
	assert_wrong("password=@/\xff", "--opt password: expected @FILE with a path in UTF-8");
	assert_wrong("workers=\x1b[2J", "--opt workers: expected integer 1..64, got \"\\x1b[2J\"");
}
END_TEST

START_TEST(long_values_are_cut_between_characters)
{
	char word[256] = "workers=", message[256];

	for (int i = 0; i < 63; i++)
		strcat(word, "a");
	strcat(word, "\xc3\xbc\xc3\xbc\xc3\xbc");
	snprintf(message, sizeof(message),
		 "--opt workers: expected integer 1..64, got \"%.63s...\"", word + 8);
	assert_wrong(word, message);
}
END_TEST

START_TEST(unknown_options_come_with_a_hint_and_the_list)
{
	assert_wrong(
		"sise=1G",
		"--opt sise: plugin demo has no option \"sise\" (did you mean \"size\"?); its "
		"options: path, size, grain, any, workers, seed, direct, level, create, label, "
		"password");
	assert_wrong("x-colour=1G",
		     "--opt x-colour: plugin demo has no option \"x-colour\"; its options: path, "
		     "size, grain, any, workers, seed, direct, level, create, label, password");
}
END_TEST

START_TEST(a_long_list_of_options_is_cut)
{
	static char names[200][24];
	static struct ublk_opt_spec many[200];
	struct ublk_plugin big = {
		.name = "big", .opts = many, .nr_opts = 200, .opt_spec_size = sizeof(many[0])
	};
	struct option_arg arg = {
		"nothing_like_it", "", "--opt nothing_like_it", NULL, false, false, false
	};
	struct option_values v;
	struct errors errors = { 0 };

	for (int i = 0; i < 200; i++) {
		snprintf(names[i], sizeof(names[i]), "option%d", i);
		many[i] = (struct ublk_opt_spec){ .name = names[i],
						  .help = "x",
						  .type = UBLK_OPT_STRING };
	}
	ck_assert_int_eq(options_check_table("big", many, 200, sizeof(many[0]), false, &errors), 0);
	ck_assert_int_eq(options_parse(&big, &arg, 1, &v, &errors), -EINVAL);
	ck_assert_uint_lt(strlen(errors.msg[0]), 600);
	ck_assert_str_eq(errors.msg[0] + strlen(errors.msg[0]) - 5, ", ...");
	errors_free(&errors);
	big.nr_opts = 0;
	ck_assert_int_eq(options_parse(&big, &arg, 1, &v, &errors), -EINVAL);
	assert_messages(&errors, "--opt nothing_like_it: plugin big takes no options");
	ck_assert_int_eq(options_parse(&big, NULL, 0, &v, &errors), 0);
	option_values_free(&v);
}
END_TEST

START_TEST(all_errors_come_at_once)
{
	struct option_values v;
	struct errors errors = { 0 };

	ck_assert_int_eq(PARSE(&v, &errors, "workers=none", "sise=1", "create=2"), -EINVAL);
	assert_messages(
		&errors, "--opt workers: expected integer 1..64, got \"none\"",
		"--opt sise: plugin demo has no option \"sise\" (did you mean \"size\"?); "
		"its options: path, size, grain, any, workers, seed, direct, level, create, "
		"label, password",
		"--opt create: expected true, false, on, off, yes, no, 1 or 0, got \"2\"",
		"plugin demo needs option \"path\" (Backing file): give --opt path=PATH, or "
		"\"path\" in the manifest's \"options\"");
}
END_TEST

START_TEST(an_option_is_given_once)
{
	struct option_arg twice[] = {
		{ "path", "/a", "--opt path", NULL, false, false, false },
		{ "path", "/b", "a.json:1:1: /options/path", NULL, true, false, false },
	};
	struct device_config cfg;
	struct option_values v;
	struct errors errors = { 0 };

	ck_assert_int_eq(options_parse(&plugin, twice, 2, &v, &errors), -EINVAL);
	assert_messages(&errors, "a.json:1:1: /options/path: given more than once");
	device_config_init(&cfg);
	ck_assert_int_eq(device_config_add_opt(&cfg, "path=/a", &errors), 0);
	ck_assert_int_eq(device_config_add_opt(&cfg, "path=/b", &errors), -EINVAL);
	assert_messages(&errors, "--opt path: given more than once");
	ck_assert_uint_eq(cfg.nr_opts, 1);
	device_config_free(&cfg);
}
END_TEST

START_TEST(malformed_arguments_are_refused_without_showing_much)
{
	struct device_config cfg;
	struct errors errors = { 0 };

	device_config_init(&cfg);
	ck_assert_int_eq(device_config_add_opt(&cfg, "path", &errors), -EINVAL);
	ck_assert_int_eq(device_config_add_opt(&cfg, "password:hunter2", &errors), -EINVAL);
	ck_assert_int_eq(device_config_add_opt(&cfg, "=hunter2", &errors), -EINVAL);
	ck_assert_int_eq(device_config_add_opt(&cfg, "", &errors), -EINVAL);
	assert_messages(&errors, "--opt path: expected KEY=VALUE",
			"--opt password...: expected KEY=VALUE", "--opt ...: expected KEY=VALUE",
			"--opt : expected KEY=VALUE");
	device_config_free(&cfg);
}
END_TEST

START_TEST(too_many_options_are_refused)
{
	struct device_config cfg;
	struct errors errors = { 0 };
	char word[32];

	device_config_init(&cfg);
	for (unsigned int i = 0; i < MAX_OPTIONS; i++) {
		snprintf(word, sizeof(word), "key%u=1", i);
		ck_assert_int_eq(device_config_add_opt(&cfg, word, &errors), 0);
	}
	ck_assert_int_eq(device_config_add_opt(&cfg, "more=1", &errors), -EINVAL);
	assert_messages(&errors, "--opt: more than 256 options");
	device_config_free(&cfg);
}
END_TEST

START_TEST(paths_are_absolute_from_where_they_were_written)
{
	struct option_arg arg = { "path", "img/a", "a.json:1:1: /options/path", "/srv/m", true,
				  false,  false };
	struct option_values v;
	struct errors errors = { 0 };

	ck_assert_int_eq(chdir("/usr"), 0);
	ck_assert_int_eq(PARSE(&v, &errors, "path=./lib"), 0);
	ck_assert_str_eq(v.opt[PATH].str, "/usr/lib");
	option_values_free(&v);
	ck_assert_int_eq(options_parse(&plugin, &arg, 1, &v, &errors), 0);
	ck_assert_str_eq(v.opt[PATH].str, "/srv/m/img/a");
	option_values_free(&v);
	arg.folder = NULL;
	ck_assert_int_eq(options_parse(&plugin, &arg, 1, &v, &errors), -EINVAL);
	assert_messages(&errors, "a.json:1:1: /options/path: expected an absolute path, got "
				 "\"img/a\"");
	arg.value = "";
	ck_assert_int_eq(options_parse(&plugin, &arg, 1, &v, &errors), -EINVAL);
	assert_messages(&errors, "a.json:1:1: /options/path: expected a path, got \"\"");
}
END_TEST

/* The folder is taken down when the argument is read: a server changes its own later. */
START_TEST(a_changed_folder_does_not_matter)
{
	struct device_config cfg;
	struct option_values v;
	struct errors errors = { 0 };

	device_config_init(&cfg);
	ck_assert_int_eq(chdir("/usr"), 0);
	ck_assert_int_eq(device_config_add_opt(&cfg, "path=lib", &errors), 0);
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_int_eq(options_parse(&plugin, cfg.opts, cfg.nr_opts, &v, &errors), 0);
	ck_assert_str_eq(v.opt[PATH].str, "/usr/lib");
	option_values_free(&v);
	device_config_free(&cfg);
}
END_TEST

START_TEST(json_values_must_have_the_right_type)
{
	assert_wrong_json("workers", "4", false, false,
			  "m: expected integer 1..64, got string "
			  "\"4\"");
	assert_wrong_json("workers", "true", true, false, "m: expected integer 1..64, got true");
	assert_wrong_json("workers", "1.5", false, true, "m: expected integer 1..64, got 1.5");
	assert_wrong_json("workers", "-3", false, true, "m: expected integer 1..64, got -3");
	assert_wrong_json("create", "true", false, false,
			  "m: expected true or false, got string "
			  "\"true\"");
	assert_wrong_json("create", "1", false, true, "m: expected true or false, got 1");
	assert_wrong_json("label", "5", false, true, "m: expected a string, got 5");
	assert_wrong_json("label", "false", true, false, "m: expected a string, got false");
	assert_wrong_json("level", "1", false, true, "m: expected one of none|data|full, got 1");
	assert_wrong_json("size", "true", true, false,
			  "m: expected size 512..1024T (bytes, or as 512K, 4M, 1G, 2T), got true");
	assert_wrong_json("password", "4711", false, true,
			  "m: expected a string or @FILE, got a "
			  "number");
	assert_wrong_json("password", "true", true, false,
			  "m: expected a string or @FILE, got a "
			  "boolean");
}
END_TEST

START_TEST(json_values_of_the_right_type_are_taken)
{
	struct option_arg args[] = {
		json_arg("path", "x", false, false),
		json_arg("size", "1048576", false, true),
		json_arg("grain", "1M", false, false),
		json_arg("workers", "7", false, true),
		json_arg("direct", "true", true, false),
		json_arg("create", "true", true, false),
		json_arg("seed", "9223372036854775808", false, false),
	};
	struct option_values v;
	struct errors errors = { 0 };

	ck_assert_int_eq(options_parse(&plugin, args, ARRAY_SIZE(args), &v, &errors), 0);
	assert_silent(&errors);
	ck_assert_str_eq(v.opt[PATH].str, "/x");
	ck_assert_uint_eq(v.opt[SIZE].u64, 1 << 20);
	ck_assert_uint_eq(v.opt[GRAIN].u64, 1 << 20);
	ck_assert_uint_eq(v.opt[WORKERS].u64, 7);
	ck_assert_str_eq(v.opt[DIRECT].str, "on");
	ck_assert_uint_eq(v.opt[CREATE].u64, 1);
	ck_assert_uint_eq(v.opt[SEED].u64, 1ull << 63);
	option_values_free(&v);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("config options");
	TCase *tc = tcase_create("options");

	tcase_add_test(tc, values_have_their_types);
	tcase_add_test(tc, defaults_fill_in_what_is_not_given);
	tcase_add_test(tc, bool_words_are_all_known);
	tcase_add_test(tc, an_enum_with_on_and_off_takes_bool_words);
	tcase_add_test(tc, wrong_values_say_what_was_expected);
	tcase_add_test(tc, long_values_are_cut_between_characters);
	tcase_add_test(tc, unknown_options_come_with_a_hint_and_the_list);
	tcase_add_test(tc, a_long_list_of_options_is_cut);
	tcase_add_test(tc, all_errors_come_at_once);
	tcase_add_test(tc, an_option_is_given_once);
	tcase_add_test(tc, malformed_arguments_are_refused_without_showing_much);
	tcase_add_test(tc, too_many_options_are_refused);
	tcase_add_test(tc, paths_are_absolute_from_where_they_were_written);
	tcase_add_test(tc, a_changed_folder_does_not_matter);
	tcase_add_test(tc, json_values_must_have_the_right_type);
	tcase_add_test(tc, json_values_of_the_right_type_are_taken);
	suite_add_tcase(suite, tc);
	return run_tap(suite);
}
