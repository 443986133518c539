// SPDX-License-Identifier: MIT
/* Plugin manifests made from descriptors, checked, and compared. */
#include "config/plugin_manifest.h"
#include "config_help.h"

static int fake_map(void *qpriv, const struct ublk_io *io, struct ublk_extent *out, uint32_t max)
{
	(void)qpriv, (void)io, (void)out, (void)max;
	return 0;
}

static int fake_submit(void *qpriv, struct ublk_io *io)
{
	(void)qpriv, (void)io;
	return 0;
}

static int fake_read(void *priv, void *buf, uint64_t length, uint64_t offset, uint32_t flags)
{
	(void)priv, (void)buf, (void)length, (void)offset, (void)flags;
	return 0;
}

static int fake_discard(void *priv, uint64_t length, uint64_t offset, uint32_t flags)
{
	(void)priv, (void)length, (void)offset, (void)flags;
	return 0;
}

static const struct ublk_opt_spec table[] = {
	{ .name = "path",
	  .help = "Backing file",
	  .type = UBLK_OPT_PATH,
	  .flags = UBLK_OPTF_REQUIRED },
	{ .name = "size",
	  .help = "Size",
	  .def = "1024M",
	  .type = UBLK_OPT_SIZE,
	  .min = 512,
	  .max = 1ull << 50 },
	{ .name = "workers",
	  .help = "Workers",
	  .def = "4",
	  .type = UBLK_OPT_U64,
	  .min = 1,
	  .max = UINT64_MAX },
	{ .name = "direct",
	  .help = "Direct",
	  .def = "auto",
	  .choices = "auto|on|off",
	  .type = UBLK_OPT_ENUM },
	{ .name = "create", .help = "Create", .def = "yes", .type = UBLK_OPT_BOOL },
	{ .name = "label", .help = "Label, \"quoted\"", .def = "", .type = UBLK_OPT_STRING },
	{ .name = "password", .help = "Password", .type = UBLK_OPT_SECRET },
};

static const struct ublk_plugin plugin = {
	UBLK_PLUGIN_INIT(0),
	.name = "demo",
	.version = "0.1.0",
	.description = "Demonstrates",
	.opts = table,
	.nr_opts = ARRAY_SIZE(table),
	.opt_spec_size = sizeof(table[0]),
	.thread_model = UBLK_THREADS_PER_QUEUE,
	.map_ops = UBLK_OPS_READ | UBLK_OPS_FLUSH,
	.submit_ops = UBLK_OPS_WRITE,
	.flags = UBLK_PLUGIN_NEEDS_NETWORK | UBLK_PLUGIN_NEEDS_IOCTLS,
	.map_kinds = UBLK_EXT_FD | UBLK_EXT_ZERO,
	.data_modes = UBLK_DATA_FIXED,
	.map = fake_map,
	.submit = fake_submit,
	.read = fake_read,
	.discard = fake_discard,
};

