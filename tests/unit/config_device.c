// SPDX-License-Identifier: MIT
/* Device manifests and command lines to struct device_config, and back. */
#include "config_device_help.h"

START_TEST(bounds_are_exact)
{
	static const struct {
		const char *flag, *low, *high, *below, *above;
	} cases[] = {
		{ "queues", "1", "4096", "0", "4097" },
		{ "depth", "1", "4096", "0", "4097" },
		{ "id", "0", "1048575", "-1", "1048576" },
		{ "io-timeout", "0", "86400", "-1", "86401" },
		{ "plugin-timeout", "1", "86400", "0", "86401" },
		{ "threads-per-queue", "1", "16", "0", "17" },
		{ "poll-us", "0", "10000", "-1", "10001" },
		{ "max-io", "4K", "32M", "2K", "33M" },
		{ "max-io", "8192", "33554432", "6K", "33558528" },
		{ "logical-block", "512", "4096", "256", "8192" },
		{ "physical-block", "512", "256M", "256", "512M" },
		{ "logical-block", "1K", "2K", "300", "1536" },
	};
	struct errors errors = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *const good[] = { cases[i].low, cases[i].high };
		const char *const bad[] = { cases[i].below, cases[i].above,	    "",
					    "four",	    "99999999999999999999", "4294967297" };
		int key = config_key_of_flag(cases[i].flag);

		ck_assert_int_ge(key, 0);
		for (size_t j = 0; j < ARRAY_SIZE(good); j++) {
			struct device_config cfg;

			device_config_init(&cfg);
			ck_assert_msg(!device_config_set(&cfg, key, good[j], &errors), "--%s %s",
				      cases[i].flag, good[j]);
			device_config_free(&cfg);
		}
		for (size_t j = 0; j < ARRAY_SIZE(bad); j++) {
			struct device_config cfg;

			device_config_init(&cfg);
			ck_assert_msg(device_config_set(&cfg, key, bad[j], &errors) == -EINVAL,
				      "--%s %s", cases[i].flag, bad[j]);
			ck_assert_ptr_null(cfg.where[key]);
			device_config_free(&cfg);
			errors_free(&errors);
		}
	}
	assert_silent(&errors);
}
END_TEST

START_TEST(the_command_line_says_the_same_as_a_manifest)
{
	struct device_config cfg;
	struct errors errors = { 0 };

	device_config_init(&cfg);
	cfg.data_path_words = data_paths;
	ck_assert_int_eq(device_config_set(&cfg, CFG_QUEUES, "0", &errors), -EINVAL);
	ck_assert_int_eq(device_config_set(&cfg, CFG_DEPTH, NULL, &errors), -EINVAL);
	ck_assert_int_eq(device_config_set(&cfg, CFG_READ_ONLY, "maybe", &errors), -EINVAL);
	ck_assert_int_eq(device_config_set(&cfg, CFG_CPUS, "0-", &errors), -EINVAL);
	ck_assert_int_eq(device_config_set(&cfg, CFG_DATA_PATH, "cpy", &errors), -EINVAL);
	ck_assert_int_eq(device_config_set(&cfg, CFG_LOGICAL_BLOCK, "300", &errors), -EINVAL);
	ck_assert_int_eq(device_config_set(&cfg, CFG_PHYSICAL_BLOCK, "4k4", &errors), -EINVAL);
	ck_assert_int_eq(device_config_set(&cfg, CFG_MAX_IO, "1P", &errors), -EINVAL);
	ck_assert_int_eq(device_config_set(&cfg, CFG_NAME, "-x", &errors), -EINVAL);
	assert_messages(
		&errors, "--queues: expected integer 1..4096, got \"0\"",
		"--depth: expected a value: --depth N",
		"--read-only: expected true or false, got \"maybe\"",
		"--cpus: expected \"auto\", \"none\" or a list of CPUs as \"0-3,6\", got "
		"\"0-\": it ends where a CPU number is expected",
		"--data-path: expected one of auto, copy, user-copy, auto-buf-reg; got "
		"\"cpy\" (did you mean \"copy\"?)",
		"--logical-block: expected a power of two 512..4K, got \"300\"",
		"--physical-block: expected a power of two 512..256M (bytes, or as 512K, 4M, 1G, "
		"2T), got \"4k4\"",
		"--max-io: expected size 4K..32M, a multiple of 4K (bytes, or as 512K, 4M, 1G, 2T), "
		"got \"1P\"",
		"--name: expected a name of 1..64 characters a-z 0-9 . _ - that begins with a "
		"letter or digit, got \"-x\"");
	ck_assert_int_eq(device_config_set(&cfg, CFG_READ_ONLY, NULL, &errors), 0);
	ck_assert(cfg.read_only);
	ck_assert_int_eq(device_config_set(&cfg, CFG_ID, "auto", &errors), 0);
	ck_assert_int_eq(cfg.id, -1);
	ck_assert_str_eq(cfg.where[CFG_ID], "--id");
	ck_assert_int_eq(device_config_set(&cfg, CFG_ID, "3", &errors), -EINVAL);
	assert_messages(&errors, "--id: given more than once");
	device_config_free(&cfg);
}
END_TEST

