// SPDX-License-Identifier: MIT
/* Device manifests read: each mistake with its place, all of them at once. */
#include <sys/stat.h>

#include "config_device_help.h"

START_TEST(a_full_manifest_is_read)
{
	struct device_config cfg;
	struct errors errors = { 0 };

	ck_assert_int_eq(read_text(&cfg, full, &errors), 0);
	assert_silent(&errors);
	ck_assert_str_eq(cfg.origin, "a.json");
	ck_assert_str_eq(cfg.name, "scratch.1_x-y");
	ck_assert_str_eq(cfg.plugin, "file");
	ck_assert_int_eq(cfg.id, 7);
	ck_assert_uint_eq(cfg.queues, 2);
	ck_assert_uint_eq(cfg.depth, 64);
	ck_assert_uint_eq(cfg.max_io, 512 << 10);
	ck_assert(cfg.read_only);
	ck_assert_uint_eq(cfg.io_timeout, 0);
	ck_assert_uint_eq(cfg.plugin_timeout, 300);
	ck_assert_uint_eq(cfg.logical_block, 4096);
	ck_assert_uint_eq(cfg.physical_block, 256 << 20);
	ck_assert_str_eq(cfg.data_path, "copy");
	ck_assert_int_eq(cfg.cpus_mode, CPUS_LIST);
	ck_assert_str_eq(cfg.cpus_list, "0-3,6");
	ck_assert_str_eq(cfg.where[CFG_QUEUES], "a.json:7:34: /device/queues");
	ck_assert_uint_eq(cfg.nr_opts, 3);
	ck_assert_str_eq(cfg.opts[0].key, "path");
	ck_assert_str_eq(cfg.opts[0].value, "img/a");
	ck_assert_str_eq(cfg.opts[0].folder, "/srv/m");
	ck_assert_str_eq(cfg.opts[0].origin, "a.json:6:24: /options/path");
	ck_assert(!cfg.opts[0].is_bool && !cfg.opts[0].is_number && cfg.opts[0].from_json);
	ck_assert(cfg.opts[1].is_bool && !strcmp(cfg.opts[1].value, "true"));
	ck_assert(cfg.opts[2].is_number && !strcmp(cfg.opts[2].value, "1048576"));
	ck_assert_int_eq(device_config_check(&cfg, &errors), 0);
	device_config_free(&cfg);
}
END_TEST

START_TEST(a_short_manifest_leaves_the_defaults)
{
	struct device_config cfg;
	struct errors errors = { 0 };

	ck_assert_int_eq(read_text(&cfg, HEAD "\"device\": {\"id\": \"auto\"}, \"cpus\": \"none\"}",
				   &errors),
			 0);
	ck_assert_str_eq(cfg.plugin, "mem");
	ck_assert_ptr_null(cfg.name);
	ck_assert_int_eq(cfg.id, -1);
	ck_assert_uint_eq(cfg.queues, 0);
	ck_assert_uint_eq(cfg.depth, 0);
	ck_assert_uint_eq(cfg.max_io, 0);
	ck_assert_uint_eq(cfg.logical_block, 0);
	ck_assert_uint_eq(cfg.io_timeout, DEFAULT_IO_TIMEOUT);
	ck_assert_uint_eq(cfg.plugin_timeout, DEFAULT_PLUGIN_TIMEOUT);
	ck_assert(!cfg.read_only);
	ck_assert_str_eq(cfg.data_path, "auto");
	ck_assert_int_eq(cfg.cpus_mode, CPUS_NONE);
	ck_assert_ptr_null(cfg.where[CFG_QUEUES]);
	ck_assert_ptr_nonnull(cfg.where[CFG_ID]);
	device_config_free(&cfg);
}
END_TEST