static const char expected[] =
	"{ \"ublk_plugin_manifest\": \"1.0\", \"name\": \"demo\", \"version\": \"0.1.0\",\n"
	"  \"description\": \"Demonstrates\", \"library\": \"demo.so\",\n"
	"  \"abi\": { \"major\": 1, \"minor\": 1, \"min_host_minor\": 0 },\n"
	"  \"thread_model\": \"per-queue\", \"nonblocking\": false,\n"
	"  \"recovery\": \"none\",\n"
	"  \"ops\": { \"read\": \"map\", \"write\": \"async\", \"flush\": \"map\",\n"
	"    \"discard\": \"call\", \"write_zeroes\": \"none\" },\n"
	"  \"extents\": [\"fd\", \"zero\"], \"data_modes\": [\"fixed\"], \"needs\": [\"network\", \"ioctls\"],\n"
	"  \"options\": [\n"
	"    { \"name\": \"path\", \"type\": \"path\", \"required\": true, \"help\": \"Backing file\" },\n"
	"    { \"name\": \"size\", \"type\": \"size\", \"required\": false, \"help\": \"Size\",\n"
	"      \"default\": \"1G\", \"min\": \"512\", \"max\": \"1024T\" },\n"
	"    { \"name\": \"workers\", \"type\": \"u64\", \"required\": false, \"help\": \"Workers\",\n"
	"      \"default\": 4, \"min\": 1, \"max\": \"18446744073709551615\" },\n"
	"    { \"name\": \"direct\", \"type\": \"enum\", \"required\": false, \"help\": \"Direct\",\n"
	"      \"choices\": [\"auto\", \"on\", \"off\"], \"default\": \"auto\" },\n"
	"    { \"name\": \"create\", \"type\": \"bool\", \"required\": false, \"help\": \"Create\",\n"
	"      \"default\": true },\n"
	"    { \"name\": \"label\", \"type\": \"string\", \"required\": false,\n"
	"      \"help\": \"Label, \\\"quoted\\\"\", \"default\": \"\" },\n"
	"    { \"name\": \"password\", \"type\": \"secret\", \"required\": false, \"help\": \"Password\" }\n"
	"  ] }\n";

static void parse(struct json_text *jt, const char *text)
{
	struct errors errors = { 0 };

	ck_assert_int_eq(json_text_parse(jt, "demo.json", text, strlen(text), &errors), 0);
	assert_silent(&errors);
}

START_TEST(a_descriptor_becomes_a_manifest)
{
	json_t *want = json_loads(expected, 0, NULL);
	json_t *got = plugin_manifest_build(&plugin, "demo.so");
	char *text = json_dumps(got, JSON_INDENT(2));
	struct errors errors = { 0 };
	struct json_text jt;

	ck_assert_msg(json_equal(got, want), "%s", text);
	parse(&jt, text);
	ck_assert_int_eq(plugin_manifest_check(&jt, &errors), 0);
	ck_assert_int_eq(plugin_manifest_compare(&jt, &plugin, "demo.so", &errors), 0);
	assert_silent(&errors);
	json_text_free(&jt);
	free(text);
	json_decref(got);
	json_decref(want);
}
END_TEST

START_TEST(a_bare_descriptor_becomes_one_too)
{
	struct ublk_plugin bare = { UBLK_PLUGIN_INIT(0),
				    .name = "b",
				    .version = "1",
				    .description = "B",
				    .flags = UBLK_PLUGIN_NONBLOCKING,
				    .thread_model = UBLK_THREADS_PARALLEL,
				    .map_kinds = UBLK_EXT_MEM | UBLK_EXT_VOID,
				    .data_modes = UBLK_DATA_MAPPED | UBLK_DATA_FIXED };
	json_t *got = plugin_manifest_build(&bare, "b.so");
	const char *threads, *read;
	int nonblocking;

	ck_assert_int_eq(json_unpack(got, "{s:s, s:b, s:[ss!], s:[ss!], s:[!], s:[!], s:{s:s}}",
				     "thread_model", &threads, "nonblocking", &nonblocking,
				     "extents", &read, &read, "data_modes", &read, &read, "needs",
				     "options", "ops", "read", &read),
			 0);
	ck_assert_str_eq(threads, "parallel");
	ck_assert_str_eq(read, "none");
	ck_assert_int_eq(nonblocking, 1);
	json_decref(got);
	bare.thread_model = UBLK_THREADS_SERIAL;
	got = plugin_manifest_build(&bare, "b.so");
	ck_assert_str_eq(json_string_value(json_object_get(got, "thread_model")), "serial");
	json_decref(got);
}
END_TEST