START_TEST(names_are_exact)
{
	static const char *const good[] = {
		"a", "0a", "1.0", "a.b_c-d",
		"a123456789012345678901234567890123456789012345678901234567890123"
	};
	static const char *const bad[] = {
		"",	    ".",
		"..",	    ".a",
		"-a",	    "_a",
		"A",	    "a/b",
		"a b",	    "a\n",
		"\xc3\xbc", "a:b",
		"0", /* an id */
		"42",	    "a1234567890123456789012345678901234567890123456789012345678901234"
	};
	struct errors errors = { 0 };
	struct device_config cfg;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		device_config_init(&cfg);
		ck_assert_int_eq(device_config_set(&cfg, CFG_NAME, good[i], &errors), 0);
		ck_assert_str_eq(cfg.name, good[i]);
		device_config_free(&cfg);
	}
	device_config_init(&cfg);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_msg(device_config_set(&cfg, CFG_NAME, bad[i], &errors) == -EINVAL, "%s",
			      bad[i]);
	device_config_free(&cfg);
	errors_free(&errors);
}
END_TEST

/* All of it goes into the state, which is JSON: a device must not be made that cannot be written down. */
START_TEST(what_is_not_utf8_is_refused)
{
	static const struct {
		enum config_key key;
		const char *value, *message;
	} bad[] = {
		{ CFG_PLUGIN, "/lib/\xff.so",
		  "--plugin: expected text in UTF-8, got \"/lib/\xff.so\"" },
		{ CFG_PLUGIN, "\xc3", "--plugin: expected text in UTF-8, got \"\xc3\"" },
		{ CFG_SHARED_MEMORY, "a\xfe",
		  "--shared-memory: expected text in UTF-8, got \"a\xfe\"" },
		{ CFG_DATA_PATH, "\xff", "--data-path: expected text in UTF-8, got \"\xff\"" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct errors errors = { 0 };
		struct device_config cfg;

		device_config_init(&cfg);
		ck_assert_int_eq(device_config_set(&cfg, bad[i].key, bad[i].value, &errors),
				 -EINVAL);
		ck_assert_ptr_null(cfg.where[bad[i].key]);
		device_config_free(&cfg);
		assert_messages(&errors, bad[i].message);
	}
}
END_TEST

START_TEST(a_plugin_path_is_absolute_from_where_it_was_written)
{
	struct device_config cfg;
	struct errors errors = { 0 };

	ck_assert_int_eq(chdir("/usr"), 0);
	device_config_init(&cfg);
	ck_assert_int_eq(device_config_set(&cfg, CFG_PLUGIN, "./lib/x.so", &errors), 0);
	ck_assert_str_eq(cfg.plugin, "/usr/lib/x.so");
	device_config_free(&cfg);
	ck_assert_int_eq(read_text(&cfg,
				   "{\"ublk_device_manifest\": \"1.0\", \"plugin\": \"./x.so\"}",
				   &errors),
			 0);
	ck_assert_str_eq(cfg.plugin, "/srv/m/x.so");
	device_config_free(&cfg);
	device_config_init(&cfg);
	ck_assert_int_eq(device_config_set(&cfg, CFG_PLUGIN, "x.so", &errors), 0);
	ck_assert_str_eq(cfg.plugin, "x.so");
	device_config_free(&cfg);
}
END_TEST

START_TEST(blocks_are_compared_wherever_they_come_from)
{
	struct device_config base, over;
	struct errors errors = { 0 };

	assert_refused(
		HEAD "\"limits\": {\"logical_block\": 4096,\n\"physical_block\": 512}}",
		"a.json:3:19: /limits/physical_block: expected at least the logical block, 4K "
		"(a.json:2:29: /limits/logical_block), got 512");
	ck_assert_int_eq(read_text(&base, HEAD "\"limits\": {\"logical_block\": 4096}}", &errors),
			 0);
	device_config_init(&over);
	ck_assert_int_eq(device_config_set(&over, CFG_PHYSICAL_BLOCK, "1K", &errors), 0);
	ck_assert_int_eq(device_config_merge(&base, &over), 0);
	ck_assert_int_eq(device_config_check(&base, &errors), -EINVAL);
	assert_messages(&errors, "--physical-block: expected at least the logical block, 4K "
				 "(a.json:2:29: /limits/logical_block), got 1K");
	device_config_free(&over);
	device_config_free(&base);
	device_config_init(&base);
	ck_assert_int_eq(device_config_check(&base, &errors), -EINVAL);
	assert_messages(&errors, "no plugin is named: give --plugin NAME, or --manifest FILE");
	device_config_free(&base);
}
END_TEST

START_TEST(the_command_line_wins_over_the_manifest)
{
	struct device_config base, over;
	struct errors errors = { 0 };

	ck_assert_int_eq(read_text(&base, full, &errors), 0);
	device_config_init(&over);
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_int_eq(device_config_add_opt(&over, "extra=1", &errors), 0);
	ck_assert_int_eq(device_config_add_opt(&over, "path=/b", &errors), 0);
	ck_assert_int_eq(device_config_set(&over, CFG_ID, "auto", &errors), 0);
	ck_assert_int_eq(device_config_set(&over, CFG_QUEUES, "1", &errors), 0);
	ck_assert_int_eq(device_config_set(&over, CFG_IO_TIMEOUT, "30", &errors), 0);
	ck_assert_int_eq(device_config_set(&over, CFG_READ_ONLY, "false", &errors), 0);
	ck_assert_int_eq(device_config_set(&over, CFG_CPUS, "none", &errors), 0);
	ck_assert_int_eq(device_config_set(&over, CFG_NAME, "other", &errors), 0);
	ck_assert_int_eq(device_config_set(&over, CFG_DATA_PATH, "auto", &errors), 0);
	ck_assert_int_eq(device_config_merge(&base, &over), 0);
	assert_silent(&errors);
	ck_assert_int_eq(base.id, -1);
	ck_assert_uint_eq(base.queues, 1);
	ck_assert_str_eq(base.where[CFG_QUEUES], "--queues");
	ck_assert_uint_eq(base.io_timeout, 30);
	ck_assert(!base.read_only);
	ck_assert_int_eq(base.cpus_mode, CPUS_NONE);
	ck_assert_ptr_null(base.cpus_list);
	ck_assert_str_eq(base.name, "other");
	ck_assert_str_eq(base.data_path, "auto");
	ck_assert_uint_eq(base.depth, 64);
	ck_assert_str_eq(base.plugin, "file");
	ck_assert_str_eq(base.origin, "a.json");
	ck_assert_ptr_eq(base.data_path_words, data_paths);
	ck_assert_uint_eq(base.nr_opts, 4);
	ck_assert_str_eq(base.opts[0].value, "/b");
	ck_assert_str_eq(base.opts[0].origin, "--opt path");
	ck_assert(!base.opts[0].from_json);
	ck_assert_str_eq(base.opts[3].key, "extra");
	ck_assert_uint_eq(over.nr_opts, 0);
	ck_assert_str_eq(over.data_path, "auto");
	device_config_free(&over);
	device_config_free(&base);
}
END_TEST

/* Nothing given: the manifest stays as it is, its defaults too. */
START_TEST(lists_grow_and_are_replaced_as_a_whole)
{
	struct device_config base, over;
	struct errors errors = { 0 };
	json_t *json, *list;

	ck_assert_int_eq(chdir("/usr"), 0);
	ck_assert_int_eq(
		read_text(&base, HEAD "\"device\": {\"shared_memory\": [\"/a\", \"b\"]}}", &errors),
		0);
	ck_assert_uint_eq(base.shared_memory.nr, 2);
	ck_assert_str_eq(base.shared_memory.path[0], "/a");
	ck_assert_str_eq(base.shared_memory.path[1], "/srv/m/b");
	ck_assert_str_eq(base.where[CFG_SHARED_MEMORY], "a.json:2:29: /device/shared_memory");
	json = device_manifest_build(&base, NULL, NULL);
	list = json_object_get(json_object_get(json, "device"), "shared_memory");
	ck_assert_uint_eq(json_array_size(list), 2);
	ck_assert_str_eq(json_string_value(json_array_get(list, 1)), "/srv/m/b");
	json_decref(json);
	device_config_init(&over);
	for (unsigned int i = 0; i < MAX_SHARED_MEMORY; i++)
		ck_assert_int_eq(device_config_set(&over, CFG_SHARED_MEMORY, "c", &errors), 0);
	ck_assert_int_eq(device_config_set(&over, CFG_SHARED_MEMORY, "d", &errors), -EINVAL);
	ck_assert_int_eq(device_config_set(&over, CFG_SHARED_MEMORY, "", &errors), -EINVAL);
	assert_messages(&errors, "--shared-memory: more than 16 files",
			"--shared-memory: expected the path of a file, got \"\"");
	ck_assert_int_eq(device_config_merge(&base, &over), 0);
	ck_assert_uint_eq(base.shared_memory.nr, MAX_SHARED_MEMORY);
	ck_assert_str_eq(base.shared_memory.path[0], "/usr/c");
	ck_assert_uint_eq(over.shared_memory.nr, 0);
	device_config_free(&over);
	device_config_free(&base);
	assert_refused(HEAD "\"device\": {\"shared_memory\": \"/a\"}}",
		       "a.json:2:29: /device/shared_memory: expected an array, got \"/a\"");
	assert_refused(
		HEAD "\"device\": {\"shared_memory\": [\"/a\", 1, null]}}",
		"a.json:2:36: /device/shared_memory/1: expected the path of a file, got 1",
		"a.json:2:39: /device/shared_memory/2: expected the path of a file, got null");
}
END_TEST

START_TEST(an_empty_command_line_changes_nothing)
{
	struct device_config base, over;
	struct errors errors = { 0 };

	ck_assert_int_eq(read_text(&base, full, &errors), 0);
	device_config_init(&over);
	ck_assert_int_eq(device_config_merge(&base, &over), 0);
	ck_assert_uint_eq(base.io_timeout, 0);
	ck_assert_uint_eq(base.plugin_timeout, 300);
	ck_assert_int_eq(base.id, 7);
	ck_assert(base.read_only);
	ck_assert_int_eq(base.cpus_mode, CPUS_LIST);
	ck_assert_str_eq(base.data_path, "copy");
	ck_assert_uint_eq(base.nr_opts, 3);
	device_config_free(&over);
	device_config_free(&base);
}
END_TEST

static const struct ublk_opt_spec table[] = {
	{ .name = "path", .help = "Path", .type = UBLK_OPT_PATH, .flags = UBLK_OPTF_REQUIRED },
	{ .name = "direct",
	  .help = "Direct",
	  .def = "auto",
	  .choices = "auto|on|off",
	  .type = UBLK_OPT_ENUM },
	{ .name = "size", .help = "Size", .type = UBLK_OPT_SIZE },
	{ .name = "create", .help = "Create", .def = "false", .type = UBLK_OPT_BOOL },
	{ .name = "seed", .help = "Seed", .type = UBLK_OPT_U64 },
	{ .name = "label", .help = "Label", .type = UBLK_OPT_STRING },
	{ .name = "password", .help = "Password", .type = UBLK_OPT_SECRET },
	{ .name = "token", .help = "Token", .type = UBLK_OPT_SECRET },
};

static const struct ublk_plugin plugin = {
	.name = "file",
	.opts = table,
	.nr_opts = ARRAY_SIZE(table),
	.opt_spec_size = sizeof(table[0]),
};

static void assert_same(const struct device_config *a, const struct device_config *b)
{
	ck_assert_pstr_eq(a->name, b->name);
	ck_assert_pstr_eq(a->plugin, b->plugin);
	ck_assert_int_eq(a->id, b->id);
	ck_assert_uint_eq(a->queues, b->queues);
	ck_assert_uint_eq(a->depth, b->depth);
	ck_assert_uint_eq(a->max_io, b->max_io);
	ck_assert_uint_eq(a->logical_block, b->logical_block);
	ck_assert_uint_eq(a->physical_block, b->physical_block);
	ck_assert_uint_eq(a->io_timeout, b->io_timeout);
	ck_assert_uint_eq(a->plugin_timeout, b->plugin_timeout);
	ck_assert_int_eq(a->read_only, b->read_only);
	ck_assert_int_eq(a->swap_safe, b->swap_safe);
	ck_assert_pstr_eq(a->user, b->user);
	ck_assert_int_eq(a->cpus_mode, b->cpus_mode);
	ck_assert_pstr_eq(a->cpus_list, b->cpus_list);
	ck_assert_pstr_eq(a->data_path, b->data_path);
}

/* Config to JSON and back, with values as well; the text must not hold `secret`. */
static void assert_round_trip(struct device_config *cfg, const struct option_values *values,
			      const char *secret)
{
	struct errors errors = { 0 };
	struct device_config again;
	struct option_values v;
	struct json_text jt;
	json_t *root = device_manifest_build(cfg, &plugin, values);
	char *text;

	ck_assert_ptr_nonnull(root);
	text = json_dumps(root, JSON_COMPACT);
	ck_assert_msg(!secret || !strstr(text, secret), "%s", text);
	ck_assert_int_eq(json_text_parse(&jt, "state", text, strlen(text), &errors), 0);
	device_config_init(&again);
	again.data_path_words = data_paths;
	ck_assert_int_eq(device_manifest_read(&again, &jt, NULL, &errors), 0);
	assert_silent(&errors);
	assert_same(cfg, &again);
	ck_assert_int_eq(options_parse(&plugin, again.opts, again.nr_opts, &v, &errors), 0);
	assert_silent(&errors);
	for (size_t i = 0; i < v.nr; i++) {
		if (table[i].type == UBLK_OPT_SECRET && !values->secret_file[i]) {
			ck_assert_uint_eq(v.opt[i].is_set, 0);
			continue;
		}
		ck_assert_uint_eq(v.opt[i].is_set, values->opt[i].is_set);
		ck_assert_uint_eq(v.opt[i].u64, values->opt[i].u64);
		if (!option_type_name(table[i].type) || table[i].type == UBLK_OPT_SIZE)
			continue; /* 1M comes back as 1048576 */
		ck_assert_pstr_eq(v.opt[i].str, values->opt[i].str);
	}
	option_values_free(&v);
	device_config_free(&again);
	json_text_free(&jt);
	free(text);
	json_decref(root);
}

START_TEST(a_config_survives_the_way_through_json)
{
	struct device_config cfg;
	struct option_values v;
	struct errors errors = { 0 };
	char folder[64], word[128];

	ck_assert_int_eq(read_text(&cfg, full, &errors), 0);
	ck_assert_int_eq(options_parse(&plugin, cfg.opts, cfg.nr_opts, &v, &errors), 0);
	assert_round_trip(&cfg, &v, NULL);
	option_values_free(&v);
	device_config_free(&cfg);

	enter_temporary_folder(folder);
	write_file("pw", "hunter2\n", 8);
	device_config_init(&cfg);
	ck_assert_int_eq(device_config_set(&cfg, CFG_PLUGIN, "file", &errors), 0);
	ck_assert_int_eq(device_config_add_opt(&cfg, "path=rel/x", &errors), 0);
	ck_assert_int_eq(device_config_add_opt(&cfg, "size=1M", &errors), 0);
	ck_assert_int_eq(device_config_add_opt(&cfg, "create=true", &errors), 0);
	ck_assert_int_eq(device_config_add_opt(&cfg, "seed=18446744073709551615", &errors), 0);
	ck_assert_int_eq(device_config_add_opt(&cfg, "label=a \"b\"", &errors), 0);
	ck_assert_int_eq(device_config_add_opt(&cfg, "password=@pw", &errors), 0);
	ck_assert_int_eq(device_config_add_opt(&cfg, "token=@@S3cr3t", &errors), 0);
	ck_assert_int_eq(options_parse(&plugin, cfg.opts, cfg.nr_opts, &v, &errors), 0);
	assert_silent(&errors);
	assert_round_trip(&cfg, &v, "S3cr3t");
	assert_round_trip(&cfg, &v, "hunter2");
	snprintf(word, sizeof(word), "%s/pw", folder);
	ck_assert_str_eq(v.secret_file[6], word);
	option_values_free(&v);
	device_config_free(&cfg);
	unlink("pw");
	leave_temporary_folder(folder);
}
END_TEST

START_TEST(the_built_manifest_is_as_expected)
{
	struct device_config cfg;
	json_t *built, *want;

	device_config_init(&cfg);
	cfg.plugin = strdup("/usr/lib/mem.so");
	cfg.id = 3;
	cfg.queues = 2;
	built = device_manifest_build(&cfg, NULL, NULL);
	want = json_loads(
		"{\"ublk_device_manifest\": \"1.0\", \"plugin\": \"/usr/lib/mem.so\","
		"\"device\": {\"id\": 3, \"queues\": 2, \"read_only\": false,"
		"\"io_timeout\": 30, \"plugin_timeout\": 30, \"poll_us\": 0, \"swap_safe\": false,"
		"\"recovery\": \"auto\"}, \"data_path\": \"auto\", \"cpus\": \"auto\"}",
		0, NULL);
	ck_assert(json_equal(built, want));
	json_decref(built);
	json_decref(want);
	device_config_free(&cfg);
}
END_TEST

START_TEST(flags_are_found)
{
	for (int key = 0; key < CFG_NR_KEYS; key++) {
		const struct config_key_spec *spec = config_key_spec(key);

		ck_assert_int_eq(config_key_of_flag(spec->flag), key);
		ck_assert_ptr_nonnull(spec->help);
		ck_assert_int_eq(!spec->arg, spec->type == CFG_TYPE_BOOL);
	}
	ck_assert_int_eq(config_key_of_flag("queue"), -1);
	ck_assert_int_eq(config_key_of_flag("max_io"), -1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("config device");
	TCase *tc = tcase_create("config");

	tcase_add_test(tc, bounds_are_exact);
	tcase_add_test(tc, the_command_line_says_the_same_as_a_manifest);
	tcase_add_test(tc, names_are_exact);
	tcase_add_test(tc, what_is_not_utf8_is_refused);
	tcase_add_test(tc, a_plugin_path_is_absolute_from_where_it_was_written);
	tcase_add_test(tc, blocks_are_compared_wherever_they_come_from);
	tcase_add_test(tc, the_command_line_wins_over_the_manifest);
	tcase_add_test(tc, lists_grow_and_are_replaced_as_a_whole);
	tcase_add_test(tc, an_empty_command_line_changes_nothing);
	tcase_add_test(tc, a_config_survives_the_way_through_json);
	tcase_add_test(tc, the_built_manifest_is_as_expected);
	tcase_add_test(tc, flags_are_found);
	suite_add_tcase(suite, tc);
	return run_tap(suite);
}