START_TEST(all_errors_come_at_once_with_their_places)
{
	assert_refused(
		"{\n"
		"  \"ublk_device_manifest\": \"1.0\",\n"
		"  \"name\": \"Scratch\",\n"
		"  \"options\": { \"path\": null, \"list\": [1], \"o\": {} },\n"
		"  \"device\": { \"id\": -1, \"queues\": \"four\",\n"
		"     \"depth\": 5000, \"max_io\": \"12Q\", \"read_only\": \"yes\" },\n"
		"  \"limits\": { \"logical_block\": 300, \"physical_block\": 513 },\n"
		"  \"data_path\": \"autobufreg\", \"cpus\": \"3-1\", \"optoins\": {}\n"
		"}\n",
		"a.json:3:11: /name: expected a name of 1..64 characters a-z 0-9 . _ - that "
		"begins with a letter or digit, got \"Scratch\"",
		"a.json:4:24: /options/path: expected a string, a number or a boolean, got "
		"null",
		"a.json:4:38: /options/list: expected a string, a number or a boolean, got "
		"an array",
		"a.json:4:48: /options/o: expected a string, a number or a boolean, got an "
		"object",
		"a.json:5:21: /device/id: expected \"auto\" or integer 0..1048575, got -1",
		"a.json:5:35: /device/queues: expected integer 1..4096, got \"four\"",
		"a.json:6:15: /device/depth: expected integer 1..4096, got 5000",
		"a.json:6:31: /device/max_io: expected size 4K..32M, a multiple of 4K "
		"(bytes, or as 512K, 4M, 1G, 2T), got "
		"\"12Q\"",
		"a.json:6:51: /device/read_only: expected true or false, got string "
		"\"yes\"",
		"a.json:7:32: /limits/logical_block: expected a power of two 512..4K, got 300",
		"a.json:7:55: /limits/physical_block: expected a power of two 512..256M, got "
		"513",
		"a.json:8:16: /data_path: expected one of auto, copy, user-copy, "
		"auto-buf-reg; got \"autobufreg\" (did you mean \"auto-buf-reg\"?)",
		"a.json:8:38: /cpus: expected \"auto\", \"none\" or a list of CPUs as "
		"\"0-3,6\", got \"3-1\": a range runs backward",
		"a.json:8:45: /optoins: unknown key (did you mean \"options\"?)",
		"a.json:1:1: /plugin: missing: the plugin must be named, as \"plugin\": "
		"\"mem\"");
}
END_TEST

START_TEST(unknown_keys_come_with_a_hint)
{
	assert_refused(HEAD "\"device\": {\"quueues\": 1}}",
		       "a.json:2:12: /device/quueues: unknown key (did you mean \"queues\"?)");
	assert_refused(HEAD "\"queues\": 1}",
		       "a.json:2:1: /queues: unknown key (did you mean \"/device/queues\"?)");
	assert_refused(HEAD "\"device\": {\"cpus\": \"auto\"}}",
		       "a.json:2:12: /device/cpus: unknown key (did you mean \"/cpus\"?)");
	assert_refused(HEAD "\"limits\": {\"zzz\": 1}}",
		       "a.json:2:12: /limits/zzz: unknown key; known here: logical_block, "
		       "physical_block");
	assert_refused(
		HEAD "\"device\": {\"zzzzzzzzz\": \"reissue\"}}",
		"a.json:2:12: /device/zzzzzzzzz: unknown key; known here: id, queues, depth, "
		"max_io, read_only, io_timeout, plugin_timeout, threads_per_queue, poll_us, shared_memory, "
		"recovery, sandbox, swap_safe, user");
	assert_refused(
		HEAD "\"device\": {\"$schema\": \"x\"}}",
		"a.json:2:12: /device/$schema: unknown key; known here: id, queues, depth, "
		"max_io, read_only, io_timeout, plugin_timeout, threads_per_queue, poll_us, shared_memory, "
		"recovery, sandbox, swap_safe, user");
	assert_refused(HEAD "\"a/b~c\\n\": 1}",
		       "a.json:2:1: /a~1b~0c\\x0a: unknown key; known here: "
		       "name, plugin, data_path, cpus, device, limits, "
		       "options, ublk_device_manifest");
	assert_refused(
		HEAD "\"X-note\": 1}",
		"a.json:2:1: /X-note: unknown key; known here: name, plugin, data_path, cpus, "
		"device, limits, options, ublk_device_manifest");
}
END_TEST

START_TEST(sections_must_be_objects)
{
	assert_refused(HEAD "\"device\": [], \"limits\": \"big\", \"options\": 5}",
		       "a.json:2:11: /device: expected an object, got an array",
		       "a.json:2:25: /limits: expected an object, got \"big\"",
		       "a.json:2:43: /options: expected an object, got 5");
	assert_refused("[]", "a.json:1:1: expected an object, got an array");
	assert_refused("{}",
		       "a.json:1:1: /ublk_device_manifest: missing: the format must be named, "
		       "as \"ublk_device_manifest\": \"1.0\"");
}
END_TEST