START_TEST(each_difference_is_named)
{
	static const struct ublk_opt_spec other[] = {
		{ .name = "path", .help = "Backing", .type = UBLK_OPT_PATH, .flags = 1 },
		{ .name = "size", .help = "Size", .type = UBLK_OPT_SIZE, .min = 4096 },
	};
	struct ublk_plugin changed = plugin;
	struct errors errors = { 0 };
	struct json_text jt;

	changed.version = "0.2.0";
	changed.data_modes = 0;
	changed.map_ops = 0;
	changed.opts = other;
	changed.nr_opts = 2;
	parse(&jt, expected);
	ck_assert_int_eq(plugin_manifest_check(&jt, &errors), 0);
	ck_assert_int_eq(plugin_manifest_compare(&jt, &changed, "demo.so", &errors), -ESTALE);
	json_text_free(&jt);
	assert_messages(
		&errors,
		"demo.json:1:61: /version: stale manifest: says \"0.1.0\", demo.so says \"0.2.0\"",
		"demo.json:6:20: /ops/read: stale manifest: says \"map\", demo.so says \"call\"",
		"demo.json:6:54: /ops/flush: stale manifest: says \"map\", demo.so says \"none\"",
		"demo.json:8:45: /data_modes/0: stale manifest: says \"fixed\", demo.so says nothing",
		"demo.json:10:65: /options/0/help: stale manifest: says \"Backing file\", demo.so "
		"says \"Backing\"",
		"demo.json:12:31: /options/1/min: stale manifest: says \"512\", demo.so says \"4K\"",
		"demo.json:12:18: /options/1/default: stale manifest: says \"1G\", demo.so says "
		"nothing",
		"demo.json:12:45: /options/1/max: stale manifest: says \"1024T\", demo.so says "
		"nothing",
		"demo.json:13:5: /options/2: stale manifest: says an object, demo.so says nothing",
		"demo.json:15:5: /options/3: stale manifest: says an object, demo.so says nothing",
		"demo.json:17:5: /options/4: stale manifest: says an object, demo.so says nothing",
		"demo.json:19:5: /options/5: stale manifest: says an object, demo.so says nothing",
		"demo.json:21:5: /options/6: stale manifest: says an object, demo.so says nothing");
}
END_TEST

/* `expected` with one piece of text replaced. */
static char *with(const char *old, const char *new)
{
	const char *at = strstr(expected, old);
	char *text;

	ck_assert_msg(at, "%s", old);
	ck_assert_int_ge(
		asprintf(&text, "%.*s%s%s", (int)(at - expected), expected, new, at + strlen(old)),
		0);
	return text;
}

static void assert_wrong(const char *old, const char *new, const char *message)
{
	char *text = with(old, new);
	struct errors errors = { 0 };
	struct json_text jt;

	parse(&jt, text);
	ck_assert_msg(plugin_manifest_check(&jt, &errors) == -EINVAL, "%s", message);
	json_text_free(&jt);
	free(text);
	assert_messages(&errors, message);
}

START_TEST(ignored_keys_and_a_newer_minor_are_no_difference)
{
	char *text = with("\"1.0\",", "\"1.7\", \"$schema\": \"s\", \"x-vendor\": {},");
	struct errors errors = { 0 };
	struct json_text jt;

	parse(&jt, text);
	ck_assert_int_eq(plugin_manifest_check(&jt, &errors), 0);
	ck_assert_int_eq(plugin_manifest_compare(&jt, &plugin, "demo.so", &errors), 0);
	assert_silent(&errors);
	json_text_free(&jt);
	free(text);
	text = with("{ \"major\"", "{ \"x-a\": 1, \"major\"");
	parse(&jt, text);
	ck_assert_int_eq(plugin_manifest_check(&jt, &errors), 0);
	ck_assert_int_eq(plugin_manifest_compare(&jt, &plugin, "demo.so", &errors), 0);
	json_text_free(&jt);
	free(text);
}
END_TEST

/* What a newer plugin has beside what we know is not used, and its manifest may name it. */
START_TEST(newer_words_of_a_newer_minor_are_no_difference)
{
	static const struct {
		const char *old, *new;
	} newer[] = {
		{ "\"name\": \"demo\"", "\"zones\": 1, \"name\": \"demo\"" },
		{ "\"flush\"", "\"zone_append\": \"map\", \"flush\"" },
		{ "\"zero\"]", "\"zero\", \"hole\"]" },
	};
	struct errors errors = { 0 };
	struct json_text jt;

	for (size_t i = 0; i < ARRAY_SIZE(newer); i++) {
		char *text = with(newer[i].old, newer[i].new);

		memcpy(strstr(text, "\"1.0\""), "\"1.1\"", 5);
		parse(&jt, text);
		ck_assert_int_eq(plugin_manifest_check(&jt, &errors), 0);
		ck_assert_int_eq(plugin_manifest_compare(&jt, &plugin, "demo.so", &errors), 0);
		assert_silent(&errors);
		memcpy(strstr(text, "\"1.1\""), "\"1.0\"", 5);
		json_text_free(&jt);
		parse(&jt, text);
		ck_assert_int_eq(plugin_manifest_check(&jt, &errors), -EINVAL);
		errors_free(&errors);
		json_text_free(&jt);
		free(text);
	}
	assert_wrong(
		"\"1.0\", \"name\": \"demo\"", "\"1.7\", \"name\": \"Demo\"",
		"demo.json:1:42: /name: expected a name of 1..32 characters a-z 0-9 - that "
		"begins with a letter or digit, got \"Demo\" (format 1.7, this host reads up to "
		"1.0)");
}
END_TEST

/* What stands in a manifest is shown on terminals. */
START_TEST(controls_are_refused)
{
	static const char *const bad[] = { "\\u001b[31m", "a\\tb", "del\\u007f", "\\u009b31m", "" };
	static const char *const places[] = { "0.1.0", "Demonstrates", "Backing file", "ioctls" };
	struct errors errors = { 0 };
	struct json_text jt;

	for (size_t i = 0; i < ARRAY_SIZE(places) * ARRAY_SIZE(bad); i++) {
		char *text = with(places[i / ARRAY_SIZE(bad)], bad[i % ARRAY_SIZE(bad)]);

		/* words that a newer minor may have are no exception */
		memcpy(strstr(text, "\"1.0\""), "\"1.7\"", 5);
		parse(&jt, text);
		ck_assert_msg(plugin_manifest_check(&jt, &errors) == -EINVAL, "%s", text);
		errors_free(&errors);
		json_text_free(&jt);
		free(text);
	}
}
END_TEST

START_TEST(wrong_members_are_named)
{
	assert_wrong("\"1.0\"", "\"2.0\"",
		     "demo.json:1:27: /ublk_plugin_manifest: format 2.0, this host reads 1.x");
	assert_wrong("\"demo\"", "\"Demo\"",
		     "demo.json:1:42: /name: expected a name of 1..32 characters a-z 0-9 - that "
		     "begins with a letter or digit, got \"Demo\"");
	assert_wrong("\"0.1.0\"", "1",
		     "demo.json:1:61: /version: expected one line of text, got 1");
	assert_wrong("\"Demonstrates\"", "\"a\\nb\"",
		     "demo.json:2:18: /description: expected one line of text, got \"a\\x0ab\"");
	assert_wrong("\"demo.so\"", "\"../demo.so\"",
		     "demo.json:2:45: /library: expected the path of a .so without \"..\", got "
		     "\"../demo.so\"");
	assert_wrong("\"demo.so\"", "\"a/../demo.so\"",
		     "demo.json:2:45: /library: expected the path of a .so without \"..\", got "
		     "\"a/../demo.so\"");
	assert_wrong("\"major\": 1", "\"major\": 65536",
		     "demo.json:3:21: /abi/major: expected integer 0..65535, got 65536");
	assert_wrong("\"major\": 1", "\"major\": -1",
		     "demo.json:3:21: /abi/major: expected integer 0..65535, got -1");
	assert_wrong("\"minor\": 1,", "\"mino\": 0, \"minor\": 1,",
		     "demo.json:3:24: /abi/mino: unknown key (did you mean \"minor\"?)");
	assert_wrong(
		"\"per-queue\"", "\"per_queue\"",
		"demo.json:4:19: /thread_model: expected one of serial, per-queue, parallel; got "
		"\"per_queue\" (did you mean \"per-queue\"?)");
	assert_wrong("false,\n", "0,\n",
		     "demo.json:4:47: /nonblocking: expected true or false, got 0");
	assert_wrong("\"write\": \"async\"", "\"write\": \"submit\"",
		     "demo.json:6:36: /ops/write: expected one of none, map, async, call; got "
		     "\"submit\"");
	assert_wrong("\"write\": \"async\", ", "", "demo.json:6:10: /ops/write: missing");
	assert_wrong("\"fd\", \"zero\"", "\"fd\", \"fd\"",
		     "demo.json:8:21: /extents/1: is there twice");
	assert_wrong("\"fd\"", "\"fs\"",
		     "demo.json:8:15: /extents/0: expected one of fd, mem, zero, void; got \"fs\" "
		     "(did you mean \"fd\"?)");
	assert_wrong("[\"fixed\"]", "\"fixed\"",
		     "demo.json:8:44: /data_modes: expected an array, got \"fixed\"");
	assert_wrong("\"nonblocking\": false,", "", "demo.json:1:1: /nonblocking: missing");
}
END_TEST