START_TEST(wrong_types_name_what_came)
{
	assert_refused(HEAD "\"device\": {\"queues\": \"4\"}}",
		       "a.json:2:22: /device/queues: expected integer 1..4096, got string \"4\"");
	assert_refused(HEAD "\"device\": {\"queues\": 2.0}}",
		       "a.json:2:22: /device/queues: expected integer 1..4096, got 2.0");
	assert_refused(HEAD "\"device\": {\"queues\": 1e2}}",
		       "a.json:2:22: /device/queues: expected integer 1..4096, got 100.0");
	assert_refused(HEAD "\"device\": {\"queues\": true}}",
		       "a.json:2:22: /device/queues: expected integer 1..4096, got true");
	assert_refused(HEAD "\"device\": {\"queues\": null}}",
		       "a.json:2:22: /device/queues: expected integer 1..4096, got null");
	assert_refused(HEAD "\"device\": {\"queues\": [4]}}",
		       "a.json:2:22: /device/queues: expected integer 1..4096, got an array");
	assert_refused(HEAD "\"device\": {\"read_only\": 1}}",
		       "a.json:2:25: /device/read_only: expected true or false, got 1");
	assert_refused(HEAD "\"name\": 5}",
		       "a.json:2:9: /name: expected a name of 1..64 characters "
		       "a-z 0-9 . _ - that begins with a letter or digit, got 5");
	assert_refused(HEAD "\"cpus\": 3}",
		       "a.json:2:9: /cpus: expected \"auto\", \"none\" or a list "
		       "of CPUs as \"0-3,6\", got 3");
	assert_refused(HEAD "\"data_path\": false}",
		       "a.json:2:14: /data_path: expected one of auto, copy, user-copy, "
		       "auto-buf-reg; got false");
	assert_refused("{\"ublk_device_manifest\": \"1.0\", \"plugin\": \"\"}",
		       "a.json:1:43: /plugin: expected the name of a plugin or a path to one, got "
		       "\"\"");
}
END_TEST

START_TEST(a_newer_major_is_refused_and_nothing_else_is_said)
{
	assert_refused("{\"ublk_device_manifest\": \"2.0\", \"what\": 1}",
		       "a.json:1:26: /ublk_device_manifest: format 2.0, this host reads 1.x");
	assert_refused("{\"ublk_device_manifest\": \"0.9\"}",
		       "a.json:1:26: /ublk_device_manifest: format 0.9, this host reads 1.x");
	assert_refused("{\"ublk_device_manifest\": 1.0}",
		       "a.json:1:26: /ublk_device_manifest: expected \"1.0\", got 1.0");
	assert_refused("{\"ublk_device_manifest\": \"1\"}",
		       "a.json:1:26: /ublk_device_manifest: expected \"1.0\", got string \"1\"");
	assert_refused("{\"ublk_device_manifest\": \"1.0.0\"}",
		       "a.json:1:26: /ublk_device_manifest: expected \"1.0\", got \"1.0.0\"");
	assert_refused("{\"ublk_device_manifest\": \"01.0\"}",
		       "a.json:1:26: /ublk_device_manifest: expected \"1.0\", got \"01.0\"");
	assert_refused("{\"ublk_device_manifest\": \"1.99999\"}",
		       "a.json:1:26: /ublk_device_manifest: expected \"1.0\", got \"1.99999\"");
}
END_TEST

START_TEST(a_newer_minor_is_read_if_nothing_in_it_is_new)
{
	struct device_config cfg;
	struct errors errors = { 0 };

	ck_assert_int_eq(read_text(&cfg, "{\"ublk_device_manifest\": \"1.2\", \"plugin\": \"mem\"}",
				   &errors),
			 0);
	assert_silent(&errors);
	device_config_free(&cfg);
	assert_refused(
		"{\"ublk_device_manifest\": \"1.2\", \"plugin\": \"mem\",\n"
		" \"device\": {\"zzzzzzzz\": 1, \"queue\": 2, \"depth\": 0}}",
		"a.json:2:13: /device/zzzzzzzz: unknown key; known here: id, queues, depth, "
		"max_io, read_only, io_timeout, plugin_timeout, threads_per_queue, poll_us, shared_memory, "
		"recovery, sandbox, swap_safe, user (format 1.2, this host reads up to 1.0)",
		"a.json:2:28: /device/queue: unknown key (did you mean \"queues\"?) (format "
		"1.2, this host reads up to 1.0)",
		"a.json:2:49: /device/depth: expected integer 1..4096, got 0 (format 1.2, "
		"this host reads up to 1.0)");
}
END_TEST