START_TEST(wrong_options_are_named)
{
	assert_wrong("\"name\": \"path\"", "\"name\": \"x-path\"",
		     "demo.json:10:15: /options/0/name: expected a name of a-z 0-9 _ - that begins "
		     "with a-z and not with x-, got \"x-path\"");
	assert_wrong("\"name\": \"size\"", "\"name\": \"path\"",
		     "demo.json:11:15: /options/1/name: is there twice");
	assert_wrong("\"type\": \"u64\"", "\"type\": \"int\"",
		     "demo.json:13:34: /options/2/type: expected one of string, bool, u64, size, "
		     "path, enum, secret; got \"int\"");
	assert_wrong("\"required\": true", "\"required\": 1",
		     "demo.json:10:51: /options/0/required: expected true or false, got 1");
	assert_wrong("\"help\": \"Size\"", "\"hlp\": \"Size\", \"help\": \"Size\"",
		     "demo.json:11:58: /options/1/hlp: unknown key (did you mean \"help\"?)");
	assert_wrong("\"default\": \"1G\"", "\"default\": \"1Q\"",
		     "demo.json:12:18: /options/1/default: expected size 512..1024T "
		     "(bytes, or as 512K, 4M, 1G, 2T), got \"1Q\"");
	assert_wrong("\"default\": 4", "\"default\": 0",
		     "demo.json:14:18: /options/2/default: expected integer "
		     "1..18446744073709551615, got 0");
	assert_wrong("\"default\": \"auto\"", "\"default\": \"of\"",
		     "demo.json:16:52: /options/3/default: expected one of auto|on|off, got \"of\" "
		     "(did you mean \"off\"?)");
	assert_wrong("\"default\": true", "\"default\": \"true\"",
		     "demo.json:18:18: /options/4/default: expected true or false, got string "
		     "\"true\"");
	assert_wrong(
		"\"required\": true, \"help\": \"Backing file\"",
		"\"required\": true, \"help\": \"B\", \"default\": \"/x\"",
		"demo.json:10:70: /options/0/default: a required option may not have a default");
	assert_wrong("\"help\": \"Password\"", "\"help\": \"P\", \"default\": \"S3cr3t\"",
		     "demo.json:21:77: /options/6/default: a secret may not have a default");
	assert_wrong("\"choices\": [\"auto\", \"on\", \"off\"], ", "",
		     "demo.json:15:5: /options/3/choices: missing: an enum needs them");
	assert_wrong("[\"auto\", \"on\", \"off\"]", "[\"auto\", \"auto\"]",
		     "demo.json:16:18: /options/3/choices: expected an array of different words");
	assert_wrong("[\"auto\", \"on\", \"off\"]", "[\"auto|on\"]",
		     "demo.json:16:18: /options/3/choices: expected an array of different words");
	assert_wrong("[\"auto\", \"on\", \"off\"]", "[]",
		     "demo.json:16:18: /options/3/choices: expected an array of different words");
	assert_wrong("\"help\": \"Backing file\"", "\"help\": \"B\", \"choices\": [\"a\"]",
		     "demo.json:10:70: /options/0/choices: only for options of type enum");
	assert_wrong("\"help\": \"Backing file\"", "\"help\": \"B\", \"min\": 1",
		     "demo.json:10:70: /options/0/min: only for options of type u64 and size");
	assert_wrong("\"min\": \"512\"", "\"min\": \"few\"",
		     "demo.json:12:31: /options/1/min: expected size, got \"few\"");
	assert_wrong("\"min\": \"512\"", "\"min\": \"2048T\"",
		     "demo.json:11:5: /options/1: min is above max");
}
END_TEST