START_TEST(too_many_options_are_refused)
{
	size_t size = 64 + 300 * 16, len;
	char *text = malloc(size);

	len = (size_t)sprintf(text, HEAD "\"options\": {");
	for (int i = 0; i < 257; i++)
		len += (size_t)sprintf(text + len, "%s\"k%d\":1", i ? "," : "", i);
	strcpy(text + len, "}}");
	assert_refused(text, "a.json:2:12: /options: 257 options, at most 256 are allowed");
	free(text);
}
END_TEST

/* A hostile file must not keep the host busy: only what is shown is searched for. */
START_TEST(a_flood_of_errors_is_counted_fast)
{
	size_t size = JSON_TEXT_MAX, len;
	char *text = malloc(size);
	struct device_config cfg;
	struct errors errors = { 0 };
	unsigned int nr = 0;

	len = (size_t)sprintf(text, HEAD);
	while (len + 32 < size)
		len += (size_t)sprintf(text + len, "%s\"k%u\":1", nr ? "," : "", nr), nr++;
	strcpy(text + len, "}");
	ck_assert_int_eq(read_text(&cfg, text, &errors), -EINVAL);
	ck_assert_uint_eq(errors_count(&errors), nr);
	ck_assert_uint_gt(nr, 80000);
	ck_assert_ptr_nonnull(strstr(errors.msg[ERRORS_KEPT - 1], "/k19: unknown key"));
	errors_free(&errors);
	device_config_free(&cfg);
	free(text);
}
END_TEST

START_TEST(a_tree_without_text_is_read_too)
{
	struct device_config cfg;
	struct errors errors = { 0 };
	struct json_text jt;
	json_t *root = json_pack("{s:s, s:s, s:{s:i}}", "ublk_device_manifest", "1.0", "plugin",
				 "./mem.so", "device", "queues", 0);

	ck_assert_int_eq(json_text_wrap(&jt, "state of 3", root), 0);
	device_config_init(&cfg);
	ck_assert_int_eq(device_manifest_read(&cfg, &jt, NULL, &errors), -EINVAL);
	assert_messages(&errors,
			"state of 3: /plugin: expected an absolute path (the current folder is not "
			"known), got \"./mem.so\"",
			"state of 3: /device/queues: expected integer 1..4096, got 0");
	device_config_free(&cfg);
	json_text_free(&jt);
	json_decref(root);
}
END_TEST

START_TEST(a_file_is_loaded_and_its_folder_counts)
{
	struct device_config cfg;
	struct errors errors = { 0 };
	char folder[64];

	enter_temporary_folder(folder);
	ck_assert_int_eq(mkdir("d", 0700), 0);
	write_file("d/a.json", full, strlen(full));
	device_config_init(&cfg);
	ck_assert_int_eq(device_manifest_load(&cfg, "d/a.json", &errors), 0);
	assert_silent(&errors);
	ck_assert_str_eq(cfg.origin, "d/a.json");
	ck_assert_int_eq(strncmp(cfg.opts[0].folder, folder, strlen(folder)), 0);
	ck_assert_str_eq(cfg.opts[0].folder + strlen(folder), "/d");
	device_config_free(&cfg);
	device_config_init(&cfg);
	ck_assert_int_eq(device_manifest_load(&cfg, "d/b.json", &errors), -ENOENT);
	assert_messages(&errors, "d/b.json: cannot read it: No such file or directory");
	device_config_free(&cfg);
	unlink("d/a.json");
	rmdir("d");
	leave_temporary_folder(folder);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("config device manifest");
	TCase *tc = tcase_create("manifest");

	tcase_add_test(tc, a_full_manifest_is_read);
	tcase_add_test(tc, a_short_manifest_leaves_the_defaults);
	tcase_add_test(tc, all_errors_come_at_once_with_their_places);
	tcase_add_test(tc, unknown_keys_come_with_a_hint);
	tcase_add_test(tc, sections_must_be_objects);
	tcase_add_test(tc, wrong_types_name_what_came);
	tcase_add_test(tc, a_newer_major_is_refused_and_nothing_else_is_said);
	tcase_add_test(tc, a_newer_minor_is_read_if_nothing_in_it_is_new);
	tcase_add_test(tc, too_many_options_are_refused);
	tcase_add_test(tc, a_flood_of_errors_is_counted_fast);
	tcase_add_test(tc, a_tree_without_text_is_read_too);
	tcase_add_test(tc, a_file_is_loaded_and_its_folder_counts);
	suite_add_tcase(suite, tc);
	return run_tap(suite);
}