START_TEST(all_faults_come_at_once)
{
	struct errors errors = { 0 };
	struct json_text jt;

	parse(&jt, "{\"ublk_plugin_manifest\": \"1.0\", \"abi\": [], \"ops\": {\"reed\": 1},\n"
		   "\"options\": [1, {}], \"version\": \"\"}");
	ck_assert_int_eq(plugin_manifest_check(&jt, &errors), -EINVAL);
	ck_assert_uint_eq(errors_count(&errors), 22);
	ck_assert_str_eq(errors.msg[0], "demo.json:1:40: /abi: expected an object, got an array");
	ck_assert_str_eq(errors.msg[1],
			 "demo.json:1:52: /ops/reed: unknown key (did you mean \"read\"?)");
	ck_assert_str_eq(errors.msg[7], "demo.json:2:13: /options/0: expected an object, got 1");
	ck_assert_str_eq(errors.msg[8], "demo.json:2:16: /options/1/name: missing");
	errors_free(&errors);
	json_text_free(&jt);
	parse(&jt, "[1]");
	ck_assert_int_eq(plugin_manifest_check(&jt, &errors), -EINVAL);
	assert_messages(&errors, "demo.json:1:1: expected an object, got an array");
	json_text_free(&jt);
}
END_TEST

START_TEST(a_file_is_loaded_or_refused_whole)
{
	struct errors errors = { 0 };
	struct json_text jt;
	char folder[64];

	enter_temporary_folder(folder);
	write_file("demo.json", expected, strlen(expected));
	ck_assert_int_eq(plugin_manifest_load(&jt, "demo.json", &errors), 0);
	json_text_free(&jt);
	write_file("demo.json", "{}", 2);
	ck_assert_int_eq(plugin_manifest_load(&jt, "demo.json", &errors), -EINVAL);
	ck_assert_ptr_null(jt.root);
	assert_messages(&errors,
			"demo.json:1:1: /ublk_plugin_manifest: missing: the format must be "
			"named, as \"ublk_plugin_manifest\": \"1.0\"");
	unlink("demo.json");
	leave_temporary_folder(folder);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("config plugin manifest");
	TCase *tc = tcase_create("plugin manifest");

	tcase_add_test(tc, a_descriptor_becomes_a_manifest);
	tcase_add_test(tc, a_bare_descriptor_becomes_one_too);
	tcase_add_test(tc, each_difference_is_named);
	tcase_add_test(tc, ignored_keys_and_a_newer_minor_are_no_difference);
	tcase_add_test(tc, newer_words_of_a_newer_minor_are_no_difference);
	tcase_add_test(tc, controls_are_refused);
	tcase_add_test(tc, wrong_members_are_named);
	tcase_add_test(tc, wrong_options_are_named);
	tcase_add_test(tc, all_faults_come_at_once);
	tcase_add_test(tc, a_file_is_loaded_or_refused_whole);
	suite_add_tcase(suite, tc);
	return run_tap(suite);
}
